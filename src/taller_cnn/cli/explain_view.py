"""An explanation as it is made: a live bar on a terminal, lines in a pipe or a file."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from taller_cnn.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["ExplainView", "explain_view"]

LINE_SECONDS = 10.0
"""Least time between two lines of progress inside a part where there is no live bar."""


@contextmanager
def explain_view(terminal: Terminal, parts: Sequence[str]) -> Iterator[ExplainView]:
    """What fits the place that is written to."""
    if not terminal.out.is_terminal:
        yield ExplainView(terminal, parts)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeElapsedColumn as Elapsed

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Elapsed())
    with Progress(*columns, console=terminal.out, transient=True) as bar:
        yield _LiveExplainView(terminal, parts, bar)


class ExplainView:
    """Lines of text: one when a part begins, and one now and then while it lasts."""

    def __init__(self, terminal: Terminal, parts: Sequence[str]) -> None:
        self.terminal, self.parts = terminal, tuple(parts)
        self._begun = ""
        self._last = time.monotonic()

    def step(self, part: str, done: int, of: int) -> None:
        """So much of a part is computed."""
        self._show(part, self.name(part), done, of)

    def drawn(self, done: int, of: int) -> None:
        """So many pictures are drawn."""
        self._show("drawing", self.terminal.messages("cli_explain.drawing"), done, of)

    def name(self, part: str) -> str:
        """The part with its place among those that are made."""
        say = self.terminal.messages
        place = self.parts.index(part) + 1
        return say(
            "cli_explain.part", part=say(f"explain.part.{part}"), n=place, of=len(self.parts)
        )

    def _show(self, key: str, name: str, done: int, of: int) -> None:
        now = time.monotonic()
        if key != self._begun:
            self._begun, self._last = key, now
            self.terminal.out.print(name, style="dim")
        elif now - self._last >= LINE_SECONDS:
            self._last = now
            share = self.terminal.messages("cli_explain.share", name=name, share=done / max(of, 1))
            self.terminal.out.print(share, style="dim")


class _LiveExplainView(ExplainView):
    """A bar for the part that is being made."""

    def __init__(self, terminal: Terminal, parts: Sequence[str], bar: Progress) -> None:
        super().__init__(terminal, parts)
        self._bar = bar
        self._task = bar.add_task("", total=None)

    def _show(self, key: str, name: str, done: int, of: int) -> None:
        self._bar.update(self._task, description=name, completed=done, total=of)
