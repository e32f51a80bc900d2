"""From a picture to the digits in it, as MNIST would have them: everything before the network.

grey -> polarity -> light removed -> paper's lines removed -> ink -> marks -> lines -> 28x28
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from taller_cnn.reader.border import COVERING, without_border
from taller_cnn.reader.ink import noise_of
from taller_cnn.reader.light import enlarged, grey, ink_on_ground
from taller_cnn.reader.marks import Box, Mark, Rejected, box_of, marks_in
from taller_cnn.reader.preparation import (
    BOX,
    FAINT,
    SIDE,
    extent,
    prepare,
    stroke_width,
    with_usual_strokes,
)
from taller_cnn.reader.ruling import without_ruling
from taller_cnn.reader.sheet import without_table
from taller_cnn.reader.splitting import Part, cut_paths, part_of, runs, stands_apart

Grey = NDArray[np.float32]

TINY = 64
"""A picture whose sides are no longer than this many pixels is one digit."""
LEFT = 3
"""Most marks that the strokes of one digit, taken for the paper, leave between them."""
LARGEST_LEFT = 0.35
"""Of the picture's longer side: longer marks are no such gaps."""
NARROW = 0.4
"""Of the shorter side, that a digit cut out at its own box takes, soft edges aside: of a 1 four
pixels wide two are full ink."""
THICKEST = 0.3
"""Strokes of a digit, of the longer side of a picture that it takes all of."""
READY_EVEN = 0.03
"""How far, of 1, the border of a picture that is prepared as MNIST's may lie from black or white:
JPEG moves it by less."""
READY_CONTRAST = 0.5
"""Least ink, of 1, at the darkest place of such a picture."""
READY_LONGER = 2
"""Pixels by which the digit in it may be longer or shorter than MNIST's 20: 2 of 1,000 are."""
READY_OFF = 1.0
"""Pixels by which its centre of mass may lie off the middle."""
SLOPES = np.tan(np.radians(np.arange(-20, 21)))
"""Slopes of lines of writing that are considered."""
WIDE = 0.85
"""Width by height from which a mark may be two digits that touch."""
WIDE_ALONE = 1.25
"""The same for the only mark of a picture, with no other to know by how wide a digit is."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How pictures are read."""

    single: bool = False
    """Whether a picture is one digit, whatever it looks like."""
    lines: bool = False
    """Whether gaps in a line become spaces."""
    steps: bool = False
    """Whether what each stage makes is kept."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """A mark cut into parts that may be digits, the network to choose among their runs."""

    index: int
    """Which of the marks."""
    parts: tuple[Part, ...]
    """Runs of parts, the whole mark among them."""
    boxes: tuple[Box, ...]
    images28: NDArray[np.uint8]
    """``uint8 [parts, 28, 28]``."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """What is in a picture, before the network has seen it."""

    boxes: tuple[Box, ...]
    """In reading order, in pixels of the picture."""
    images28: NDArray[np.uint8]
    """``uint8 [N, 28, 28]``."""
    lines: tuple[int, ...]
    """The line of writing of each mark, from the top."""
    rejected: tuple[Rejected, ...] = ()
    splits: tuple[Split, ...] = ()
    stroke: float = 0.0
    """Width of the strokes in pixels of the picture; 0 where there is no ink, or `TINY` pixels."""
    steps: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    """With `Options.steps`: ``grey``, ``light``, ``ink`` as ``float32 [H, W]``, ``mask``."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Ink:
    """What is written in the picture."""

    flat: Grey
    """With the paper's lines and what is at the border."""
    strength: Grey
    labels: NDArray[np.int32]
    margin: int
    """How far, in pixels, a stroke's soft edge goes on beyond what is labelled."""


_Written = tuple[_Ink, list[Mark], list[Rejected]]


