"""``taller-cnn data``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_type_hints

import typer

from taller_cnn.cli.data_report import show_data, show_inventory, to_json
from taller_cnn.cli.loading import load
from taller_cnn.cli.options import DataDir, Dataset, Source, Workdir, choice
from taller_cnn.cli.terminal import Terminal
from taller_cnn.config import TrainConfig, choices
from taller_cnn.errors import DataError

if TYPE_CHECKING:
    from taller_cnn.data import Digits

__all__ = ["data"]

Augmented = Annotated[
    str | None,
    choice(
        "output",
        "--augmented",
        "cli_data.option.augmented",
        tuple(n for n in choices(get_type_hints(TrainConfig)["augmentation"]) if n != "none"),
    ),
]


def data(
    context: typer.Context,
    dataset: Dataset = "mnist",
    source: Source = "auto",
    data_dir: DataDir = None,
    workdir: Workdir = Path(),
    augmented: Augmented = None,
) -> None:
    """Show which digits there are, and draw some of each class."""
    from taller_cnn.data import DigitsPlace, inspect_folders
    from taller_cnn.runs import RunFiles

    terminal: Terminal = context.obj
    where = RunFiles.in_workdir(workdir, dataset)
    place = DigitsPlace.in_workdir(workdir, data_dir, dataset=dataset, source=source)
    try:
        digits = load(terminal, place)
    except DataError:
        show_inventory(terminal, inspect_folders(place))
        raise
    found = inspect_folders(place)
    files = {"data_samples": _draw(digits, where.results / "data_samples.png", terminal)}
    if augmented:
        path = where.results / f"data_{augmented}.png"
        files["data_augmented"] = _draw(digits, path, terminal, augmented)
    show_data(terminal, digits, found, files)
    terminal.result(to_json(digits, found, files))


def _draw(digits: Digits, path: Path, terminal: Terminal, augmented: str | None = None) -> Path:
    """Draw digits of each class into `path`, or variations of one of each."""
    from taller_cnn import figures
    from taller_cnn.augmentation import AUGMENTATIONS, variations
    from taller_cnn.data import display_class_names

    say, total = terminal.messages, sum(map(len, (digits.train, digits.validation, digits.test)))
    note = say("data.sample_note", n=total) if digits.source == "sample" else None
    names = display_class_names(digits.name, say)
    images, labels = digits.train.images, digits.train.labels
    if augmented:
        images, labels = variations(images, labels, AUGMENTATIONS[augmented], seed=0)
    figures.save_figure(
        lambda: figures.digits_figure(images, labels, names, say, note, augmented), path
    )
    return path
