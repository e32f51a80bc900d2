"""``taller-cnn predict``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taller_cnn.cli.board import board
from taller_cnn.cli.command import Argument, Option, refuse_together
from taller_cnn.cli.config_options import network, network_options
from taller_cnn.cli.loading import dataset_name, load_network, show_model_notices
from taller_cnn.cli.options import DATA_DIR, DATASET, MODEL, WORKDIR, command
from taller_cnn.cli.results import EpochTable, show_training
from taller_cnn.cli.signals import stop_on_signals
from taller_cnn.cli.terminal import Terminal
from taller_cnn.cli.values import Key, Value, home_path
from taller_cnn.errors import TallerError

if TYPE_CHECKING:
    from taller_cnn.checkpoints import LoadedModel
    from taller_cnn.cli.predict_view import Readings
    from taller_cnn.data import DigitsPlace
    from taller_cnn.reader.files import Source
    from taller_cnn.reader.finding import Options
    from taller_cnn.reader.reading import Reader
    from taller_cnn.reader.scoring import ScoredPicture

MANY = 8
"""Files from which on it is told how many are read."""


def _word(text: str) -> str:
    return str(home_path(text))


@command(
    Argument(
        ["pictures"],
        help="cli_predict.argument.pictures",
        type=Value(_word, Key("cli_predict.metavar.pictures")),
        nargs=-1,
        required=True,
    ),
    Option("--score", panel="output", help="cli_predict.option.score"),
    Option("--single", panel="model", help="cli_predict.option.single"),
    Option("--lines", panel="model", help="cli_predict.option.lines"),
    Option("--robust", panel="model", help="cli_predict.option.robust"),
    Option("--annotate", panel="output", help="cli_predict.option.annotate"),
    Option("--show-steps", panel="output", help="cli_predict.option.show_steps"),
    MODEL,
    *network_options(),
    DATASET,
    DATA_DIR,
    WORKDIR,
)
def predict(
    terminal: Terminal,
    *,
    pictures: tuple[str, ...],
    score: bool,
    single: bool,
    lines: bool,
    robust: bool,
    annotate: bool,
    show_steps: bool,
    model: Path | None,
    dataset: str,
    data_dir: Path | None,
    workdir: Path,
    **fields: Any,
) -> None:
    """Read handwritten digits in pictures."""
    from taller_cnn.cli.predict_view import Readings
    from taller_cnn.data import DigitsPlace
    from taller_cnn.reader.drawing import Drawings
    from taller_cnn.reader.files import named_sources, refusals
    from taller_cnn.reader.finding import Options
    from taller_cnn.reader.robust import ready_robust, robust_path
    from taller_cnn.runs import RunFiles

    refuse_together("lines", "single", "score")
    # The robust network reads digits, and is always kept with its description.
    refuse_together("robust", "dataset", *fields)
    dataset = dataset_name(terminal, dataset, workdir)
    files = RunFiles.in_workdir(workdir, dataset)
    path = model or files.model
    place = DigitsPlace.in_workdir(workdir, data_dir)
    drawings = Drawings(files.results, terminal.messages, annotate=annotate, show_steps=show_steps)
    readings = Readings(terminal, drawings)
    known = _labelled(terminal, pictures) if score else None
    sources: list[tuple[str, Source]] = [(str(p.path), p.path) for p in known or ()]
    sources = sources or list(named_sources(pictures, sys.stdin.buffer))
    # Said before a network is looked for, or the robust one trained, for nothing.
    ready = ready_robust(path) if robust else None
    if refused := refusals(sources, closely=robust and ready is None):
        for name, error in refused:
            readings.failed(name, error)
        readings.finish(None)
    if robust:
        path, loaded = robust_path(path), ready or _robust(terminal, path, place)
        show_model_notices(terminal, loaded)
    else:
        loaded = load_network(terminal, path, workdir, dataset, network(fields))
    if known is not None:
        readings.measure(known, loaded)
    options = Options(single=single or score, lines=lines, steps=show_steps)
    reader = _reader(terminal, path, loaded, place)
    _read(terminal, sources, reader, options, readings)
    readings.finish(reader.threshold)


def _labelled(terminal: Terminal, folders: Sequence[str]) -> list[ScoredPicture]:
    """The pictures of folders whose classes are known, with what there is to say of them."""
    from taller_cnn.reader.scoring import pictures_to_score

    known = []
    for folder in map(Path, folders):
        pictures, labelled, split = pictures_to_score(folder)
        known += pictures
        if split:
            split_name = terminal.messages(f"cli_predict.split.{split}")
            terminal.say("cli_predict.measured_on", "dim", folder=folder, split=split_name)
        if labelled.unlabelled:
            n, first = len(labelled.unlabelled), labelled.unlabelled[0]
            terminal.notice(terminal.messages("cli_predict.unlabelled", n=n, first=first))
    return known


def _read(
    terminal: Terminal,
    sources: Sequence[tuple[str, Source]],
    reader: Reader,
    options: Options,
    readings: Readings,
) -> None:
    """Read all files, on a board where there are many."""
    from taller_cnn.reader.files import read_files

    # Never among the readings, which another program may take from the pipe.
    console = terminal.out if terminal.out.is_terminal else terminal.err
    with board(terminal, console=console, is_quiet=len(sources) < MANY) as shown:
        done = 0
        for reading in read_files(sources, reader, options):
            done += reading.page == 1
            words = terminal.messages("cli_predict.reading", done=done, of=len(sources))
            shown.step(words, "", done, len(sources))
            readings.take(reading)


# ------------------------------------------------------------------------ the network


def _reader(terminal: Terminal, path: Path, loaded: LoadedModel, place: DigitsPlace) -> Reader:
    """A network to read with, and its threshold."""
    from taller_cnn.reader.reading import Reader

    if loaded.info is None:
        return Reader.of(loaded)
    return Reader.of(loaded, _threshold(terminal, path, loaded, place))


def _robust(terminal: Terminal, path: Path, place: DigitsPlace) -> LoadedModel:
    """The robust network, trained now."""
    from taller_cnn.checkpoints import LoadedModel
    from taller_cnn.config import recipe
    from taller_cnn.reader.robust import RECIPE, robust_network
    from taller_cnn.training import EpochResult

    length = recipe(RECIPE)[1].epochs
    with stop_on_signals() as stop, board(terminal, stop=stop) as shown:
        shown.waiting(terminal.messages("cli_predict.training"))
        epochs = EpochTable(terminal.messages, shown)
        for event in robust_network(path, stop, place):
            if isinstance(event, LoadedModel):
                return event
            if isinstance(event, EpochResult):
                epochs.add(event)
            else:
                show_training(terminal, shown, event, length)
    raise AssertionError("the training ends with the network")


def _threshold(
    terminal: Terminal, path: Path, loaded: LoadedModel, place: DigitsPlace
) -> float | None:
    """The network's own; chosen now if there is none yet."""
    from taller_cnn.reader.threshold import ensure_threshold, kept_threshold

    kept = kept_threshold(path)
    if kept is not None:
        return kept.threshold
    terminal.err.print(terminal.messages("cli_predict.choosing"), style="dim")
    try:
        return ensure_threshold(path, loaded, place).threshold
    except TallerError as error:
        reason = error.text(terminal.messages)
    terminal.notice(terminal.messages("cli_predict.no_threshold", reason=reason))
    return None
