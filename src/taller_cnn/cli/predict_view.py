"""What ``taller-cnn predict`` says: of each file, of all digits, and how many are right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from taller_cnn.cli.results import TOP_CONFUSIONS, show_rows
from taller_cnn.cli.terminal import Terminal
from taller_cnn.errors import InputError, TallerError

if TYPE_CHECKING:
    from taller_cnn.checkpoints import LoadedModel
    from taller_cnn.reader.drawing import Drawings
    from taller_cnn.reader.files import FileReading
    from taller_cnn.reader.reading import DigitReading, PictureReading
    from taller_cnn.reader.scoring import ReadingScore, ScoredPicture


class Readings:
    """What is said of each file, written for it, and told to a program."""

    def __init__(self, terminal: Terminal, drawings: Drawings) -> None:
        self._terminal, self._drawings = terminal, drawings
        self._files: list[dict[str, Any]] = []
        self._read: list[tuple[str, PictureReading]] = []
        self._failed = 0
        self._incomplete = 0
        self._known: Sequence[ScoredPicture] = ()
        self._class_names: Sequence[str] = ()
        self._truth: Sequence[int] = ()
        self._answers: list[int | None] = []

    def measure(self, pictures: Sequence[ScoredPicture], loaded: LoadedModel) -> None:
        """Compare what is read with what it is; call it before the first of the pictures.

        Raises:
            InputError: the network knows no class that a picture is said to be of.
        """
        from taller_cnn.reader.scoring import true_classes

        self._known, self._class_names = pictures, loaded.class_names
        self._truth = true_classes(pictures, loaded.class_names)

    def take(self, reading: FileReading) -> None:
        """Say what one file says and write its pictures."""
        from taller_cnn.reader.files import in_file_pixels

        result = None if reading.reading is None else in_file_pixels(reading)
        if reading.page == 1:
            self._answers.append(result.digits[0].digit if result and result.digits else None)
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
                **self._label(),
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
        except Exception as error:  # the reading is there, and others wait
            known = error if isinstance(error, TallerError) else _fault(reading, error)
            warnings.append(known.text(say))
            self._incomplete += 1
        if reading.unread:
            warnings.append(say("cli_predict.unread", file=reading.name, n=reading.unread))
        for warning in warnings:
            self._terminal.err.print(Text(warning, "yellow"))
        return warnings

    def _label(self) -> dict[str, str]:
        """The class of the present picture, where it is known."""
        present = len(self._answers) - 1
        return {"label": self._known[present].label} if self._known else {}

    def finish(self, threshold: float | None) -> None:
        """Show the digits or write the JSON; leave with the exit code where not all was read."""
        if self._read:
            _show_digits(self._terminal, self._read, threshold)
        score = self._score()
        if score is not None:
            show_reading_score(self._terminal, score)
        measured = {"score": score.to_json()} if score is not None else {}
        self._terminal.result({"files": self._files, **measured})
        if not self._failed and not self._incomplete:
            return
        nothing = self._failed == len(self._files)
        if self._failed and len(self._files) > 1:
            some = InputError("reader_some_failed", n=self._failed, of=len(self._files))
            summary = InputError("reader_nothing_read") if nothing else some
            self._terminal.err.print(summary.text(self._terminal.messages))
        click.get_current_context().exit(2 if nothing else 1)

    def _score(self) -> ReadingScore | None:
        """How many are right, where it is known what they are."""
        from taller_cnn.reader.scoring import ReadingScore

        if not self._known or not self._answers:
            return None
        pairs = zip(self._truth, self._answers, strict=True)
        return ReadingScore.of(pairs, self._class_names)


def _fault(reading: FileReading, error: Exception) -> TallerError:
    """An error of ours with one picture."""
    reason = f"{type(error).__name__}: {error}"
    return InputError("reader_fault", path=reading.label, reason=reason)


def _digit_json(digit: DigitReading) -> dict[str, Any]:
    return {
        "box": list(digit.box),
        "digit": digit.digit,
        "name": digit.name,
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
    name = Text(f"{digit.name}?", "yellow") if digit.uncertain else Text(digit.name)
    second = f"{digit.second_name} ({say.percent(digit.second_probability, 0)})"
    return name, say.percent(digit.probability, 1), second


def show_reading_score(terminal: Terminal, score: ReadingScore) -> None:
    """Print accuracy with its interval, the most frequent mistakes and the confusion matrix."""
    say = terminal.messages
    low, high = score.interval()
    value = say("cli.score.accuracy_value", x=score.accuracy, low=low, high=high)
    mistakes = [
        say("cli.score.confusion", true=true, predicted=read, n=n)
        for true, read, n in score.mistakes()[:TOP_CONFUSIONS]
    ]
    rows = [
        (say("cli.score.accuracy"), value),
        (say("cli.score.errors"), say.number(score.n - score.correct, 0)),
        (say("cli_predict.score.not_read"), say.number(int(score.not_read.sum()), 0)),
        (say("cli.score.confusions"), "\n".join(mistakes) or say("cli.score.no_confusions")),
    ]
    show_rows(terminal, rows, say("cli_predict.score.title", n=score.n))
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    for name in ("", *score.class_names, say("cli_predict.score.none")):
        table.add_column(Text(name), justify="right", no_wrap=True)
    for name, counts, none in zip(score.class_names, score.confusion, score.not_read, strict=True):
        if counts.sum() + none:
            cells = [str(n) if n else "·" for n in (*counts.tolist(), int(none))]
            table.add_row(Text(name, "dim"), *cells)
    terminal.out.print()
    # A number must never be cut: without room for the matrix, the mistakes above must do.
    whole = terminal.out.options.update(max_width=10_000)
    if Measurement.get(terminal.out, whole, table).maximum <= terminal.out.width:
        terminal.show(table)
        terminal.say("cli_predict.score.legend", "dim")
