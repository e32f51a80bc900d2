"""``taller-cnn explain``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taller_cnn.cli.board import Board, board
from taller_cnn.cli.command import Option
from taller_cnn.cli.config_options import network, network_options
from taller_cnn.cli.loading import dataset_name, load, load_network, warn_of_seen_digits
from taller_cnn.cli.options import (
    DATA_DIR,
    DATASET_OF_MODEL,
    DATASETS,
    MODEL,
    SOURCE,
    WORKDIR,
    command,
)
from taller_cnn.cli.results import show_rows
from taller_cnn.cli.terminal import Terminal
from taller_cnn.cli.values import INTEGERS, Key, Value, names

if TYPE_CHECKING:
    from taller_cnn.explain.report import Explanation, WrittenReport
    from taller_cnn.messages import Messages

FREE_BYTES = 50_000_000
"""Free disk asked for before minutes of work: pictures and page, several times over."""


@command(
    Option(
        "--only",
        panel="output",
        help="cli_explain.option.only",
        type=Value(names, Key("cli_explain.metavar.parts")),
    ),
    Option("--digit", panel="output", help="cli_explain.option.digit", type=INTEGERS),
    Option("--index", panel="output", help="cli_explain.option.index", type=INTEGERS),
    MODEL,
    *network_options(),
    DATASET_OF_MODEL,
    SOURCE,
    DATA_DIR,
    WORKDIR,
)
def explain(
    terminal: Terminal,
    *,
    only: tuple[str, ...] | None,
    digit: tuple[int, ...] | None,
    index: tuple[int, ...] | None,
    model: Path | None,
    dataset: str | None,
    source: str,
    data_dir: Path | None,
    workdir: Path,
    **fields: Any,
) -> None:
    """Open a trained network and its mistakes."""
    from taller_cnn.checkpoints import dataset_of, holdout_of
    from taller_cnn.data import DigitsPlace
    from taller_cnn.explain.report import checked_parts, write_report
    from taller_cnn.explain.report import explain as compute
    from taller_cnn.explain.subject import make_subject, positions
    from taller_cnn.files import check_writable
    from taller_cnn.runs import RunFiles

    parts = checked_parts(only)
    if dataset is not None:
        dataset = dataset_name(terminal, dataset, workdir)
    files = RunFiles.in_workdir(workdir, wanted := dataset or DATASETS[0])
    path = model or files.model
    loaded = load_network(terminal, path, workdir, wanted, network(fields))
    check_writable(files.results, FREE_BYTES)
    trained_on = dataset_of(path, loaded, dataset)
    place = DigitsPlace.in_workdir(workdir, data_dir, dataset=trained_on, source=source)
    digits = load(terminal, place, holdout_of(loaded.info))
    warn_of_seen_digits(terminal, loaded, digits)
    chosen = positions(digits, digit or (), index or ())
    subject = make_subject(loaded, digits, files.results, chosen=chosen, place=place)
    with board(terminal) as shown:
        told = _Told(terminal.messages, shown, parts)
        made = compute(subject, parts, terminal.messages, told.part)
        written = write_report(made, files.results, terminal.messages, told.drawing)
    _tell(terminal, made, written)


class _Told:
    """Which part is being made, on a board: a line when it begins, then how far it is."""

    def __init__(self, say: Messages, shown: Board, parts: Sequence[str]) -> None:
        self._say, self._board, self._parts = say, shown, tuple(parts)
        self._begun = ""

    def part(self, part: str, done: int, of: int) -> None:
        """So much of a part is computed."""
        place = {"n": self._parts.index(part) + 1, "of": len(self._parts)}
        self._show(
            self._say("cli_explain.part", part=self._say(f"explain.part.{part}"), **place), done, of
        )

    def drawing(self, done: int, of: int) -> None:
        """So many pictures are drawn."""
        self._show(self._say("cli_explain.drawing"), done, of)

    def _show(self, name: str, done: int, of: int) -> None:
        if name != self._begun:
            self._begun = name
            self._board.waiting(name)
        self._board.step(name, self._say.percent(done / max(of, 1), 0), done, of)


def _tell(terminal: Terminal, explanation: Explanation, written: WrittenReport) -> None:
    """Name what is missing and where things are, and give it all to a program that asked."""
    say, files = terminal.messages, written.files
    for name, error in explanation.problems.items():
        part = say(f"explain.part.{name}")
        terminal.notice(say("explain.page.problem", part=part, reason=error.text(say)))
    not_written = [error.text(say) for error in written.problems]
    for words in not_written:
        terminal.notice(words)
    main = {name: files[name] for name in ("page", "numbers")}
    rows = [(say(f"cli_explain.file.{name}"), str(path)) for name, path in main.items()]
    others = files["numbers"].parent
    pictures = say("cli_explain.pictures", n=len(files) - len(main), folder=str(others))
    rows.append((say("cli_explain.file.pictures"), pictures))
    show_rows(terminal, rows, say("cli.file.title"))
    terminal.result(
        {
            "parts": [part.section.name for part in explanation.parts],
            "left_out": {name: error.text(say) for name, error in explanation.problems.items()},
            "not_written": not_written,
            "files": {name: str(path) for name, path in files.items()},
        }
    )
