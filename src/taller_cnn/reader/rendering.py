"""Pictures of handwriting made from the data set's digits, for choosing and for measuring.

Thousands of labelled photos of paper are not to be had, and what is chosen on clean 28x28 digits
means nothing for photos. So the digits' strokes are written again, with another pen, on paper,
under a lamp, and photographed:

    render(images, labels, kind, generator)  ->  RenderedPicture

- `photo`: white paper, uneven light, camera noise, JPEG; `squared`, `ruled`: the same on paper
  with lines; `shadowed`: with the edge of a shadow across; `scan`: even light, sharp.
- `mouse`: drawn on a screen in strokes of one width, in both polarities.
- `small`: the 28x28 pixels themselves, in both polarities.

Marks that are no digits (letters, signs, scribbles, smudges) can be written among them.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from taller_cnn.data import Split

__all__ = [
    "KINDS",
    "Pen",
    "RenderedDigit",
    "RenderedPicture",
    "render",
    "rendered_pictures",
    "written",
]

KINDS = ("photo", "squared", "ruled", "shadowed", "scan", "mouse", "small")
MOST_IN_LINE = 6
HEIGHTS = (40, 140)
"""Of a digit in pixels, from the smallest to one past the largest."""
OTHER_MARKS = 0.02
"""Part of the marks in `rendered_pictures` that are no digits: a few, as where digits were meant.
A network that must name a digit names one for the letter A with full certainty, so that with 8%
no threshold has 99% precision."""

_Grey = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class RenderedDigit:
    """Where a digit is written, and which."""

    box: tuple[int, int, int, int]
    """Left, top, right, bottom in pixels; the last two are one past the ink."""
    label: int | None
    """None for a mark that is no digit."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RenderedPicture:
    """A picture and what is written on it.

    Attributes:
        pixels: ``uint8 [H, W, 3]``; of kind `small` ``uint8 [28, 28]``.
    """

    pixels: NDArray[np.uint8]
    marks: tuple[RenderedDigit, ...]
    """From left to right."""
    kind: str

    @property
    def text(self) -> str:
        """The digits from left to right."""
        return "".join(str(mark.label) for mark in self.marks if mark.label is not None)


def rendered_pictures(
    split: Split,
    n: int,
    seed: int,
    *,
    kinds: Sequence[str] = KINDS,
    lines: bool = True,
    others: float = OTHER_MARKS,
    heights: tuple[int, int] = HEIGHTS,
) -> Iterator[RenderedPicture]:
    """`n` pictures of digits drawn from `split` without repetition while there are any left.

    Args:
        split: the digits to write.
        n: how many pictures.
        seed: of all that is left to chance.
        kinds: among `KINDS`; they take turns.
        lines: write up to `MOST_IN_LINE` digits in a line where the kind allows it, else one.
        others: part of the marks that are no digits.
        heights: least and greatest height of a digit in pixels, the latter not included.
    """
    generator = np.random.default_rng(seed)
    images, labels = split.images.numpy()[:, 0], split.labels.numpy()
    order = generator.permutation(len(labels))
    used = 0
    for index in range(n):
        kind = kinds[index % len(kinds)]
        count = 1 if not lines or kind == "small" else int(generator.integers(1, MOST_IN_LINE + 1))
        chosen = [order[(used + i) % len(order)] for i in range(count)]
        used += count
        marks: list[NDArray[np.uint8] | None] = [images[i] for i in chosen]
        names: list[int | None] = [int(labels[i]) for i in chosen]
        for place in np.flatnonzero(generator.random(count) < others) if kind != "small" else ():
            marks[place] = names[place] = None
        yield render(marks, names, kind, generator, heights=heights)


def render(
    images: Sequence[NDArray[np.uint8] | None],
    labels: Sequence[int | None],
    kind: str,
    generator: np.random.Generator,
    *,
    heights: tuple[int, int] = HEIGHTS,
) -> RenderedPicture:
    """Write marks in a line, from left to right, and take a picture.

    Args:
        images: for each mark the digit's ``uint8 [28, 28]``, bright on dark; None writes
            something that is no digit. Kind `small` takes one digit.
        labels: the digits; None for what is none.
        kind: one of `KINDS`.
        generator: what chance is drawn from.
        heights: as for `rendered_pictures`.
    """
    if kind == "small":
        (image,) = images
        assert image is not None
        return _small(image, labels[0], generator)
    pen = _pen(kind, heights, generator)
    pieces = [
        _other_mark(pen, generator) if image is None else written(image, pen, generator)
        for image in images
    ]
    ink, boxes = _line(pieces, pen, generator)
    marks = tuple(
        RenderedDigit(box=box, label=label) for box, label in zip(boxes, labels, strict=True)
    )
    pixels = _screen(ink, generator) if kind == "mouse" else _photo(ink, pen, kind, generator)
    return RenderedPicture(pixels=pixels, marks=marks, kind=kind)


def _small(
    image: NDArray[np.uint8], label: int | None, generator: np.random.Generator
) -> RenderedPicture:
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    pixels = image if generator.random() < 0.5 else 255 - image
    mark = RenderedDigit(box=box, label=label)
    return RenderedPicture(pixels=pixels, marks=(mark,), kind="small")


