"""How far to trust the network: is it as right as it is sure, and what does it say of strangers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from taller_cnn.calibration import (
    CoverageCurve,
    ReliabilityBin,
    apply_temperature,
    coverage_curve,
    error_by_luck,
    error_interval,
    expected_calibration_error,
    fit_temperature,
    loss_fall_interval,
    reliability,
)
from taller_cnn.errors import InputError
from taller_cnn.evaluation import Evaluation, wilson_interval
from taller_cnn.explain.draw.trust import Bins, coverage_figure, reliability_figure
from taller_cnn.explain.out_of_distribution import KEPT, confidences, out_of_distribution
from taller_cnn.explain.parts import Numbers, Part
from taller_cnn.explain.subject import Subject, Tick
from taller_cnn.messages import Messages
from taller_cnn.page import Heading, Paragraph, Picture, Table

COVERAGES = (1.0, 0.99, 0.98, 0.95, 0.9, 0.8)
FEWEST_MISTAKES = 5
"""With fewer, the loss of the test digits hangs on too few of them to compare two."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Certainty:
    """How sure the network is of the test digits, and how right."""

    sure: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]
    error: float
    interval: tuple[float, float]
    luck: float
    losses: npt.NDArray[np.float64]
    """Cross-entropy of each digit."""

    @property
    def loss(self) -> float:
        """Mean cross-entropy."""
        return float(self.losses.mean())

    def to_json(self) -> dict[str, Any]:
        return {
            "expected_calibration_error": self.error,
            "interval_95": list(self.interval),
            "calibrated_network_stays_below": self.luck,
            "mean_confidence": float(self.sure.mean()),
            "loss": self.loss,
            "bins": [vars(b) for b in self.bins],
        }

    @property
    def bins(self) -> tuple[ReliabilityBin, ...]:
        return reliability(self.sure, self.right)


def trust(subject: Subject, say: Messages, tick: Tick) -> Part:
    """Calibration before and after a temperature, accuracy against coverage, strangers."""
    result = subject.evaluation
    plain = _certainty(result.log_probabilities, result, subject.seed)
    tick(1, 4)
    yield Paragraph(say("explain_trust.lead"))
    yield Paragraph(_calibration(plain, say))
    yield from _temperature(subject, plain, say)
    tick(2, 4)
    yield Heading(say("explain_trust.coverage.title"))
    yield from _coverage(plain, result, say)
    tick(3, 4)
    yield Heading(say("explain_trust.strangers.title"))
    yield from out_of_distribution(subject, plain.sure, say)
    tick(4, 4)


def _certainty(scores: Tensor, result: Evaluation, seed: int) -> _Certainty:
    sure = confidences(scores)
    right = (result.predictions == result.labels).numpy()
    return _Certainty(
        sure=sure,
        right=right,
        error=expected_calibration_error(sure, right),
        interval=error_interval(sure, right, seed=seed),
        luck=error_by_luck(sure, seed=seed),
        losses=-scores.double().gather(1, result.labels[:, None])[:, 0].numpy(),
    )


def _calibration(plain: _Certainty, say: Messages) -> str:
    key = "bold" if plain.sure.mean() > plain.right.mean() else "shy"
    if plain.error <= plain.luck:
        key = "fine"
    low, high = plain.interval
    points = {"error": plain.error, "low": low, "high": high, "luck": plain.luck}
    return say(
        f"explain_trust.calibration.{key}",
        **{name: say.number(100 * value, 2) for name, value in points.items()},
        sure=float(plain.sure.mean()),
        right=float(plain.right.mean()),
    )


def _temperature(subject: Subject, plain: _Certainty, say: Messages) -> Part:
    """The temperature fitted on the held-out digits, and how reliable it makes the network."""
    temperature, reason = _fitted(subject, say)
    tempered, interval = None, None
    if temperature is None:
        yield Paragraph(say("explain_trust.temperature.none", reason=reason))
    else:
        result = subject.evaluation
        scores = apply_temperature(result.log_probabilities, temperature)
        tempered = _certainty(scores, result, subject.seed)
        yield Paragraph(_tempered(temperature, plain, tempered, say))
        interval = list(loss_fall_interval(plain.losses, tempered.losses))
    bins = _arrays(plain.bins), _arrays(tempered.bins) if tempered else None
    yield Picture(
        name="trust_reliability",
        draw=partial(reliability_figure, *bins, temperature, say),
        alt=say("explain_trust.calibration.alt"),
    )
    numbers = {"plain": plain.to_json(), "tempered": tempered and tempered.to_json()}
    yield Numbers({**numbers, "temperature": temperature, "loss_fall_interval_95": interval})


