"""The answer to every question of a study, from its table of trials."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from taller_cnn.study.analysis.contrasts import (
    TREND_UNITS,
    TrendContrast,
    effect_weights,
    trend_contrasts,
)
from taller_cnn.study.analysis.folds import blocks_of
from taller_cnn.study.analysis.images import image_interval
from taller_cnn.study.analysis.inference import BlockModel, critical_value, estimates
from taller_cnn.study.analysis.levels import (
    columns_of,
    groups_by_level,
    summarise_level,
    take,
)
from taller_cnn.study.analysis.results import (
    Columns,
    Effect,
    Estimate,
    Level,
    QuestionAnalysis,
    StudyAnalysis,
    Trend,
)

ALPHA = 0.05


def analyse(
    table: pd.DataFrame, factors: Mapping[str, tuple[str, ...]] | None = None
) -> StudyAnalysis:
    """Compare the levels of every question of a study.

    The intervals of a question hold together with 95% probability, over all its levels, trends
    and, where the regime can overfit, both the error and the gap (half of the 5% each). Questions
    are apart: each has its own 5%. With folds they are over folds (`folds`), else over seeds.

    Args:
        table: one row per question, level, learning rate and seed, as `Design.table` makes it.
        factors: the factors of each question; by default those in its name, which for questions
            that a `Design` has named is the same, e.g. ``filters-x-layers`` or ``dropout-full``.
    """
    named = factors or {}
    questions = []
    for name in table["question"].unique():
        trials = table[table["question"] == name]
        own = named.get(name) or _factors_in(str(name), str(trials["regime"].iloc[0]))
        questions.append(analyse_question(str(name), own, trials))
    trials = table.drop_duplicates("key")
    count = trials["status"].value_counts()
    return StudyAnalysis(
        questions=tuple(questions),
        done=int(count.get("ok", 0)),
        failed=int(count.get("failed", 0)),
        missing=int(count.get("missing", 0)),
    )


def _factors_in(name: str, regime: str) -> tuple[str, ...]:
    """The factors that a question is named after; a second one of a name bears its regime."""
    return tuple(re.sub(rf"-{re.escape(regime)}(-\d+)?$", "", name).split("-x-"))


def analyse_question(name: str, factors: tuple[str, ...], trials: pd.DataFrame) -> QuestionAnalysis:
    """Compare the levels of one question; `trials` are its rows of the table."""
    groups = groups_by_level(columns_of(trials))
    levels = tuple(summarise_level(group) for group in groups)
    compared = [_compared(group, level) for group, level in zip(groups, levels, strict=True)]
    regime = str(trials["regime"].iloc[0])
    trends = trend_contrasts(factors, levels)
    weights = np.vstack([effect_weights(levels), *(trend.weights for trend in trends)])
    with_gap = _has_gap(trials)
    alpha = ALPHA / 2 if with_gap else ALPHA
    model = _model(compared, "validation_error")
    errors = _estimates(model, weights, alpha, levels, "validation_error")
    gaps: list[Any] = [None] * len(weights)
    if with_gap:
        gaps = _estimates(_model(compared, "gap"), weights, alpha, levels, "gap")
    return QuestionAnalysis(
        name=name,
        factors=factors,
        regime=regime,
        folds=int(trials["folds"].max()),
        levels=levels,
        effects=_effects(levels, compared, errors, gaps),
        trends=_trends(trends, errors, gaps),
        compared=tuple(compared),
        seeds=max(level.validation_error.n for level in levels),
        critical=critical_value(model, weights, alpha),
        df=int(model.fit.df_resid) if model else 0,
        residual_sd=model.residual_sd if model else math.nan,
        unequal_spread_p=model.unequal_spread_p() if model else math.nan,
    )


def _has_gap(trials: pd.DataFrame) -> bool:
    """Whether there is anything to overfit; otherwise the gap is noise. Folds have none."""
    return bool(((trials["epochs"] > 1) & (trials["folds"] == 0)).any())


def _compared(trials: Columns, level: Level) -> Columns:
    """The finished trials at the level's learning rate, one per seed."""
    return take(trials, (trials["rate"] == level.rate) & (trials["status"] == "ok"))


def _model(compared: list[Columns], response: str) -> BlockModel | None:
    values, blocks = zip(*(blocks_of(trials, response) for trials in compared), strict=True)
    level = np.repeat(np.arange(len(compared)), [len(own) for own in blocks])
    y = 100 * np.concatenate(values)
    model: BlockModel | None = BlockModel.of(y, level, np.concatenate(blocks), len(compared))
    return model


def _estimates(
    model: BlockModel | None,
    weights: npt.NDArray[np.float64],
    alpha: float,
    levels: tuple[Level, ...],
    response: str,
) -> list[Estimate]:
    """The model's estimates, and plain differences of means where it has none."""
    means = np.array([100 * getattr(level, response).mean for level in levels])
    plain = [float(row[row != 0] @ means[row != 0]) for row in weights]
    found = estimates(model, weights, alpha)
    return [have or Estimate(value=value) for have, value in zip(found, plain, strict=True)]


def _effects(
    levels: tuple[Level, ...],
    compared: list[Columns],
    errors: list[Estimate],
    gaps: list[Estimate | None],
) -> tuple[Effect, ...]:
    number = next((i for i, level in enumerate(levels) if level.is_reference), None)
    if number is None:
        return ()
    reference = levels[number]
    others = [i for i in range(len(levels)) if i != number]
    found = []
    for index, error, gap in zip(others, errors, gaps, strict=False):
        low, high = image_interval(compared[index], compared[number])
        found.append(
            Effect(
                levels=levels[index].levels,
                error=error,
                gap=gap,
                parameters_ratio=levels[index].parameters / reference.parameters,
                macs_ratio=levels[index].macs / reference.macs,
                images_low=low,
                images_high=high,
            )
        )
    return tuple(found)


def _trends(
    trends: tuple[TrendContrast, ...], errors: list[Estimate], gaps: list[Estimate | None]
) -> tuple[Trend, ...]:
    last = len(errors) - len(trends)
    return tuple(
        Trend(
            factor=trend.factor,
            per=TREND_UNITS[trend.factor],
            error=error,
            gap=gap,
            values=trend.values,
        )
        for trend, error, gap in zip(trends, errors[last:], gaps[last:], strict=True)
    )
