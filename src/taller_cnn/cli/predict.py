"""``taller-cnn predict``."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taller_cnn.cli.loading import load_network
from taller_cnn.cli.notices import show_model_notices
from taller_cnn.cli.options import DataDir, ModelFile, Workdir, panel
from taller_cnn.cli.predict_view import Progress, show_digits, show_text
from taller_cnn.cli.progress import view
from taller_cnn.cli.signals import stop_on_signals
from taller_cnn.cli.terminal import Terminal
from taller_cnn.cli.values import home_path
from taller_cnn.errors import InputError, ModelError, TallerError

if TYPE_CHECKING:
    from taller_cnn.checkpoints import LoadedModel
    from taller_cnn.data import DigitsPlace
    from taller_cnn.reader.files import FileReading, Source
    from taller_cnn.reader.reading import PictureReading, Reader

__all__ = ["predict"]

STDIN = "-"

Pictures = Annotated[
    list[str],
    typer.Argument(
        help="cli_predict.argument.pictures",
        metavar="cli_predict.metavar.pictures",
        show_default=False,
    ),
]
Single = Annotated[bool, panel("model", "--single", help="cli_predict.option.single")]
Lines = Annotated[bool, panel("model", "--lines", help="cli_predict.option.lines")]
Robust = Annotated[bool, panel("model", "--robust", help="cli_predict.option.robust")]
Annotate = Annotated[bool, panel("output", "--annotate", help="cli_predict.option.annotate")]
ShowSteps = Annotated[bool, panel("output", "--show-steps", help="cli_predict.option.show_steps")]


def predict(
    context: typer.Context,
    pictures: Pictures,
    single: Single = False,
    lines: Lines = False,
    robust: Robust = False,
    annotate: Annotate = False,
    show_steps: ShowSteps = False,
    model: ModelFile = None,
    data_dir: DataDir = None,
    workdir: Workdir = Path(),
) -> None:
    """Read handwritten digits in pictures."""
    from taller_cnn.data import DigitsPlace
    from taller_cnn.reader.files import read_files
    from taller_cnn.reader.finding import Options
    from taller_cnn.reader.robust import ready_robust
    from taller_cnn.runs import RunFiles

    terminal: Terminal = context.obj
    files = RunFiles.in_workdir(workdir)
    path = model or files.model
    place = DigitsPlace.in_workdir(workdir, data_dir)
    output = _Output(terminal, files.results, annotate=annotate, show_steps=show_steps)
    sources = list(_sources(pictures))
    # Said before a network is looked for, or the robust one trained, for nothing.
    ready = ready_robust(path) if robust else None
    if refused := _refusals(sources, closely=robust and ready is None):
        for name, error in refused:
            output.failed(name, error)
        output.finish(None)
    try:
        reader = _reader(terminal, path, workdir, ready, place, robust=robust)
    except ModelError as error:
        # As where no picture could be read: none can be.
        terminal.failure(error, error.text(terminal.messages))
        raise typer.Exit(2) from error
    options = Options(single=single, lines=lines, steps=show_steps)
    with Progress(terminal, len(sources)) as progress:
        for reading in read_files(sources, reader, options):
            progress.advance()
            output.take(reading)
    output.finish(reader.threshold)


class _Output:
    """What is said of each file, written for it, and told to a program."""

    def __init__(
        self, terminal: Terminal, folder: Path, *, annotate: bool, show_steps: bool
    ) -> None:
        self._terminal = terminal
        self._folder = folder
        self._annotate = annotate
        self._show_steps = show_steps
        self._files: list[dict[str, Any]] = []
        self._read: list[tuple[str, PictureReading]] = []
        self._failed = 0
        self._taken: set[str] = set()

    def take(self, reading: FileReading) -> None:
        """Say what one file says and write its pictures."""
        from taller_cnn.reader.files import in_file_pixels

        if reading.picture is not None and reading.reading is not None:
            self._write(reading)
        if reading.error is not None or reading.reading is None:
            assert reading.error is not None
            self.failed(reading.name, reading.error)
            return
        result = in_file_pixels(reading)
        show_text(self._terminal, reading.name, result)
        self._read.append((reading.name, result))
        digits = [
            {
                "box": list(digit.box),
                "digit": digit.digit,
                "probability": digit.probability,
                "second": digit.second,
                "uncertain": digit.uncertain,
                "image28": digit.image28.tolist(),
            }
            for digit in result.digits
        ]
        self._files.append(
            {"file": reading.name, "text": result.text, "digits": digits, "error": None}
        )

    def failed(self, name: str, error: TallerError) -> None:
        """A line for a file that was not read."""
        text = error.text(self._terminal.messages)
        self._terminal.err.print(text, style="bold red", markup=False)
        self._files.append({"file": name, "text": "", "digits": [], "error": text})
        self._failed += 1

    def finish(self, threshold: float | None) -> None:
        """Show the digits or write the JSON; leave with the exit code where not all was read."""
        if self._read:
            show_digits(self._terminal, self._read, threshold)
        self._terminal.result({"files": self._files})
        if not self._failed:
            return
        nothing = self._failed == len(self._files)
        if len(self._files) > 1:
            some = InputError("reader_some_failed", n=self._failed, of=len(self._files))
            summary = InputError("reader_nothing_read") if nothing else some
            self._terminal.err.print(summary.text(self._terminal.messages), markup=False)
        raise typer.Exit(2 if nothing else 1)

    def _write(self, reading: FileReading) -> None:
        from taller_cnn.files import atomic_path
        from taller_cnn.reader.drawing import annotated, steps_strip

        assert reading.picture is not None
        assert reading.reading is not None
        stem = self._name(reading.name)
        drawings = (
            ("lectura", annotated, self._annotate),
            ("etapas", steps_strip, self._show_steps),
        )
        for prefix, draw, wanted in drawings:
            if wanted:
                image = draw(reading.picture.pixels, reading.reading, self._terminal.messages)
                with atomic_path(self._folder / f"{prefix}_{stem}.png") as path:
                    image.save(path, "PNG")

    def _name(self, file: str) -> str:
        """A file's name for what is written for it, with a number if another one has it."""
        stem = "stdin" if file == STDIN else Path(file).stem
        name, number = stem, 1
        while name in self._taken:
            number += 1
            name = f"{stem}_{number}"
        self._taken.add(name)
        return name


