"""What learning the first layer is worth: short trainings with it learned and left at random."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from taller_cnn.config import ModelConfig, TrainConfig, recipe
from taller_cnn.data import Digits
from taller_cnn.explain.parts import Numbers, Part
from taller_cnn.explain.subject import Subject, first_of_each_class
from taller_cnn.messages import Messages
from taller_cnn.model import SimpleCNN, describe
from taller_cnn.page import Paragraph, Table
from taller_cnn.training import train

SEEDS = 3
MOST_DIGITS, LEAST_DIGITS = 6000, 500
SCORED_DIGITS = 2500
TRAINING_MACS = 2.5e10
"""Multiply-accumulates that one training may take in its forward passes: about two seconds."""


@dataclass(frozen=True, kw_only=True)
class FrozenTest:
    """The same short trainings with the first layer learned and frozen at its random start."""

    learned: tuple[float, ...]
    """Accuracy (0 to 1) per seed."""
    frozen: tuple[float, ...]
    trained_on: int
    n: int
    """Digits that the accuracies are of."""

    @property
    def gain(self) -> float:
        """Mean difference, learned less frozen."""
        return sum(self._differences()) / len(self.learned)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Student's interval of the mean difference between networks of the same seed."""
        from scipy.stats import t

        differences = torch.tensor(self._differences(), dtype=torch.float64)
        error = float(differences.std()) / math.sqrt(len(differences))
        reach = float(t.ppf((1 + confidence) / 2, len(differences) - 1)) * error
        return self.gain - reach, self.gain + reach

    def _differences(self) -> list[float]:
        return [a - b for a, b in zip(self.learned, self.frozen, strict=True)]


def training_digits(config: ModelConfig, available: int) -> int:
    """On how many digits a short training is done; 0 if the network is too costly for one."""
    macs = sum(row.macs for row in describe(config))
    affordable = int(TRAINING_MACS / macs)
    return 0 if affordable < LEAST_DIGITS else min(MOST_DIGITS, affordable, available)


def freeze_test(
    config: ModelConfig, digits: Digits, seed: int, tick: Callable[[int], None]
) -> FrozenTest | None:
    """Train short, from several seeds, with the first layer learned and frozen.

    All else is the same: digits, order, initial weights, recipe (`quick`). Scored on the held-out
    digits, or on the test digits where nothing was held out.

    Args:
        config: the network; its dropout is left out, as the training is one pass.
        digits: the first of its training digits are trained on.
        seed: of the first network; the others follow.
        tick: told how many trainings are done.

    Returns: None where one training would take too long.

    Raises:
        DivergedError: the loss is no longer a number.
    """
    n = training_digits(config, len(digits.train))
    if not n:
        return None
    scored = digits.validation if len(digits.validation) else digits.test
    config, plan = recipe("quick", model={**config.to_dict(), "dropout": 0.0})
    few = dataclasses.replace(
        digits,
        train=digits.train[:n],
        validation=scored[first_of_each_class(scored.labels, SCORED_DIGITS)],
        test=digits.test[:0],
    )
    scores: dict[bool, list[float]] = {False: [], True: []}
    for trial_seed in range(seed, seed + SEEDS):
        for frozen in (False, True):
            scores[frozen].append(_train_once(config, few, plan.replace(seed=trial_seed), frozen))
            tick(len(scores[False]) + len(scores[True]))
    return FrozenTest(
        learned=tuple(scores[False]),
        frozen=tuple(scores[True]),
        trained_on=n,
        n=len(few.validation),
    )


def _train_once(config: ModelConfig, digits: Digits, plan: TrainConfig, frozen: bool) -> float:
    model = SimpleCNN(config, n_classes=digits.n_classes, seed=plan.seed)
    model.conv1.requires_grad_(not frozen)
    training = train(model, digits, plan, score="last-epoch")
    for _ in training:
        pass
    assert training.validation is not None
    return training.validation.accuracy


def frozen_first_layer(subject: Subject, say: Messages, tick: Callable[[int], None]) -> Part:
    """What the test says; `tick` is told how many of its trainings are done.

    Raises:
        DivergedError: one of them did not converge.
    """
    test = freeze_test(subject.network.config, subject.digits, subject.seed, tick)
    if test is None:
        yield Paragraph(say("explain_filters.frozen_too_costly"))
        yield Numbers({"frozen_first_layer": None})
        return
    counts = {"seeds": len(test.learned), "digits": test.trained_on, "n": test.n}
    yield Paragraph(say("explain_filters.frozen_lead", **counts))
    if subject.info is not None and subject.info.train.first_layer == "patches":
        yield Paragraph(say("explain_filters.frozen_patches"))
    yield Table(
        header=tuple(say(f"explain_filters.column.{c}") for c in ("seed", "learned", "frozen")),
        rows=tuple(
            (str(number), say.percent(learned, 2), say.percent(frozen, 2))
            for number, (learned, frozen) in enumerate(
                zip(test.learned, test.frozen, strict=True), start=1
            )
        ),
        caption=say("explain_filters.table_frozen"),
    )
    low, high = test.interval()
    key = "frozen_better" if low > 0 else "frozen_worse" if high < 0 else "frozen_same"
    points = {"points": test.gain, "low": low, "high": high}
    words = {name: say.number(100 * value, 2) for name, value in points.items()}
    yield Paragraph(say(f"explain_filters.{key}", **words, **counts))
    numbers = {**vars(test), "gain": test.gain, "interval_95": [low, high]}
    yield Numbers({"frozen_first_layer": numbers})
