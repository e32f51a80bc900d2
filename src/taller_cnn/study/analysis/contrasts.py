"""What is compared with what: weights on the means of the levels."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from taller_cnn.study.results import Floats, Level

TREND_UNITS: dict[str, Literal["doubling", "layer"]] = {
    "filters": "doubling",
    "filters-fc1": "doubling",
    "layers": "layer",
    "layers-fc1": "layer",
}
"""Factors with a trend, and its unit; that of filters is over the logarithm."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrendContrast:
    """The slope of the level means over a factor."""

    factor: str
    weights: Floats
    """``[levels]``"""
    values: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class BendContrast:
    """The slopes over a factor on both sides of the reference."""

    factor: str
    below: Floats
    """``[levels]``"""
    above: Floats
    """``[levels]``"""


def effect_weights(levels: tuple[Level, ...]) -> Floats:
    """Each level but the reference less the reference, ``[levels - 1, levels]``.

    Without a reference there is no comparison, ``[0, levels]``.
    """
    reference = [level.is_reference for level in levels]
    if not any(reference):
        return np.zeros((0, len(levels)))
    identity = np.eye(len(levels))
    others = identity[[not is_reference for is_reference in reference]]
    return np.asarray(others - identity[reference.index(True)])


def trend_contrasts(
    factors: tuple[str, ...], levels: tuple[Level, ...]
) -> tuple[TrendContrast, ...]:
    """The trends of a question: least squares slopes of the means of the levels that ran.

    Crossed factors are fitted together, so that the trend of one is at the same level of the
    other. A factor with fewer than three values has no trend apart from its effect.
    """
    ran = [i for i, level in enumerate(levels) if level.error.n]
    places = _places(factors, [levels[i] for i in ran])
    if places is None:
        return ()
    slopes = _slopes([places[:, [index]] for index in range(len(factors))])
    trends = []
    for index, factor in enumerate(factors):
        values = tuple(sorted({levels[i].values[index] or math.nan for i in ran}))
        if factor in TREND_UNITS and len(values) > 2:
            weights = np.zeros(len(levels))
            weights[ran] = slopes[index]
            trends.append(TrendContrast(factor=factor, weights=weights, values=values))
    return tuple(trends)


def bend_contrasts(factors: tuple[str, ...], levels: tuple[Level, ...]) -> tuple[BendContrast, ...]:
    """The bends of a question: slopes of a broken line that may turn at the reference.

    Crossed factors are fitted together, each with its own bend. A factor has one if there are
    levels on both sides of the reference.
    """
    reference = [level for level in levels if level.is_reference]
    ran = [i for i, level in enumerate(levels) if level.error.n]
    places = _places(factors, [levels[i] for i in ran])
    origin = _places(factors, reference)
    if places is None or origin is None:
        return ()
    sides = []
    for index, factor in enumerate(factors):
        steps = places[:, index] - origin[0, index]
        both = np.column_stack([np.minimum(steps, 0), np.maximum(steps, 0)])
        bends = factor in TREND_UNITS and both.any(axis=0).all()
        sides.append(both if bends else steps[:, None])
    slopes = _slopes(sides)
    bends_found = []
    for index, factor in enumerate(factors):
        if sides[index].shape[1] == 2:
            first = sum(side.shape[1] for side in sides[:index])
            below, above = np.zeros((2, len(levels)))
            below[ran], above[ran] = slopes[first : first + 2]
            bends_found.append(BendContrast(factor=factor, below=below, above=above))
    return tuple(bends_found)


def interaction_weights(levels: tuple[Level, ...]) -> Floats | None:
    """Differences of differences of two crossed factors, ``[(A - 1) * (B - 1), levels]``.

    None unless there are two factors with all combinations of at least two levels each.
    """
    if len(levels[0].levels) != 2:
        return None
    number = {level.levels: i for i, level in enumerate(levels)}
    first, second = (list(dict.fromkeys(names)) for names in zip(*number, strict=True))
    complete = len(first) * len(second) == len(number)
    if not complete or len(first) < 2 or len(second) < 2:
        return None
    weights = []
    for a, b in itertools.product(first[1:], second[1:]):
        row = np.zeros(len(levels))
        row[[number[a, b], number[first[0], second[0]]]] = 1
        row[[number[a, second[0]], number[first[0], b]]] = -1
        weights.append(row)
    return np.array(weights)


def _places(factors: tuple[str, ...], levels: list[Level]) -> Floats | None:
    """Where levels lie on each factor, in its units, ``[levels, factors]``.

    None if there is no level or one has no number.
    """
    places = [
        [
            math.log2(value) if value and TREND_UNITS.get(factor) == "doubling" else value
            for factor, value in zip(factors, level.values, strict=True)
        ]
        for level in levels
    ]
    if not places or any(place is None for row in places for place in row):
        return None
    return np.array(places, dtype=float)


def _slopes(columns: list[Floats]) -> Floats:
    """Least squares weights for the slope over each column, beside an intercept."""
    ones = np.ones((len(columns[0]), 1))
    return np.asarray(np.linalg.pinv(np.hstack([ones, *columns]))[1:])