def _fitted(subject: Subject, say: Messages) -> tuple[float | None, str]:
    """The temperature that the held-out digits give, or why there is none."""
    held = subject.validation
    if held is None:
        known = subject.info is not None and subject.info.train.holdout == 0
        key = "no_holdout" if known else "unknown_holdout"
        return None, say(f"explain_trust.temperature.{key}")
    try:
        return fit_temperature(held.log_probabilities, held.labels), ""
    except InputError as error:
        return None, error.text(say)


def _tempered(temperature: float, plain: _Certainty, tempered: _Certainty, say: Messages) -> str:
    """What the temperature changes on the test digits."""
    low, high = loss_fall_interval(plain.losses, tempered.losses)
    return say(
        f"explain_trust.temperature.{'sharp' if temperature < 1 else 'flat'}",
        temperature=temperature,
        before=say.number(100 * plain.error, 2),
        after=say.number(100 * tempered.error, 2),
        loss_before=say.number(plain.loss, 4),
        loss_after=say.number(tempered.loss, 4),
        low=say.number(low, 4),
        high=say.number(high, 4),
        verdict=say(f"explain_trust.temperature.{_verdict(plain, tempered)}"),
    )


def _verdict(before: _Certainty, after: _Certainty) -> str:
    """Whether the temperature helped on the test digits, as far as their losses tell."""
    if (~before.right).sum() < FEWEST_MISTAKES:
        return "few"
    low, high = loss_fall_interval(before.losses, after.losses)
    if low > 0:
        return "better"
    return "worse" if high < 0 else "alike"


def _arrays(bins: tuple[ReliabilityBin, ...]) -> Bins:
    return Bins(
        confidence=np.array([b.confidence for b in bins]),
        accuracy=np.array([b.accuracy for b in bins]),
        interval=np.array([b.interval for b in bins]),
        n=[b.n for b in bins],
    )


def _coverage(plain: _Certainty, result: Evaluation, say: Messages) -> Part:
    """Accuracy of the answers against the share of digits that get one."""
    curve = coverage_curve(plain.sure, plain.right)
    place = int(np.searchsorted(curve.coverage, KEPT - 1e-12))
    coverage, accuracy = float(curve.coverage[place]), float(curve.accuracy[place])
    kept = say(
        "explain_trust.coverage.text",
        coverage=coverage,
        all=result.accuracy,
        accuracy=accuracy,
        errors=result.errors,
        left=round((1 - accuracy) * coverage * result.n),
    )
    yield Paragraph(kept)
    yield Picture(
        name="trust_coverage",
        draw=partial(coverage_figure, curve.coverage, curve.accuracy, say),
        alt=say("explain_trust.coverage.alt"),
    )
    columns = ("coverage", "from", "errors", "right")
    yield Table(
        header=tuple(say(f"explain_trust.coverage.column.{name}") for name in columns),
        rows=tuple(_coverage_row(curve, coverage, result.n, say) for coverage in COVERAGES),
        caption=say("explain_trust.coverage.table"),
    )
    yield Numbers({"coverage": {str(c): curve.accuracy_at(c) for c in COVERAGES}})


def _coverage_row(curve: CoverageCurve, coverage: float, n: int, say: Messages) -> tuple[str, ...]:
    place = int(np.searchsorted(curve.coverage, coverage - 1e-12))
    answered = round(float(curve.coverage[place]) * n)
    hits = round(float(curve.accuracy[place]) * answered)
    low, high = wilson_interval(hits, answered)
    return (
        say.percent(answered / n, 1),
        say.percent(float(curve.threshold[place]), 2),
        say.number(answered - hits, 0),
        say("explain_trust.coverage.cell", x=hits / answered, low=low, high=high),
    )
