"""In a narrow terminal no number is cut: where a table lacks room, each column has a line."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table

from taller_cnn.cli.terminal import Terminal
from taller_cnn.messages import Messages

COMMANDS = [
    ["describe"],
    ["describe", "--filters", "64,128", "--hidden", "1024"],
    ["data", "--source", "sample"],
    ["evaluate", "--source", "sample"],
    ["predict"],
    ["study", "kernel", "--seeds", "2", "--dry-run", "--source", "sample"],
    ["study", "--list"],
    ["train", "--source", "sample", "--epochs", "0.1", "--filters", "2", "--hidden", "4"],
]
COLOURS = re.compile(r"\x1b\[[\d;?]*[a-zA-Z]")
TIMES = re.compile(r"[\d.,]+\s+(images/s|s\b|min\b)")


def numbers(text: str) -> set[str]:
    """Words with a figure in them but paths, which are folded, and times, which differ."""
    plain = TIMES.sub(" ", COLOURS.sub("", text))
    return {
        word.strip(".,:;()") for word in plain.split() if re.search(r"\d", word) and len(word) <= 16
    }


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A one, drawn with a thick pen."""
    path = tmp_path_factory.mktemp("pictures") / "uno.png"
    image = Image.new("L", (280, 280), 255)
    ImageDraw.Draw(image).line((140, 40, 140, 240), fill=0, width=20)
    image.save(path)
    return path


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:2]))
@pytest.mark.parametrize("is_terminal", [False, True])
def test_every_number_of_a_wide_terminal_is_whole_in_a_narrow_one(
    cli, trained_workdir: Path, workdir: Path, picture, monkeypatch, command, is_terminal
) -> None:
    place = workdir if command[0] in ("data", "train", "study") else trained_workdir
    more = [] if command[0] == "describe" else ["--workdir", place]
    more = more + ([picture] if command[0] == "predict" else [])
    if is_terminal:
        monkeypatch.setenv("TTY_COMPATIBLE", "1")
        monkeypatch.setenv("TTY_INTERACTIVE", "0")
    told = {}
    for columns in (200, 40, 30):
        monkeypatch.setenv("COLUMNS", str(columns))
        outcome = cli(*command, *more, "--lang", "en")
        assert outcome.code == 0, outcome.err
        told[columns] = outcome.out
    for columns in (40, 30):
        assert not re.search(r"\d…", COLOURS.sub("", told[columns]))
        assert numbers(told[200]) <= numbers(told[columns])


def narrow(width: int) -> Terminal:
    terminal = Terminal(Messages("en"))
    terminal.out = Console(file=io.StringIO(), width=width, highlight=False)
    return terminal


def shown(table: Table, width: int) -> list[str]:
    terminal = narrow(width)
    terminal.show(table)
    assert isinstance(terminal.out.file, io.StringIO)
    return [line.rstrip() for line in terminal.out.file.getvalue().splitlines()]


def table_of(*rows: tuple[str, ...]) -> Table:
    table = Table("Layer", "MACs", "", box=None, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*row)
    return table


def test_a_table_stays_one_as_long_as_its_numbers_have_room() -> None:
    table = table_of(("conv1", "112,896", "###"), ("pool1", "", "#"))
    assert shown(table, 30)[1].split() == ["conv1", "112,896", "###"]
    # Headings, numbers and the gaps between them take 5 + 2 + 7 + 2 columns.
    assert shown(table, 12) == ["conv1", "  MACs:", "  112,896", "pool1"]


def test_a_number_longer_than_the_terminal_is_folded_and_never_left_out() -> None:
    lines = shown(table_of(("conv1", "1234567890123", "")), 10)
    assert "".join(lines).replace(" ", "") == "conv1MACs:1234567890123"
