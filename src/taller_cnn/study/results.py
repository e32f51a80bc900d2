"""What trials came to, as arrays; and what an analysis makes of them, as values.

Errors and gaps are fractions in `QuestionResults`, `RateResult` and `Level`, and percentage points
in `Estimate`; below zero is better.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from taller_cnn.study.plan import Regime
from taller_cnn.study.trial import Trial

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]

Verdict = Literal["better", "worse", "unclear", "unknown"]
Status = Literal["ok", "failed", "missing"]
Curve = tuple[tuple[int, float, float | None], ...]
"""Per epoch: images seen, mean training loss over it, error where it was judged."""

NOTABLE_P = 0.05
"""Below it, a test that stands alone says something."""


@dataclass(frozen=True, kw_only=True, eq=False)
class QuestionResults:
    """What the trials of a question came to: L levels, R rates, P pilots and S seeds.

    A level is one combination of levels where factors are crossed. What is not known is NaN. Pilots
    choose a level's learning rate by their error on the validation digits; its seeds are then
    trained at that rate alone and judged by the judging digits, the same for all of them.
    """

    name: str
    factors: tuple[str, ...]
    regime_name: str
    regime: Regime
    training: Trial
    """A trial of the reference at x1 of its learning rate: what the answers hold for."""
    reference: tuple[str, ...]
    """Names of the levels of the workshop's network."""
    levels: tuple[tuple[str, ...], ...]
    """``[L]``: the name of the level of each factor."""
    values: tuple[tuple[float | None, ...], ...]
    """``[L]``: the numeric value of each, where it has one."""
    parameters: npt.NDArray[np.int64]
    """``[L]``"""
    macs: npt.NDArray[np.int64]
    """``[L]``: multiplications with addition for one digit."""
    seeds: tuple[int, ...]
    """``[S]``"""
    rates: Floats
    """``[R]``: multiples of the recipe's learning rate that any level has pilots at, from low to
    high; empty where there are no pilots."""
    pilot_errors: Floats
    """``[L, R, P]``"""
    pilot_failed: Bools
    """``[L, R, P]``: it diverged or ran out of memory."""
    pilot_missing: Bools
    """``[L, R, P]``: it is to run and has not; False at rates that the level does not try."""
    chosen: Floats
    """``[L]``: multiple of the recipe's learning rate at which the seeds train; NaN: not yet."""
    errors: Floats
    """``[L, S]``"""
    seen_errors: Floats
    """``[L, S]``: on digits that were trained on; NaN where none is seen twice."""
    failed: Bools
    """``[L, S]``"""
    missing: Bools
    """``[L, S]``: it has not run, be it that its rate is not chosen yet."""
    wrong: Bytes
    """``[L, S, ceil(judged_n / 8)]``: `numpy.packbits` of which judging digits are wrong."""
    judged_n: int
    """Judging digits; 0 while no trial has been judged."""
    pilot_n: int
    """Validation digits that judge pilots; 0 while none has been judged."""
    train_seconds: Floats
    """``[L, S]``"""
    peak_memory_mb: Floats
    """``[L, S]``; NaN where the system does not tell."""
    curves: tuple[tuple[Curve | None, ...], ...]
    """``[L][S]``"""
    status: Mapping[str, Status] = field(default_factory=dict)
    """Of each trial that is known to be needed so far, pilots too, by its key."""

    @property
    def gaps(self) -> Floats:
        """Error on the judging digits less that on seen digits, ``[L, S]``."""
        return self.errors - self.seen_errors


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Mean and standard deviation of `n` trials; both NaN without any, the second with one."""

    mean: float
    sd: float
    n: int


@dataclass(frozen=True, kw_only=True)
class RateResult:
    """How a level's pilots did at one multiple of the recipe's learning rate."""

    rate: float
    validation_error: Spread
    """Fraction wrong of the validation digits."""
    failed: int
    """Pilots that diverged or ran out of memory."""
    missing: int
    """Pilots that have not run."""


@dataclass(frozen=True, kw_only=True)
class Level:
    """One level, or crossed one combination of levels, at its learning rate."""

    levels: tuple[str, ...]
    """Name of the level of each factor."""
    values: tuple[float | None, ...]
    """Numeric value of each, where it has one."""
    is_reference: bool
    rate: float
    """Multiple of the recipe's learning rate; NaN while its pilots have not chosen it."""
    rates: tuple[RateResult, ...]
    """Every multiple that pilots tried, from low to high; empty where there are no pilots."""
    failed: int
    """Of all its trials, pilots too, those that diverged or ran out of memory."""
    missing: int
    """Of all its trials, pilots too, those that have not run."""
    error: Spread
    """Fraction wrong of the judging digits, over seeds."""
    seen_error: Spread
    gap: Spread
    """Error on the judging digits less the error on seen digits."""
    parameters: int
    macs: int
    """Multiplications with addition for one digit."""
    train_seconds: float
    """Mean over seeds."""
    peak_memory_mb: float
    """Mean over seeds; NaN where the system does not tell."""

    @property
    def rate_at_edge(self) -> bool:
        """Whether the best of several rates is the lowest or highest, so that more could help."""
        tried = [r.rate for r in self.rates]
        return len(tried) > 1 and self.rate in (min(tried), max(tried))


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A difference with its uncertainty over seeds and over digits, in percentage points.

    What could not be estimated is NaN, e.g. every interval in a study of one seed.
    """

    value: float
    seeds_error: float = math.nan
    """Standard error from the chance of training: the larger of the pooled one and the one with a
    spread for each level."""
    digits_error: float = math.nan
    """Standard error from which digits judge, paired over digits; how one seed happens to do on one
    digit is part of the other."""
    low: float = math.nan
    high: float = math.nan
    """95% interval over other seeds and other digits, simultaneous over all comparisons of the
    question."""
    p: float = math.nan
    """Adjusted over the comparisons of the question."""
    detectable: float = math.nan
    """Size of an effect that this test finds with 80% probability; NaN where no error could change
    as much."""

    @property
    def standard_error(self) -> float:
        """Of both together."""
        return math.hypot(self.seeds_error, self.digits_error)

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
    """Difference in error on the judging digits."""
    gap: Estimate | None
    """Difference in the gap, where the regime can overfit."""
    parameters_ratio: float
    macs_ratio: float


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
class Bend:
    """Whether a step of a factor does the same below the workshop's network and above it.

    Only if `error` leaves out zero may it be said that a trend is another one beyond the workshop's
    network. Above zero, a step there improves less than one below: ``worse`` is its verdict.
    """

    factor: str
    per: Literal["doubling", "layer"]
    below: float
    """Change of the error per step up to the workshop's network, in points."""
    above: float
    """Change per step from the workshop's network on, in points."""
    error: Estimate
    """`above` less `below`; one of the comparisons that hold together."""