# ------------------------------------------------------------------------------- ink


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


def _pen(kind: str, heights: tuple[int, int], generator: np.random.Generator) -> Pen:
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
    return _cut(_stroked(_soft(large, 0.35 * factor), pen.width))


def _soft(image: _Grey, deviation: float | tuple[float, ...]) -> _Grey:
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


def _other_mark(pen: Pen, generator: np.random.Generator) -> _Grey:
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
    lumps = _soft(generator.standard_normal((size, size), dtype=np.float32), size / 12)
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
    return _soft(np.asarray(image, dtype=np.float32) / np.float32(255), 0.6)


def _line(
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


# ----------------------------------------------------------------------- what is under the ink


def _screen(ink: _Grey, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Drawn on a screen, dark on light or light on dark, sometimes in colour."""
    ground, line = np.array([255.0] * 3), np.array([0.0] * 3)
    if generator.random() < 0.25:
        line = generator.uniform(0, 110, 3)
    if generator.random() < 0.5:
        ground, line = line, ground
    result: NDArray[np.uint8] = np.rint(ground + ink[..., None] * (line - ground)).astype(np.uint8)
    return result


def _photo(ink: _Grey, pen: Pen, kind: str, generator: np.random.Generator) -> NDArray[np.uint8]:
    """On paper, lit, seen by a camera or a scanner, compressed."""
    page = _paper(ink.shape, pen, kind, generator)
    if pen.grain:
        rough = _soft(generator.standard_normal(ink.shape, dtype=np.float32), 0.8)
        ink = ink * np.clip(1 - pen.grain * (0.5 + rough / rough.std()), 0, 1)
    coverage = (pen.darkness * ink)[..., None]
    page = page * (1 - coverage) + np.array(pen.colour, dtype=np.float32) * coverage
    scanned = kind == "scan"
    if not scanned:
        page *= _light(ink.shape, kind, generator)[..., None]
    # A camera's blur grows with the stroke: nobody photographs a digit that cannot be read.
    blur = generator.uniform(0.3, 0.6) if scanned else generator.uniform(0.4, 0.012 * pen.height)
    page = _soft(page, (blur, blur, 0))
    noise = generator.standard_normal(page.shape, dtype=np.float32)
    page += noise * np.float32(0.004 if scanned else generator.uniform(0.004, 0.02))
    quality = generator.integers(80, 96) if scanned else generator.integers(45, 93)
    return _compressed(np.rint(255 * np.clip(page, 0, 1)).astype(np.uint8), int(quality))


def _paper(shape: tuple[int, ...], pen: Pen, kind: str, generator: np.random.Generator) -> _Grey:
    """White to cream paper, with the lines of its kind, ``float32 [H, W, 3]``."""
    white = generator.uniform(0.86, 1.0) * np.array([1, 1, generator.uniform(0.9, 1.0)])
    page = np.broadcast_to(white.astype(np.float32), (*shape, 3)).copy()
    directions: Mapping[str, tuple[float, ...]] = MappingProxyType(
        {"squared": (0.0, np.pi / 2), "ruled": (np.pi / 2,)}
    )
    if kind not in directions:
        return page
    tilt = generator.uniform(-0.04, 0.04)
    # Squares of half a digit and more; a line of writing is rarely lower than its digits.
    least = 0.45 if kind == "squared" else 1.0
    pitch = pen.height * generator.uniform(least, 1.5)
    width = max(1.0, 0.02 * pitch * generator.uniform(0.5, 1.5))
    colour = np.array([generator.uniform(0.4, 0.7), generator.uniform(0.55, 0.75), 0.85])
    strength = generator.uniform(0.25, 0.8)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    for direction in directions[kind]:
        across = x * np.cos(direction + tilt) + y * np.sin(direction + tilt)
        position = np.mod(across + generator.uniform(0, pitch), pitch)
        distance = np.minimum(position, pitch - position)
        line = strength * np.clip(width / 2 + 0.5 - distance, 0, 1)[..., None]
        page = page * (1 - line) + colour.astype(np.float32) * line
    return page.astype(np.float32)


def _light(shape: tuple[int, ...], kind: str, generator: np.random.Generator) -> _Grey:
    """How bright each place is lit, 0 to 1: falling off to one side, a shadow's soft edge."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in shape), indexing="ij")
    angle = generator.uniform(0, 2 * np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    light = generator.uniform(0.75, 1.0) * (1 - generator.uniform(0, 0.25) * (1 + along) / 2)
    if kind == "shadowed":
        angle = generator.uniform(0, 2 * np.pi)
        beyond = x * np.cos(angle) + y * np.sin(angle) - generator.uniform(-0.5, 0.5)
        softness = generator.uniform(0.03, 0.25)
        light *= 1 - generator.uniform(0.25, 0.55) / (1 + np.exp(-beyond / softness))
    result: _Grey = light.astype(np.float32)
    return result


def _compressed(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as image:
        return np.asarray(image)
