"""How far something is: a live bar on a terminal, lines in a pipe or a file, or nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.text import Text

from taller_cnn.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

LINE_SECONDS = 10.0
"""Least time between two lines of progress where there is no live bar."""
REFRESH_PER_SECOND = 5


class Board:
    """What a command tells of its work while it goes on.

    Args:
        console: where.
        is_quiet: whether nothing is told.
        stop: set once the reader wants the work to stop.
        stopping: what is shown from then on, until the work has ended.
    """

    def __init__(
        self,
        console: Console,
        *,
        is_quiet: bool = False,
        stop: threading.Event | None = None,
        stopping: str = "",
    ) -> None:
        self._console, self._is_quiet = console, is_quiet
        self._stop, self._stopping = stop, stopping
        self._is_live = console.is_terminal
        self._last_line = time.monotonic()
        self._content: RenderableType = Text("")

    @property
    def width(self) -> int:
        """Columns of where it is told."""
        return self._console.width

    def waiting(self, text: str) -> None:
        """Something of unknown length goes on."""
        if self._is_live:
            self._content = Text(text, "dim")
        else:
            self.line(Text(text))

    def step(
        self, position: str, figures: str = "", done: float = 0, total: float | None = None
    ) -> None:
        """Something has come this far: a bar with `figures` below, or a line now and then."""
        if self._is_live:
            self._content = _bar(position, figures, done, total)
        elif time.monotonic() - self._last_line >= LINE_SECONDS:
            self.line(Text(f"{position} · {figures}" if figures else position))

    def line(self, text: Text) -> None:
        """Something to keep: above the bar, or the next line."""
        if not self._is_quiet:
            self._console.print(text)
            self._last_line = time.monotonic()

    def draw(self) -> RenderableType:
        """What stands on the screen now; called from the thread that draws."""
        if self._stop is not None and self._stop.is_set():
            return Text(self._stopping, "bold yellow")
        return self._content


@contextmanager
def board(
    terminal: Terminal,
    *,
    console: Console | None = None,
    is_quiet: bool = False,
    stop: threading.Event | None = None,
    stopping: str = "cli_train.stopping",
) -> Iterator[Board]:
    """A board for some work, live where it is written to a terminal.

    Args:
        terminal: whose language it speaks, and whose output it uses.
        console: where instead of the terminal's output.
        is_quiet: whether nothing is told.
        stop: set once the reader wants the work to stop.
        stopping: key of what is shown from then on.
    """
    console = console or terminal.out
    words = terminal.messages(stopping)
    shown = Board(console, is_quiet=is_quiet, stop=stop, stopping=words)
    if is_quiet or not console.is_terminal:
        yield shown
        return
    from rich.live import Live

    with Live(
        console=console,
        get_renderable=shown.draw,
        refresh_per_second=REFRESH_PER_SECOND,
        transient=True,
    ):
        yield shown


def _bar(position: str, figures: str, done: float, total: float | None) -> RenderableType:
    """A bar on a line with the position, and the figures below it."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    line = Table.grid(padding=(0, 1), expand=True)
    line.add_column(no_wrap=True)
    line.add_column(ratio=1)
    line.add_row(Text(position), ProgressBar(total=total, completed=done))
    return Group(line, Text(figures, "dim"))
