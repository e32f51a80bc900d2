"""From a picture to the digits in it, as MNIST would have them: everything before the network.

grey -> polarity -> light removed -> paper's lines removed -> ink -> marks -> lines -> 28x28
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from taller_cnn.reader.ink import ink_mask, noise_of
from taller_cnn.reader.light import enlarged, grey, ink_on_ground
from taller_cnn.reader.marks import Box, Mark, Rejected, marks_in
from taller_cnn.reader.preparation import SIDE, prepare
from taller_cnn.reader.ruling import without_ruling
from taller_cnn.reader.sheet import without_table
from taller_cnn.reader.splitting import Part, cut_paths, part_of, runs, stands_apart
from taller_cnn.reader.strokes import stroke_width, with_usual_strokes
from taller_cnn.reader.textlines import lines_of, slope_of

Grey = NDArray[np.float32]

TINY = 64
"""A picture whose sides are no longer than this many pixels is one digit."""
STRAIGHT = 0.035
"""Lines that slope less than this are read as they are."""
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

    strength: Grey
    labels: NDArray[np.int32]
    margin: int
    """How far, in pixels, a stroke's soft edge goes on beyond what is labelled."""


def find(
    pixels: NDArray[np.uint8], options: Options | None = None, *, single: bool = False
) -> Found:
    """Find the digits in a picture and prepare them for the network.

    Args:
        pixels: ``uint8 [H, W]`` or ``[H, W, 3]``, any polarity.
        options: how.
        single: the picture is one digit, as in `Options.single`.
    """
    options = options or Options()
    whole = grey(pixels)
    tiny = max(whole.shape) <= TINY
    single = single or options.single or tiny
    picture, corner = (whole, (0, 0)) if tiny else without_table(whole)
    picture, factor = enlarged(picture)
    flat = ink_on_ground(picture)
    noise = noise_of(flat)
    strength = flat if factor > 1 else without_ruling(flat, noise)
    mask = ink_mask(strength, noise)
    if not mask.any():
        # All that is written goes from edge to edge.
        strength, mask = flat, ink_mask(flat, noise)
    labels, marks, rejected = marks_in(mask, strength, single=single)
    ink = _Ink(strength=strength, labels=labels, margin=max(2, factor // 2))
    found = _prepared(ink, marks, rejected, single=single)
    # Of a tiny picture, which is read as it is, nobody asks how thin its strokes are.
    stroke = 0.0 if tiny else _stroke(labels, marks)
    steps = {"grey": picture, "light": flat, "ink": strength, "mask": mask}
    return _in_pixels(found, factor, corner, stroke, steps if options.steps else {})


def _prepared(ink: _Ink, marks: list[Mark], rejected: list[Rejected], *, single: bool) -> Found:
    """The marks in reading order, each as MNIST would have it, and cut where it may be several."""
    slope = 0.0 if single else slope_of(marks)
    lines = lines_of(marks, slope)
    ordered = [marks[index] for line in lines for index in line]
    images, splits = [], []
    size = float(np.median([mark.height for mark in ordered])) if ordered else 0.0
    for index, mark in enumerate(ordered):
        whole = _ink_of(ink, mark)
        images.append(_image28(whole, slope))
        if not single and _may_be_several(whole, size, alone=len(ordered) == 1):
            splits.append(_split(index, mark, whole, size, slope))
    return Found(
        boxes=tuple(mark.box for mark in ordered),
        images28=np.stack(images) if images else np.zeros((0, SIDE, SIDE), np.uint8),
        lines=tuple(number for number, line in enumerate(lines) for _ in line),
        rejected=tuple(rejected),
        splits=tuple(splits),
    )


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


def _image28(ink: Grey, slope: float) -> NDArray[np.uint8]:
    if abs(slope) > STRAIGHT:
        ink = _straightened(ink, slope)
    return prepare(with_usual_strokes(_cut(ink)))


def _straightened(ink: Grey, slope: float) -> Grey:
    """Turned so that its line of writing would be level."""
    angle = float(np.degrees(np.arctan(slope)))
    turned = Image.fromarray(ink).rotate(angle, Image.Resampling.BILINEAR, expand=True)
    return np.asarray(turned)


def _cut(ink: Grey) -> Grey:
    rows, columns = (np.flatnonzero((ink > 0.1).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return ink
    return np.ascontiguousarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def _may_be_several(whole: Grey, size: float, *, alone: bool) -> bool:
    height, width = whole.shape
    ratio = width / max(min(height, 1.3 * size), 1.0)
    if height < 0.4 * size:
        return False
    return ratio >= (WIDE_ALONE if alone else WIDE) or stands_apart(_cut(whole))


def _split(index: int, mark: Mark, whole: Grey, size: float, slope: float) -> Split:
    size = min(size, float(len(whole)))
    stroke = stroke_width(whole)
    paths = cut_paths(whole, size, stroke)
    parts = runs(whole, paths, size, stroke)
    boxes, images = [], []
    for part in parts:
        ink = part_of(whole, paths[part.start], paths[part.stop])
        seen = np.flatnonzero((ink > 0.1).any(axis=0))
        left, right = mark.box[0] + int(seen[0]) - 2, mark.box[0] + int(seen[-1]) - 1
        boxes.append((left, mark.box[1], right, mark.box[3]))
        images.append(_image28(ink, slope))
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