def find(pixels: NDArray[np.uint8], options: Options | None = None) -> Found:
    """Find the digits in a picture and prepare them for the network.

    Args:
        pixels: ``uint8 [H, W]`` or ``[H, W, 3]``, any polarity.
        options: how.
    """
    options = options or Options()
    whole = grey(pixels)
    image = _ready_made(whole)
    if image is not None:
        return _as_it_is(image, whole)
    tiny = max(whole.shape) <= TINY
    single = options.single or tiny
    picture, corner = (whole, (0, 0)) if tiny else without_table(whole)
    picture, factor = enlarged(picture)
    written = _written(ink_on_ground(picture), factor, single=single)
    if _may_be_around(written, anything=tiny):
        other = _written(ink_on_ground(picture, other_polarity=True), factor, single=single)
        written = other if _is_cut_out(other) else written
    ink, marks, rejected = written
    found = _prepared(ink, marks, rejected, single=single)
    # Of a tiny picture, which is read as it is, nobody asks how thin its strokes are.
    stroke = 0.0 if tiny else _stroke(ink.labels, marks)
    steps = {"grey": picture, "light": ink.flat, "ink": ink.strength, "mask": ink.labels > 0}
    return _in_pixels(found, factor, corner, stroke, steps if options.steps else {})


def _may_be_around(written: _Written, *, anything: bool) -> bool:
    """Whether what was taken for ink may be what is around a digit that was cut out close.

    The strokes of such a digit may be most of its picture, and are then taken for the paper: what
    is left lies at the border, and in a few gaps between them, or `anything` in a tiny picture.
    """
    ink, marks, rejected = written
    small = all(mark.size < LARGEST_LEFT * max(ink.labels.shape) for mark in marks)
    are_gaps = anything or (small and len(marks) <= LEFT)
    return are_gaps and any(each.reason.key == "reader_edge" for each in rejected)


def _is_cut_out(written: _Written) -> bool:
    """Whether the only thing in a picture is a digit that takes all of it, in strokes."""
    ink, marks, rejected = written
    if len(marks) != 1 or rejected:
        return False
    height, width = ink.labels.shape
    spans = marks[0].height / height, marks[0].width / width
    in_strokes = bool(_stroke(ink.labels, marks) < THICKEST * max(height, width))
    return in_strokes and max(spans) > COVERING and min(spans) > NARROW


def _ready_made(whole: Grey) -> NDArray[np.uint8] | None:
    """The image of a picture that is prepared as MNIST's are, inverted or not; else None.

    An even border, as black or white as anything in it, a digit as long as MNIST's, with its
    centre of mass in the middle.
    """
    if whole.shape != (SIDE, SIDE):
        return None
    ring = np.concatenate([whole[0], whole[-1], whole[:, 0], whole[:, -1]])
    dark, light = float(ring.min()), float(ring.max())
    if light - dark > READY_EVEN or min(dark, 1 - light) > READY_EVEN:
        return None
    ink = whole if dark <= READY_EVEN else 1 - whole
    box = extent(ink)
    if box is None or ink.max() < READY_CONTRAST:
        return None
    longest = max(side.stop - side.start for side in box)
    centre = [float(np.average(np.arange(SIDE), weights=ink.sum(axis=axis))) for axis in (1, 0)]
    off = max(abs(place - (SIDE - 1) / 2) for place in centre)
    if abs(longest - BOX) > READY_LONGER or off > READY_OFF:
        return None
    image: NDArray[np.uint8] = np.rint(255 * ink).astype(np.uint8)
    return image


def _as_it_is(image: NDArray[np.uint8], whole: Grey) -> Found:
    ink = image.astype(np.float32) / np.float32(255)
    place = extent(ink)
    assert place is not None, "there is ink in what is ready-made"
    steps = {"grey": whole, "light": ink, "ink": ink, "mask": ink > FAINT}
    return Found(boxes=(box_of(place),), images28=image[None], lines=(0,), steps=steps)


