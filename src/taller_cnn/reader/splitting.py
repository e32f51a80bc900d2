"""Marks that may be several digits: where they can be cut, and which cuts explain them best.

A mark is cut into more parts than it has digits, the network reads every run of neighbouring parts,
and the cheapest way from its left to its right end is what it says (a segmentation graph, as in
LeCun, Bottou, Bengio and Haffner 1998). A part costs what makes it unlike a digit: little
probability, an unusual width or height; a cut costs the ink that it goes through.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from taller_cnn.reader.preparation import extent

Grey = NDArray[np.float32]
Path = NDArray[np.int_]
"""A column for each row: from there on, ink belongs to what comes after the cut."""

STEP = 0.1
"""Between places where a cut is tried, in digit heights."""
REACH = 0.2
"""How far a cut may lie from its place, in digit heights."""
MOST_CUTS = 30
NO_WORSE = 0.5
"""Strokes' widths of ink that a cut may go through more than the cuts beside it: fewer cuts are
fewer parts to prepare and to read, which takes longer than all else."""
TALL = 0.6
"""Least height of a piece, as a part of the mark's, that may be a digit by itself."""
NARROWEST, WIDEST = 0.06, 1.6
"""Width of a part in digit heights."""
SHAPES = (
    (0.90, 0.19), (0.40, 0.46), (0.93, 0.22), (0.79, 0.21), (0.79, 0.21),
    (0.93, 0.26), (0.72, 0.22), (0.77, 0.21), (0.76, 0.22), (0.68, 0.21),
)  # fmt: skip
"""Width by height of each digit in MNIST's training split: mean and deviation of its logarithm."""
HEIGHT_SPREAD = 0.3
"""Deviation of the logarithm of a line's digit heights."""
SHAPE_COST = 0.07
"""What an unusual shape costs, by the square of its distance in deviations."""
INK_COST = 0.2
"""What a cut costs for ink as thick as a stroke. Both were chosen with rendered validation digits
(docs/log.md)."""
LEAST_PROBABILITY = 1e-3


@dataclass(frozen=True, kw_only=True)
class Part:
    """A run of parts between two cuts."""

    start: int
    stop: int
    """Numbers of the cuts, the mark's two ends among them."""
    width: float
    height: float
    """Of its ink, in digit heights."""
    ink: float
    """That its right cut goes through, in stroke widths."""


def stands_apart(ink: Grey) -> bool:
    """Whether pieces as high as digits stand beside each other, with no ink between them."""
    from scipy.ndimage import find_objects, label

    labels, _ = label(ink > 0.5, np.ones((3, 3)))
    tall = [
        columns
        for rows, columns in find_objects(labels)
        if rows.stop - rows.start >= TALL * len(ink)
    ]
    tall.sort(key=lambda columns: columns.start + columns.stop)
    return any(
        first.stop - second.start < 0.5 * min(first.stop - first.start, second.stop - second.start)
        for first, second in pairwise(tall)
    )


def cut_paths(ink: Grey, size: float, stroke: float) -> list[Path]:
    """Ways from top to bottom that meet little ink, from left to right, the mark's ends included.

    Args:
        ink: ``float32 [H, W]``, 0 to 1.
        size: height of a digit, in pixels.
        stroke: width of the strokes, in pixels.
    """
    height, width = ink.shape
    count = min(MOST_CUTS, max(1, round(width / (STEP * size)) - 1))
    places = np.linspace(0, width, count + 2)[1:-1]
    reach = max(2, round(REACH * size))
    paths = [np.zeros(height, int)]
    for path in _cheapest(ink, places, reach):
        path = np.maximum(path, paths[-1])
        if np.abs(path - paths[-1]).mean() > 1:
            paths.append(path)
    return [paths[0], *_least(paths[1:], ink, stroke), np.full(height, width)]


def _least(paths: list[Path], ink: Grey, stroke: float) -> list[Path]:
    """The ways that meet hardly more ink than their neighbours do."""
    most = NO_WORSE * max(stroke, 1)
    met = [_met(ink, path) for path in paths]
    around = zip([np.inf, *met[:-1]], met, [*met[1:], np.inf], strict=True)
    return [path for path, (a, b, c) in zip(paths, around, strict=True) if b <= min(a, c) + most]


def _met(ink: Grey, path: Path) -> float:
    """Ink that a cut goes through, in pixels."""
    return float(ink[np.arange(len(ink)), path].sum())


