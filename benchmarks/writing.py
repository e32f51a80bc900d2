"""Digits written again with a pen, and other marks: the ink of a picture, 0 to 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Grey = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Pen:
    """What is written with."""

    height: int
    """Height of a digit, in pixels."""
    width: float
    """Width of a stroke, in pixels; 0 keeps the widths that the digit has."""
    darkness: float = 1.0
    """Part of the light that full ink takes away, 0 to 1."""
    colour: tuple[float, float, float] = (0.08, 0.08, 0.1)
    """Of the ink, 0 to 1 for red, green and blue."""
    grain: float = 0.0
    """Part of the ink that the paper's grain leaves away, as a pencil does."""


_INKS = ((0.08, 0.08, 0.1), (0.1, 0.15, 0.5), (0.05, 0.1, 0.35), (0.2, 0.2, 0.2))


def pen_for(kind: str, heights: tuple[int, int], generator: np.random.Generator) -> Pen:
    """A pen as pictures of that kind are written with; heights as for `rendered_pictures`."""
    height = int(generator.integers(*heights))
    # Narrowest pencil to widest marker, in digit heights; evenly in the logarithm.
    width = height * np.exp(generator.uniform(np.log(0.03), np.log(0.17)))
    if kind == "mouse":
        return Pen(height=height, width=width, darkness=1.0, colour=_INKS[0], grain=0.0)
    pencil = width < 0.07 * height and generator.random() < 0.5
    grey = generator.uniform(0.25, 0.45)
    return Pen(
        height=height,
        width=0.0 if generator.random() < 0.2 else max(width, 1.5),
        darkness=generator.uniform(0.5, 0.85) if pencil else generator.uniform(0.8, 1.0),
        colour=(grey, grey, grey) if pencil else _INKS[generator.integers(len(_INKS))],
        grain=generator.uniform(0.2, 0.6) if pencil else generator.uniform(0.0, 0.15),
    )


def written(image: NDArray[np.uint8], pen: Pen, generator: np.random.Generator) -> _Grey:
    """A digit written with the pen: ink 0 to 1, cut at its box."""
    from scipy.ndimage import zoom

    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    digit = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] / np.float32(255)
    height = pen.height * generator.uniform(0.88, 1.12)
    factor = height / max(digit.shape[0], 0.6 * digit.shape[1])
    # Room around it, so that strokes at its edge can become wider.
    large = zoom(np.pad(digit, 2), factor, order=1)
    return _cut(_stroked(soft(large, 0.35 * factor), pen.width))


def soft(image: _Grey, deviation: float | tuple[float, ...]) -> _Grey:
    """Blurred; the deviation in pixels, for all axes or for each."""
    from scipy.ndimage import gaussian_filter

    result: _Grey = gaussian_filter(image, deviation)
    return result


def _stroked(shape: _Grey, width: float) -> _Grey:
    """Strokes of one width along the middle of those in `shape`, with antialiased edges."""
    from scipy.ndimage import distance_transform_edt
    from skimage.morphology import skeletonize

    inside = shape > 0.5
    if width:
        distance = distance_transform_edt(~skeletonize(inside))
        edge = width / 2 + 0.5 - distance
    else:
        edge = distance_transform_edt(inside) - distance_transform_edt(~inside) + 0.5
    result: _Grey = np.clip(edge, 0, 1).astype(np.float32)
    return result


def _cut(ink: _Grey) -> _Grey:
    """The part that has ink."""
    seen = ink > 0.5
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


_SIGNS: tuple[tuple[tuple[tuple[float, float], ...], ...], ...] = (
    (((0.0, 1.0), (0.45, 0.0), (0.9, 1.0)), ((0.2, 0.6), (0.7, 0.6))),  # A
    (((0.7, 0.0), (0.0, 0.0), (0.0, 1.0), (0.7, 1.0)), ((0.0, 0.5), (0.5, 0.5))),  # E
    (((0.0, 0.0), (0.0, 1.0)), ((0.7, 0.0), (0.7, 1.0)), ((0.0, 0.5), (0.7, 0.5))),  # H
    (((0.0, 0.0), (0.0, 1.0)), ((0.7, 0.0), (0.0, 0.55), (0.7, 1.0))),  # K
    (((0.0, 1.0), (0.1, 0.0), (0.5, 0.6), (0.9, 0.0), (1.0, 1.0)),),  # M
    (((0.0, 0.0), (0.25, 1.0), (0.5, 0.3), (0.75, 1.0), (1.0, 0.0)),),  # W
    (((0.0, 0.0), (0.7, 1.0)), ((0.7, 0.0), (0.0, 1.0))),  # X
    (((0.0, 0.5), (0.8, 0.5)), ((0.4, 0.1), (0.4, 0.9))),  # +
    (((0.0, 0.35), (0.8, 0.35)), ((0.0, 0.65), (0.8, 0.65))),  # =
    (((0.2, 0.0), (0.1, 1.0)), ((0.6, 0.0), (0.5, 1.0)), ((0.0, 0.3), (0.7, 0.3)),
     ((0.0, 0.7), (0.7, 0.7))),  # #
    (((0.0, 0.55), (0.3, 1.0), (0.9, 0.0)),),  # tick
)  # fmt: skip


