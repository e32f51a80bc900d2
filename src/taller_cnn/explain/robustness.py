"""How far a digit may be turned, moved, smeared or hidden before the network fails."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from taller_cnn.data import LabelledImages
from taller_cnn.evaluation import wilson_interval
from taller_cnn.explain.distortions import DISTORTIONS, Distortion
from taller_cnn.explain.draw.robustness import Panel, robustness_figure
from taller_cnn.explain.forward import class_logits, quick_copy
from taller_cnn.explain.parts import Numbers, Part
from taller_cnn.explain.subject import Subject, Tick, first_of_each_class
from taller_cnn.messages import Messages
from taller_cnn.page import Paragraph, Picture, Table

DIGITS = 1500
LOSSES = {"1_point": 0.01, "10_points": 0.10}
"""Losses of accuracy whose strength is told, as fractions."""
REPEATS = 1000
"""Samples of the digits that the interval of a strength is from."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """Accuracy against the strength of one distortion."""

    name: str
    strengths: tuple[float, ...]
    """From none to strong, in the distortion's unit."""
    right: npt.NDArray[np.bool_]
    """Which digits are, at every strength, ``[strengths, N]``."""

    @property
    def n(self) -> int:
        """Digits."""
        return len(self.right[0])

    @property
    def correct(self) -> tuple[int, ...]:
        """Digits right at every strength."""
        return tuple(int(k) for k in self.right.sum(axis=1))

    @property
    def accuracy(self) -> tuple[float, ...]:
        """Fraction right at every strength."""
        return tuple(k / self.n for k in self.correct)

    def intervals(self) -> tuple[tuple[float, float], ...]:
        """Wilson's interval at every strength."""
        return tuple(wilson_interval(k, self.n) for k in self.correct)

    def strength_at_loss(self, loss: float) -> float | None:
        """The strength at which `loss` of the accuracy is gone; None if it never is."""
        return strength_at_loss(self.strengths, self.accuracy, loss)

    def loss_interval(self, loss: float, seed: int) -> tuple[float | None, float | None]:
        """95% interval of that strength over other digits; None for an end beyond all measured.

        A bootstrap over the digits, the same ones at every strength (percentiles).
        """
        generator = np.random.default_rng(seed)
        drawn = (generator.integers(self.n, size=self.n) for _ in range(REPEATS))
        counts = np.stack([np.bincount(digits, minlength=self.n) for digits in drawn])
        accuracies = counts.astype(np.float32) @ self.right.T.astype(np.float32) / self.n
        first = self.strengths[0]
        reached = (strength_at_loss(self.strengths, tuple(row), loss) for row in accuracies)
        far = np.sort([math.inf if at is None else abs(at - first) for at in reached])
        ends = far[round(0.025 * REPEATS)], far[round(0.975 * REPEATS) - 1]
        way = math.copysign(1, self.strengths[-1] - first)
        low, high = (float(first + way * end) if math.isfinite(end) else None for end in ends)
        return low, high


def strength_at_loss(
    strengths: tuple[float, ...], accuracy: tuple[float, ...], loss: float
) -> float | None:
    """Where the accuracy first falls `loss` below its first value, between points in a line.

    Args:
        strengths: rising or falling, from no distortion on.
        accuracy: at each, as a fraction.
        loss: as a fraction, more than 0.
    """
    wanted = accuracy[0] - loss
    for i in range(1, len(strengths)):
        if accuracy[i] <= wanted:
            share = (accuracy[i - 1] - wanted) / (accuracy[i - 1] - accuracy[i])
            return strengths[i - 1] + share * (strengths[i] - strengths[i - 1])
    return None


@torch.inference_mode()
def measure_curve(
    model: nn.Module,
    split: LabelledImages,
    normalise: Callable[[Tensor], Tensor],
    distortion: Distortion,
    seed: int,
) -> Curve:
    """Accuracy on whole batches of digits at each strength of a distortion.

    Args:
        model: in evaluation mode.
        split: the digits.
        normalise: makes the network's input of grey levels float32 0 to 1.
        distortion: what is done to them.
        seed: of what the distortion draws; every strength draws the same.
    """
    images = split.images.float() / 255
    right = []
    for strength in distortion.strengths:
        generator = torch.Generator().manual_seed(seed)
        changed = images
        if strength != distortion.strengths[0]:
            changed = distortion.apply(images, strength, generator).clamp(0, 1)
        says = class_logits(model, normalise(changed)).argmax(dim=1)
        right.append((says == split.labels).numpy())
    return Curve(
        name=distortion.name,
        strengths=distortion.strengths,
        right=np.stack(right),
    )


