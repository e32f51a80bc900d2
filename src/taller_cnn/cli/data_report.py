"""The digits that there are, as a reader and as a program sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from taller_cnn.cli.scores import show_files, show_rows
from taller_cnn.cli.terminal import Terminal

if TYPE_CHECKING:
    from taller_cnn.data import Digits, FileCheck, Inventory
    from taller_cnn.messages import Messages

__all__ = ["show_data", "show_inventory", "to_json"]

SPLITS = ("train", "validation", "test")
BAR_WIDTH = 24


def show_inventory(terminal: Terminal, found: Sequence[Inventory]) -> None:
    """Print the state of each file of each set that is there."""
    say = terminal.messages
    for inventory in found:
        title = say(
            "cli_data.folder", kind=say(f"data.{inventory.source}"), folder=inventory.folder
        )
        show_rows(terminal, [(file.name, _state(say, file)) for file in inventory.files], title)


def _state(say: Messages, file: FileCheck) -> str:
    """Whether a file is intact; of a damaged one, the checksums."""
    state, problem = say(f"data.{file.state}"), file.error.values if file.error else {}
    if "expected" in problem and "found" in problem:
        return say("cli_data.damaged", state=state, **problem)
    return state


def show_data(
    terminal: Terminal, digits: Digits, found: Sequence[Inventory], files: Mapping[str, Path]
) -> None:
    """Print what is there, what of it is used, the images of each class, and what was drawn."""
    show_inventory(terminal, found)
    _show_digits(terminal, digits)
    show_files(terminal, files)


def _show_digits(terminal: Terminal, digits: Digits) -> None:
    from taller_cnn.data import display_class_names

    say = terminal.messages
    title = say(
        "cli_data.title", title=say(f"data.title.{digits.name}"), kind=say(f"data.{digits.source}")
    )
    normalisation = say(
        "cli_data.normalisation_value", mean=digits.scale.mean, std=digits.scale.std
    )
    rows = [
        (say("cli_data.normalisation"), normalisation),
        (say("cli_data.checksum"), digits.checksum),
    ]
    show_rows(terminal, rows, title)
    terminal.show(_histogram(terminal, digits, display_class_names(digits.name, say)))


def _histogram(terminal: Terminal, digits: Digits, names: Sequence[str]) -> Table:
    """A line per class: its images in each split, and a bar of the training ones."""
    say, counts = terminal.messages, class_counts(digits)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("  " + say("cli_data.class"))
    for split in SPLITS:
        table.add_column(say(f"cli_data.{split}"), justify="right")
    table.add_column("")
    most = max(max(counts["train"]), 1)
    for label, name in enumerate(names):
        cells = [say("cli_data.count", n=counts[split][label]) for split in SPLITS]
        bar = "█" * round(BAR_WIDTH * counts["train"][label] / most)
        table.add_row(Text(f"  {name}"), *cells, Text(bar, "cyan"))
    totals = [say("cli_data.count", n=sum(counts[split])) for split in SPLITS]
    table.add_row("  " + say("cli_data.total"), *totals, "", style="bold")
    return table


def class_counts(digits: Digits) -> dict[str, list[int]]:
    """Images per class in each split."""
    classes = digits.n_classes
    return {
        split: getattr(digits, split).labels.bincount(minlength=classes).tolist()
        for split in SPLITS
    }


def to_json(
    digits: Digits, found: Sequence[Inventory], files: Mapping[str, Path]
) -> dict[str, Any]:
    """What is used, and the state of all files that are there."""
    counts = class_counts(digits)
    return {
        "dataset": digits.name,
        "source": digits.source,
        "folder": str(digits.folder),
        "verified": digits.verified,
        "checksum": digits.checksum,
        "mean": digits.scale.mean,
        "std": digits.scale.std,
        "images": {split: sum(counts[split]) for split in SPLITS},
        "class_names": list(digits.class_names),
        "class_counts": counts,
        "found": [_inventory_json(inventory) for inventory in found],
        "files": {name: str(path) for name, path in files.items()},
    }


def _inventory_json(inventory: Inventory) -> dict[str, Any]:
    files = [
        {"name": f.name, "path": f.path and str(f.path), "state": f.state, "md5": f.md5}
        for f in inventory.files
    ]
    return {"source": inventory.source, "folder": str(inventory.folder), "files": files}
