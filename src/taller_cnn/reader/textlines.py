"""Marks in reading order: lines of writing, also slanted ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from taller_cnn.reader.marks import Mark

SLOPES = np.tan(np.radians(np.arange(-20, 21)))
"""Slopes of lines of writing that are considered."""


def slope_of(marks: Sequence[Mark]) -> float:
    """How much the lines of writing fall from left to right, in pixels per pixel.

    The slope that lets the marks' middles fall into the fewest and narrowest rows; a steep one
    must be that much better.
    """
    if len(marks) < 3:
        return 0.0
    x, y, size = _middles(marks)
    costs = []
    for slope in SLOPES:
        levels = np.sort(y - slope * x)
        costs.append(np.minimum(np.diff(levels), 0.6 * size).sum() + 0.4 * size * abs(slope))
    return float(SLOPES[int(np.argmin(costs))])


def lines_of(marks: Sequence[Mark], slope: float) -> list[list[int]]:
    """The marks' indices, line by line from the top, each from left to right."""
    if not marks:
        return []
    x, y, size = _middles(marks)
    levels = y - slope * x
    lines: list[list[int]] = []
    middles: list[float] = []
    for index in np.argsort(levels, kind="stable"):
        if lines and levels[index] - middles[-1] < 0.5 * size:
            lines[-1].append(int(index))
            middles[-1] = float(np.median(levels[lines[-1]]))
        else:
            lines.append([int(index)])
            middles.append(float(levels[index]))
    return [sorted(line, key=lambda i: float(x[i])) for line in lines]


def _middles(
    marks: Sequence[Mark],
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    boxes = np.array([mark.box for mark in marks], dtype=float)
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    return x, y, float(np.median(boxes[:, 3] - boxes[:, 1]))
