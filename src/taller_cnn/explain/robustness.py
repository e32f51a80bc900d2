"""How far a digit may be turned, moved, smeared or hidden before the network fails."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from taller_cnn.data import LabelledImages
from taller_cnn.errors import MissingExtraError
from taller_cnn.evaluation import wilson_interval
from taller_cnn.explain.distortions import DISTORTIONS, Distortion
from taller_cnn.explain.forward import class_logits, first_of_each_class, quick_copy
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

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_text = texts_of("explain_robustness")

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


def robustness(subject: Subject, tick: Tick) -> Section:
    """Accuracy against ten distortions, and the strength at which 1 and 10 points are lost.

    Raises:
        MissingExtraError: kornia is not installed.
    """
    if importlib.util.find_spec("kornia") is None:
        raise MissingExtraError("explain_kornia")
    test = subject.digits.test
    split = test[first_of_each_class(test.labels, DIGITS)]
    model, scale = quick_copy(subject.model), subject.scale
    curves = []
    for done, distortion in enumerate(DISTORTIONS, start=1):
        curves.append(
            measure_curve(
                model, split, lambda x: (x - scale.mean) / scale.std, distortion, subject.seed
            )
        )
        tick(done, len(DISTORTIONS))
    numbers = {curve.name: _numbers(curve, subject.seed) for curve in curves}
    return Section(
        name="robustness",
        title=_text("title"),
        blocks=_blocks(tuple(curves), numbers),
        numbers=numbers,
    )


def _blocks(
    curves: tuple[Curve, ...], numbers: Mapping[str, Mapping[str, Any]]
) -> tuple[Block, ...]:
    alt = _text("alt", n=len(curves))
    picture = Picture(name="robustness", draw=lambda messages: _figure(curves, messages), alt=alt)
    return (
        _text("lead", n=curves[0].n),
        picture,
        _table(curves, numbers),
        _verdict(curves, numbers),
        _text("tip"),
    )


def _verdict(curves: tuple[Curve, ...], numbers: Mapping[str, Mapping[str, Any]]) -> Text:
    """Which distortion leaves fewest right at its strongest, and which surely cost little.

    The scales of two distortions have nothing in common, so this is no ranking of them.
    """
    if curves[0].accuracy[0] < 0.5:
        return _text("untrained", accuracy=curves[0].accuracy[0])
    worst = min(curves, key=lambda curve: curve.accuracy[-1])
    firm = [c for c in curves if numbers[c.name]["loses_10_points_interval_95"][0] is None]
    low, high = worst.intervals()[-1]
    values = {
        "worst": _text(f"name.{worst.name}"),
        "strength": _strength(worst.name, worst.strengths[-1]),
        "accuracy": worst.accuracy[-1],
        "low": low,
        "high": high,
    }
    if not firm:
        return _text("verdict", **values)
    return _text(
        "verdict_firm", **values, firm=tuple(_text(f"name.{curve.name}") for curve in firm)
    )


def _strength(name: str, value: float) -> Text:
    return _text(f"strength.{name}", x=value)


def _table(curves: tuple[Curve, ...], numbers: Mapping[str, Mapping[str, Any]]) -> Table:
    rows = [
        (
            _text(f"name.{curve.name}"),
            *(_loss_cell(curve, numbers[curve.name], loss) for loss in LOSSES),
        )
        for curve in curves
    ]
    header = (_text("column.distortion"), _text("column.one"), _text("column.ten"))
    return Table(header=header, rows=tuple(rows), caption=_text("table"))


def _loss_cell(curve: Curve, numbers: Mapping[str, Any], loss: str) -> Text:
    """The strength at which `loss` is gone, with its interval as far as it was measured."""
    never = _text("not_reached", most=_strength(curve.name, curve.strengths[-1]))
    at, ends = numbers[f"loses_{loss}_at"], numbers[f"loses_{loss}_interval_95"]
    if at is not None:
        # The unit once: the table has to fit on a page.
        low, high = (
            _text("beyond") if end is None else _text(f"number.{curve.name}", x=end) for end in ends
        )
        return _text("reached", at=_strength(curve.name, at), low=low, high=high)
    if ends[0] is None:
        return never
    return _text("perhaps_reached", never=never, low=_strength(curve.name, ends[0]))


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


def _figure(curves: tuple[Curve, ...], messages: Messages) -> Figure:
    from taller_cnn.explain.draw.robustness import robustness_figure

    titles = [messages(f"explain_robustness.axis.{curve.name}") for curve in curves]
    examples = tuple(messages(f"explain_robustness.name.{curve.name}") for curve in curves)
    return robustness_figure(curves, titles, examples, messages)
