"""Pictures of handwriting made from the data set's digits, for measuring.

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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from writing import Pen, line_of, other_mark, pen_for, soft, written

from taller_cnn.data import LabelledImages

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
    split: LabelledImages,
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
    pen = pen_for(kind, heights, generator)
    pieces = [
        other_mark(pen, generator) if image is None else written(image, pen, generator)
        for image in images
    ]
    ink, boxes = line_of(pieces, pen, generator)
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
        rough = soft(generator.standard_normal(ink.shape, dtype=np.float32), 0.8)
        ink = ink * np.clip(1 - pen.grain * (0.5 + rough / rough.std()), 0, 1)
    coverage = (pen.darkness * ink)[..., None]
    page = page * (1 - coverage) + np.array(pen.colour, dtype=np.float32) * coverage
    scanned = kind == "scan"
    if not scanned:
        page *= _light(ink.shape, kind, generator)[..., None]
    # A camera's blur grows with the stroke: nobody photographs a digit that cannot be read.
    blur = generator.uniform(0.3, 0.6) if scanned else generator.uniform(0.4, 0.012 * pen.height)
    page = soft(page, (blur, blur, 0))
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
