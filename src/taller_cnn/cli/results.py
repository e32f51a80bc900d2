"""How well a network does, as a reader sees it: epoch by epoch, at the end, and class by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from taller_cnn.cli.loading import show_download
from taller_cnn.cli.terminal import Terminal

if TYPE_CHECKING:
    from taller_cnn.cli.board import Board
    from taller_cnn.data import DownloadProgress
    from taller_cnn.evaluation import Evaluation, Score
    from taller_cnn.messages import Messages
    from taller_cnn.training import EpochResult, Progress

TOP_CONFUSIONS = 3
LARGE_LOSS = 1000.0
SPLITS = ("train", "validation", "test")
_NOTHING = "—"
"""What stands for a split that was not scored."""
_WIDTHS = (6, 9, 10, 9, 10, 9, 10, 12)
"""Columns of the epochs' table: epoch, loss and accuracy of three splits, time."""


def show_rows(terminal: Terminal, rows: Sequence[tuple[str, str]], title: str = "") -> None:
    """Print names and values, a pair on each line, under a title."""
    if title:
        terminal.out.print()
        terminal.out.print(Text(title, "bold"))
    if not terminal.out.is_terminal:
        # Nothing is folded, so that a path can be taken from a pipe or a file as it stands.
        width = max(len(name) for name, _ in rows) + 4
        for name, value in rows:
            first, *others = value.split("\n")
            terminal.out.print(Text(f"  {name}".ljust(width) + first))
            for line in others:
                terminal.out.print(Text(" " * width + line))
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(f"  {name}", "dim"), Text(value))
    terminal.show(table)


def show_files(terminal: Terminal, files: Mapping[str, Path]) -> None:
    """Print where each file is."""
    say = terminal.messages
    rows = [(say(f"cli.file.{name}"), str(path)) for name, path in files.items()]
    show_rows(terminal, rows, say("cli.file.title"))


def data_title(say: Messages, name: str, source: str) -> str:
    """A data set and which part of it: ``MNIST, full set``."""
    from taller_cnn.data import display_title

    return f"{display_title(name, say)}, {say(f'data.{source}')}"


def loss_text(say: Messages, loss: float) -> str:
    """A loss with four decimals; one that has run away in the short form of huge numbers."""
    return say.number(loss, 4) if loss < LARGE_LOSS else say.significant(loss, 4)


def show_training(
    terminal: Terminal, shown: Board, progress: Progress | DownloadProgress, epochs: float
) -> None:
    """Tell how far a training of so many epochs is, or the download before it."""
    from taller_cnn.data import DownloadProgress

    if isinstance(progress, DownloadProgress):
        show_download(terminal, shown, progress)
        return
    say = terminal.messages
    position = say("cli_train.position", epoch=progress.epoch, of=epochs)
    figures = say("cli_train.progress", **vars(progress))
    shown.step(position, figures, progress.step, progress.of)


class EpochTable:
    """The epochs of a training, a line each, under a heading."""

    def __init__(self, say: Messages, shown: Board) -> None:
        self._say, self._board = say, shown
        self._has_heading = False

    def add(self, result: EpochResult) -> None:
        """Print the epoch's line."""
        say = self._say
        cells = [
            say.significant(result.epoch, 2),
            loss_text(say, result.train_loss),
            say.percent(result.train_accuracy, 2),
            *self._score(result.validation),
            *self._score(result.test),
            say.duration(result.train_seconds),
        ]
        if self._board.width < sum(_WIDTHS):
            self._print_below(cells)
            return
        if not self._has_heading:
            self._print_headings()
            self._has_heading = True
        self._print(cells, "")

    def _print_below(self, cells: list[str]) -> None:
        """An epoch where a line has no room for it: a line for each figure."""
        say = self._say
        epoch, *figures, seconds = cells
        names = [
            f"{say(f'cli_train.heading.{split}')}, {say(f'cli_train.heading.{figure}')}"
            for split in SPLITS
            for figure in ("loss", "accuracy")
        ]
        self._board.line(Text(f"{say('cli_train.heading.epoch')} {epoch}", "bold"))
        rows = zip([*names, say("cli_train.heading.time")], [*figures, seconds], strict=True)
        for name, figure in rows:
            if figure != _NOTHING:
                self._board.line(Text.assemble((f"  {name}: ", "dim"), figure))

    def _score(self, score: Score | None) -> tuple[str, str]:
        if score is None:
            return _NOTHING, _NOTHING
        return loss_text(self._say, score.loss), self._say.percent(score.accuracy, 2)

    def _print_headings(self) -> None:
        say = self._say
        splits = [say(f"cli_train.heading.{name}") for name in SPLITS]
        width = _WIDTHS[1] + _WIDTHS[2]
        above = " " * _WIDTHS[0] + "".join(name.rjust(width) for name in splits)
        self._board.line(Text(above, "dim"))
        pair = [say("cli_train.heading.loss"), say("cli_train.heading.accuracy")]
        names = [say("cli_train.heading.epoch"), *pair * 3, say("cli_train.heading.time")]
        self._print(names, "dim")

    def _print(self, cells: list[str], style: str) -> None:
        line = "".join(cell.rjust(width) for cell, width in zip(cells, _WIDTHS, strict=True))
        self._board.line(Text(line, style))


def show_score(
    terminal: Terminal,
    evaluation: Evaluation,
    names: Sequence[str],
    split: str,
    more: Sequence[tuple[str, str]] = (),
) -> None:
    """Print accuracy with its interval and n, loss, the most frequent confusions, and `more`."""
    say = terminal.messages
    low, high = evaluation.interval()
    confusions = [
        say("cli.score.confusion", true=names[true], predicted=names[predicted], n=n)
        for true, predicted, n in evaluation.top_confusions(TOP_CONFUSIONS)
    ]
    rows = [
        (
            say("cli.score.accuracy"),
            say("cli.score.accuracy_value", x=evaluation.accuracy, low=low, high=high),
        ),
        (say("cli.score.errors"), say.number(evaluation.errors, 0)),
        (say("cli.score.loss"), loss_text(say, evaluation.loss)),
        (say("cli.score.confusions"), "\n".join(confusions) or say("cli.score.no_confusions")),
        *more,
    ]
    show_rows(terminal, rows, say(f"cli.score.title_{split}", n=evaluation.n))


def show_per_class(terminal: Terminal, evaluation: Evaluation, names: Sequence[str]) -> None:
    """Print a table with a line per class."""
    say = terminal.messages
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("  " + say("cli.score.per_class.class"))
    for heading in ("support", "recall", "precision", "f1"):
        table.add_column(say(f"cli.score.per_class.{heading}"), justify="right")
    for name, report in zip(names, evaluation.per_class(), strict=True):
        ratios = (report.recall, report.precision, report.f1)
        cells = [say.percent(ratio, 2) for ratio in ratios]
        table.add_row(Text(f"  {name}"), say.number(report.support, 0), *cells)
    terminal.out.print()
    terminal.show(table)
    terminal.say("cli.score.per_class.legend", "dim")
