"""``taller-cnn data``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from rich.table import Table
from rich.text import Text

from taller_cnn.cli.command import Option
from taller_cnn.cli.loading import dataset_name, load
from taller_cnn.cli.options import DATA_DIR, DATASET, RESIZED, SOURCE, WORKDIR, command
from taller_cnn.cli.results import data_title, show_files, show_rows
from taller_cnn.cli.terminal import Terminal
from taller_cnn.cli.values import one_of
from taller_cnn.config import TrainConfig, choices
from taller_cnn.errors import DataError

if TYPE_CHECKING:
    from taller_cnn.data import Digits, FileCheck, Inventory
    from taller_cnn.messages import Messages

SPLITS = ("train", "validation", "test")
BAR_WIDTH = 24


@command(
    DATASET,
    RESIZED,
    SOURCE,
    DATA_DIR,
    WORKDIR,
    Option(
        "--augmented",
        panel="output",
        help="cli_data.option.augmented",
        type=one_of(
            *(
                name
                for name in choices(get_type_hints(TrainConfig)["augmentation"])
                if name != "none"
            )
        ),
    ),
)
def data(
    terminal: Terminal,
    *,
    dataset: str,
    only_resize: bool | None,
    source: str,
    data_dir: Path | None,
    workdir: Path,
    augmented: str | None,
) -> None:
    """Show which digits there are, and draw some of each class."""
    from taller_cnn.data import DigitsPlace, inspect_folders
    from taller_cnn.runs import RunFiles

    dataset = dataset_name(terminal, dataset, workdir, resized=only_resize)
    results = RunFiles.in_workdir(workdir, dataset).results
    place = DigitsPlace.in_workdir(workdir, data_dir, dataset=dataset, source=source)
    try:
        digits = load(terminal, place)
    except DataError:
        _show_inventory(terminal, inspect_folders(place))
        raise
    inventory = inspect_folders(place)
    files = {"data_samples": _draw(digits, results / "data_samples.png", terminal)}
    if augmented:
        path = results / f"data_{augmented}.png"
        files["data_augmented"] = _draw(digits, path, terminal, augmented)
    _show_inventory(terminal, inventory)
    _show_digits(terminal, digits)
    show_files(terminal, files)
    terminal.result(_to_json(digits, inventory, files))


def _draw(digits: Digits, path: Path, terminal: Terminal, augmented: str | None = None) -> Path:
    """Draw digits of each class into `path`, or variations of one of each."""
    from taller_cnn import figures
    from taller_cnn.allographs import digits_shown
    from taller_cnn.augmentation import AUGMENTATIONS, variations
    from taller_cnn.data import display_class_names

    say, total = terminal.messages, sum(map(len, (digits.train, digits.validation, digits.test)))
    note = say("data.sample_note", n=total) if digits.source == "sample" else None
    names = display_class_names(digits.name, digits.class_names, say)
    images, labels = digits.train.images, digits.train.labels
    if augmented:
        shown = digits_shown(digits.class_names)[labels]
        images, labels = variations(images, labels, AUGMENTATIONS[augmented], 0, digits=shown)
    figures.save_figure(
        lambda: figures.digits_figure(images, labels, names, say, note, augmented), path
    )
    return path


# ------------------------------------------------------------------ for the reader


def _show_inventory(terminal: Terminal, inventories: Sequence[Inventory]) -> None:
    """Print the state of each file of each set that is there."""
    say = terminal.messages
    for inventory in inventories:
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


def _show_digits(terminal: Terminal, digits: Digits) -> None:
    """Print what is used, and the images of each class."""
    from taller_cnn.data import display_class_names

    say = terminal.messages
    normalisation = say(
        "cli_data.normalisation_value", mean=digits.scale.mean, std=digits.scale.std
    )
    rows = [
        (say("cli_data.normalisation"), normalisation),
        (say("cli_data.checksum"), digits.checksum),
    ]
    show_rows(terminal, rows, data_title(say, digits.name, digits.source))
    names = display_class_names(digits.name, digits.class_names, say)
    terminal.show(_histogram(terminal, digits, names))


def _histogram(terminal: Terminal, digits: Digits, names: Sequence[str]) -> Table:
    """A line per class: its images in each split, and a bar of the training ones."""
    say, counts = terminal.messages, _class_counts(digits)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("  " + say("cli_data.class"))
    for split in SPLITS:
        table.add_column(say(f"cli_data.{split}"), justify="right")
    table.add_column("")
    most = max(max(counts["train"]), 1)
    for label, name in enumerate(names):
        cells = [say.number(counts[split][label], 0) for split in SPLITS]
        bar = "█" * round(BAR_WIDTH * counts["train"][label] / most)
        table.add_row(Text(f"  {name}"), *cells, Text(bar, "cyan"))
    totals = [say.number(sum(counts[split]), 0) for split in SPLITS]
    table.add_row("  " + say("cli_data.total"), *totals, "", style="bold")
    return table


def _class_counts(digits: Digits) -> dict[str, list[int]]:
    """Images per class in each split."""
    classes = digits.n_classes
    return {
        split: getattr(digits, split).labels.bincount(minlength=classes).tolist()
        for split in SPLITS
    }


# ----------------------------------------------------------------- for a program


def _to_json(
    digits: Digits, inventories: Sequence[Inventory], files: Mapping[str, Path]
) -> dict[str, Any]:
    """What is used, and the state of all files that are there."""
    counts = _class_counts(digits)
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
        "found": [_inventory_json(inventory) for inventory in inventories],
        "files": {name: str(path) for name, path in files.items()},
    }


def _inventory_json(inventory: Inventory) -> dict[str, Any]:
    files = [
        {"name": f.name, "path": f.path and str(f.path), "state": f.state, "md5": f.md5}
        for f in inventory.files
    ]
    return {"source": inventory.source, "folder": str(inventory.folder), "files": files}
