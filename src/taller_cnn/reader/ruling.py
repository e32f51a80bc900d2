"""Lines of ruled and squared paper, taken away as what they are: straight, from edge to edge.

A line is darker than the paper along its whole way; a stroke of a digit is short. So the value that
most places along a straight way reach is the line's own darkness, whatever is written across
it, and taking that away leaves the writing whole.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]

BLOCKS = 48
"""Parts that the way from edge to edge is looked at in."""
SLOPES = np.linspace(-0.1, 0.1, 21)
"""Slopes of lines that are looked for: up to 6 degrees off."""
ROWS = 400
"""Bands of rows that are told apart."""
STRIDE = 4
WINDOW = 25
"""Parts along which a line is about straight."""
REACH = 0.8
"""Least part of the way from edge to edge that a line covers."""
LEAST_SIDE = 60
"""Smaller pictures have no lines from edge to edge that strokes could be told from."""
THICKEST = 0.02
"""Of the way from edge to edge, and a few bands for where a line may lie between two: thicker ones
are strokes that fill the picture."""
EVEN = 1.2
"""How much darker than usual a line may be in places; more is writing along it."""


def without_ruling(strength: Grey, noise: float) -> Grey:
    """Ink without the paper's lines.

    Args:
        strength: ``float32 [H, W]``, from `light.ink_strength`.
        noise: its standard deviation where there is only paper.
    """
    lines = ruling(strength, noise)
    if not lines.any():
        return strength
    # Ink on a line takes its part of the light that the line has left.
    left: Grey = (strength - lines) / (1 - np.minimum(lines, 0.9))
    return left


def ruling(strength: Grey, noise: float) -> Grey:
    """How dark the paper's own lines are, 0 elsewhere; ``float32 [H, W]``."""
    if min(strength.shape) < LEAST_SIDE:
        return np.zeros_like(strength)
    across = _horizontal(strength, noise)
    return np.maximum(across, _horizontal(strength.T, noise).T)


def _horizontal(strength: Grey, noise: float) -> Grey:
    height, width = strength.shape
    rows = np.linspace(0, height, min(height, ROWS) + 1).astype(int)
    columns = np.linspace(0, width, BLOCKS + 1).astype(int)
    means = np.add.reduceat(strength, columns[:-1], axis=1) / np.diff(columns)
    # A line is thinner than a band of rows, and may lie between two: the darkest row, and a band
    # more on each side, have all of it.
    parts = np.maximum.reduceat(means.astype(np.float32), rows[:-1], axis=0)
    steps = width / BLOCKS * len(parts) / height
    lines = _along_slopes(_maximum_of_three(parts), steps)
    # The mean over a part is less noisy than a pixel, the darkest of several more.
    kept = _reaching(lines, max(0.015, 3 * noise / np.sqrt(width / BLOCKS)))
    if not kept.any():
        return np.zeros_like(strength)
    return np.repeat(np.repeat(kept, np.diff(columns), axis=1), np.diff(rows), axis=0)


def _maximum_of_three(parts: Grey) -> Grey:
    """The darkest of each row and its neighbours."""
    from scipy.ndimage import maximum_filter1d

    return np.asarray(maximum_filter1d(parts, 3, axis=0))


def _along_slopes(parts: Grey, step: float) -> Grey:
    """For each place the darkness that most of the way through it reaches, at the best slope."""
    height, n = parts.shape
    best = np.zeros_like(parts)
    rows = np.arange(height)[:, None]
    known: set[bytes] = set()
    for slope in SLOPES:
        shifts = np.rint(slope * step * (np.arange(n) - n // 2)).astype(int)
        if shifts.tobytes() in known:
            continue
        known.add(shifts.tobytes())
        straight = np.take_along_axis(parts, np.clip(rows + shifts, 0, height - 1), axis=0)
        level = _reached(straight)
        back = np.clip(rows - shifts, 0, height - 1)
        np.maximum(best, np.take_along_axis(level, back, axis=0), out=best)
    return best


def _reached(straight: Grey) -> Grey:
    """What 70% of a window of parts reach, the windows moving on by some parts at a time."""
    windows = np.lib.stride_tricks.sliding_window_view(straight, WINDOW, axis=1)[:, ::STRIDE]
    rank = round(0.3 * WINDOW)
    levels = np.partition(windows, rank, axis=2)[:, :, rank]
    middles = np.arange(levels.shape[1]) * STRIDE + WINDOW // 2
    nearest = np.abs(np.arange(straight.shape[1])[:, None] - middles).argmin(axis=1)
    return np.asarray(levels[:, nearest])


def _reaching(lines: Grey, least: float) -> Grey:
    """Only the lines that go from edge to edge."""
    from scipy.ndimage import find_objects, label

    labels, _ = label(lines > least, np.ones((3, 3)))
    kept = np.zeros_like(lines)
    for index, (rows, columns) in enumerate(find_objects(labels), 1):
        if columns.stop - columns.start >= REACH * lines.shape[1]:
            line = np.where(labels[rows, columns] == index, lines[rows, columns], 0)
            # As thick as it is at half its darkness.
            if np.median((line > line.max(axis=0) / 2).sum(axis=0)) > 4 + THICKEST * len(lines):
                continue
            usual = np.percentile(line.max(axis=0), 40)
            np.maximum(kept[rows, columns], np.minimum(line, EVEN * usual), out=kept[rows, columns])
    return kept
