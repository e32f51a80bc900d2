"""What each ingredient of the `best` recipe is worth: the recipe, and the recipe without one.

    python benchmarks/best_ablation.py                         # one epoch, five folds: 40 minutes
    python benchmarks/best_ablation.py --epochs 15 --folds 3 --only nothing --only dropout ...
    python benchmarks/best_ablation.py --recorded FILE.csv     # the table of trials run earlier

5,000 validation digits cannot tell 99.7% from 99.8%, so the 60,000 training digits are shared out
to folds: each training of a level learns from all folds but one and is judged by that one, and
their errors are put together. Every level changes one thing and keeps the rest, the learning rate
too. Without batch normalisation, or at a constant rate, a lower one may be the right one: those two
are also tried at a quarter of it, and compared at the better, which can only make the ingredient
look less useful.

The networks of two folds have learned from digits that they share in part, so the mean of their
differences varies by more than that of as many independent ones: its variance is corrected as by
Nadeau and Bengio (2003, *Inference for the generalization error*, Machine Learning 52), pooled over
the levels. The intervals hold together (Bonferroni).
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from reporting import table, write_results
from time_to_accuracy import digits

from taller_cnn.config import recipe
from taller_cnn.data import Digits
from taller_cnn.evaluation import evaluate
from taller_cnn.model import SimpleCNN
from taller_cnn.study.worker import nested_order
from taller_cnn.training import train

FOLD_SEED = 20261126
"""Of the order in which the digits are shared out to folds."""
REFERENCE = "nothing"
LEVELS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    REFERENCE: {},
    # Every digit as it is, each time.
    "augmentation": {"train": {"augmentation": "none"}},
    "batch-norm": {"model": {"batch_norm": False}},
    # One convolution from pooling to pooling, wide enough to have as many parameters as the six.
    "second-convolutions": {"model": {"filters": (16, 128, 224), "convs_per_pool": 1}},
    # The classes are made from all 7 x 7 numbers of each of the last maps, not from its maximum.
    "global-pooling": {"model": {"final_size": 0}},
    "dropout": {"model": {"dropout": 0.0}},
    "label-smoothing": {"train": {"label_smoothing": 0.0}},
    # AdamW trains what Muon would.
    "muon": {"train": {"optimizer": "adamw"}},
    # The same learning rate at every step.
    "one-cycle": {"train": {"schedule": "constant"}},
}
"""What is left out, and what the recipe becomes without it."""
SLOWER: Mapping[str, Sequence[float]] = {"batch-norm": (0.25, 1), "one-cycle": (0.25, 1)}
"""Multiples of the learning rate, where there is more than one to try."""


@dataclass(frozen=True)
class Trained:
    """One training, judged by its fold."""

    level: str
    rate: float
    fold: int
    error: float
    """Fraction wrong of the fold."""


def in_folds(data: Digits, folds: int, fold: int) -> Digits:
    """The training digits split anew: one stratified fold to judge by, the others to train on."""
    pool = data.pool
    # Every stretch of this order, and not only every beginning, has the classes in proportion.
    parts = np.array_split(nested_order(pool.labels, FOLD_SEED).numpy(), folds)
    others = np.concatenate([part for number, part in enumerate(parts) if number != fold])
    teaching, judging = pool[torch.from_numpy(others)], pool[torch.from_numpy(parts[fold])]
    return dataclasses.replace(data, train=teaching, validation=judging)


def train_level(
    name: str, rate: float, fold: int, data: Digits, folds: int, epochs: float
) -> Trained:
    """Train a level on all folds but one, and judge it by that one."""
    changes = LEVELS[name]
    kept = {"epochs": epochs, "precision": "bfloat16", "device": "cpu", "seed": fold}
    model, config = recipe(
        "best", model=changes.get("model"), train={**changes.get("train", {}), **kept}
    )
    rates = {key: getattr(config, key) * rate for key in ("learning_rate", "muon_learning_rate")}
    split = in_folds(data, folds, fold)
    training = train(
        SimpleCNN(model, n_classes=data.n_classes, seed=fold),
        split.training_on(split.train),
        config.replace(**rates),
    )
    for _ in training:
        pass
    judged = evaluate(training.network, split.validation, data.scale, batch_size=250)
    return Trained(name, rate, fold, judged.errors / judged.n)


def run(names: Sequence[str], folds: int, epochs: float) -> Iterator[Trained]:
    """Train every level in every fold."""
    data = digits(holdout=5000)
    for name, fold in itertools.product(names, range(folds)):
        for rate in SLOWER.get(name, (1,)):
            trained = train_level(name, rate, fold, data, folds, epochs)
            print(f"{name} x{rate:g}, fold {fold}: {trained.error:.3%}", flush=True)
            yield trained


def recorded(path: Path) -> list[Trained]:
    """The trainings of an ablation whose table was kept."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Trained(r["level_a"], float(r["rate"]), int(r["seed"]), float(r["validation_error"]))
            for r in csv.DictReader(file)
        ]


