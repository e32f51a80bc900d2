"""What a command needs from disk, and what there is to say of it: digits, and a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from taller_cnn.cli.board import Board, board
from taller_cnn.cli.options import next_command
from taller_cnn.cli.terminal import Terminal
from taller_cnn.errors import ModelError

if TYPE_CHECKING:
    from taller_cnn.checkpoints import LoadedModel
    from taller_cnn.config import ModelConfig
    from taller_cnn.data import Digits, DownloadProgress
    from taller_cnn.errors import TallerError
    from taller_cnn.runs import Workdir

__all__ = [
    "load",
    "load_network",
    "show_download",
    "show_model_notices",
    "show_sample_notice",
    "warn_of_seen_digits",
]


def load(
    terminal: Terminal,
    *,
    dataset: str,
    source: str,
    data_dir: Path,
    sample_dir: Path,
    holdout: int = 5000,
) -> Digits:
    """The digits; a notice tells when they are the sample.

    Raises:
        DataError, ConfigError, OutputError: as `taller_cnn.data.load_digits`.
    """
    from taller_cnn.data import Digits, loading

    items = loading(
        dataset=dataset, source=source, data_dir=data_dir, sample_dir=sample_dir, holdout=holdout
    )
    digits = None
    with board(terminal) as shown:
        shown.waiting(terminal.messages("cli.loading"))
        for item in items:
            if isinstance(item, Digits):
                digits = item
            else:
                show_download(terminal, shown, item)
    assert digits is not None, "loading ends with the digits"
    show_sample_notice(
        terminal, digits.source, data_dir, asked=source == "sample", reason=digits.fallback_reason
    )
    return digits


def show_download(terminal: Terminal, shown: Board, progress: DownloadProgress) -> None:
    """Tell how much of a file has come."""
    say = terminal.messages
    received = f"{say.number(progress.received / 1e6, 1)} MB"
    file = say("cli.download.file", file=progress.file)
    shown.step(file, received, progress.received, progress.total)


def load_network(
    terminal: Terminal, path: Path, where: Workdir, config: ModelConfig | None = None
) -> LoadedModel:
    """The network of a file, with what there is to say of it.

    Raises:
        ModelError: as `taller_cnn.checkpoints.load_model`; where there is none in this place
            yet, it says how to train one there.
    """
    from taller_cnn.checkpoints import load_model

    if path == where.model and not path.exists():
        place = {"dataset": where.dataset, "workdir": where.root}
        command = next_command("train", lang=terminal.messages.tag, **place)
        raise ModelError("no_model_here", path=path, command=command)
    loaded = load_model(path, config)
    show_model_notices(terminal, loaded)
    return loaded


def show_model_notices(terminal: Terminal, loaded: LoadedModel) -> None:
    """Tell what is to be known about a model that was read."""
    for notice in loaded.notices:
        terminal.notice(terminal.messages(f"model.{notice}"))


def show_sample_notice(
    terminal: Terminal, source: str, data_dir: Path, *, asked: bool, reason: TallerError | None
) -> None:
    """Tell that the digits are the sample, if they are, and how to get the full set.

    Args:
        terminal: where.
        source: of the digits.
        data_dir: where the full set would be.
        asked: whether the reader wanted the sample.
        reason: why the full set could not be had.
    """
    if source != "sample":
        return
    say = terminal.messages
    lines = [say("cli.sample.what")]
    lines.append(say("cli.sample.asked" if asked else "cli.sample.otherwise", folder=data_dir))
    terminal.notice("\n".join(lines + ([reason.text(say)] if reason else [])))


def warn_of_seen_digits(
    terminal: Terminal, loaded: LoadedModel, digits: Digits, split: str = "test"
) -> None:
    """The sample is part of the full set's training digits: who learned one has seen the other."""
    trained_on = loaded.info.source if loaded.info else digits.source
    if trained_on != digits.source and (split == "validation" or digits.source == "sample"):
        terminal.notice(terminal.messages("cli_evaluate.seen"))
