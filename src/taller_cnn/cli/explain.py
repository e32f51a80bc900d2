"""``taller-cnn explain``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from taller_cnn.cli.evaluate import DatasetOfModel
from taller_cnn.cli.explain_view import explain_view
from taller_cnn.cli.loading import load, load_network
from taller_cnn.cli.options import (
    DATASETS,
    DataDir,
    ModelFile,
    Source,
    Workdir,
    panel,
)
from taller_cnn.cli.scores import show_rows
from taller_cnn.cli.terminal import Terminal
from taller_cnn.cli.values import whole_numbers

if TYPE_CHECKING:
    from taller_cnn.checkpoints import LoadedModel
    from taller_cnn.data import Digits
    from taller_cnn.explain.report import Explanation

__all__ = ["explain"]

FREE_BYTES = 50_000_000
"""Free disk asked for before minutes of work: pictures and page, several times over."""


class _Numbers(tuple[int, ...]):
    """What ``3,5`` means."""


class _Names(tuple[str, ...]):
    """What ``filters,errors`` means."""


def _numbers(text: str) -> _Numbers:
    return _Numbers(whole_numbers(text))


def _names(text: str) -> _Names:
    return _Names(part.strip() for part in text.split(",") if part.strip())


Only = Annotated[
    _Names | None,
    panel(
        "output",
        "--only",
        help="cli_explain.option.only",
        metavar="cli_explain.metavar.parts",
        parser=_names,
    ),
]
Digit = Annotated[
    _Numbers | None,
    panel(
        "output",
        "--digit",
        help="cli_explain.option.digit",
        metavar="cli.metavar.integers",
        parser=_numbers,
    ),
]
Index = Annotated[
    _Numbers | None,
    panel(
        "output",
        "--index",
        help="cli_explain.option.index",
        metavar="cli.metavar.integers",
        parser=_numbers,
    ),
]


def explain(
    context: typer.Context,
    only: Only = None,
    digit: Digit = None,
    index: Index = None,
    model: ModelFile = None,
    dataset: DatasetOfModel = None,
    source: Source = "auto",
    data_dir: DataDir = None,
    workdir: Workdir = Path(),
) -> None:
    """Open a trained network and its mistakes."""
    from taller_cnn.checkpoints import dataset_of, holdout_of
    from taller_cnn.data import DigitsPlace
    from taller_cnn.explain.report import checked_parts, write_report
    from taller_cnn.explain.report import explain as compute
    from taller_cnn.explain.subject import make_subject, positions
    from taller_cnn.files import check_writable
    from taller_cnn.runs import RunFiles

    terminal: Terminal = context.obj
    parts = checked_parts(only)
    files = RunFiles.in_workdir(workdir, wanted := dataset or DATASETS[0])
    loaded = load_network(terminal, path := model or files.model, workdir, wanted)
    check_writable(files.results, FREE_BYTES)
    trained_on = dataset_of(path, loaded, dataset)
    place = DigitsPlace.in_workdir(workdir, data_dir, dataset=trained_on, source=source)
    digits = load(terminal, place, holdout_of(loaded.info))
    _warn_of_seen_digits(terminal, loaded, digits)
    chosen = positions(digits, digit or (), index or ())
    subject = make_subject(loaded, digits, files.results, chosen=chosen, place=place)
    with explain_view(terminal, parts) as view:
        made = compute(subject, parts, view.step)
        written = write_report(made, files.results, terminal.messages, view.drawn)
    _tell(terminal, made, written)


def _warn_of_seen_digits(terminal: Terminal, loaded: LoadedModel, digits: Digits) -> None:
    """The sample is part of the full set's training digits: who learned those has seen it."""
    if loaded.info and loaded.info.source != digits.source and digits.source == "sample":
        terminal.notice(terminal.messages("cli_evaluate.seen"))


def _tell(terminal: Terminal, explanation: Explanation, files: dict[str, Path]) -> None:
    """Name what is missing and where things are, and give it all to a program that asked."""
    say = terminal.messages
    for name, error in explanation.problems.items():
        part = say(f"explain.part.{name}")
        terminal.notice(say("explain.page.problem", part=part, reason=error.text(say)))
    main = {name: files[name] for name in ("page", "numbers")}
    rows = [(say(f"cli_explain.file.{name}"), str(path)) for name, path in main.items()]
    others = files["numbers"].parent
    pictures = say("cli_explain.pictures", n=len(files) - len(main), folder=str(others))
    rows.append((say("cli_explain.file.pictures"), pictures))
    show_rows(terminal, rows, say("cli.file.title"))
    terminal.result(
        {
            "parts": [section.name for section in explanation.sections],
            "left_out": {name: error.text(say) for name, error in explanation.problems.items()},
            "files": {name: str(path) for name, path in files.items()},
        }
    )
