"""``taller-cnn doctor``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from taller_cnn.cli.options import DATA_DIR, WORKDIR, command
from taller_cnn.cli.results import show_rows
from taller_cnn.cli.terminal import Terminal

if TYPE_CHECKING:
    from taller_cnn.doctor import Diagnosis
    from taller_cnn.messages import Messages

Rows = list[tuple[str, str]]


@command(DATA_DIR, WORKDIR)
def doctor(terminal: Terminal, *, data_dir: Path | None, workdir: Path) -> None:
    """Show what this machine has and what stops the work."""
    from taller_cnn.doctor import diagnose

    diagnosis = diagnose(workdir, data_dir, os.environ)
    say = terminal.messages
    sections = {
        "versions": _versions(say, diagnosis),
        "machine": _machine(say, diagnosis),
        "data": _data(say, diagnosis),
        "folders": _folders(say, diagnosis),
        "internet": _internet(say, diagnosis),
        "extras": _extras(say, diagnosis),
    }
    for name, rows in sections.items():
        if rows:
            show_rows(terminal, rows, say(f"cli_doctor.title.{name}"))
    _show_problems(terminal, diagnosis)
    terminal.result(_to_json(say, diagnosis))
    if not diagnosis.can_work:
        click.get_current_context().exit(1)


# ------------------------------------------------------------------ for the reader


def _versions(say: Messages, diagnosis: Diagnosis) -> Rows:
    absent = say("cli_doctor.absent")
    rows = [("Python", diagnosis.python), (say("cli_doctor.system"), diagnosis.system)]
    return rows + [(name, version or absent) for name, version in diagnosis.packages.items()]


def _machine(say: Messages, diagnosis: Diagnosis) -> Rows:
    processor, torch = diagnosis.processor, diagnosis.torch
    features = {
        say(f"cli_doctor.feature.{name}"): say(f"cli_doctor.{_yes_or_no(has)}")
        for name, has in processor["features"].items()
    }
    rows = [
        (say("cli_doctor.processor"), processor["name"]),
        (say("cli_doctor.cores"), str(processor["cores"])),
        (say("cli_doctor.features"), ", ".join(f"{name}: {has}" for name, has in features.items())),
    ]
    if torch:
        gpus = ", ".join(torch["gpus"]) or say("cli_doctor.no_gpu")
        rows += [
            ("PyTorch", say("cli_doctor.build", **torch)),
            (say("cli_doctor.threads"), str(torch["threads"])),
            ("GPU", gpus),
            (say("cli_doctor.precision"), torch["precision"]),
        ]
    return rows


def _yes_or_no(has: bool | None) -> str:
    return {True: "yes", False: "no", None: "unknown"}[has]


def _data(say: Messages, diagnosis: Diagnosis) -> Rows:
    return [
        (
            f"{say('data.title.' + told['dataset'])}, {say('data.' + told['source'])}",
            f"{say('cli_doctor.state.' + told['state'])}: {told['folder']}",
        )
        for told in diagnosis.data
    ]


def _folders(say: Messages, diagnosis: Diagnosis) -> Rows:
    return [
        (
            say(f"cli_doctor.folder.{told['kind']}"),
            say("cli_doctor.free", path=told["path"], gb=told["free_mb"] / 1000)
            if told["free_mb"] is not None
            else say("cli_doctor.not_writable", path=told["path"]),
        )
        for told in diagnosis.folders
    ]


def _internet(say: Messages, diagnosis: Diagnosis) -> Rows:
    internet = diagnosis.internet
    if internet is None:
        return []
    reachable = "reachable" if internet["reachable"] else "offline"
    rows = [(say("cli_doctor.mirrors"), say(f"cli_doctor.{reachable}"))]
    proxies = [f"{scheme}: {proxy}" for scheme, proxy in internet["proxies"].items()]
    rows.append((say("cli_doctor.proxies"), ", ".join(proxies) or say("cli_doctor.none")))
    return rows + [(told["variable"], told["path"]) for told in internet["certificates"]]


def _extras(say: Messages, diagnosis: Diagnosis) -> Rows:
    return [
        (
            extra["name"],
            f"{extra['version'] or extra['install']} ({say('cli_doctor.gives.' + extra['gives'])})",
        )
        for extra in diagnosis.extras
    ]


def _show_problems(terminal: Terminal, diagnosis: Diagnosis) -> None:
    say = terminal.messages
    terminal.out.print()
    for problem in diagnosis.problems:
        label = say("cli_doctor.stops" if problem.stops_work else "cli_doctor.note")
        style = "bold red" if problem.stops_work else "bold yellow"
        terminal.out.print(Text.assemble((f"{label} ", style), problem.text.text(say)))
    terminal.say("cli_doctor.well" if diagnosis.can_work else "cli_doctor.ill", "bold")


# ----------------------------------------------------------------- for a program


def _to_json(say: Messages, diagnosis: Diagnosis) -> Mapping[str, Any]:
    names = ("python", "system", "packages", "processor", "torch", "data", "folders", "internet")
    extras = [
        {**extra, "gives": say(f"cli_doctor.gives.{extra['gives']}")} for extra in diagnosis.extras
    ]
    problems = [
        {"kind": p.text.key, "stops_work": p.stops_work, "text": p.text.text(say)}
        for p in diagnosis.problems
    ]
    return {
        "can_work": diagnosis.can_work,
        "problems": problems,
        **{name: getattr(diagnosis, name) for name in names},
        "extras": extras,
    }
