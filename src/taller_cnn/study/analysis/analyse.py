"""The answer to every question of a study, from the arrays of its results."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from taller_cnn.study.analysis.contrasts import (
    TREND_UNITS,
    BendContrast,
    TrendContrast,
    bend_contrasts,
    effect_weights,
    interaction_weights,
    trend_contrasts,
)
from taller_cnn.study.analysis.inference import Comparisons, compare, wald_test
from taller_cnn.study.analysis.model import BlockModel, digits_covariance
from taller_cnn.study.results import (
    Bend,
    Effect,
    Estimate,
    Floats,
    Interaction,
    Level,
    QuestionAnalysis,
    QuestionResults,
    RateResult,
    Spread,
    StudyAnalysis,
    Trend,
)

ALPHA = 0.05


def analyse(results: Sequence[QuestionResults]) -> StudyAnalysis:
    """Compare the levels of every question of a study."""
    return StudyAnalysis(questions=tuple(analyse_question(question) for question in results))


def analyse_question(results: QuestionResults) -> QuestionAnalysis:
    """Compare the levels of one question.

    The intervals hold together with 95% probability, over all levels, trends and bends and, where
    the regime can overfit, both the error and the gap (half of the 5% each). Questions are apart:
    each has its own 5%. They are intervals over other seeds and other digits to judge by. The seen
    digits are drawn for each seed, so that their chance is part of the spread over seeds.
    """
    levels = tuple(_level(results, number) for number in range(len(results.levels)))
    effects = effect_weights(levels)
    trends = trend_contrasts(results.factors, levels)
    bends = bend_contrasts(results.factors, levels)
    digits = digits_covariance(results.wrong, results.judged_n)
    with_gap = not np.isnan(results.gaps).all()
    alpha = ALPHA / 2 if with_gap else ALPHA
    weights = np.vstack([effects, *(trend.weights for trend in trends)])
    gaps: Sequence[Estimate | None] = [None] * len(weights)
    if with_gap:
        model = BlockModel.of(100 * results.gaps, digits)
        gaps = _estimates(compare(model, weights, alpha), weights, results.gaps)
    weights = np.vstack([weights, *(bend.above - bend.below for bend in bends)])
    model = BlockModel.of(100 * results.errors, digits)
    compared = compare(model, weights, alpha)
    errors = _estimates(compared, weights, results.errors)
    first, last = len(effects), len(weights) - len(bends)
    return QuestionAnalysis(
        results=results,
        levels=levels,
        effects=_effects(levels, errors[:first], gaps[:first]),
        trends=_trends(trends, errors[first:last], gaps[first:last]),
        bends=_bends(bends, results, model, errors[last:]),
        interaction=_interaction(results, levels, model, digits),
        critical=compared.critical,
        df=model.df if model else 0,
        residual_sd=model.residual_sd if model else math.nan,
        unequal_spread_p=model.unequal_spread_p() if model else math.nan,
    )


def _estimates(compared: Comparisons, weights: Floats, values: Floats) -> list[Estimate]:
    """The estimates, and plain differences of means where there is none."""
    means = np.array([100 * spread(of_level).mean for of_level in values])
    plain = [float(row[row != 0] @ means[row != 0]) for row in weights]
    return [
        estimate or Estimate(value=value)
        for estimate, value in zip(compared.estimates, plain, strict=True)
    ]


def _level(results: QuestionResults, number: int) -> Level:
    """The level with this number: what its trials came to, over pilots and over seeds."""
    failed = results.pilot_failed[number].sum() + results.failed[number].sum()
    missing = results.pilot_missing[number].sum() + results.missing[number].sum()
    return Level(
        levels=results.levels[number],
        values=results.values[number],
        is_reference=results.levels[number] == results.reference,
        rate=float(results.chosen[number]),
        rates=_rates(results, number),
        failed=int(failed),
        missing=int(missing),
        error=spread(results.errors[number]),
        seen_error=spread(results.seen_errors[number]),
        gap=spread(results.gaps[number]),
        parameters=int(results.parameters[number]),
        macs=int(results.macs[number]),
        train_seconds=spread(results.train_seconds[number]).mean,
        peak_memory_mb=spread(results.peak_memory_mb[number]).mean,
    )


def _rates(results: QuestionResults, number: int) -> tuple[RateResult, ...]:
    """How the level's pilots did at every learning rate that it tries, from low to high."""
    rates = []
    for index, rate in enumerate(results.rates):
        errors = results.pilot_errors[number, index]
        failed = int(results.pilot_failed[number, index].sum())
        missing = int(results.pilot_missing[number, index].sum())
        if failed or missing or not np.isnan(errors).all():
            rates.append(
                RateResult(
                    rate=float(rate),
                    validation_error=spread(errors),
                    failed=failed,
                    missing=missing,
                )
            )
    return tuple(rates)


