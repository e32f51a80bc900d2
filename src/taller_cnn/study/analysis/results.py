"""What an analysis finds, as values.

Errors and gaps are fractions in `Level` and percentage points in `Estimate`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Columns = Mapping[str, npt.NDArray[Any]]
"""Columns of a study's table, or some of their rows; far quicker to pick from than a DataFrame."""

Verdict = Literal["better", "worse", "unclear", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Mean and standard deviation over `n` seeds; both NaN without any, the second with one."""

    mean: float
    sd: float
    n: int


@dataclass(frozen=True, kw_only=True)
class RateResult:
    """How a level did at one multiple of the recipe's learning rate."""

    rate: float
    validation_error: Spread
    """Fraction wrong of the validation digits, or of the folds' digits."""
    failed: int
    """Trials that diverged or ran out of memory."""


@dataclass(frozen=True, kw_only=True)
class Level:
    """One level, or crossed one combination of levels, at its best learning rate."""

    levels: tuple[str, ...]
    """Name of the level of each factor."""
    values: tuple[float | None, ...]
    """Numeric value of each, where it has one."""
    is_reference: bool
    rate: float
    """Multiple of the recipe's learning rate that was best on validation; NaN if none ran."""
    rates: tuple[RateResult, ...]
    """Every multiple that was tried, from low to high."""
    failed: int
    """Trials at that rate that diverged or ran out of memory."""
    missing: int
    """Trials at that rate that have not run."""
    judged: int
    """Different digits that its validation error is of; 0 where they were not recorded."""
    validation_error: Spread
    test_error: Spread
    seen_error: Spread
    gap: Spread
    """Validation error less the error on seen digits."""
    parameters: float
    macs: float
    """Multiplications with addition for one digit."""
    train_seconds: float
    """Mean over seeds."""
    peak_memory_mb: float
    """Mean over seeds; NaN where the system does not tell."""

    @property
    def rate_at_edge(self) -> bool:
        """Whether the best of several rates is the lowest or highest, so that more could help."""
        tried = [r.rate for r in self.rates if r.validation_error.n]
        return len(tried) > 1 and self.rate in (min(tried), max(tried))


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A difference with its uncertainty over seeds, or folds, in percentage points.

    What could not be estimated is NaN, e.g. every interval in a study of one seed.
    """

    value: float
    standard_error: float = math.nan
    """The larger of the pooled one and the one with a spread for each level."""
    low: float = math.nan
    high: float = math.nan
    """95% interval, simultaneous over all comparisons of the question."""
    low_alone: float = math.nan
    high_alone: float = math.nan
    """95% interval of this comparison alone: not adjusted, no verdict comes from it."""
    p: float = math.nan
    """Adjusted over the comparisons of the question."""
    detectable: float = math.nan
    """Size of an effect that this test finds with 80% probability."""

    @property
    def verdict(self) -> Verdict:
        """Whether it is above, below or not told apart from zero; lower is better."""
        if math.isnan(self.low):
            return "unknown"
        if self.high < 0:
            return "better"
        return "worse" if self.low > 0 else "unclear"


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A level against the reference."""

    levels: tuple[str, ...]
    error: Estimate
    """Difference in validation error."""
    gap: Estimate | None
    """Difference in the gap, where the regime can overfit."""
    parameters_ratio: float
    macs_ratio: float
    images_low: float
    images_high: float
    """95% interval of the same difference in error over other validation digits with these very
    networks, paired over images, not adjusted; NaN where images were not recorded."""


@dataclass(frozen=True, kw_only=True)
class Trend:
    """Mean change per step of a factor over the range that was measured."""

    factor: str
    per: Literal["doubling", "layer"]
    error: Estimate
    gap: Estimate | None
    values: tuple[float, ...]
    """The values of the factor that it goes over."""


@dataclass(frozen=True, kw_only=True)
class Term:
    """A line of the analysis of variance of a crossed question; its p is not adjusted."""

    factors: tuple[str, ...]
    """One factor, or two for their interaction."""
    f: float
    df: int
    df_residual: int
    p: float
    partial_eta2: float
    """Share of the variance that the other terms leave, in this sample."""
    partial_omega2: float
    """The same, without the part that chance alone would give; at least 0."""


@dataclass(frozen=True, kw_only=True, eq=False)
class QuestionAnalysis:
    """The answer to one question: comparisons that hold together."""

    name: str
    factors: tuple[str, ...]
    regime: str
    folds: int
    """Parts of all training digits that judge the trials in turn; 0: the validation digits do."""
    levels: tuple[Level, ...]
    effects: tuple[Effect, ...]
    """In the order of the levels, without the reference."""
    trends: tuple[Trend, ...]
    compared: tuple[Columns, ...]
    """The finished trials of each level at its learning rate, one per seed."""
    seeds: int
    """Most seeds that a level has results of."""
    critical: float
    """Standard errors from the middle to the end of a simultaneous interval."""
    df: int
    """Residual degrees of freedom of the linear model; 0 if there was none."""
    residual_sd: float
    """Pooled over the levels, in percentage points."""
    unequal_spread_p: float
    """Breusch-Pagan test of the same spread at every level."""

    @property
    def reference(self) -> Level | None:
        """The seed's network, if it was measured."""
        return next((level for level in self.levels if level.is_reference), None)

    @property
    def detectable(self) -> float:
        """Effect on the error found with 80% probability, mean over the levels, in points."""
        known = [e.error.detectable for e in self.effects if not math.isnan(e.error.detectable)]
        return float(np.mean(known)) if known else math.nan


@dataclass(frozen=True, kw_only=True, eq=False)
class StudyAnalysis:
    """The answers to all questions of a study."""

    questions: tuple[QuestionAnalysis, ...]
    done: int
    """Trials with a result; trials that several questions share count once."""
    failed: int
    missing: int

    @property
    def seeds(self) -> int:
        """Most seeds that any level has results of."""
        return max((q.seeds for q in self.questions), default=0)
