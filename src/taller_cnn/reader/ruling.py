"""Lines of ruled and squared paper, taken away as what they are: straight, from edge to edge.

A line is darker than the paper along its whole way; a stroke of a digit is short. So the value that
most places along a straight way reach is the line's own darkness, whatever is written across
it, and taking that away leaves the writing whole. A stroke may reach both edges too, where a
picture is cut close: a paper's line is fainter than ink, has parallel neighbours at a regular
distance, or goes on well beyond the writing on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taller_cnn.reader.ink import ink_mask

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
SKIRT = 0.25
"""Of a line's darkness, at which it is told apart from its neighbours in a narrow grid."""
EVEN = 1.2
"""How much darker than usual a line may be in places; more is writing along it."""
FAINT = 0.5
"""Of the ink's strength: less is no stroke, whatever else it may be."""
REGULAR = 0.15
"""How far, as a part of it, the distances of parallel lines may differ from their median."""
BEYOND = 0.4
"""How far a line must go on beyond the writing, in heights of what is written: the foot of a 1 goes
on for 0.25 of its height."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Line:
    """A line from edge to edge."""

    level: Grey
    """How dark it is in each band of rows and part of the way, 0 elsewhere."""
    place: float
    """The row that it crosses the middle of the picture in."""
    darkness: float
    """In most places."""


def without_ruling(strength: Grey, noise: float) -> Grey:
    """Ink without the paper's lines.

    Args:
        strength: ``float32 [H, W]``, from `light.ink_strength`.
        noise: its standard deviation where there is only paper.
    """
    lines = ruling(strength, noise)
    return _taken_away(strength, lines) if lines.any() else strength


def _taken_away(strength: Grey, lines: Grey) -> Grey:
    # Ink on a line takes its part of the light that the line has left.
    left: Grey = (strength - lines) / (1 - np.minimum(lines, 0.9))
    return left


def ruling(strength: Grey, noise: float) -> Grey:
    """How dark the paper's own lines are, 0 elsewhere; ``float32 [H, W]``."""
    nothing = np.zeros_like(strength)
    if min(strength.shape) < LEAST_SIDE:
        return nothing
    shape = strength.shape
    across, down = _horizontal(strength, noise), _horizontal(strength.T, noise)
    if not across and not down:
        return nothing
    every = np.maximum(_drawn(across, shape), _drawn(down, shape[::-1]).T)
    written = _written(np.where(every > 0, np.float32(0), strength), noise)
    if written is None:
        # All that is written goes from edge to edge, or nothing is.
        return nothing if len(across) + len(down) < 3 else every
    ink, margins = written
    return np.maximum(
        _drawn(_of_paper(across, ink, margins[1]), shape),
        _drawn(_of_paper(down, ink, margins[0]), shape[::-1]).T,
    )


def _grid(shape: tuple[int, ...]) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Where the bands of rows and the parts of the way begin and end."""
    height, width = shape
    rows = np.linspace(0, height, min(height, ROWS) + 1).astype(int)
    return rows, np.linspace(0, width, BLOCKS + 1).astype(int)


def _drawn(lines: list[_Line], shape: tuple[int, ...]) -> Grey:
    """The darkness of lines in each pixel."""
    if not lines:
        return np.zeros(shape, np.float32)
    rows, columns = _grid(shape)
    level = np.maximum.reduce([line.level for line in lines])
    drawn: Grey = np.repeat(np.repeat(level, np.diff(columns), axis=1), np.diff(rows), axis=0)
    return drawn


def _of_paper(lines: list[_Line], ink: float, margin: float) -> list[_Line]:
    """The lines that are no strokes: beyond the writing, at regular distances, or faint."""
    if margin > BEYOND or _are_regular([line.place for line in lines]):
        return lines
    return [line for line in lines if line.darkness < FAINT * ink]


def _are_regular(places: list[float]) -> bool:
    gaps = np.diff(sorted(places))
    if len(gaps) < 3:
        # A 2, a 3 and a 5 have three bars.
        return False
    steps = gaps / float(np.median(gaps))
    # A line that was not seen leaves a gap of two.
    regular = (steps > 0.5) & (np.abs(steps - np.rint(steps)) < REGULAR)
    return bool(regular.sum() >= max(3, len(gaps) / 2))


def _written(rest: Grey, noise: float) -> tuple[float, tuple[float, float]] | None:
    """How strong the ink is, and the least room that it leaves above or below, and at its sides.

    The room in heights of what is written; None if nothing is written beside the lines.
    """
    from scipy.ndimage import find_objects, label

    mask = ink_mask(rest[::2, ::2], noise)
    if not mask.any():
        return None
    strength = float(np.median(rest[::2, ::2][mask]))
    places = find_objects(label(mask, np.ones((3, 3)))[0])
    sizes = [max(side.stop - side.start for side in place) for place in places]
    large = [place for place, size in zip(places, sizes, strict=True) if size > 0.4 * max(sizes)]
    rooms = [
        min(
            min(place[axis].start for place in large),
            length - max(place[axis].stop for place in large),
        )
        / max(sizes)
        for axis, length in enumerate(mask.shape)
    ]
    return strength, (rooms[0], rooms[1])


def _horizontal(strength: Grey, noise: float) -> list[_Line]:
    height, width = strength.shape
    rows, columns = _grid(strength.shape)
    means = np.add.reduceat(strength, columns[:-1], axis=1) / np.diff(columns)
    # A line is thinner than a band of rows, and may lie between two: the darkest row, and a band
    # more on each side, have all of it.
    parts = np.maximum.reduceat(means.astype(np.float32), rows[:-1], axis=0)
    # Lines down the page darken the whole column of parts that they run in.
    parts -= np.maximum(np.median(parts, axis=0), 0)
    steps = width / BLOCKS * len(parts) / height
    lines = _along_slopes(_maximum_of_three(parts), steps)
    # The mean over a part is less noisy than a pixel, the darkest of several more.
    least = max(0.015, 3 * noise / np.sqrt(width / BLOCKS))
    return [
        _Line(
            level=line,
            place=float(line[:, BLOCKS // 2].argmax()) * height / len(rows),
            darkness=float(np.median(line.max(axis=0))),
        )
        for line in _reaching(lines, least)
    ]


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


def _reaching(lines: Grey, least: float) -> list[Grey]:
    """Only the lines that go from edge to edge, each by itself."""
    from scipy.ndimage import find_objects, label

    labels, _ = label(lines > least, np.ones((3, 3)))
    reaching = []
    for index, (rows, columns) in enumerate(find_objects(labels), 1):
        if columns.stop - columns.start >= REACH * lines.shape[1]:
            line = np.where(labels[rows, columns] == index, lines[rows, columns], 0)
            usual = np.percentile(line.max(axis=0), 40)
            whole = np.zeros_like(lines)
            # As thick as it is at half its darkness.
            if np.median((line > line.max(axis=0) / 2).sum(axis=0)) <= 4 + THICKEST * len(lines):
                whole[rows, columns] = np.minimum(line, EVEN * usual)
                reaching.append(whole)
            elif least < SKIRT * usual:
                # Lines that are near to each other run together where they are faint.
                whole[rows, columns] = line
                reaching += _reaching(whole, SKIRT * usual)
    return reaching
