"""What a command needs from disk: digits, with a download shown as it goes, and a network."""

from __future__ import annotations

import shlex
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from taller_cnn.cli.notices import show_model_notices, show_sample_notice
from taller_cnn.cli.options import DATASETS
from taller_cnn.cli.progress import view
from taller_cnn.cli.terminal import Terminal
from taller_cnn.errors import ModelError

if TYPE_CHECKING:
    from taller_cnn.checkpoints import LoadedModel
    from taller_cnn.config import ModelConfig
    from taller_cnn.data import Digits, DigitsPlace

__all__ = ["load", "load_network"]


def load(terminal: Terminal, place: DigitsPlace, holdout: int = 5000) -> Digits:
    """The digits; a notice tells when they are the sample.

    Raises:
        DataError, ConfigError, OutputError: as `DigitsPlace.load`.
    """
    from taller_cnn.data import Digits

    digits = None
    with view(terminal, quiet=False, stop=threading.Event()) as shown:
        shown.waiting("cli.loading")
        for item in place.loading(holdout):
            if isinstance(item, Digits):
                digits = item
            else:
                shown.step(item, 0)
    assert digits is not None, "loading ends with the digits"
    show_sample_notice(terminal, place, digits.source, digits.fallback_reason)
    return digits


def load_network(
    terminal: Terminal,
    path: Path,
    workdir: Path,
    dataset: str = DATASETS[0],
    config: ModelConfig | None = None,
) -> LoadedModel:
    """The network of a file, with what there is to say of it.

    Args:
        terminal: where that is said.
        path: the file, or the folder of an ensemble.
        workdir: the working folder, whose network may be missing.
        dataset: of that network.
        config: architecture of weights without a description.

    Raises:
        ModelError: as `taller_cnn.checkpoints.load_model`; where there is none in this place
            yet, it says how to train one there.
    """
    from taller_cnn.checkpoints import load_model
    from taller_cnn.runs import RunFiles

    if path == RunFiles.in_workdir(workdir, dataset).model and not path.exists():
        words = ["taller-cnn", "train"]
        if dataset != DATASETS[0]:
            words += ["--dataset", dataset]
        if workdir != Path():
            words += ["--workdir", str(workdir)]
        raise ModelError("no_model_here", path=path, command=shlex.join(words))
    loaded = load_model(path, config)
    show_model_notices(terminal, loaded)
    return loaded
