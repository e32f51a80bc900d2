"""``taller-cnn evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from taller_cnn.cli.command import Option
from taller_cnn.cli.config_options import network, network_options
from taller_cnn.cli.loading import dataset_name, load, load_network, warn_of_seen_digits
from taller_cnn.cli.options import (
    DATA_DIR,
    DATASET_OF_MODEL,
    DATASETS,
    DEVICE,
    MODEL,
    SOURCE,
    WORKDIR,
    command,
)
from taller_cnn.cli.results import TOP_CONFUSIONS, data_title, show_per_class, show_rows, show_score
from taller_cnn.cli.terminal import Terminal
from taller_cnn.cli.values import one_of
from taller_cnn.errors import InputError

if TYPE_CHECKING:
    from taller_cnn.checkpoints import LoadedModel
    from taller_cnn.data import Digits
    from taller_cnn.evaluation import Evaluation


@command(
    *network_options(),
    MODEL,
    Option("--views", panel="model", help="cli_evaluate.option.views"),
    DEVICE,
    Option(
        "--split",
        panel="data",
        help="cli_evaluate.option.split",
        type=one_of("test", "validation"),
        default="test",
    ),
    DATASET_OF_MODEL,
    SOURCE,
    DATA_DIR,
    WORKDIR,
)
def evaluate(
    terminal: Terminal,
    *,
    model: Path | None,
    views: bool,
    device: str,
    split: str,
    dataset: str | None,
    source: str,
    data_dir: Path | None,
    workdir: Path,
    **fields: Any,
) -> None:
    """Measure how well a trained network does."""
    from taller_cnn.checkpoints import dataset_of
    from taller_cnn.data import DigitsPlace
    from taller_cnn.runs import RunFiles

    if dataset is not None:
        dataset = dataset_name(terminal, dataset, workdir)
    wanted = dataset or DATASETS[0]
    path = model or RunFiles.in_workdir(workdir, wanted).model
    loaded = load_network(terminal, path, workdir, wanted, network(fields))
    trained_on = dataset_of(path, loaded, dataset)
    place = DigitsPlace.in_workdir(workdir, data_dir, dataset=trained_on, source=source)
    digits = load(terminal, place, _holdout(path, loaded, split))
    warn_of_seen_digits(terminal, loaded, digits, split)
    evaluation = _evaluated(loaded, digits, split, device, views=views)
    _show(terminal, path, evaluation, digits, split, views=views)


def _holdout(path: Path, loaded: LoadedModel, split: str) -> int:
    """How many digits the training held out, so that they are the same ones here."""
    from taller_cnn.checkpoints import holdout_of

    holdout = holdout_of(loaded.info)
    if split == "validation" and loaded.info is None:
        raise InputError("cli_unknown_validation", path=path)
    if split == "validation" and holdout == 0:
        raise InputError("cli_no_validation", path=path)
    return holdout


def _evaluated(
    loaded: LoadedModel, digits: Digits, split: str, device: str, *, views: bool
) -> Evaluation:
    """What the model says, with the normalisation that it was trained with."""
    from taller_cnn.devices import choose_device
    from taller_cnn.evaluation import evaluate
    from taller_cnn.views import InViews

    scale = (loaded.info or digits).scale
    model = loaded.model.to(choose_device(device).value)
    asked = InViews(model, scale) if views else model
    return evaluate(asked, getattr(digits, split), scale)


def _show(
    terminal: Terminal,
    path: Path,
    evaluation: Evaluation,
    digits: Digits,
    split: str,
    *,
    views: bool,
) -> None:
    """Print the figures, and give them to a program that asked."""
    from taller_cnn.data import display_class_names
    from taller_cnn.views import VIEWS

    say = terminal.messages
    names = display_class_names(digits.name, digits.class_names, say)
    data = data_title(say, digits.name, digits.source)
    rows = [(say("cli.panel.model"), str(path)), (say("cli.panel.data"), data)]
    asked = len(VIEWS) if views else 1
    if views:
        rows.append((say("cli_evaluate.views"), say("cli_evaluate.views_value", n=asked)))
    show_rows(terminal, rows)
    show_score(terminal, evaluation, names, split)
    show_per_class(terminal, evaluation, names)
    top = [
        {"true": digits.class_names[t], "predicted": digits.class_names[p], "count": n}
        for t, p, n in evaluation.top_confusions(TOP_CONFUSIONS)
    ]
    origin = {"model": str(path), "dataset": digits.name, "source": digits.source, "split": split}
    figures = evaluation.to_json(digits.class_names)
    terminal.result({**origin, "views": asked, **figures, "top_confusions": top})