def _sources(words: Sequence[str]) -> Iterator[tuple[str, Source]]:
    """The files that the words stand for; for a word that stands for none, why."""
    from taller_cnn.reader.loading import picture_files, read_bytes

    for word in words:
        name = word
        try:
            if word == STDIN:
                yield STDIN, read_bytes(sys.stdin.buffer, STDIN)
                continue
            for found in _expanded(word):
                name = str(found)
                yield from ((str(path), path) for path in picture_files(found))
        except InputError as error:
            yield name, error


def _refusals(
    sources: Sequence[tuple[str, Source]], *, closely: bool
) -> list[tuple[str, TallerError]]:
    """Why none of the files can be read; nothing where one can.

    Looked at closely, a file is opened; otherwise it is enough that it is there.
    """
    from taller_cnn.reader.loading import load_picture

    refused = []
    for name, source in sources:
        try:
            if isinstance(source, TallerError):
                raise source
            if closely:
                load_picture(source, name=name)
        except TallerError as error:
            refused.append((name, error))
        else:
            return []
    return refused


def _expanded(word: str) -> list[Path]:
    """The files of a pattern that the shell has left as it is."""
    path = home_path(word)
    try:
        there = path.exists()
    except (OSError, ValueError):
        there = False
    if there or not glob.has_magic(word):
        return [path]
    found = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - absolute ones too
    if not found:
        raise InputError("reader_no_match", path=word)
    return [Path(name) for name in found]


def _reader(
    terminal: Terminal,
    path: Path,
    workdir: Path,
    ready: LoadedModel | None,
    place: DigitsPlace,
    *,
    robust: bool,
) -> Reader:
    """The network to read with, and its threshold; `ready` is the robust one, if it is there."""
    from taller_cnn.reader.reading import Reader
    from taller_cnn.reader.robust import robust_path

    if robust:
        loaded = ready or _robust(terminal, path, place)
        path = robust_path(path)
        show_model_notices(terminal, loaded)
    else:
        loaded = load_network(terminal, path, workdir)
    if loaded.info is None:
        return Reader.of(loaded)
    return Reader.of(loaded, _threshold(terminal, path, loaded, place))


def _robust(terminal: Terminal, path: Path, place: DigitsPlace) -> LoadedModel:
    """The robust network, trained now."""
    from taller_cnn.checkpoints import LoadedModel
    from taller_cnn.config import recipe
    from taller_cnn.reader.robust import RECIPE, robust_network
    from taller_cnn.training import EpochResult

    epochs = recipe(RECIPE)[1].epochs
    with stop_on_signals() as stop, view(terminal, quiet=False, stop=stop) as shown:
        shown.waiting("cli_predict.training")
        for event in robust_network(path, stop, place):
            if isinstance(event, LoadedModel):
                return event
            if isinstance(event, EpochResult):
                shown.epoch(event)
            else:
                shown.step(event, epochs)
    raise AssertionError("the training ends with the network")


def _threshold(
    terminal: Terminal, path: Path, loaded: LoadedModel, place: DigitsPlace
) -> float | None:
    """The network's own; chosen now if there is none yet."""
    from taller_cnn.reader.threshold import ensure_threshold, kept_threshold

    kept = kept_threshold(path)
    if kept is not None:
        return kept.threshold
    terminal.err.print(terminal.messages("cli_predict.choosing"), style="dim", markup=False)
    try:
        return ensure_threshold(path, loaded, place).threshold
    except TallerError as error:
        reason = error.text(terminal.messages)
    terminal.notice(terminal.messages("cli_predict.no_threshold", reason=reason))
    return None
