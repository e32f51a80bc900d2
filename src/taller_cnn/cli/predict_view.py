"""What `predict` shows: a bar over many files, what each says, and a table of all digits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from taller_cnn.cli.terminal import Terminal

if TYPE_CHECKING:
    from types import TracebackType

    from taller_cnn.reader.reading import DigitReading, PictureReading

__all__ = ["Progress", "show_digits", "show_text"]

MANY = 8
"""Files from which on there is a bar."""


class Progress:
    """A bar on standard error, if that is a terminal and there are many files."""

    def __init__(self, terminal: Terminal, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        shown = terminal.err.is_terminal and total >= MANY
        self._bar = Bar(*columns, console=terminal.err, transient=True, disable=not shown)
        self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def advance(self) -> None:
        """One more file is done."""
        self._bar.advance(self._task)


def show_text(terminal: Terminal, name: str, reading: PictureReading) -> None:
    """Print what a file says, by itself so that it can be taken from where it stands."""
    say = terminal.messages
    heading = say("cli_predict.text", name=name, text=reading.text.replace("\n", " / "))
    terminal.out.print(Text(heading, "bold"))
    if reading.rejected:
        reasons = Counter(mark.reason.text(say) for mark in reading.rejected)
        listed = "; ".join(f"{reason} ({n})" for reason, n in reasons.most_common())
        line = say("cli_predict.rejected", n=len(reading.rejected), reasons=listed)
        terminal.out.print(Text("  " + line, "dim"))


def show_digits(
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
            position = say("cli_predict.position", line=digit.line + 1, place=places[digit.line])
            file = [Path(name).name] if named else []
            table.add_row(*file, position, *_cells(terminal, digit))
    terminal.show(table)
    uncertain = any(digit.uncertain for _, reading in readings for digit in reading.digits)
    if threshold is not None and uncertain:
        line = say("cli_predict.legend", threshold=min(threshold, 1.0))
        terminal.out.print(Text(line, "dim"))


def _cells(terminal: Terminal, digit: DigitReading) -> tuple[Text, str, str]:
    say = terminal.messages
    kind = "uncertain" if digit.uncertain else "digit"
    name = Text(say(f"cli_predict.{kind}", n=digit.digit), "yellow" if digit.uncertain else "")
    second = say("cli_predict.choice", n=digit.second, p=digit.second_probability)
    return name, say("cli_predict.probability", p=digit.probability), second
