"""How far a network's own certainty is to be trusted.

The confidence in a prediction is the probability of the predicted class. A network is calibrated
if, of the digits it is 90% sure of, 90% are right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from taller_cnn.errors import InputError
from taller_cnn.evaluation import wilson_interval

BINS = 15
"""Bins of equal width, as in Guo et al. 2017."""
LEAST_TEMPERATURE, MOST_TEMPERATURE = 0.01, 100.0
_LOWEST = -1e4
"""Log-probabilities are taken no lower: minus infinity times a probability of 0 is no number."""

_Floats = npt.NDArray[np.float64]
_Chosen = npt.NDArray[np.intp] | slice
"""Which of the predictions."""


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """Predictions of about the same confidence."""

    low: float
    """Confidences above this..."""
    high: float
    """...up to and with this."""
    n: int
    confidence: float
    """Mean confidence."""
    accuracy: float
    interval: tuple[float, float]
    """Wilson's 95% interval of the accuracy."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CoverageCurve:
    """What is right among the predictions a network is surest of; one point per confidence."""

    threshold: _Floats
    """Least confidence at which it answers, falling, shape ``(points,)``."""
    coverage: _Floats
    """Fraction of the digits that it answers for."""
    accuracy: _Floats
    """Fraction right of those."""

    def accuracy_at(self, coverage: float) -> float:
        """Fraction right where at least that fraction (above 0, up to 1) is answered for."""
        return float(self.accuracy[np.searchsorted(self.coverage, coverage - 1e-12)])


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """From which confidence on a network is to be believed."""

    threshold: float
    """Least confidence of an answer."""
    precision: float
    """Fraction right of the answers, on the digits it was chosen with."""
    coverage: float
    """Fraction of those digits that get an answer."""
    n: int
    """How many digits it was chosen with."""


def fit_temperature(log_probabilities: Tensor, labels: Tensor) -> float:
    """The temperature T that makes ``softmax(log p / T)`` most likely (Guo et al. 2017).

    Above 1 the network was too sure, below 1 not sure enough. It changes no prediction. Fit it
    on digits that were neither trained on nor are reported on.

    Args:
        log_probabilities: float ``[N, K]``; logits do as well.
        labels: int64 ``[N]``.

    Returns:
        T, from 0.01 to 100.

    Raises:
        InputError: there are no digits, or none of them is a mistake, so that no finite
            certainty would be enough.
    """
    from scipy.optimize import brentq

    _require_some(len(labels))
    scores = log_probabilities.double().clamp(min=_LOWEST)
    true = scores.gather(1, labels[:, None])[:, 0]
    if bool((true == scores.max(dim=1).values).all()):
        raise InputError("calibration_perfect", n=len(labels))

    def slope(log_sharpness: float) -> float:
        # Derivative of the mean loss by the sharpness 1/T, in which the loss is convex.
        chances = (scores * np.exp(log_sharpness)).softmax(dim=1)
        return float(((chances * scores).sum(dim=1) - true).mean())

    least, most = -np.log(MOST_TEMPERATURE), -np.log(LEAST_TEMPERATURE)
    if slope(least) >= 0:
        return MOST_TEMPERATURE
    if slope(most) <= 0:
        return LEAST_TEMPERATURE
    return float(np.exp(-brentq(slope, least, most, xtol=1e-6)))


def apply_temperature(log_probabilities: Tensor, temperature: float) -> Tensor:
    """Log-probabilities ``[N, K]`` as they are at that temperature."""
    return (log_probabilities.clamp(min=_LOWEST) / temperature).log_softmax(dim=1)


def expected_calibration_error(
    confidences: npt.ArrayLike, correct: npt.ArrayLike, bins: int = BINS
) -> float:
    """Mean distance of confidence and accuracy over bins of equal width (Naeini et al. 2015).

    Args:
        confidences: of the predictions, 0 to 1, shape ``(N,)``.
        correct: whether they are right, shape ``(N,)``.
        bins: how many; a bin holds its upper end.

    Raises:
        InputError: there are no predictions.
    """
    sure, right = _pair(confidences, correct)
    gaps = np.bincount(_bin_of(sure, bins), weights=right - sure, minlength=bins)
    return float(np.abs(gaps).sum() / len(sure))