def spread(values: Floats) -> Spread:
    """Mean and standard deviation of what is known of `values`."""
    known = values[~np.isnan(values)]
    mean = float(known.mean()) if len(known) else math.nan
    sd = float(known.std(ddof=1)) if len(known) > 1 else math.nan
    return Spread(mean=mean, sd=sd, n=len(known))


def _effects(
    levels: tuple[Level, ...], errors: Sequence[Estimate], gaps: Sequence[Estimate | None]
) -> tuple[Effect, ...]:
    reference = next((level for level in levels if level.is_reference), None)
    if reference is None:
        return ()
    others = [level for level in levels if not level.is_reference]
    return tuple(
        Effect(
            levels=level.levels,
            error=error,
            gap=gap,
            parameters_ratio=level.parameters / reference.parameters,
            macs_ratio=level.macs / reference.macs,
        )
        for level, error, gap in zip(others, errors, gaps, strict=True)
    )


def _trends(
    trends: tuple[TrendContrast, ...],
    errors: Sequence[Estimate],
    gaps: Sequence[Estimate | None],
) -> tuple[Trend, ...]:
    return tuple(
        Trend(
            factor=trend.factor,
            per=TREND_UNITS[trend.factor],
            error=error,
            gap=gap,
            values=trend.values,
        )
        for trend, error, gap in zip(trends, errors, gaps, strict=True)
    )


def _bends(
    bends: tuple[BendContrast, ...],
    results: QuestionResults,
    model: BlockModel | None,
    errors: Sequence[Estimate],
) -> tuple[Bend, ...]:
    means = np.nan_to_num([100 * spread(of_level).mean for of_level in results.errors])
    made = []
    for bend, error in zip(bends, errors, strict=True):
        slopes = np.array([bend.below, bend.above])
        determined = model is not None and model.estimable(slopes).all()
        below, above = model.estimates(slopes) if model and determined else slopes @ means
        made.append(
            Bend(
                factor=bend.factor,
                per=TREND_UNITS[bend.factor],
                below=float(below),
                above=float(above),
                error=error,
            )
        )
    return tuple(made)


def _interaction(
    results: QuestionResults, levels: tuple[Level, ...], model: BlockModel | None, digits: Floats
) -> Interaction | None:
    """Test both scales; on log odds, the digits' part by the delta method."""
    weights = interaction_weights(levels)
    if weights is None or model is None:
        return None
    # Half a mistake more, and one digit, so that a trial without mistakes has log odds too.
    share = (results.errors * results.judged_n + 0.5) / (results.judged_n + 1)
    slope = np.nan_to_num(1 / (100 * share * (1 - share))).ravel()
    model_of_odds = BlockModel.of(np.log(share / (1 - share)), digits * np.outer(slope, slope))
    points = wald_test(model, weights)
    log_odds = wald_test(model_of_odds, weights) if model_of_odds else None
    if points is None or log_odds is None:
        return None
    return Interaction(factors=results.factors, points=points, log_odds=log_odds)