def errors_by_level(trained: Sequence[Trained]) -> dict[str, npt.NDArray[np.float64]]:
    """The errors of each level in each fold, ``[folds]``, at its better learning rate."""
    best: dict[str, npt.NDArray[np.float64]] = {}
    for name in dict.fromkeys(one.level for one in trained):
        rates = sorted({one.rate for one in trained if one.level == name})
        tried = [
            np.array(
                [
                    one.error
                    for one in sorted(trained, key=lambda t: t.fold)
                    if (one.level, one.rate) == (name, rate)
                ]
            )
            for rate in rates
        ]
        best[name] = min(tried, key=lambda errors: float(errors.mean()))
    return best


@dataclass(frozen=True)
class Comparison:
    """All levels against the reference, as fractions."""

    differences: Mapping[str, float]
    half: float
    """From the middle to the end of each interval."""
    detectable: float
    """Effect that an interval leaves zero out for with 80% probability."""


def compare(errors: Mapping[str, npt.NDArray[np.float64]]) -> Comparison:
    """Difference of each level from the reference, with intervals that hold together."""
    from scipy import optimize, stats

    values = np.array(list(errors.values()))
    levels, folds = values.shape
    residuals = values - values.mean(0) - values.mean(1, keepdims=True) + values.mean()
    df = (levels - 1) * (folds - 1)
    variance = float((residuals**2).sum()) / df
    # Two levels of the same fold; a fold is 1 / (folds - 1) of what the others learn from.
    se = math.sqrt(2 * variance * (1 / folds + 1 / (folds - 1)))
    critical = float(stats.t.ppf(1 - 0.025 / (levels - 1), df))
    noncentrality = optimize.brentq(lambda x: stats.nct.sf(critical, df, x) - 0.8, 0, 20)
    reference = errors[REFERENCE].mean()
    differences = {n: float(e.mean() - reference) for n, e in errors.items() if n != REFERENCE}
    return Comparison(differences, critical * se, noncentrality * se)


def report(errors: Mapping[str, npt.NDArray[np.float64]], n: int) -> str:
    """The table, in percentage points."""
    compared = compare(errors)
    rows = []
    for name, of_folds in errors.items():
        mean = float(of_folds.mean())
        difference, interval = "–", "–"
        if name in compared.differences:
            value, half = 100 * compared.differences[name], 100 * compared.half
            difference = f"{value:+.3f}"
            interval = f"{value - half:+.3f} to {value + half:+.3f}"
        rows.append([name, str(round(mean * n)), f"{mean:.3%}", difference, interval])
    header = ["without", f"errors of {n:,}", "error", "difference (points)", "95% interval"]
    found = f"An effect of {compared.detectable:.2%} is found with a probability of 80%."
    return f"{table(header, rows)}\n\n{found}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--only", action="append", choices=LEVELS, help="of the levels")
    parser.add_argument("--recorded", type=Path, help="a table of trials that were run earlier")
    asked = parser.parse_args()
    if asked.recorded:
        print(report(errors_by_level(recorded(asked.recorded)), 60_000))
        return
    trained = list(run(asked.only or list(LEVELS), asked.folds, asked.epochs))
    kind = "best-ablation" if asked.epochs == 1 else "best-full"
    figures = {"trained": [vars(one) for one in trained]}
    body = report(errors_by_level(trained), 60_000)
    write_results(kind, "What each ingredient of `best` is worth", body, figures)


if __name__ == "__main__":
    main()
