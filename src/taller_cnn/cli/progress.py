"""A run as it goes: a live bar on a terminal, lines in a pipe or a file, or nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rich.text import Text

from taller_cnn.cli.scores import loss_text
from taller_cnn.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.console import RenderableType

    from taller_cnn.data import DownloadProgress
    from taller_cnn.evaluation import Score
    from taller_cnn.training import EpochResult, Progress

__all__ = ["View", "view"]

LINE_SECONDS = 10.0
"""Least time between two lines of progress where there is no live bar."""
REFRESH_PER_SECOND = 5
_WIDTHS = (6, 9, 10, 9, 10, 9, 10, 12)
"""Columns of the epochs' table: epoch, loss and accuracy of three splits, time."""


class View(Protocol):
    """What a run is shown on."""

    def waiting(self, key: str) -> None:
        """Something of unknown length goes on, said by message `key`."""

    def step(self, progress: Progress | DownloadProgress, epochs: float) -> None:
        """Something has come this far; a training goes on for `epochs`."""

    def epoch(self, result: EpochResult) -> None:
        """An epoch is done."""


@contextmanager
def view(terminal: Terminal, *, quiet: bool, stop: threading.Event) -> Iterator[View]:
    """What fits the place that is written to."""
    if quiet:
        yield _Silence()
    elif terminal.out.is_terminal:
        from rich.live import Live

        bar = _LiveBar(terminal, stop)
        with Live(
            console=terminal.out,
            get_renderable=bar.draw,
            refresh_per_second=REFRESH_PER_SECOND,
            transient=True,
        ):
            yield bar
    else:
        yield _Lines(terminal)


class _Silence:
    """Nothing is shown."""

    def waiting(self, key: str) -> None:
        pass

    def step(self, progress: Progress | DownloadProgress, epochs: float) -> None:
        pass

    def epoch(self, result: EpochResult) -> None:
        pass


class _Table:
    """The epochs, a line each, under a heading."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self._has_heading = False

    def epoch(self, result: EpochResult) -> None:
        """Print the epoch's line."""
        say = self.terminal.messages
        if not self._has_heading:
            self._print_headings()
            self._has_heading = True
        cells = [
            say("cli_train.epoch", x=result.epoch),
            loss_text(say, result.train_loss),
            say("cli_train.accuracy", x=result.train_accuracy),
            *self._score(result.validation),
            *self._score(result.test),
            say("cli_train.time", t=result.train_seconds),
        ]
        self._print(cells, "")

    def _score(self, score: Score | None) -> tuple[str, str]:
        say = self.terminal.messages
        if score is None:
            return "—", "—"
        return loss_text(say, score.loss), say("cli_train.accuracy", x=score.accuracy)

    def _print_headings(self) -> None:
        say = self.terminal.messages
        splits = [say(f"cli_train.heading.{name}") for name in ("train", "validation", "test")]
        width = _WIDTHS[1] + _WIDTHS[2]
        above = " " * _WIDTHS[0] + "".join(name.rjust(width) for name in splits)
        self.terminal.out.print(Text(above, "dim"))
        pair = [say("cli_train.heading.loss"), say("cli_train.heading.accuracy")]
        names = [say("cli_train.heading.epoch"), *pair * 3, say("cli_train.heading.time")]
        self._print(names, "dim")

    def _print(self, cells: list[str], style: str) -> None:
        line = "".join(cell.rjust(width) for cell, width in zip(cells, _WIDTHS, strict=True))
        self.terminal.out.print(Text(line, style))


class _Lines(_Table):
    """Lines, for a pipe or a file."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(terminal)
        self._last = time.monotonic()

    def waiting(self, key: str) -> None:
        self.terminal.say(key)

    def step(self, progress: Progress | DownloadProgress, epochs: float) -> None:
        """Print a line if the last one is some time ago."""
        now = time.monotonic()
        if now - self._last >= LINE_SECONDS:
            self._last = now
            position, figures = _words(self.terminal, progress, epochs)
            self.terminal.out.print(Text(f"{position} · {figures}"))

    def epoch(self, result: EpochResult) -> None:
        super().epoch(result)
        self._last = time.monotonic()


class _LiveBar(_Table):
    """A bar that is drawn again and again."""

    def __init__(self, terminal: Terminal, stop: threading.Event) -> None:
        super().__init__(terminal)
        self._stop = stop
        self._content: RenderableType = Text("")

    def waiting(self, key: str) -> None:
        """Show a line."""
        self._content = Text(self.terminal.messages(key), "dim")

    def step(self, progress: Progress | DownloadProgress, epochs: float) -> None:
        """Show how far it is: a bar, and the figures below it."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        position, figures = _words(self.terminal, progress, epochs)
        done, total = _extent(progress)
        line = Table.grid(padding=(0, 1), expand=True)
        line.add_column(no_wrap=True)
        line.add_column(ratio=1)
        line.add_row(Text(position), ProgressBar(total=total, completed=done))
        self._content = Group(line, Text(figures, "dim", no_wrap=True, overflow="ellipsis"))

    def epoch(self, result: EpochResult) -> None:
        """Print the epoch's line; what comes next takes no step for a moment."""
        super().epoch(result)
        self.waiting("cli_train.saving")

    def draw(self) -> RenderableType:
        """What stands on the screen now; called from the thread that draws."""
        if self._stop.is_set():
            return Text(self.terminal.messages("cli_train.stopping"), "bold yellow")
        return self._content


def _extent(progress: Progress | DownloadProgress) -> tuple[float, float | None]:
    """How much is done, and of how much if that is known."""
    from taller_cnn.data import DownloadProgress

    if isinstance(progress, DownloadProgress):
        return progress.received, progress.total
    return progress.step, progress.of


def _words(
    terminal: Terminal, progress: Progress | DownloadProgress, epochs: float
) -> tuple[str, str]:
    """Where the training or the download is, and its figures."""
    from taller_cnn.data import DownloadProgress

    say = terminal.messages
    if isinstance(progress, DownloadProgress):
        received = say("cli.download.received", mb=progress.received / 1e6)
        return say("cli.download.file", file=progress.file), received
    position = say("cli_train.position", epoch=progress.epoch, of=epochs)
    return position, say("cli_train.progress", **vars(progress))
