"""What the first layer is worth: train with it frozen at random, and switch off its filters."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from taller_cnn.config import ModelConfig, TrainConfig, recipe
from taller_cnn.data import Digits, LabelledImages
from taller_cnn.explain.forward import BATCH, first_of_each_class, from_stage
from taller_cnn.model import SimpleCNN, describe
from taller_cnn.training import train

SEEDS = 3
MOST_DIGITS, LEAST_DIGITS = 6000, 500
SCORED_DIGITS = 2500
TRAINING_MACS = 2.5e10
"""Multiply-accumulates that one training may take in its forward passes: about two seconds."""
ABLATION_MACS = 1.2e11


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
    config: ModelConfig, digits: Digits, seed: int, tick: Callable[[], None]
) -> FrozenTest | None:
    """Train short, from several seeds, with the first layer learned and frozen.

    All else is the same: digits, order, initial weights, recipe (`quick`). Scored on the held-out
    digits, or on the test digits where nothing was held out.

    Args:
        config: the network; its dropout is left out, as the training is one pass.
        digits: the first of its training digits are trained on.
        seed: of the first network; the others follow.
        tick: called after each training.

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
    for own in range(seed, seed + SEEDS):
        for frozen in (False, True):
            scores[frozen].append(_train_once(config, few, plan.replace(seed=own), frozen))
            tick()
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


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What switching something off costs on the same digits."""

    spoiled: int
    """Right before, wrong after."""
    mended: int
    """Wrong before, right after."""
    n: int
    low: float
    """Interval of the loss of accuracy, as a fraction."""
    high: float

    @property
    def value(self) -> float:
        """Accuracy lost, as a fraction; negative where it became better."""
        return (self.spoiled - self.mended) / self.n


def paired_loss(before: Tensor, after: Tensor, confidence: float = 0.95) -> Loss:
    """Loss of accuracy between two answers to the same digits, with its interval.

    The interval is the adjusted Wald interval for matched pairs (Agresti & Min 2005).

    Args:
        before: whether each digit was right, bool ``[N]``.
        after: the same, afterwards.
        confidence: of the interval.
    """
    from scipy.stats import norm

    spoiled, mended = int((before & ~after).sum()), int((~before & after).sum())
    # Half a digit in each cell of the two-by-two table, so that no loss still has a width.
    b, c, n = spoiled + 0.5, mended + 0.5, len(before) + 2
    middle = (b - c) / n
    reach = float(norm.ppf((1 + confidence) / 2)) * math.sqrt(b + c - (b - c) ** 2 / n) / n
    return Loss(
        spoiled=spoiled, mended=mended, n=len(before), low=middle - reach, high=middle + reach
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class SwitchedOff:
    """What each filter of the first layer is worth to the trained network."""

    accuracy: float
    """With all filters."""
    losses: tuple[Loss, ...]
    """A loss per filter. Their intervals hold together (Bonferroni)."""
    n: int


@torch.inference_mode()
def switch_off(
    model: SimpleCNN, split: LabelledImages, normalised: Tensor, most: int
) -> SwitchedOff:
    """Set each filter of the first layer to zero in turn.

    The first layer is run once; what follows it runs once per filter.

    Args:
        model: in evaluation mode.
        split: digits with their labels.
        normalised: its images for the network, float32.
        most: digits to use, fewer for a costly network.
    """
    filters = model.config.filters[0]
    macs = sum(row.macs for row in describe(model.config, model.n_classes) if row.name != "conv1")
    affordable = max(100, int(ABLATION_MACS / (macs * filters)))
    chosen = first_of_each_class(split.labels, min(most, affordable))
    labels = split.labels[chosen]
    rows = []
    for part in chosen.split(BATCH):  # type: ignore[no-untyped-call]
        maps = model.stage(1, normalised[part].to(memory_format=torch.channels_last))
        rows.append(_answers(model, maps))
    right = torch.cat(rows, dim=1) == labels
    confidence = 1 - 0.05 / filters
    return SwitchedOff(
        accuracy=float(right[0].double().mean()),
        losses=tuple(paired_loss(right[0], right[k], confidence) for k in range(1, filters + 1)),
        n=len(labels),
    )


def _answers(model: SimpleCNN, maps: Tensor) -> Tensor:
    """Classes with all filters, then with each one off: int64 ``[1 + filters, N]``."""
    answers = [from_stage(model, 1, maps).argmax(dim=1)]
    for k in range(maps.shape[1]):
        without = maps.clone()
        without[:, k] = 0
        answers.append(from_stage(model, 1, without).argmax(dim=1))
    return torch.stack(answers)