def other_mark(pen: Pen, generator: np.random.Generator) -> _Grey:
    """Something that is no digit: a sign, a scribble or a smudge."""
    size = round(pen.height * generator.uniform(0.6, 1.1))
    draw: Sequence[Callable[[Pen, int, np.random.Generator], _Grey]] = (_sign, _scribble, _smudge)
    return _cut(draw[generator.choice(3, p=(0.6, 0.25, 0.15))](pen, size, generator))


def _sign(pen: Pen, size: int, generator: np.random.Generator) -> _Grey:
    lines = [np.array(line) for line in _SIGNS[generator.integers(len(_SIGNS))]]
    # A hand does not meet the corners.
    return _polylines([line + generator.normal(0, 0.03, line.shape) for line in lines], pen, size)


def _scribble(pen: Pen, size: int, generator: np.random.Generator) -> _Grey:
    steps = generator.normal(0, 0.12, (40, 2)).cumsum(axis=0)
    path = np.stack([np.convolve(steps[:, axis], np.full(4, 0.25), "valid") for axis in (0, 1)], 1)
    path -= path.min(axis=0)
    return _polylines([path / path.max()], pen, size)


def _smudge(pen: Pen, size: int, generator: np.random.Generator) -> _Grey:
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    lumps = soft(generator.standard_normal((size, size), dtype=np.float32), size / 12)
    blob = 0.5 - np.hypot(x * generator.uniform(1, 2), y) + 0.3 * lumps / lumps.std()
    result: _Grey = np.clip(8 * blob, 0, 1).astype(np.float32)
    # Some ink in the middle, whatever the lumps are.
    result[size // 2, size // 2] = 1
    return result


def _polylines(lines: Sequence[NDArray[np.float64]], pen: Pen, size: int) -> _Grey:
    """Lines through points given in digit heights, drawn with the pen."""
    from PIL import Image, ImageDraw

    width = max(2, round(pen.width or 0.09 * size))
    side = 2 * size + 2 * width
    image = Image.new("L", (side, side))
    drawing = ImageDraw.Draw(image)
    for line in lines:
        points = [tuple(point) for point in (line * size + size // 2).tolist()]
        drawing.line(points, fill=255, width=width, joint="curve")
    return soft(np.asarray(image, dtype=np.float32) / np.float32(255), 0.6)


def line_of(
    pieces: Sequence[_Grey], pen: Pen, generator: np.random.Generator
) -> tuple[_Grey, list[tuple[int, int, int, int]]]:
    """The pieces in a line on an empty page, and their boxes."""
    gaps = generator.uniform(0.15, 0.5, len(pieces)) * pen.height
    margins = generator.uniform(0.35, 1.2, 4) * pen.height
    slope = generator.uniform(-0.06, 0.06)
    lefts = margins[0] + np.cumsum([0, *(p.shape[1] for p in pieces[:-1])]) + np.cumsum(gaps)
    wobble = generator.normal(0, 0.04, len(pieces)) * pen.height
    bottoms = slope * lefts + wobble
    tops = bottoms - [piece.shape[0] for piece in pieces]
    tops += margins[1] - tops.min()
    places = np.rint(np.stack([lefts, tops], axis=1)).astype(int)
    ends = [(x + p.shape[1], y + p.shape[0]) for (x, y), p in zip(places, pieces, strict=True)]
    width, height = (max(end[axis] for end in ends) + int(margins[2 + axis]) for axis in (0, 1))
    ink = np.zeros((height, width), dtype=np.float32)
    boxes = []
    for (x, y), (right, bottom), piece in zip(places.tolist(), ends, pieces, strict=True):
        np.maximum(ink[y:bottom, x:right], piece, out=ink[y:bottom, x:right])
        boxes.append((int(x), int(y), int(right), int(bottom)))
    return ink, boxes