def _written(flat: Grey, factor: int, *, single: bool) -> _Written:
    """What is written, the marks in it, and what was rejected; the picture was enlarged so."""
    noise = noise_of(flat)
    strength = flat if factor > 1 else without_ruling(flat, noise)
    strength, mask, at_border = without_border(strength, noise)
    labels, marks, rejected = marks_in(mask, strength, single=single)
    ink = _Ink(flat=flat, strength=strength, labels=labels, margin=max(2, factor // 2))
    return ink, marks, rejected + at_border


def _prepared(ink: _Ink, marks: list[Mark], rejected: list[Rejected], *, single: bool) -> Found:
    """The marks in reading order, each as MNIST would have it, and cut where it may be several."""
    lines = lines_of(marks, slope_of(marks))
    ordered = [marks[index] for line in lines for index in line]
    images, splits = [], []
    size = float(np.median([mark.height for mark in ordered])) if ordered else 0.0
    for index, mark in enumerate(ordered):
        whole = _ink_of(ink, mark)
        images.append(_image28(whole))
        if not single and _may_be_several(whole, size, alone=len(ordered) == 1):
            start = max(mark.box[0] - ink.margin, 0)
            splits.append(_split(index, mark, whole, start, size))
    return Found(
        boxes=tuple(mark.box for mark in ordered),
        images28=np.stack(images) if images else np.zeros((0, SIDE, SIDE), np.uint8),
        lines=tuple(number for number, line in enumerate(lines) for _ in line),
        rejected=tuple(rejected),
        splits=tuple(splits),
    )


def slope_of(marks: list[Mark]) -> float:
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


def lines_of(marks: list[Mark], slope: float) -> list[list[int]]:
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
    marks: list[Mark],
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    boxes = np.array([mark.box for mark in marks], dtype=float)
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    return x, y, float(np.median(boxes[:, 3] - boxes[:, 1]))


def _ink_of(ink: _Ink, mark: Mark) -> Grey:
    """The ink of one mark, 0 to 1, cut at its box with a margin for soft edges."""
    from scipy.ndimage import binary_dilation

    left, top, right, bottom = mark.box
    height, width = ink.labels.shape
    rows = slice(max(top - ink.margin, 0), min(bottom + ink.margin, height))
    columns = slice(max(left - ink.margin, 0), min(right + ink.margin, width))
    own = mark.covers(ink.labels[rows, columns])
    strength = ink.strength[rows, columns]
    full = float(np.percentile(strength[own], 70))
    near = binary_dilation(own, iterations=ink.margin)
    level = np.where(near, strength / max(full, 1e-6), 0)
    return np.clip((level - 0.1) / 0.9, 0, 1).astype(np.float32)


def _stroke(labels: NDArray[np.int32], marks: list[Mark]) -> float:
    """Width of the strokes of the highest mark, in pixels; 0 without marks."""
    if not marks:
        return 0.0
    mark = max(marks, key=lambda mark: mark.height)
    left, top, right, bottom = mark.box
    return stroke_width(mark.covers(labels[top:bottom, left:right]).astype(np.float32))


def _image28(ink: Grey) -> NDArray[np.uint8]:
    return prepare(with_usual_strokes(_cut(ink)))


def _cut(ink: Grey) -> Grey:
    box = extent(ink)
    return ink if box is None else ink[box]


def _may_be_several(whole: Grey, size: float, *, alone: bool) -> bool:
    height, width = whole.shape
    ratio = width / max(min(height, 1.3 * size), 1.0)
    if height < 0.4 * size:
        return False
    return ratio >= (WIDE_ALONE if alone else WIDE) or stands_apart(_cut(whole))


def _split(index: int, mark: Mark, whole: Grey, start: int, size: float) -> Split:
    """Args: `start` is the column of the picture that `whole` begins in."""
    size = min(size, float(len(whole)))
    stroke = stroke_width(whole)
    paths = cut_paths(whole, size, stroke)
    parts = runs(whole, paths, size, stroke)
    boxes, images = [], []
    for part in parts:
        ink = part_of(whole, paths[part.start], paths[part.stop])
        place = extent(ink)
        assert place is not None, "runs have ink"
        boxes.append((start + place[1].start, mark.box[1], start + place[1].stop, mark.box[3]))
        images.append(_image28(ink))
    return Split(index=index, parts=tuple(parts), boxes=tuple(boxes), images28=np.stack(images))


def _in_pixels(
    found: Found,
    factor: int,
    corner: tuple[int, int],
    stroke: float,
    steps: Mapping[str, NDArray[np.generic]],
) -> Found:
    """Boxes in pixels of the picture that was given, before it was cut and enlarged."""
    x, y = corner

    def scaled(box: Box) -> Box:
        left, top, right, bottom = box
        ends = (-(-right // factor) + x, -(-bottom // factor) + y)
        return left // factor + x, top // factor + y, *ends

    return Found(
        boxes=tuple(map(scaled, found.boxes)),
        images28=found.images28,
        lines=found.lines,
        rejected=tuple(Rejected(box=scaled(r.box), reason=r.reason) for r in found.rejected),
        splits=tuple(replace(s, boxes=tuple(map(scaled, s.boxes))) for s in found.splits),
        stroke=stroke / factor,
        steps=steps,
    )