def error_interval(
    confidences: npt.ArrayLike,
    correct: npt.ArrayLike,
    bins: int = BINS,
    *,
    seed: int = 0,
    repeats: int = 1000,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Interval of the expected calibration error: basic bootstrap (Davison & Hinkley 1997).

    Resampled errors are too large by about as much as the error itself is, so they are reflected
    at it; the plain percentiles would never reach 0.

    Raises:
        InputError: there are no predictions.
    """
    sure, right = _pair(confidences, correct)

    def drawn(chosen: _Chosen) -> float:
        return expected_calibration_error(sure[chosen], right[chosen], bins)

    error = expected_calibration_error(sure, right, bins)
    tail = (1 - confidence) / 2
    low, high = np.quantile(_resampled(drawn, len(sure), seed, repeats), (1 - tail, tail))
    return max(0.0, 2 * error - float(low)), max(0.0, 2 * error - float(high))


def loss_fall_interval(
    before: npt.ArrayLike, after: npt.ArrayLike, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Interval of the fall of the mean loss, from one set of losses to another of the same digits.

    Student's interval of the paired differences with Hall's correction for skewness (1992): few
    digits, the mistakes, differ by much and all others by little, and without the correction a
    network whose loss stays the same is too often told to be worse. A test simulates how often.

    Args:
        before: loss of each digit, shape ``(N,)``.
        after: of the same digits, as something else states their probabilities.

    Returns:
        Its ends; minus infinity to infinity for one digit, which has no spread.

    Raises:
        InputError: there are no digits.
    """
    from scipy.stats import skew, t

    first, last = _pair(before, after)
    falls, n = first - last, len(first)
    if n == 1:
        return -np.inf, np.inf
    middle, error = float(falls.mean()), float(falls.std(ddof=1)) / float(np.sqrt(n))
    if error <= 1e-12 * abs(middle):
        return middle, middle
    lean = float(skew(falls)) / float(np.sqrt(n))
    reach = float(t.ppf((1 + confidence) / 2, n - 1))

    def unskewed(deviation: float) -> float:
        """Where a skewed mean has that deviation, in standard errors: inverse of Hall's cubic."""
        if abs(lean) < 1e-9:
            return deviation
        return 3 / lean * float(np.cbrt(1 + lean * (deviation - lean / 6)) - 1)

    return float(middle - unskewed(reach) * error), float(middle - unskewed(-reach) * error)


def _resampled(
    statistic: Callable[[_Chosen], float], n: int, seed: int, repeats: int
) -> list[float]:
    """A statistic of samples of n predictions, drawn with replacement."""
    generator = np.random.default_rng(seed)
    return [statistic(generator.integers(n, size=n)) for _ in range(repeats)]


def error_by_luck(
    confidences: npt.ArrayLike,
    bins: int = BINS,
    *,
    seed: int = 0,
    repeats: int = 1000,
    quantile: float = 0.95,
) -> float:
    """The error that a calibrated network with these confidences exceeds only by bad luck.

    Its answers are drawn: right with the probability that it states (Bröcker & Smith 2007).

    Raises:
        InputError: there are no predictions.
    """
    sure, _ = _pair(confidences, confidences)
    generator = np.random.default_rng(seed)
    errors = [
        expected_calibration_error(sure, generator.random(len(sure)) < sure, bins)
        for _ in range(repeats)
    ]
    return float(np.quantile(errors, quantile))


def reliability(
    confidences: npt.ArrayLike, correct: npt.ArrayLike, bins: int = BINS
) -> tuple[ReliabilityBin, ...]:
    """Accuracy against confidence, for the bins that have predictions; lowest first.

    Raises:
        InputError: there are no predictions.
    """
    sure, right = _pair(confidences, correct)
    return tuple(_reliability_bins(sure, right, bins))


def _reliability_bins(sure: _Floats, right: _Floats, bins: int) -> Iterator[ReliabilityBin]:
    places = _bin_of(sure, bins)
    for place in np.unique(places):
        inside = places == place
        n, hits = int(inside.sum()), int(right[inside].sum())
        yield ReliabilityBin(
            low=float(place / bins),
            high=float((place + 1) / bins),
            n=n,
            confidence=float(sure[inside].mean()),
            accuracy=hits / n,
            interval=wilson_interval(hits, n),
        )


def coverage_curve(confidences: npt.ArrayLike, correct: npt.ArrayLike) -> CoverageCurve:
    """Accuracy against coverage where a network may say "I don't know" (El-Yaniv & Wiener 2010).

    Raises:
        InputError: there are no predictions.
    """
    sure, right = _pair(confidences, correct)
    order = np.argsort(-sure, kind="stable")
    sure, right = sure[order], right[order]
    # Equal confidences stand or fall together.
    last = np.flatnonzero(np.append(sure[1:] != sure[:-1], True))
    answered = last + 1
    return CoverageCurve(
        threshold=sure[last],
        coverage=answered / len(sure),
        accuracy=np.cumsum(right)[last] / answered,
    )


def threshold_for_precision(
    confidences: npt.ArrayLike, correct: npt.ArrayLike, precision: float = 0.99
) -> Threshold:
    """The least confidence from which on at least `precision` of the answers are right.

    It is chosen for these digits, so what it promises has to be measured on others.

    Raises:
        InputError: there are no predictions, or no threshold gives that precision.
    """
    curve = coverage_curve(confidences, correct)
    enough = np.flatnonzero(curve.accuracy >= precision)
    if not len(enough):
        raise InputError("calibration_no_threshold", precision=precision)
    widest = enough[-1]
    return Threshold(
        threshold=float(curve.threshold[widest]),
        precision=float(curve.accuracy[widest]),
        coverage=float(curve.coverage[widest]),
        n=len(np.asarray(confidences)),
    )


def _pair(confidences: npt.ArrayLike, correct: npt.ArrayLike) -> tuple[_Floats, _Floats]:
    """Both as float64 ``(N,)``, N > 0."""
    sure = np.asarray(confidences, dtype=np.float64)
    right = np.asarray(correct, dtype=np.float64)
    if sure.ndim != 1 or sure.shape != right.shape:
        raise ValueError(f"shapes {sure.shape} and {right.shape} are not (N,) twice")
    _require_some(len(sure))
    return sure, right


def _require_some(n: int) -> None:
    if n == 0:
        raise InputError("calibration_empty")


def _bin_of(sure: _Floats, bins: int) -> npt.NDArray[np.intp]:
    """The bin of each confidence, from 0; 0 itself belongs to the first."""
    return np.clip(np.ceil(sure * bins).astype(np.intp) - 1, 0, bins - 1)
