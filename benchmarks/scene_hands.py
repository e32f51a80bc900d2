"""Digits as much of the world writes them, drawn onto MNIST's: flags, feet, bars, tails, other 4s.

    HANDS[kind][digit](ink, generator)  ->  ink

Strokes follow the skeleton of the digit that is written, in the size that it is written in, and are
drawn with a round pen that presses more and less. The augmentation that networks learn from
(`taller_cnn.allographs`) shares no code with it and draws at 28x28 from other measures, or it would
be measured by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scene_parts import Generator, Grey, cropped
from scipy.interpolate import make_interp_spline
from scipy.ndimage import distance_transform_edt
from skimage.morphology import skeletonize

Form = Callable[[Grey, Generator], Grey]
"""(ink of a digit, 0 to 1, cut at its box; chance) -> the digit in another form."""
Place = tuple[float, float]
"""x and y in pixels."""
FINER = 3
"""Pixels to draw with for each that is kept, across and down."""


@dataclass(frozen=True, kw_only=True)
class Skeleton:
    """The middles of a digit's strokes; lengths and places in pixels."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    pen: float
    """Width of the strokes."""

    @classmethod
    def of(cls, ink: Grey) -> Skeleton:
        inside = np.pad(ink > 0.5, 1)
        middles = skeletonize(inside)
        y, x = np.nonzero(middles)
        pen = 2 * float(np.median(distance_transform_edt(inside)[middles])) - 1
        return cls(x=x.astype(float) - 1, y=y.astype(float) - 1, pen=max(pen, 1.0))

    @property
    def top(self) -> Place:
        return self._place(int(np.argmin(self.y)))

    @property
    def bottom(self) -> Place:
        return self._place(int(np.argmax(self.y)))

    @property
    def height(self) -> float:
        return max(float(np.ptp(self.y)), 4.0)

    def at(self, part: float) -> Place:
        """Middle of what is written at a part of the height, from the top."""
        level = self.y.min() + part * self.height
        near = np.abs(self.y - level) <= 1.5
        return float(np.median(self.x[near])) if near.any() else self.top[0], float(level)

    def ends(self, low: float, high: float) -> tuple[Place, Place]:
        """Leftmost and rightmost places between two parts of the height."""
        part = (self.y - self.y.min()) / self.height
        inside = np.flatnonzero((part >= low) & (part <= high))
        inside = inside if len(inside) else np.arange(len(self.x))
        left, right = inside[np.argmin(self.x[inside])], inside[np.argmax(self.x[inside])]
        return self._place(int(left)), self._place(int(right))

    def _place(self, index: int) -> Place:
        return float(self.x[index]), float(self.y[index])


def with_strokes(
    ink: Grey, strokes: Sequence[Sequence[Place]], pen: float, g: Generator, *, whole: bool = False
) -> Grey:
    """Smooth strokes through places, over the ink or, if they are the whole digit, without it."""
    margin = int(0.8 * max(ink.shape)) + 4
    page = np.pad(np.zeros_like(ink) if whole else ink, margin)
    image = Image.new("L", (FINER * page.shape[1], FINER * page.shape[0]))
    drawing = ImageDraw.Draw(image)
    for stroke in strokes:
        places = (np.asarray(stroke, float) + margin + 0.5) * FINER
        along = np.arange(len(places), dtype=float)
        curve = make_interp_spline(along, places, k=min(2, len(places) - 1))
        steps = np.linspace(0, along[-1], 40 * len(places))
        pressure = 1 + g.uniform(0, 0.12) * np.sin(g.uniform(2, 6) * steps + g.uniform(0, 6))
        for (x, y), press in zip(curve(steps), pressure, strict=True):
            radius = max(FINER * pen * press / 2, 1.0)
            drawing.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    drawn = np.asarray(image.reduce(FINER), np.float32) / np.float32(255)
    return cropped(np.where(np.maximum(page, drawn) > 0.1, np.maximum(page, drawn), 0))


def flag(ink: Grey, g: Generator) -> Grey:
    """The upstroke of a 1, well below the level and no longer than two thirds of the stem."""
    bones = Skeleton.of(ink)
    (x, y), length = bones.top, bones.height * g.uniform(0.25, 0.62)
    angle = np.radians(g.uniform(32, 62) if length < 0.45 * bones.height else g.uniform(42, 62))
    # A stem that leans takes its flag along.
    lean = np.clip((x - bones.bottom[0]) / bones.height, -0.5, 0.8)
    down = length * np.sin(angle)
    tip = (x - length * np.cos(angle) - bones.pen / 2 - 0.6 * lean * down, y + down)
    sag = g.uniform(-0.06, 0.08) * length
    between = ((x + tip[0]) / 2, (y + tip[1]) / 2 + sag)
    return with_strokes(ink, [[(x, y), between, tip]], bones.pen * g.uniform(0.8, 1.1), g)


