"""How well a network does, as a reader sees it after `train` and `evaluate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from taller_cnn.cli.terminal import Terminal

if TYPE_CHECKING:
    from taller_cnn.evaluation import Evaluation
    from taller_cnn.messages import Messages

__all__ = ["loss_text", "show_files", "show_per_class", "show_rows", "show_score"]

TOP_CONFUSIONS = 3
LARGE_LOSS = 1000.0


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


def loss_text(say: Messages, loss: float) -> str:
    """A loss with four decimals; one that has run away in the short form of huge numbers."""
    return say("cli.score.loss_value" if loss < LARGE_LOSS else "cli.score.large_loss", x=loss)


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
        (say("cli.score.errors"), say("cli.score.errors_value", n=evaluation.errors)),
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
        cells = [say("cli.score.per_class.ratio", x=ratio) for ratio in ratios]
        support = say("cli.score.per_class.count", n=report.support)
        table.add_row(Text(f"  {name}"), support, *cells)
    terminal.out.print()
    terminal.show(table)
    terminal.say("cli.score.per_class.legend", "dim")


def show_files(terminal: Terminal, files: Mapping[str, Path]) -> None:
    """Print where each file is."""
    say = terminal.messages
    rows = [(say(f"cli.file.{name}"), str(path)) for name, path in files.items()]
    show_rows(terminal, rows, say("cli.file.title"))