def robustness(subject: Subject, say: Messages, tick: Tick) -> Part:
    """Accuracy against ten distortions, and the strength at which 1 and 10 points are lost."""
    curves = _curves(subject, tick)
    numbers = {curve.name: _numbers(curve, subject.seed) for curve in curves}
    yield Paragraph(say("explain_robustness.lead", n=curves[0].n))
    panels = [
        Panel(
            name=say(f"explain_robustness.name.{curve.name}"),
            unit=say(f"explain_robustness.axis.{curve.name}"),
            strengths=np.array(curve.strengths),
            accuracy=np.array(curve.accuracy),
            interval=np.array(curve.intervals()),
        )
        for curve in curves
    ]
    yield Picture(
        name="robustness",
        draw=partial(robustness_figure, panels, say),
        alt=say("explain_robustness.alt", n=len(curves)),
    )
    yield Table(
        header=tuple(say(f"explain_robustness.column.{c}") for c in ("distortion", "one", "ten")),
        rows=tuple(_row(curve, numbers[curve.name], say) for curve in curves),
        caption=say("explain_robustness.table"),
    )
    yield Paragraph(_verdict(curves, numbers, say))
    yield Paragraph(say("explain_robustness.tip"))
    yield Numbers(numbers)


def _curves(subject: Subject, tick: Tick) -> list[Curve]:
    test = subject.digits.test
    split = test[first_of_each_class(test.labels, DIGITS)]
    model, scale, curves = quick_copy(subject.model), subject.scale, []
    for done, distortion in enumerate(DISTORTIONS, start=1):
        curve = measure_curve(
            model, split, lambda x: (x - scale.mean) / scale.std, distortion, subject.seed
        )
        curves.append(curve)
        tick(done, len(DISTORTIONS))
    return curves


def _verdict(
    curves: Sequence[Curve], numbers: Mapping[str, Mapping[str, Any]], say: Messages
) -> str:
    """Which distortion leaves fewest right at its strongest, and which surely cost little.

    The scales of two distortions have nothing in common, so this is no ranking of them.
    """
    if curves[0].accuracy[0] < 0.5:
        return say("explain_robustness.untrained", accuracy=curves[0].accuracy[0])
    worst = min(curves, key=lambda curve: curve.accuracy[-1])
    firm = [c for c in curves if numbers[c.name]["loses_10_points_interval_95"][0] is None]
    low, high = worst.intervals()[-1]
    return say(
        f"explain_robustness.{'verdict_firm' if firm else 'verdict'}",
        worst=say(f"explain_robustness.name.{worst.name}"),
        strength=_strength(worst.name, worst.strengths[-1], say),
        accuracy=worst.accuracy[-1],
        low=low,
        high=high,
        firm=", ".join(say(f"explain_robustness.name.{curve.name}") for curve in firm),
    )


def _strength(name: str, value: float, say: Messages) -> str:
    return say(f"explain_robustness.strength.{name}", x=value)


def _row(curve: Curve, numbers: Mapping[str, Any], say: Messages) -> tuple[str, ...]:
    name = say(f"explain_robustness.name.{curve.name}")
    return (name, *(_loss_cell(curve, numbers, loss, say) for loss in LOSSES))


def _loss_cell(curve: Curve, numbers: Mapping[str, Any], loss: str, say: Messages) -> str:
    """The strength at which `loss` is gone, with its interval as far as it was measured."""
    at, ends = numbers[f"loses_{loss}_at"], numbers[f"loses_{loss}_interval_95"]
    if at is not None:
        # The unit once: the table has to fit on a page.
        low, high = (
            say("explain_robustness.beyond")
            if end is None
            else say(f"explain_robustness.number.{curve.name}", x=end)
            for end in ends
        )
        reached = _strength(curve.name, at, say)
        return say("explain_robustness.reached", at=reached, low=low, high=high)
    most = _strength(curve.name, curve.strengths[-1], say)
    never = say("explain_robustness.not_reached", most=most)
    if ends[0] is None:
        return never
    low = _strength(curve.name, ends[0], say)
    return say("explain_robustness.perhaps_reached", never=never, low=low)


def _numbers(curve: Curve, seed: int) -> Mapping[str, Any]:
    return {
        "strength": list(curve.strengths),
        "accuracy": list(curve.accuracy),
        "interval_95": [list(pair) for pair in curve.intervals()],
        "n": curve.n,
        **{f"loses_{name}_at": curve.strength_at_loss(loss) for name, loss in LOSSES.items()},
        **{
            f"loses_{name}_interval_95": list(curve.loss_interval(loss, seed))
            for name, loss in LOSSES.items()
        },
    }
