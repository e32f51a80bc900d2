"""A study as it goes: a live bar on a terminal, lines in a pipe or a file."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.text import Text

from taller_cnn.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.console import RenderableType

    from taller_cnn.study import Design, Event, Standing, TrialDone

__all__ = ["StudyView", "study_view"]

LINE_SECONDS = 10.0
"""Least time between two lines of progress where there is no live bar."""
REFRESH_PER_SECOND = 4


@contextmanager
def study_view(terminal: Terminal, design: Design, stop: threading.Event) -> Iterator[StudyView]:
    """What fits the place that is written to."""
    if not terminal.out.is_terminal:
        yield StudyView(terminal, design)
        return
    from rich.live import Live

    bar = _LiveStudyView(terminal, design, stop)
    with Live(
        console=terminal.out,
        get_renderable=bar.draw,
        refresh_per_second=REFRESH_PER_SECOND,
        transient=True,
    ):
        yield bar


class StudyView:
    """Events as lines of text; progress at most every ten seconds."""

    def __init__(self, terminal: Terminal, design: Design) -> None:
        self.terminal, self._design = terminal, design
        self._last = time.monotonic()

    def show(self, event: Event) -> None:
        """Tell what has happened."""
        from taller_cnn.study import (
            Calibrated,
            StudyStarted,
            TrialDone,
            WorkerJoined,
            WorkerLost,
            WorkerRefused,
        )

        say = self.terminal.say
        if isinstance(event, StudyStarted):
            say("cli_study.started", "bold", n=event.of, done=event.done, name=self._design.name)
            waits = event.done < event.of
            self.waiting("cli_study.starting" if waits else "cli_study.nothing_new")
        elif isinstance(event, WorkerJoined):
            worker = event.worker
            values = {"n": worker.slots, "processor": worker.introduction.processor}
            say("cli_study.joined", "dim", machine=worker.introduction.machine, **values)
        elif isinstance(event, WorkerRefused):
            reason = event.reason.text(self.terminal.messages)
            say("cli_study.refused", "yellow", address=event.address, reason=reason)
        elif isinstance(event, WorkerLost):
            say("cli_study.lost", "yellow", machine=event.worker.introduction.machine)
        elif isinstance(event, Calibrated):
            say("cli_study.estimate", n=event.trials, slots=event.slots, seconds=event.seconds)
        elif isinstance(event, TrialDone):
            if event.result.status != "ok":
                self._tell_failure(event)
            self.progress(event)

    def waiting(self, key: str) -> None:
        """Something of unknown length goes on."""
        self.terminal.say(key, "dim")

    def progress(self, event: TrialDone) -> None:
        """So many trials are done."""
        now = time.monotonic()
        if event.done == event.of or now - self._last >= LINE_SECONDS:
            self._last = now
            position, standing = self.words(event)
            self.terminal.out.print(Text(f"{position} · {standing}" if standing else position))

    def words(self, event: TrialDone) -> tuple[str, str]:
        """How far the study is, and which levels lead."""
        say = self.terminal.messages
        position = say("cli_study.calibrating", done=event.done, of=event.of)
        if event.seconds_left is not None:
            position = say("cli_study.position", **_values(event))
        best, worst = event.best, event.worst
        if best is None or worst is None or best.levels == worst.levels:
            return position, ""
        return position, say(
            "cli_study.standing",
            best=self._label(best),
            best_error=best.validation_error,
            worst=self._label(worst),
            worst_error=worst.validation_error,
        )

    def _label(self, standing: Standing) -> str:
        from taller_cnn.study.labels import level_label

        factors = next(q.factors for q in self._design.questions if q.name == standing.question)
        return level_label(factors, standing.levels, self.terminal.messages)

    def _tell_failure(self, event: TrialDone) -> None:
        from taller_cnn.study.labels import level_label

        say = self.terminal.messages
        reason = event.result.reason or ""
        if say.has(f"study.reason.{reason}"):
            reason = say(f"study.reason.{reason}")
        question, cell = next(
            (question, cell)
            for question in self._design.questions
            for cell in question.cells
            if event.trial in cell.trials.values()
        )
        level = f"{question.name}: {level_label(question.factors, cell.levels, say)}"
        seed = event.trial.train.seed
        self.terminal.say("cli_study.failed", "yellow", level=level, seed=seed, reason=reason)


class _LiveStudyView(StudyView):
    """A bar that is drawn again and again, below the lines."""

    def __init__(self, terminal: Terminal, design: Design, stop: threading.Event) -> None:
        super().__init__(terminal, design)
        self._stop = stop
        self._content: RenderableType = Text("")

    def waiting(self, key: str) -> None:
        """Show a line for as long as it takes."""
        self._content = Text(self.terminal.messages(key), "dim")

    def progress(self, event: TrialDone) -> None:
        """Show how far it is: a bar, and the leading levels below it."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        position, standing = self.words(event)
        line = Table.grid(padding=(0, 1), expand=True)
        line.add_column(no_wrap=True)
        line.add_column(ratio=1)
        line.add_row(Text(position), ProgressBar(total=event.of, completed=event.done))
        self._content = Group(line, Text(standing, "dim", no_wrap=True, overflow="ellipsis"))

    def draw(self) -> RenderableType:
        """What stands on the screen now; called from the thread that draws."""
        if self._stop.is_set():
            return Text(self.terminal.messages("cli_study.stopping"), "bold yellow")
        return self._content


def _values(event: TrialDone) -> dict[str, object]:
    return {"done": event.done, "of": event.of, "seconds_left": event.seconds_left}
