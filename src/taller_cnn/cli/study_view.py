"""A study for its reader: how it goes, its factors explained, its trials listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from taller_cnn.cli.results import show_rows
from taller_cnn.cli.terminal import Terminal

if TYPE_CHECKING:
    from taller_cnn.cli.board import Board
    from taller_cnn.messages import Messages
    from taller_cnn.study import Cell, Design, Event, Question, Results, TrialDone

# ----------------------------------------------------------------------- as it goes


def tell(terminal: Terminal, shown: Board, design: Design, event: Event) -> None:
    """Tell what has happened."""
    from taller_cnn.study import (
        StudyStarted,
        TrialDone,
        WorkerJoined,
        WorkerLost,
        WorkerRefused,
    )

    say = terminal.messages
    match event:
        case StudyStarted(of=of, done=done):
            key = "cli_study.started_about" if event.is_forecast else "cli_study.started"
            shown.line(Text(say(key, n=of, done=done, name=design.name), "bold"))
            shown.waiting(say("cli_study.starting" if done < of else "cli_study.nothing_new"))
        case WorkerJoined(address=address, slots=slots):
            shown.line(Text(say("cli_study.joined", address=address, n=slots), "dim"))
        case WorkerRefused(address=address, reason=reason):
            words = say("cli_study.refused", address=address, reason=reason.text(say))
            shown.line(Text(words, "yellow"))
        case WorkerLost(address=address):
            shown.line(Text(say("cli_study.lost", address=address), "yellow"))
        case TrialDone():
            if event.result.status != "ok":
                shown.line(Text(_failure(say, design, event), "yellow"))
            shown.step(_position(say, event), done=event.done, total=event.of)


def _position(say: Messages, event: TrialDone) -> str:
    """How far the study is, and about how long the rest takes."""
    key = "cli_study.position_about" if event.is_forecast else "cli_study.position"
    position = say(key, done=event.done, of=event.of)
    if event.seconds_left is None:
        return position
    return f"{position} · {say('cli_study.left', seconds=event.seconds_left)}"


def _failure(say: Messages, design: Design, event: TrialDone) -> str:
    """Which trial has failed, and why."""
    from taller_cnn.study.labels import level_label

    reason = event.result.reason or ""
    if say.has(f"study.reason.{reason}"):
        reason = say(f"study.reason.{reason}")
    question, cell = next(
        (question, cell)
        for question in design.questions
        for cell in question.cells
        if cell.has(event.trial)
    )
    level = f"{question.name}: {level_label(question.factors, cell.levels, say)}"
    return say("cli_study.failed", level=level, seed=event.trial.train.seed, reason=reason)


# -------------------------------------------------------------------- before it is run


def list_factors(terminal: Terminal) -> None:
    """Explain every factor in a sentence, and the regimes."""
    from taller_cnn.study import FACTORS, REGIMES

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
    regimes = [(say(f"study.regime.{r}.title"), say(f"study.regime.{r}.explain")) for r in REGIMES]
    show_rows(terminal, regimes, say("cli_study.regimes"))
    terminal.result({"factors": told})


def show_design(terminal: Terminal, design: Design, results: Results) -> None:
    """Print the trials of a design, a line for each level."""
    say = terminal.messages
    for question in design.questions:
        regime = question.regime_name
        if say.has(f"study.regime.{regime}.title"):
            regime = say(f"study.regime.{regime}.title")
        values = {"name": question.name, "regime": regime, "judges": question.regime.judges}
        terminal.out.print(Text(say("cli_study.panel.question", **values), "bold"))
        terminal.show(_cells(terminal, design, question, results))
    expected = design.expected_trials(results)
    values = {"n": len(expected), "done": sum(design.key(trial) in results for trial in expected)}
    is_forecast = len(design.trials(results)) < len(expected)
    terminal.say("cli_study.total_about" if is_forecast else "cli_study.total", "bold", **values)


def _cells(terminal: Terminal, design: Design, question: Question, results: Results) -> Table:
    say = terminal.messages
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("  " + say("cli_study.heading.levels"), no_wrap=True)
    for name in ("rates", "seeds", "digits", "epochs", "parameters", "macs"):
        table.add_column(say(f"cli_study.heading.{name}"), justify="right")
    for cell in question.cells:
        table.add_row(*_cell_row(say, design, question, cell, results))
    return table


def _cell_row(
    say: Messages, design: Design, question: Question, cell: Cell, results: Results
) -> tuple[str, ...]:
    from taller_cnn.study.labels import level_label

    tried = design.tried_rates(cell, results)
    rates = dict.fromkeys(cell.fresh(rate, 0).train.learning_rate for rate in tried)
    may_extend = cell.extends and design.chosen_rate(cell, results) is None
    return (
        "  " + level_label(question.factors, cell.levels, say),
        " ".join(say.significant(rate, 4) for rate in rates) + (" …" if may_extend else ""),
        f"0–{question.seeds[-1]}" if len(question.seeds) > 1 else "0",
        say.number(cell.base.train_n, 0),
        say.significant(cell.base.train.epochs, 4),
        say.number(cell.parameters, 0),
        f"{say.number(cell.macs / 1e6, 2)} M",
    )


def design_json(design: Design, results: Results) -> dict[str, Any]:
    """Every trial of a design that the results so far call for."""
    trials = [
        {
            "question": question.name,
            "regime": question.regime_name,
            "levels": list(cell.levels),
            "rate": rate,
            "seed": trial.train.seed,
            "key": design.key(trial),
            "done": design.key(trial) in results,
            **trial.to_dict(),
        }
        for question in design.questions
        for cell in question.cells
        for rate, trial in design.cell_trials(question, cell, results)
    ]
    return {
        "study": design.name,
        "design": design.hash,
        "different_trials": len(design.expected_trials(results)),
        "trials": trials,
    }
