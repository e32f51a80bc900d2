"""What the filters of the first layer are worth to the trained network: each is switched off."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from taller_cnn.data import LabelledImages
from taller_cnn.explain.draw.filters import losses_figure
from taller_cnn.explain.forward import BATCH, from_stage, quick_copy
from taller_cnn.explain.parts import Numbers, Part
from taller_cnn.explain.subject import Subject, first_of_each_class
from taller_cnn.messages import Messages
from taller_cnn.model import SimpleCNN, describe
from taller_cnn.page import Paragraph, Picture

DIGITS = 2000
"""Test digits that the filters are switched off for."""
SHOWN = 32
"""Filters in a picture."""
ABLATION_MACS = 1.2e11
"""Multiply-accumulates that all of it may take."""


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


def switched_off(subject: Subject, say: Messages) -> Part:
    """What switching off each filter costs, and how many are missed for certain."""
    test = subject.digits.test
    model = quick_copy(subject.network)
    off = switch_off(model, test, subject.normalised(test.images), DIGITS)
    n = len(off.losses)
    largest = max(range(n), key=lambda k: off.losses[k].value)
    costly = [k for k, loss in enumerate(off.losses) if loss.low > 0]
    # A filter may cost most and yet not certainly anything: more digits change both ways with it.
    named = max(costly, key=lambda k: off.losses[k].value) if costly else largest
    loss = off.losses[named]
    yield Paragraph(say("explain_filters.off_lead", accuracy=off.accuracy, digits=off.n))
    costs = say(
        f"explain_filters.{'off_costs' if costly else 'off_nothing'}",
        n=len(costly),
        of=n,
        number=named + 1,
        points=100 * loss.value,
        low=100 * loss.low,
        high=100 * loss.high,
    )
    yield Paragraph(costs)
    order = sorted(range(n), key=lambda k: -abs(off.losses[k].value))[:SHOWN]
    values = np.array([[x.value, x.low, x.high] for x in (off.losses[k] for k in order)])
    names = [say("explain_filters.number", number=k + 1) for k in order]
    yield Picture(
        name="filters_off",
        draw=partial(losses_figure, values, names, say("explain_filters.figure.off"), say),
        alt=say("explain_filters.alt_off", n=len(order), number=largest + 1),
        caption=say("explain_filters.cut_off", shown=SHOWN, n=n) if n > SHOWN else "",
    )
    losses = [{**vars(x), "value": x.value} for x in off.losses]
    yield Numbers({"switched_off": {"n": off.n, "accuracy": off.accuracy, "loss": losses}})
