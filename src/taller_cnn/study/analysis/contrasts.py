"""What is compared with what: weights on the means of the levels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from taller_cnn.study.analysis.results import Level

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
    weights: npt.NDArray[np.float64]
    """``[levels]``"""
    values: tuple[float, ...]


def effect_weights(levels: tuple[Level, ...]) -> npt.NDArray[np.float64]:
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
    ran = [i for i, level in enumerate(levels) if level.validation_error.n]
    positions = [_positions(factors, levels[i]) for i in ran]
    if not positions or any(x is None for place in positions for x in place):
        return ()
    x = np.array(positions, dtype=float)
    slopes = np.linalg.pinv(np.column_stack([np.ones(len(x)), x]))[1:]
    found = []
    for index, factor in enumerate(factors):
        values = tuple(sorted({levels[i].values[index] or math.nan for i in ran}))
        if factor in TREND_UNITS and len(values) > 2:
            weights = np.zeros(len(levels))
            weights[ran] = slopes[index]
            found.append(TrendContrast(factor=factor, weights=weights, values=values))
    return tuple(found)


def _positions(factors: tuple[str, ...], level: Level) -> list[float | None]:
    """Where the level lies on each factor, in the factor's units."""
    return [
        math.log2(value) if value and TREND_UNITS.get(factor) == "doubling" else value
        for factor, value in zip(factors, level.values, strict=True)
    ]
