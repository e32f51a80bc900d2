"""How far a digit may be turned, moved, smeared or hidden before the network fails."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from taller_cnn.data import Split
from taller_cnn.errors import MissingExtraError
from taller_cnn.evaluation import wilson_interval
from taller_cnn.explain.distortions import DISTORTIONS, Distortion
from taller_cnn.explain.forward import class_logits, evenly, quick_copy
from taller_cnn.explain.section import (
    Block,
    Picture,
    Section,
    Subject,
    Table,
    Text,
    Tick,
    texts_of,
)
from taller_cnn.messages import Messages
from taller_cnn.model import SimpleCNN

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Curve", "measure_curve", "robustness", "strength_at_loss"]

_text = texts_of("explain_robustness")

DIGITS = 1500
POINTS = (0.01, 0.10)
"""Losses of accuracy whose strength is told, as fractions."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Accuracy against the strength of one distortion."""

    name: str
    strengths: tuple[float, ...]
    """From none to strong, in the distortion's unit."""
    correct: tuple[int, ...]
    n: int

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
    model: SimpleCNN,
    split: Split,
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
    correct = []
    for strength in distortion.strengths:
        generator = torch.Generator().manual_seed(seed)
        changed = images
        if strength != distortion.strengths[0]:
            changed = distortion.apply(images, strength, generator).clamp(0, 1)
        says = class_logits(model, normalise(changed)).argmax(dim=1)
        correct.append(int((says == split.labels).sum()))
    return Curve(
        name=distortion.name,
        strengths=distortion.strengths,
        correct=tuple(correct),
        n=len(split),
    )


def robustness(subject: Subject, tick: Tick) -> Section:
    """Accuracy against ten distortions, and the strength at which 1 and 10 points are lost.

    Raises:
        MissingExtraError: kornia is not installed.
    """
    if importlib.util.find_spec("kornia") is None:
        raise MissingExtraError("explain_kornia")
    test = subject.digits.test
    chosen = evenly(test.labels, DIGITS)
    split = Split(images=test.images[chosen], labels=test.labels[chosen])
    model = quick_copy(subject.model)
    curves = []
    for done, distortion in enumerate(DISTORTIONS, start=1):
        curves.append(
            measure_curve(
                model, split, lambda x: (x - subject.mean) / subject.std, distortion, subject.seed
            )
        )
        tick(done, len(DISTORTIONS))
    return Section(
        name="robustness",
        title=_text("title"),
        blocks=_blocks(tuple(curves), len(split)),
        numbers={curve.name: _numbers(curve) for curve in curves},
    )


def _blocks(curves: tuple[Curve, ...], n: int) -> tuple[Block, ...]:
    alt = _text("alt", n=len(curves))
    picture = Picture(name="robustness", draw=lambda messages: _figure(curves, messages), alt=alt)
    return (_text("lead", n=n), picture, _table(curves), _verdict(curves), _text("tip"))


def _verdict(curves: tuple[Curve, ...]) -> Text:
    """Which distortion hurts most at a strength that leaves a digit readable for people."""
    if curves[0].accuracy[0] < 0.5:
        return _text("untrained", accuracy=curves[0].accuracy[0])
    worst = min(curves, key=lambda curve: curve.accuracy[-1])
    firm = [curve for curve in curves if curve.strength_at_loss(POINTS[1]) is None]
    values = {
        "worst": _text(f"name.{worst.name}"),
        "strength": _strength(worst.name, worst.strengths[-1]),
        "accuracy": worst.accuracy[-1],
    }
    if not firm:
        return _text("verdict", **values)
    return _text(
        "verdict_firm", **values, firm=tuple(_text(f"name.{curve.name}") for curve in firm)
    )


def _strength(name: str, value: float) -> Text:
    return _text(f"strength.{name}", x=value)


def _table(curves: tuple[Curve, ...]) -> Table:
    rows = []
    for curve in curves:
        reached = [curve.strength_at_loss(loss) for loss in POINTS]
        cells = [
            _strength(curve.name, at)
            if at is not None
            else _text("not_reached", most=_strength(curve.name, curve.strengths[-1]))
            for at in reached
        ]
        rows.append((_text(f"name.{curve.name}"), *cells))
    header = (_text("column.distortion"), _text("column.one"), _text("column.ten"))
    return Table(header=header, rows=tuple(rows), caption=_text("table"))


def _numbers(curve: Curve) -> Mapping[str, Any]:
    return {
        "strength": list(curve.strengths),
        "accuracy": list(curve.accuracy),
        "interval_95": [list(pair) for pair in curve.intervals()],
        "n": curve.n,
        "loses_1_point_at": curve.strength_at_loss(POINTS[0]),
        "loses_10_points_at": curve.strength_at_loss(POINTS[1]),
    }


def _figure(curves: tuple[Curve, ...], messages: Messages) -> Figure:
    from taller_cnn.explain.draw.robustness import robustness_figure

    titles = [messages(f"explain_robustness.axis.{curve.name}") for curve in curves]
    examples = tuple(messages(f"explain_robustness.name.{curve.name}") for curve in curves)
    return robustness_figure(curves, titles, examples, messages)
