"""What a reader is told when a training starts and when it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taller_cnn.cli.notices import show_sample_notice
from taller_cnn.cli.scores import show_files, show_rows, show_score
from taller_cnn.cli.terminal import Terminal

if TYPE_CHECKING:
    from taller_cnn.runs import EnsembleResult, Member, RunRequest, RunResult, Started

__all__ = ["show_ensemble", "show_member", "show_result", "show_start"]


def show_start(terminal: Terminal, started: Started, request: RunRequest) -> None:
    """Print what is about to be trained, and what was chosen for the reader with the reason."""
    say = terminal.messages
    for notice in started.notices:
        terminal.notice(say(f"runs.{notice}"))
    show_sample_notice(terminal, request.place, started.source, started.fallback_reason)
    known = {
        "title": say(f"data.title.{started.dataset}"),
        "kind": say(f"data.{started.source}"),
        "device_because": say(f"devices.{started.device_reason}"),
        "precision_because": say(f"devices.{started.precision_reason}"),
    }
    values = {**vars(started), **request.train.to_dict(), **known, "device": started.device}
    values |= {"precision": started.precision, "n": started.threads}
    names = (
        "data",
        "network",
        "recipe",
        "machine",
        *(["resumed"] if request.resume or started.resumed_step else []),
    )
    rows = [
        (say(f"cli_train.start.{k}"), say(f"cli_train.start.{k}_value", **values)) for k in names
    ]
    show_rows(terminal, rows)


def show_result(terminal: Terminal, request: RunRequest, result: RunResult) -> None:
    """Print the closing summary: how good the network is and where everything lies."""
    from taller_cnn.data import display_class_names

    say = terminal.messages
    names = display_class_names(request.place.dataset, say)
    time = say("cli_train.end.time"), say("cli_train.end.time_value", **result.summary)
    show_score(terminal, result.test, names, "test", [time])
    if result.test.is_guessing:
        rate = request.train.learning_rate / 10
        terminal.notice(say("cli_train.end.guessing", learning_rate=rate))
    _show_files(terminal, result)
    # Again, so that nobody takes the sample's figures for MNIST's.
    show_sample_notice(terminal, request.place, result.summary["source"])


def show_member(terminal: Terminal, member: Member) -> None:
    """Print which network of the ensemble is next, or that it is there."""
    key = "there" if member.is_there else "next"
    terminal.say(f"cli_train.ensemble.{key}", "bold", **vars(member))


def show_ensemble(terminal: Terminal, request: RunRequest, result: EnsembleResult) -> None:
    """Print how good the networks are alone and together, and where everything lies."""
    from taller_cnn.data import display_class_names

    say = terminal.messages
    alone = [member["test"]["accuracy"] for member in result.summary["members"]]
    figures = {"mean": sum(alone) / len(alone), "least": min(alone), "most": max(alone)}
    row = say("cli_train.ensemble.alone"), say("cli_train.ensemble.alone_value", **figures)
    names = display_class_names(request.place.dataset, say)
    show_score(terminal, result.test, names, "test", [row])
    _show_files(terminal, result)
    show_sample_notice(terminal, request.place, result.summary["source"])


def _show_files(terminal: Terminal, result: RunResult | EnsembleResult) -> None:
    """Print where everything lies, and which figures there are not and why."""
    show_files(terminal, result.files)
    for error in result.not_drawn:
        terminal.notice(error.text(terminal.messages))
