"""Studies that were never run: answers made by hand, for tests of words and pictures.

The trials are those of `made_results`; every interval is as wide as a test wants it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import made_results
import numpy as np
from made_results import MadeQuestion, number

from taller_cnn.config import recipe
from taller_cnn.study.analysis import analyse_question
from taller_cnn.study.analysis.contrasts import TREND_UNITS
from taller_cnn.study.results import (
    Bend,
    Effect,
    Estimate,
    FTest,
    Interaction,
    Level,
    QuestionAnalysis,
    QuestionResults,
    RateResult,
    Spread,
    StudyAnalysis,
    Trend,
)
from taller_cnn.study.trial import Trial

HALF = 0.3
"""Points from the middle to the end of an interval, where nothing else is asked for."""
JUDGED, VALIDATION = 20_000, 5_000
NO_SPREAD = Spread(mean=math.nan, sd=math.nan, n=0)

Cell = tuple[str, ...]


def training(
    *, digits: int = 10_000, epochs: float = 1.0, name: str = "quick", precision: str = "float32"
) -> Trial:
    """The trial that a question's answers hold for."""
    model, train = recipe(name, train={"epochs": epochs, "precision": precision})
    return Trial(model=model, train=train, train_n=digits, judges=JUDGED)


SHORT = training()
OVERFIT = training(digits=2_000, epochs=27.0, name="workshop")
LONG = training(digits=35_000, epochs=2.0)


@dataclass(frozen=True, kw_only=True)
class MadeAnswer:
    """A question and how sure its answers are."""

    question: MadeQuestion
    training: Trial = SHORT
    half: float = HALF
    bends: tuple[Bend, ...] = ()
    interaction: Interaction | None = None
    curves: bool = True
    """Whether trials have a curve of more than one point."""


def made(*answers: MadeAnswer) -> StudyAnalysis:
    """A study with these answers."""
    return StudyAnalysis(questions=tuple(map(_answered, answers)))


def study_of(*questions: QuestionAnalysis) -> StudyAnalysis:
    """A study of these questions."""
    return StudyAnalysis(questions=questions)


def estimate(value: float, half: float = HALF, seeds: int = 4) -> Estimate:
    """A difference in points with its interval; with one seed there is none."""
    if seeds < 2 or math.isnan(value):
        return Estimate(value=value)
    p = 0.001 if abs(value) > half else 0.4
    return Estimate(value=value, low=value - half, high=value + half, p=p, detectable=1.4 * half)


def _answered(answer: MadeAnswer) -> QuestionAnalysis:
    """The answers by hand: an analysis of as many comparisons takes seconds."""
    question, results = answer.question, _results(answer)
    levels = tuple(_level(results, number) for number in range(len(results.levels)))
    reference = next(level for level in levels if level.is_reference)

    def difference(of: Callable[[Cell], float], cell: Cell) -> Estimate:
        value = 100 * (of(cell) - of(question.reference))
        return estimate(value, answer.half, question.seeds)

    effects = tuple(
        Effect(
            levels=level.levels,
            error=difference(question.error, level.levels),
            gap=difference(question.gap, level.levels) if question.gap else None,
            parameters_ratio=level.parameters / reference.parameters,
            macs_ratio=level.macs / reference.macs,
        )
        for level in levels
        if not level.is_reference
    )
    return QuestionAnalysis(
        results=results,
        levels=levels,
        effects=effects,
        trends=tuple(_trends(answer)),
        bends=answer.bends,
        interaction=answer.interaction,
        critical=2.5 if question.seeds > 1 else math.nan,
        df=3 * len(levels) if question.seeds > 1 else 0,
        residual_sd=0.2,
        unequal_spread_p=0.5,
    )


def _level(results: QuestionResults, at: int) -> Level:
    rates = tuple(
        RateResult(rate=float(rate), validation_error=spread(row), failed=0, missing=0)
        for rate, row in zip(results.rates, results.pilot_errors[at], strict=True)
    )
    return Level(
        levels=results.levels[at],
        values=results.values[at],
        is_reference=results.levels[at] == results.reference,
        rate=float(results.chosen[at]),
        rates=rates,
        failed=0,
        missing=0,
        error=spread(results.errors[at]),
        seen_error=spread(results.seen_errors[at]),
        gap=spread(results.gaps[at]),
        parameters=int(results.parameters[at]),
        macs=int(results.macs[at]),
        train_seconds=2.0,
        peak_memory_mb=300.0,
    )