@dataclass(frozen=True, kw_only=True)
class FTest:
    """A test of several contrasts at once; its p stands alone, not adjusted."""

    f: float
    df: int
    df_residual: int
    p: float

    @property
    def notable(self) -> bool:
        """Whether p is below 5%."""
        return self.p < NOTABLE_P


@dataclass(frozen=True, kw_only=True)
class Interaction:
    """Whether what one factor does hangs on the level of another, on two scales.

    Near an error of zero, factors that each halve the error interact in points and not on log odds:
    what is said of one scale alone is said of the scale too.
    """

    factors: tuple[str, ...]
    points: FTest
    log_odds: FTest

    @property
    def scales_disagree(self) -> bool:
        """Whether one scale shows an interaction and the other does not."""
        return self.points.notable != self.log_odds.notable


@dataclass(frozen=True, kw_only=True, eq=False)
class QuestionAnalysis:
    """The answer to one question: comparisons that hold together."""

    results: QuestionResults
    levels: tuple[Level, ...]
    """In the order of the results' first axis."""
    effects: tuple[Effect, ...]
    """In the order of the levels, without the reference."""
    trends: tuple[Trend, ...]
    bends: tuple[Bend, ...]
    interaction: Interaction | None
    """Of two crossed factors whose combinations were all measured more than once."""
    critical: float
    """Standard errors from the middle to the end of a simultaneous interval of the error."""
    df: int
    """Residual degrees of freedom of the linear model over seeds; 0 if there was none."""
    residual_sd: float
    """Spread of seeds pooled over the levels, in percentage points."""
    unequal_spread_p: float
    """Breusch-Pagan test of the same spread at every level."""

    @property
    def name(self) -> str:
        """The question's name in the study."""
        return self.results.name

    @property
    def factors(self) -> tuple[str, ...]:
        """What it varies."""
        return self.results.factors

    @property
    def regime(self) -> Regime:
        """How its trials train."""
        return self.results.regime

    @property
    def regime_name(self) -> str:
        """The regime's name."""
        return self.results.regime_name

    @property
    def judged_n(self) -> int:
        """Digits that judge every level and seed."""
        return self.results.judged_n

    @property
    def seeds(self) -> int:
        """Most seeds that a level has results of."""
        return max(level.error.n for level in self.levels)

    @property
    def reference(self) -> Level | None:
        """The workshop's network, if it is a level."""
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

    @property
    def seeds(self) -> int:
        """Most seeds that any level has results of."""
        return max((q.seeds for q in self.questions), default=0)

    @property
    def families(self) -> int:
        """Questions with intervals: each may be wrong somewhere with 5% probability."""
        return sum(not math.isnan(question.critical) for question in self.questions)

    @property
    def interaction_tests(self) -> int:
        """Tests of an interaction, on two scales each; their 5% come on top of the families'."""
        return sum(question.interaction is not None for question in self.questions)

    @property
    def done(self) -> int:
        """Trials with a result; those that several questions share count once."""
        return self._counts["ok"]

    @property
    def failed(self) -> int:
        """Trials that diverged or ran out of memory."""
        return self._counts["failed"]

    @property
    def missing(self) -> int:
        """Trials that are known to be needed and have not run."""
        return self._counts["missing"]

    @property
    def _counts(self) -> Counter[Status]:
        merged: dict[str, Status] = {}
        for question in self.questions:
            merged |= question.results.status
        return Counter(merged.values())
