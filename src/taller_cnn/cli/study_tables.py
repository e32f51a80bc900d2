"""A study before it is run: its factors explained, its trials listed."""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from taller_cnn.cli.scores import show_rows
from taller_cnn.cli.terminal import Terminal

if TYPE_CHECKING:
    from taller_cnn.study import Cell, Design, Question

__all__ = ["design_json", "list_factors", "show_design"]


def list_factors(terminal: Terminal) -> None:
    """Explain every factor in a sentence, and the regimes."""
    from taller_cnn.study import DEFAULT_REGIMES, FACTORS

    say = terminal.messages
    told = []
    for factor in FACTORS.values():
        names = [level.name for level in factor.levels]
        values = {"levels": ", ".join(names), "reference": factor.reference}
        regime = say(f"study.regime.{factor.regime}.title")
        explanation = say(f"study.factor.{factor.name}.explain")
        levels = say("cli_study.levels", regime=regime, **values)
        terminal.out.print(Text(factor.name, "bold cyan"))
        terminal.show(Padding(Text(explanation), (0, 0, 0, 2)))
        terminal.show(Padding(Text(levels, "dim"), (0, 0, 0, 2)))
        told.append({"name": factor.name, "explanation": explanation, **values, "levels": names})
    regimes = [
        (say(f"study.regime.{r}.title"), say(f"study.regime.{r}.explain")) for r in DEFAULT_REGIMES
    ]
    show_rows(terminal, regimes, say("cli_study.regimes"))
    terminal.result({"factors": told})


def show_design(terminal: Terminal, design: Design, done: Set[str]) -> None:
    """Print the trials of a design, a line for each level."""
    say = terminal.messages
    for question in design.questions:
        regime = question.regime
        if say.has(f"study.regime.{regime}.title"):
            regime = say(f"study.regime.{regime}.title")
        folds = design.regimes[question.regime].folds
        key = "cli_study.panel.question_folds" if folds else "cli_study.panel.question"
        title = say(key, name=question.name, regime=regime, folds=folds)
        terminal.out.print(Text(title, "bold"))
        terminal.show(_cells(terminal, question))
    trials = design.trials()
    kept = sum(design.key(trial) in done for trial in trials)
    terminal.say("cli_study.total", "bold", n=len(trials), done=kept)


def _cells(terminal: Terminal, question: Question) -> Table:
    say = terminal.messages
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("  " + say("cli_study.heading.levels"), no_wrap=True)
    for name in ("rates", "seeds", "digits", "epochs", "parameters", "macs"):
        table.add_column(say(f"cli_study.heading.{name}"), justify="right")
    for cell in question.cells:
        table.add_row(*_cell_row(terminal, question, cell))
    return table


def _cell_row(terminal: Terminal, question: Question, cell: Cell) -> tuple[str, ...]:
    from taller_cnn.study.labels import level_label

    say = terminal.messages
    trials = list(cell.trials.values())
    first = trials[0]
    rates = dict.fromkeys(trial.train.learning_rate for trial in trials)
    return (
        "  " + level_label(question.factors, cell.levels, say),
        " ".join(say("cli_study.number", x=rate) for rate in rates),
        say("cli_study.seeds", last=question.seeds[-1]) if len(question.seeds) > 1 else "0",
        say("cli_study.count", n=first.train_n),
        say("cli_study.number", x=first.train.epochs),
        say("cli_study.count", n=first.parameters),
        say("cli_study.millions", x=first.macs / 1e6),
    )


def design_json(design: Design, done: Set[str]) -> dict[str, Any]:
    """Every trial of a design."""
    trials = [
        {
            "question": question.name,
            "regime": question.regime,
            "levels": list(cell.levels),
            "rate": rate,
            "seed": seed,
            "key": design.key(trial),
            "done": design.key(trial) in done,
            **trial.to_dict(),
        }
        for question in design.questions
        for cell in question.cells
        for (rate, seed), trial in cell.trials.items()
    ]
    return {
        "study": design.name,
        "design": design.hash,
        "different_trials": len(design.trials()),
        "trials": trials,
    }
