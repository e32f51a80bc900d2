"""A study for its reader: how it goes, its factors explained, its trials listed."""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from taller_cnn.cli.results import show_rows
from taller_cnn.cli.terminal import Terminal

if TYPE_CHECKING:
    from taller_cnn.cli.board import Board
    from taller_cnn.messages import Messages
    from taller_cnn.study import Cell, Design, Event, Question, Standing, TrialDone

# ----------------------------------------------------------------------- as it goes


def tell(terminal: Terminal, shown: Board, design: Design, event: Event) -> None:
    """Tell what has happened."""
    from taller_cnn.study import (
        Calibrated,
        StudyStarted,
        TrialDone,
        WorkerJoined,
        WorkerLost,
        WorkerRefused,
    )

    say = terminal.messages
    match event:
        case StudyStarted(of=of, done=done):
            shown.line(Text(say("cli_study.started", n=of, done=done, name=design.name), "bold"))
            shown.waiting(say("cli_study.starting" if done < of else "cli_study.nothing_new"))
        case WorkerJoined(worker=worker):
            told = worker.introduction
            values = {"machine": told.machine, "n": worker.slots, "processor": told.processor}
            shown.line(Text(say("cli_study.joined", **values), "dim"))
        case WorkerRefused(address=address, reason=reason):
            words = say("cli_study.refused", address=address, reason=reason.text(say))
            shown.line(Text(words, "yellow"))
        case WorkerLost(worker=worker):
            words = say("cli_study.lost", machine=worker.introduction.machine)
            shown.line(Text(words, "yellow"))
        case Calibrated(trials=n, slots=slots, seconds=seconds):
            shown.line(Text(say("cli_study.estimate", n=n, slots=slots, seconds=seconds)))
        case TrialDone():
            if event.result.status != "ok":
                shown.line(Text(_failure(say, design, event), "yellow"))
            shown.step(*_standing(say, design, event), event.done, event.of)


def _standing(say: Messages, design: Design, event: TrialDone) -> tuple[str, str]:
    """How far the study is, and which levels lead."""
    from taller_cnn.study.labels import level_label

    def label(standing: Standing) -> str:
        factors = next(q.factors for q in design.questions if q.name == standing.question)
        return level_label(factors, standing.levels, say)

    place: dict[str, object] = {"done": event.done, "of": event.of}
    position = say("cli_study.calibrating", **place)
    if event.seconds_left is not None:
        position = say("cli_study.position", seconds_left=event.seconds_left, **place)
    best, worst = event.best, event.worst
    if best is None or worst is None or best.levels == worst.levels:
        return position, ""
    errors = {"best_error": best.validation_error, "worst_error": worst.validation_error}
    return position, say("cli_study.standing", best=label(best), worst=label(worst), **errors)


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
        if event.trial in cell.trials.values()
    )
    level = f"{question.name}: {level_label(question.factors, cell.levels, say)}"
    return say("cli_study.failed", level=level, seed=event.trial.train.seed, reason=reason)


# -------------------------------------------------------------------- before it is run


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
        " ".join(say.significant(rate, 4) for rate in rates),
        f"0–{question.seeds[-1]}" if len(question.seeds) > 1 else "0",
        say.number(first.train_n, 0),
        say.significant(first.train.epochs, 4),
        say.number(first.parameters, 0),
        f"{say.number(first.macs / 1e6, 2)} M",
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
