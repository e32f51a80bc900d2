"""What a command needs from disk, and what there is to say of it: digits, and a network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from taller_cnn.cli.board import Board, board
from taller_cnn.cli.options import DATASETS, next_command
from taller_cnn.cli.terminal import Terminal
from taller_cnn.cli.values import home_path
from taller_cnn.errors import ModelError, UsageError

if TYPE_CHECKING:
    from taller_cnn.checkpoints import LoadedModel
    from taller_cnn.config import ModelConfig
    from taller_cnn.data import Digits, DigitsPlace, DownloadProgress
    from taller_cnn.errors import TallerError


def dataset_name(
    terminal: Terminal, word: str, workdir: Path, *, resized: bool | None = None
) -> str:
    """The name of the data set that a word stands for; a path is prepared, and told of.

    Args:
        terminal: where it is told.
        word: one of `DATASETS`, a path, or the name of a set that was prepared before.
        workdir: the working folder, which keeps the set.
        resized: whether pictures are only made smaller; None for as before.

    Raises:
        UsageError: there is nothing of this name.
        TallerError: as `taller_cnn.reader.own_data.own_set`.
    """
    if word in DATASETS:
        return word
    from taller_cnn.data import DigitsPlace
    from taller_cnn.data.own import own_spec, set_name
    from taller_cnn.reader.own_data import OwnSet, own_set

    own_dir = DigitsPlace.in_workdir(workdir).own_dir
    path = home_path(word)
    if not path.exists():
        if word == set_name(path) and own_spec(own_dir / word) is not None:
            return word
        raise UsageError("own_unknown", value=word, allowed=", ".join(DATASETS))
    say, own = terminal.messages, None
    with board(terminal) as shown:
        for item in own_set(path, own_dir, resized=resized):
            if isinstance(item, OwnSet):
                own = item
            else:
                count = f"{say.number(item.done, 0)} / {say.number(item.total, 0)}"
                shown.step(say("cli.own.preparing"), count, item.done, item.total)
    assert own is not None, "preparing ends with the set"
    if own.is_new:
        for note in own.notes:
            terminal.notice(note.text(say))
    return own.name


def load(terminal: Terminal, place: DigitsPlace, holdout: int = 5000) -> Digits:
    """The digits; a notice tells when they are the sample.

    Raises:
        DataError, ConfigError, OutputError: as `DigitsPlace.load`.
    """
    from taller_cnn.data import Digits

    digits = None
    with board(terminal) as shown:
        shown.waiting(terminal.messages("cli.loading"))
        for item in place.loading(holdout):
            if isinstance(item, Digits):
                digits = item
            else:
                show_download(terminal, shown, item)
    assert digits is not None, "loading ends with the digits"
    show_sample_notice(terminal, place, digits.source, digits.fallback_reason)
    return digits


def show_download(terminal: Terminal, shown: Board, progress: DownloadProgress) -> None:
    """Tell how much of a file has come."""
    say = terminal.messages
    received = f"{say.number(progress.received / 1e6, 1)} MB"
    file = say("cli.download.file", file=progress.file)
    shown.step(file, received, progress.received, progress.total)


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
        place = {"dataset": dataset, "workdir": workdir}
        command = next_command("train", lang=terminal.messages.tag, **place)
        raise ModelError("no_model_here", path=path, command=command)
    loaded = load_model(path, config)
    show_model_notices(terminal, loaded)
    return loaded


def keras_on_torch() -> None:
    """Let Keras, which reads it when it is imported, run on the backend that is installed here."""
    os.environ["KERAS_BACKEND"] = "torch"


def show_model_notices(terminal: Terminal, loaded: LoadedModel) -> None:
    """Tell what is to be known about a model that was read."""
    for notice in loaded.notices:
        terminal.notice(terminal.messages(f"model.{notice}", wrapping=loaded.wrapping))


def show_sample_notice(
    terminal: Terminal, place: DigitsPlace, source: str, reason: TallerError | None = None
) -> None:
    """Tell that the digits are the sample, if they are, and how to get the full set.

    Args:
        terminal: where.
        place: where the reader wanted the digits from.
        source: of the digits.
        reason: why the full set could not be had.
    """
    if source != "sample":
        return
    say = terminal.messages
    key = "cli.sample.asked" if place.source == "sample" else "cli.sample.otherwise"
    lines = [say("cli.sample.what"), say(key, folder=place.data_dir)]
    terminal.notice("\n".join(lines + ([reason.text(say)] if reason else [])))


def warn_of_seen_digits(
    terminal: Terminal, loaded: LoadedModel, digits: Digits, split: str = "test"
) -> None:
    """The sample is part of the full set's training digits: who learned one has seen the other."""
    trained_on = loaded.info.source if loaded.info else digits.source
    if trained_on != digits.source and (split == "validation" or digits.source == "sample"):
        terminal.notice(terminal.messages("cli_evaluate.seen"))