def _cheapest(ink: Grey, places: NDArray[np.float64], reach: int) -> NDArray[np.int_]:
    """For each place the way within its reach that meets least ink, ``[places, H]``."""
    offsets = np.arange(-reach, reach + 1)
    padded = np.pad(ink, ((0, 0), (reach + 1, reach + 1)))
    columns = np.rint(places).astype(int)[:, None] + offsets
    # Nearer to the place where it does not matter.
    cost = padded[:, columns + reach + 1] + 0.002 * np.abs(offsets) / reach
    total = np.empty_like(cost)
    total[0] = cost[0]
    for row in range(1, len(cost)):
        before = np.pad(total[row - 1], ((0, 0), (1, 1)), constant_values=np.inf)
        # To the side costs a little, so that cuts are straight where it does not matter.
        best = np.minimum(before[:, 1:-1], np.minimum(before[:, :-2], before[:, 2:]) + 0.02)
        total[row] = cost[row] + best
    ways: NDArray[np.int_] = _followed(total) + columns[:, :1]
    return np.clip(ways, 0, ink.shape[1] - 1)


def _followed(total: NDArray[np.floating]) -> NDArray[np.int_]:
    """The cheapest ways, found from their ends; ``[places, H]``."""
    height, places, width = total.shape
    path = np.zeros((places, height), dtype=int)
    path[:, -1] = total[-1].argmin(axis=1)
    beside = np.arange(-1, 2)
    for row in range(height - 2, -1, -1):
        near = np.clip(path[:, row + 1, None] + beside, 0, width - 1)
        values = np.take_along_axis(total[row], near, axis=1)
        path[:, row] = np.take_along_axis(near, values.argmin(axis=1)[:, None], axis=1)[:, 0]
    return path


def runs(ink: Grey, paths: list[Path], size: float, stroke: float) -> list[Part]:
    """All runs of neighbouring parts that can be a digit; the whole mark is always among them."""
    crossed = [0.0, *(_met(ink, path) / max(stroke, 1) for path in paths[1:-1]), 0.0]
    parts = []
    last = len(paths) - 1
    for start in range(last):
        for stop in range(start + 1, last + 1):
            box = extent(part_of(ink, paths[start], paths[stop]))
            if box is None:
                continue
            height, width = ((side.stop - side.start) / size for side in box)
            whole = (start, stop) == (0, last)
            if whole or NARROWEST <= width <= WIDEST:
                ink_cut = crossed[stop]
                parts.append(Part(start=start, stop=stop, width=width, height=height, ink=ink_cut))
    return parts


def part_of(ink: Grey, left: Path, right: Path) -> Grey:
    """The ink between two cuts, the rest empty."""
    columns = np.arange(ink.shape[1])
    return np.where((columns >= left[:, None]) & (columns < right[:, None]), ink, 0)


def best_parts(parts: tuple[Part, ...], rows: NDArray[np.float32]) -> list[int]:
    """Which parts make up the mark at the least cost, from left to right.

    Args:
        parts: from `runs`.
        rows: probabilities of each, ``float32 [parts, 10]``.
    """
    last = max(part.stop for part in parts)
    cost = {0: 0.0}
    came: dict[int, int] = {}
    for index in sorted(range(len(parts)), key=lambda i: (parts[i].start, parts[i].stop)):
        part = parts[index]
        if part.start not in cost:
            continue
        total = cost[part.start] + _cost(part, rows[index])
        if part.stop != last:
            total += INK_COST * part.ink
        if total < cost.get(part.stop, np.inf):
            cost[part.stop], came[part.stop] = total, index
    way = []
    place = last
    while place:
        way.append(came[place])
        place = parts[came[place]].start
    return way[::-1]


def _cost(part: Part, row: NDArray[np.float32]) -> float:
    digit = int(row.argmax())
    mean, deviation = SHAPES[digit]
    shape = np.log(part.width / part.height / mean) / deviation
    if digit == 1:
        # A 1 may be a line, and as thin as it likes.
        shape = max(shape, 0.0)
    high = min(np.log(part.height), 0.0) / HEIGHT_SPREAD
    surprise = -np.log(max(float(row[digit]), LEAST_PROBABILITY))
    return float(surprise + SHAPE_COST * (shape**2 + high**2) / 2)