def spread(values: Any) -> Spread:
    """Mean and standard deviation of what is known."""
    known = values[~np.isnan(values)]
    mean = float(known.mean()) if len(known) else math.nan
    sd = float(known.std(ddof=1)) if len(known) > 1 else math.nan
    return Spread(mean=mean, sd=sd, n=len(known))


def _trends(answer: MadeAnswer) -> Iterator[Trend]:
    """Slopes of the errors over the numbers of a factor, at the reference of the other."""
    question = answer.question
    for at, factor in enumerate(question.factors):
        if factor not in TREND_UNITS or len(question.levels[at]) < 3:
            continue
        per = TREND_UNITS[factor]
        values = tuple(number(level) for level in question.levels[at])
        x = np.log2(values) if per == "doubling" else np.array(values)
        before, after = question.reference[:at], question.reference[at + 1 :]
        errors = [100 * question.error((*before, level, *after)) for level in question.levels[at]]
        slope = float(np.polyfit(x, errors, 1)[0])
        error = estimate(slope, answer.half / 3, question.seeds)
        yield Trend(factor=factor, per=per, error=error, gap=None, values=values)


def _results(answer: MadeAnswer) -> QuestionResults:
    results = made_results.made_results(replace(answer.question, sd=lambda _: 0.0))
    curves = results.curves
    if not answer.curves:
        curves = tuple(tuple(curve and curve[-1:] for curve in row) for row in curves)
    return replace(
        results,
        training=answer.training,
        judged_n=JUDGED,
        pilot_n=VALIDATION,
        wrong=np.zeros((*results.errors.shape, JUDGED // 8), dtype=np.uint8),
        curves=curves,
    )


def unmeasured(answer: MadeAnswer) -> QuestionAnalysis:
    """The question before any of its trials has run."""
    results = made_results.without(_results(answer), (slice(None), slice(None)))
    return analyse_question(results)


def with_levels(question: QuestionAnalysis, change: Callable[[Level], Level]) -> QuestionAnalysis:
    """The question with other levels."""
    return replace(question, levels=tuple(change(level) for level in question.levels))


def bend(factor: str, difference: float, half: float = HALF) -> Bend:
    """Slope above the reference less slope below it, in points."""
    return Bend(
        factor=factor,
        per="layer" if factor.startswith("layers") else "doubling",
        below=-difference,
        above=0.0,
        error=estimate(difference, half),
    )


def interaction(points: float, log_odds: float) -> Interaction:
    """Of filters and layers, with these p-values."""
    tests = [FTest(f=2.0, df=9, df_residual=45, p=p) for p in (points, log_odds)]
    return Interaction(factors=("filters", "layers"), points=tests[0], log_odds=tests[1])


# ------------------------------------------------------------------------ usual questions


def _usual(question: Callable[..., MadeQuestion], changes: dict[str, Any]) -> MadeAnswer:
    """The answer to a usual question; a change is one of the question or of the answer."""
    of_answer = {field.name for field in fields(MadeAnswer)}
    answer = {name: value for name, value in changes.items() if name in of_answer}
    asked = {name: value for name, value in changes.items() if name not in of_answer}
    return MadeAnswer(question=question(**asked), **answer)


def crossed(**changes: Any) -> MadeAnswer:
    """Filters x layers, where both help and the fewest filters lose most."""
    return _usual(made_results.crossed, {"interaction": interaction(0.4, 0.6), **changes})


def held_filters(**changes: Any) -> MadeAnswer:
    """Filters with the input of fc1 held."""
    return _usual(made_results.held_filters, changes)


def held_layers(**changes: Any) -> MadeAnswer:
    """Layers with the input of fc1 held."""
    return _usual(made_results.held_layers, changes)


def dropout(**changes: Any) -> MadeAnswer:
    """Dropout where there is overfitting: the gap falls, the error hardly."""
    gap = {"gap": lambda cell: 0.05 - 0.016 * number(cell[0])}
    return _usual(made_results.dropout, {"training": OVERFIT, **gap, **changes})


def size(**changes: Any) -> MadeAnswer:
    """Training-set size: the error falls as a power."""
    return _usual(made_results.size, {"training": OVERFIT, **changes})


def asked(*factors: str, levels: tuple[Cell, ...], reference: Cell, **changes: Any) -> MadeAnswer:
    """A question of these factors."""
    usual = {"factors": factors, "levels": levels, "reference": reference}
    return _usual(MadeQuestion, {"name": "-x-".join(factors), **usual, **changes})


def default(**changes: Any) -> StudyAnalysis:
    """A study like the default one."""
    return made(*(make(**changes) for make in (crossed, held_filters, held_layers, dropout)))