def foot(ink: Grey, g: Generator) -> Grey:
    """A base under a 1, mostly under one with a flag."""
    ink = flag(ink, g) if g.random() < 0.85 else ink
    bones = Skeleton.of(ink)
    x, y = bones.bottom
    left, right = (bones.height * g.uniform(0.12, 0.36) for _ in range(2))
    rise = bones.height * g.normal(0, 0.025)
    base = [(x - left, y + rise), (x, y + g.normal(0, 0.02) * bones.height), (x + right, y - rise)]
    return with_strokes(ink, [base], bones.pen * g.uniform(0.85, 1.1), g)


def bar(ink: Grey, g: Generator) -> Grey:
    """A dash through the stem of a 7."""
    bones = Skeleton.of(ink)
    x, y = bones.at(g.uniform(0.45, 0.62))
    left, right = (bones.height * g.uniform(0.15, 0.34) for _ in range(2))
    rise = bones.height * g.normal(0.02, 0.04)
    dash = [(x - left, y + rise), (x, y + g.normal(0, 0.02) * bones.height), (x + right, y - rise)]
    return with_strokes(ink, [dash], bones.pen * g.uniform(0.8, 1.1), g)


def tail(ink: Grey, g: Generator) -> Grey:
    """A 9 whose stem goes on into a hook to the left."""
    bones = Skeleton.of(ink)
    x, y = bones.at(0.93)
    reach, rise = bones.height * g.uniform(0.22, 0.5), bones.height * g.uniform(-0.02, 0.17)
    low = y + bones.height * g.uniform(0.05, 0.12)
    hook = [(x, y), (x - 0.25 * reach, low), (x - 0.65 * reach, low - 0.2 * rise)]
    hook.append((x - reach, y - rise))
    return with_strokes(ink, [hook], bones.pen * g.uniform(0.85, 1.05), g)


def four(pointed: bool) -> Form:
    """A 4 anew, where the old one had its stem, its corner and the end of its bar."""

    def draw(ink: Grey, g: Generator) -> Grey:
        bones = Skeleton.of(ink)
        height = bones.height
        foot_x, foot_y = bones.bottom
        head_y = foot_y - height
        corner, end = bones.ends(0.35, 0.85)
        level = head_y + height * float(np.clip((corner[1] - head_y) / height, 0.52, 0.74))
        head_x = foot_x + height * g.uniform(-0.03, 0.25)
        crossing = foot_x + (head_x - foot_x) * (foot_y - level) / height
        left = min(corner[0], crossing - height * g.uniform(0.3, 0.5))
        right = max(end[0], crossing + height * g.uniform(0.08, 0.25))
        level_right = level + height * g.normal(0, 0.03)
        if pointed:
            tip, begin = (head_x + height * g.normal(0, 0.015), head_y), (head_x, head_y)
        else:
            part = g.uniform(0.12, 0.4)
            tip = (left + (head_x - left) * g.uniform(0.2, 0.55), head_y)
            begin = (head_x + (foot_x - head_x) * part, head_y + height * part)
        bow = height * g.normal(0, 0.03)
        between = ((tip[0] + left) / 2 + bow, (tip[1] + level) / 2 + bow)
        middle = ((begin[0] + foot_x) / 2 + height * g.normal(0, 0.015), (begin[1] + foot_y) / 2)
        strokes = [
            [tip, between, (left, level)],
            [(left, level), (right, level_right)],
            [begin, middle, (foot_x, foot_y)],
        ]
        return with_strokes(ink, strokes, bones.pen * g.uniform(0.9, 1.1), g, whole=True)

    return draw


def either(*forms: Form) -> Form:
    return lambda ink, g: forms[int(g.integers(len(forms)))](ink, g)


HANDS: Mapping[str, Mapping[int, Form]] = {
    "flagged 1": {1: flag},
    "footed 1": {1: foot},
    "barred 7": {7: bar},
    "pointed 4": {4: four(pointed=True)},
    "open 4": {4: four(pointed=False)},
    "tailed 9": {9: tail},
    "several, continental": {
        1: either(flag, foot),
        4: either(four(pointed=True), four(pointed=False)),
        7: bar,
        9: tail,
    },
}
"""By kind of scene, the forms of the digits that have another one there."""
