"""``taller-cnn predict``."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from taller_cnn.cli.board import board
from taller_cnn.cli.command import Argument, Option, refuse_together
from taller_cnn.cli.config_options import network, network_options
from taller_cnn.cli.loading import load_network, show_model_notices
from taller_cnn.cli.options import DATA_DIR, MODEL, WORKDIR, command
from taller_cnn.cli.results import EpochTable, show_training
from taller_cnn.cli.signals import stop_on_signals
from taller_cnn.cli.terminal import Terminal
from taller_cnn.cli.values import Key, Value, home_path
from taller_cnn.errors import InputError, TallerError

if TYPE_CHECKING:
    from taller_cnn.checkpoints import LoadedModel
    from taller_cnn.data import DigitsPlace
    from taller_cnn.reader.drawing import Drawings
    from taller_cnn.reader.files import FileReading
    from taller_cnn.reader.reading import DigitReading, PictureReading, Reader

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
    Option("--single", panel="model", help="cli_predict.option.single"),
    Option("--lines", panel="model", help="cli_predict.option.lines"),
    Option("--robust", panel="model", help="cli_predict.option.robust"),
    Option("--annotate", panel="output", help="cli_predict.option.annotate"),
    Option("--show-steps", panel="output", help="cli_predict.option.show_steps"),
    MODEL,
    *network_options(),
    DATA_DIR,
    WORKDIR,
)
def predict(
    terminal: Terminal,
    *,
    pictures: tuple[str, ...],
    single: bool,
    lines: bool,
    robust: bool,
    annotate: bool,
    show_steps: bool,
    model: Path | None,
    data_dir: Path | None,
    workdir: Path,
    **fields: Any,
) -> None:
    """Read handwritten digits in pictures."""
    from taller_cnn.data import DigitsPlace
    from taller_cnn.reader.drawing import Drawings
    from taller_cnn.reader.files import named_sources, read_files, refusals
    from taller_cnn.reader.finding import Options
    from taller_cnn.reader.robust import ready_robust
    from taller_cnn.runs import RunFiles

    refuse_together("single", "lines")
    # The robust network is always kept with its description.
    refuse_together("robust", *fields)
    files = RunFiles.in_workdir(workdir)
    path = model or files.model
    place = DigitsPlace.in_workdir(workdir, data_dir)
    drawings = Drawings(files.results, terminal.messages, annotate=annotate, show_steps=show_steps)
    output = _Output(terminal, drawings)
    sources = list(named_sources(pictures, sys.stdin.buffer))
    # Said before a network is looked for, or the robust one trained, for nothing.
    ready = ready_robust(path) if robust else None
    if refused := refusals(sources, closely=robust and ready is None):
        for name, error in refused:
            output.failed(name, error)
        output.finish(None)
    if robust:
        reader = _robust_reader(terminal, path, ready, place)
    else:
        reader = _reader(
            terminal, path, load_network(terminal, path, workdir, config=network(fields)), place
        )
    options = Options(single=single, lines=lines, steps=show_steps)
    # Never among the readings, which another program may take from the pipe.
    console = terminal.out if terminal.out.is_terminal else terminal.err
    with board(terminal, console=console, is_quiet=len(sources) < MANY) as shown:
        done = 0
        for reading in read_files(sources, reader, options):
            done += reading.page == 1
            words = terminal.messages("cli_predict.reading", done=done, of=len(sources))
            shown.step(words, "", done, len(sources))
            output.take(reading)
    output.finish(reader.threshold)


# ------------------------------------------------------------------------ the network


def _robust_reader(
    terminal: Terminal, path: Path, ready: LoadedModel | None, place: DigitsPlace
) -> Reader:
    """The robust network beside a network, `ready` if it is there, with its threshold."""
    from taller_cnn.reader.robust import robust_path

    loaded = ready or _robust(terminal, path, place)
    show_model_notices(terminal, loaded)
    return _reader(terminal, robust_path(path), loaded, place)


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


# ----------------------------------------------------------------------- the readings


class _Output:
    """What is said of each file, written for it, and told to a program."""

    def __init__(self, terminal: Terminal, drawings: Drawings) -> None:
        self._terminal, self._drawings = terminal, drawings
        self._files: list[dict[str, Any]] = []
        self._read: list[tuple[str, PictureReading]] = []
        self._failed = 0
        self._incomplete = 0

    def take(self, reading: FileReading) -> None:
        """Say what one file says and write its pictures."""
        from taller_cnn.reader.files import in_file_pixels

        result = None if reading.reading is None else in_file_pixels(reading)
        if reading.error is not None:
            self._tell_failure(reading.error)
        elif result is not None:
            _show_text(self._terminal, reading.label, result)
            self._read.append((reading.label, result))
        self._add(
            reading.name,
            reading.error,
            result,
            page=reading.page,
            pages=reading.pages,
            warnings=self._warnings(reading),
        )

    def failed(self, name: str, error: TallerError) -> None:
        """Tell of a file that could not be opened."""
        self._tell_failure(error)
        self._add(name, error, None, page=1, pages=1, warnings=[])

    def _tell_failure(self, error: TallerError) -> None:
        self._terminal.err.print(error.text(self._terminal.messages), style="bold red")
        self._failed += 1

    def _add(
        self, name: str, error: TallerError | None, reading: PictureReading | None, **about: Any
    ) -> None:
        """Keep what a program is told of a page."""
        say = self._terminal.messages
        self._files.append(
            {
                "file": name,
                "page": about["page"],
                "pages": about["pages"],
                "text": reading.text if reading else "",
                "digits": [_digit_json(digit) for digit in (reading.digits if reading else ())],
                "rejected": [
                    {
                        "box": list(mark.box),
                        "reason": mark.reason.key,
                        "detail": mark.reason.text(say),
                    }
                    for mark in (reading.rejected if reading else ())
                ],
                "warnings": about["warnings"],
                "error": error and error.text(say),
            }
        )

    def _warnings(self, reading: FileReading) -> list[str]:
        """What is to be known of a reading, told to people at once."""
        say, warnings = self._terminal.messages, []
        if reading.is_mostly_lost:
            warnings.append(say("cli_predict.mostly_lost", file=reading.label))
            self._incomplete += 1
        try:
            self._drawings.write(reading)
        except TallerError as error:
            warnings.append(error.text(say))
            self._incomplete += 1
        if reading.unread:
            warnings.append(say("cli_predict.unread", file=reading.name, n=reading.unread))
        for warning in warnings:
            self._terminal.err.print(Text(warning, "yellow"))
        return warnings

    def finish(self, threshold: float | None) -> None:
        """Show the digits or write the JSON; leave with the exit code where not all was read."""
        if self._read:
            _show_digits(self._terminal, self._read, threshold)
        self._terminal.result({"files": self._files})
        if not self._failed and not self._incomplete:
            return
        nothing = self._failed == len(self._files)
        if self._failed and len(self._files) > 1:
            some = InputError("reader_some_failed", n=self._failed, of=len(self._files))
            summary = InputError("reader_nothing_read") if nothing else some
            self._terminal.err.print(summary.text(self._terminal.messages))
        click.get_current_context().exit(2 if nothing else 1)


def _digit_json(digit: DigitReading) -> dict[str, Any]:
    return {
        "box": list(digit.box),
        "digit": digit.digit,
        "probability": digit.probability,
        "second": digit.second,
        "uncertain": digit.uncertain,
        "image28": digit.image28.tolist(),
    }


def _show_text(terminal: Terminal, name: str, reading: PictureReading) -> None:
    """Print what a file says, by itself so that it can be taken from where it stands."""
    say = terminal.messages
    text = reading.text.replace("\n", " / ")
    terminal.out.print(Text(f"{name}: {text}", "bold"))
    if reading.rejected:
        reasons = Counter(mark.reason.text(say) for mark in reading.rejected)
        listed = "; ".join(f"{reason} ({n})" for reason, n in reasons.most_common())
        line = say("cli_predict.rejected", n=len(reading.rejected), reasons=listed)
        terminal.out.print(Text("  " + line, "dim"))


def _show_digits(
    terminal: Terminal, readings: Sequence[tuple[str, PictureReading]], threshold: float | None
) -> None:
    """Print one table of all digits; it names the files if there are several."""
    from rich.table import Table

    say = terminal.messages
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    named = len(readings) > 1
    if named:
        table.add_column(say("cli_predict.heading.file"), overflow="fold")
    for title in ("position", "digit", "probability", "second"):
        table.add_column(say(f"cli_predict.heading.{title}"), justify="right", no_wrap=True)
    for name, reading in readings:
        places: Counter[int] = Counter()
        for digit in reading.digits:
            places[digit.line] += 1
            position = f"{digit.line + 1}.{places[digit.line]}"
            file = [Path(name).name] if named else []
            table.add_row(*file, position, *_cells(terminal, digit))
    terminal.show(table)
    uncertain = any(digit.uncertain for _, reading in readings for digit in reading.digits)
    if threshold is not None and uncertain:
        line = say("cli_predict.legend", threshold=min(threshold, 1.0))
        terminal.out.print(Text(line, "dim"))


def _cells(terminal: Terminal, digit: DigitReading) -> tuple[Text, str, str]:
    say = terminal.messages
    name = Text(f"{digit.digit}?", "yellow") if digit.uncertain else Text(str(digit.digit))
    second = f"{digit.second} ({say.percent(digit.second_probability, 0)})"
    return name, say.percent(digit.probability, 1), second
