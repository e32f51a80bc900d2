"""How long and on how many digits a trial trains: an answer holds only in its regime.

- ``short``: no digit is seen twice. Accuracy for little effort; nothing to overfit.
- ``overfit``: few digits, again and again, at a constant learning rate, to convergence.
- ``long``: two epochs of all digits, to see whether the answers of ``short`` last.
- ``full``: the workshop's ten epochs of all digits.

The two tables are the one place where the sizes of the default study and of the thorough one are
set. The thorough one has the same trials and more, so that it goes on from the default one. Times
are measured by ``benchmarks/study_throughput.py``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from taller_cnn.config import ModelConfig, TrainConfig, recipe

MOST_FOLDS = 100


@dataclass(frozen=True, kw_only=True)
class Regime:
    """How a trial trains, unless a level says otherwise."""

    recipe: str
    train_n: int
    """Digits trained on; 0: all there are."""
    epochs: float
    learning_rate: float | None = None
    """x1 of the rates that are tried; None: the recipe's."""
    seeds: int
    """Trials of each level and learning rate, unless the reader says how many."""
    folds: int = 0
    """Cross-validation: the trial with seed k is judged by fold k mod `folds` of all training
    digits, held-out ones too, and trains on the other folds; only the error is compared then, not
    the gap. 0: the validation digits judge."""
    precision: str = "float32"
    """Arithmetic of training; named, because what a machine would choose differs."""

    def configs(self) -> tuple[ModelConfig, TrainConfig]:
        """The workshop's network in this regime, on one device and in one arithmetic.

        A study means the same on every worker, so neither is chosen by the machine.
        """
        train: dict[str, Any] = {
            "epochs": self.epochs,
            "device": "cpu",
            "precision": self.precision,
        }
        if self.learning_rate is not None:
            train["learning_rate"] = self.learning_rate
        return recipe(self.recipe, train=train)

    def available(self, train: int, held_out: int) -> int:
        """Digits that can be trained on, of so many training digits and held-out ones."""
        if not self.folds:
            return train
        return train + held_out - math.ceil((train + held_out) / self.folds)

    def digits(self, available: int) -> int:
        """Digits trained on when there are `available`."""
        return min(self.train_n or available, available)

    def steps(self, available: int) -> int:
        """Training steps of the reference."""
        _, train = self.configs()
        return max(1, round(train.epochs * math.ceil(self.digits(available) / train.batch_size)))

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types; those that have their default are left out."""
        defaults = {f.name: f.default for f in dataclasses.fields(self)}
        return {name: value for name, value in vars(self).items() if value != defaults[name]}


DEFAULT_REGIMES: Mapping[str, Regime] = MappingProxyType(
    {
        "short": Regime(recipe="quick", train_n=10_000, epochs=1, seeds=4),
        "overfit": Regime(recipe="workshop", train_n=2_000, epochs=27, seeds=6),
        "long": Regime(recipe="quick", train_n=0, epochs=2, seeds=3),
        "full": Regime(recipe="workshop", train_n=0, epochs=10, seeds=3),
    }
)

THOROUGH_REGIMES: Mapping[str, Regime] = MappingProxyType(
    {
        "short": Regime(recipe="quick", train_n=10_000, epochs=1, seeds=5),
        "overfit": Regime(recipe="workshop", train_n=2_000, epochs=27, seeds=8),
        "long": Regime(recipe="quick", train_n=0, epochs=2, seeds=3),
        "full": Regime(recipe="workshop", train_n=0, epochs=10, seeds=3),
    }
)
