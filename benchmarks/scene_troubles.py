"""Scenes of what goes wrong in the pictures that people take: corner shadows, crops, tight rows.

Other people's pictures showed these kinds of trouble; none of those pictures is here, and none
chose a number in this file. Rows are read from the top, each from the left.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scene_parts import (
    Generator,
    Grey,
    Writer,
    camera,
    encoded,
    fitting,
    inked,
    line_of,
    lines_on,
    lit,
    one,
    page_shape,
    pen_colour,
    placed,
    sheet,
    turned,
)

Draw = Callable[[Writer, Generator], tuple[bytes, str]]


def _photographed(ink: Grey, g: Generator, light: Grey | None = None) -> bytes:
    """On white paper, under a lamp, before a camera; `light` is what else falls on it."""
    page = inked(sheet(ink.shape, g), ink, g.uniform(0.75, 1), pen_colour(g), 0.1, g)
    page = lit(page, g, 0.2)
    return camera(page if light is None else page * light[..., None], g)


def _writing(write: Writer, g: Generator, several: bool) -> tuple[Grey, str]:
    """A page with a digit, or with a line of them, well within it."""
    if not several:
        ink, text, _ = one(write, g, page_shape(g), (0.15, 0.6), (0.05, 0.13))
        return ink, text
    row, text, height = _row(write, g, (3, 8))
    shape = (round(height * g.uniform(2, 5)), row.shape[1] + round(height * g.uniform(1, 3)))
    return placed(row, shape, g, margin=0.1), text


def _row(
    write: Writer,
    g: Generator,
    count: tuple[int, int],
    height: float | None = None,
    pen: float | None = None,
) -> tuple[Grey, str, float]:
    """A line of digits, what they are, and how high they are."""
    height = height or float(g.uniform(40, 130))
    pieces, text = write(int(g.integers(*count)), height, pen or height * g.uniform(0.05, 0.13))
    return line_of(pieces, (0.1, 0.6), g), text, height


def corner_shadow(several: bool) -> Draw:
    """A finger's or the phone's shadow, or a strip of the table, over one corner or side."""

    def draw(write: Writer, g: Generator) -> tuple[bytes, str]:
        ink, text = _writing(write, g, several)
        y, x = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in ink.shape))
        y, x = y.T, x.T
        angle = np.pi * (g.integers(4) / 2 + (0.25 if g.random() < 0.7 else 0)) + g.normal(0, 0.1)
        # As far out as the writing leaves room, at most down to the edge of the picture.
        out = x * np.cos(angle) + y * np.sin(angle)
        written = float(out[ink > 0.5].max())
        beyond = out - g.uniform(min(written + 0.05, 0.95), 1)
        softness = float(np.exp(g.uniform(np.log(0.004), np.log(0.06))))
        shade = 1 - g.uniform(0.4, 0.9) / (1 + np.exp(-np.clip(beyond / softness, -60, 60)))
        return _photographed(ink, g, shade.astype(np.float32)), text

    return draw


def vignette(several: bool) -> Draw:
    def draw(write: Writer, g: Generator) -> tuple[bytes, str]:
        ink, text = _writing(write, g, several)
        y, x = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in ink.shape))
        radius = np.hypot(x.T - g.uniform(-0.2, 0.2), y.T - g.uniform(-0.2, 0.2)) / np.sqrt(2)
        shade = 1 - g.uniform(0.4, 0.85) * np.clip(radius, 0, 1) ** g.uniform(2, 6)
        return _photographed(ink, g, shade.astype(np.float32)), text

    return draw


def tight_crop(write: Writer, g: Generator) -> tuple[bytes, str]:
    """Cut out at the digit's own box, give or take a little; scanned, photographed or drawn."""
    height = float(np.exp(g.uniform(np.log(24), np.log(400))))
    (piece,), text = write(1, height, max(height * g.uniform(0.05, 0.18), 1.6))
    # What is cut off must not change the digit: half a stroke at most.
    sides = [round(height * g.uniform(-0.02, 0.06)) for _ in range(4)]
    ink = np.pad(
        piece, [(max(sides[0], 0), max(sides[1], 0)), (max(sides[2], 0), max(sides[3], 0))]
    )
    ink = ink[
        max(-sides[0], 0) : ink.shape[0] - max(-sides[1], 0),
        max(-sides[2], 0) : ink.shape[1] - max(-sides[3], 0),
    ]
    if g.random() < 0.5:
        return _photographed(ink, g), text
    levels = ink if g.random() < 0.5 else 1 - ink
    return encoded(Image.fromarray(np.rint(255 * levels).astype(np.uint8)), "PNG"), text


def strip(write: Writer, g: Generator) -> tuple[bytes, str]:
    """A row of digits cut out close above and below, as from a form."""
    row, text, height = _row(write, g, (3, 9))
    row = turned(row, g.uniform(-1, 1))
    above, below = (round(height * g.uniform(0, 0.15)) for _ in range(2))
    left, right = (round(height * g.uniform(0.05, 0.6)) for _ in range(2))
    ink = np.pad(row, ((above, below), (left, right)))
    if g.random() < 0.6:
        return _photographed(ink, g), text
    levels = ink if g.random() < 0.3 else 1 - ink
    return encoded(Image.fromarray(np.rint(255 * levels).astype(np.uint8)), "PNG"), text


def rows(count: tuple[int, int], per_row: tuple[int, int], gap: tuple[float, float]) -> Draw:
    """Rows with little room between them; the gaps are in digit heights."""

    def draw(write: Writer, g: Generator) -> tuple[bytes, str]:
        height = float(g.uniform(36, 90))
        pen = max(height * g.uniform(0.05, 0.12), 1.6)
        lines = [_row(write, g, per_row, height, pen)[:2] for _ in range(int(g.integers(*count)))]
        width = max(ink.shape[1] for ink, _ in lines)
        page = np.zeros((0, width), np.float32)
        texts: list[str] = []
        for ink, text in lines:
            space = round(height * g.uniform(*gap)) if texts else 0
            page = np.pad(page, ((0, space + len(ink)), (0, 0)))
            left = round(g.uniform(0, 0.15) * (width - ink.shape[1]))
            page[-len(ink) :, left : left + ink.shape[1]] = ink
            texts.append(text)
        margins = [round(height * g.uniform(0.4, 1.5)) for _ in range(2)]
        return _photographed(np.pad(page, margins), g), "".join(texts)

    return draw


def hairline(write: Writer, g: Generator) -> tuple[bytes, str]:
    """Drawn with the thinnest line that a program has, in either polarity."""
    side = int(g.integers(200, 900))
    (piece,), text = write(1, side * g.uniform(0.4, 0.9), g.uniform(0.6, 2))
    ink = placed(fitting(piece, side), (side, side), g, margin=0.02)
    if g.random() < 0.5:
        ink = (ink > 0.4).astype(np.float32)
    levels = ink if g.random() < 0.5 else 1 - ink
    form = "PNG" if g.random() < 0.7 else "JPEG"
    return encoded(Image.fromarray(np.rint(255 * levels).astype(np.uint8)), form), text


def printed_beside(write: Writer, g: Generator) -> tuple[bytes, str]:
    """A digit on a form: a line of small print above or below, no higher than a third of it."""
    shape = page_shape(g)
    ink, text, height = one(write, g, shape, (0.25, 0.6), (0.05, 0.13))
    down = np.flatnonzero(ink.any(axis=1))
    size = round(height * g.uniform(0.12, 0.25))
    words = " ".join(
        ["Name", "Datum", "Firma", "Campo", "Total", "Form"][i] for i in g.permutation(6)
    )
    font = ImageFont.load_default(size)
    above = down[0] > shape[0] - down[-1]
    room = int(down[0] if above else shape[0] - down[-1])
    if room > 1.3 * size:
        gap = g.uniform(0, room - 1.3 * size)
        top = down[0] - gap - 1.3 * size if above else down[-1] + gap
        print_ = Image.new("L", (shape[1], shape[0]), 0)
        ImageDraw.Draw(print_).text((g.uniform(-0.3, 0.3) * shape[1], top), words, 255, font)
        ink = np.maximum(ink, np.asarray(print_, np.float32) / 255)
    return _photographed(ink, g), text


def lines_touched(directions: tuple[float, ...]) -> Draw:
    """On the paper's lines as people write: the digit stands on one and may reach the next."""

    def draw(write: Writer, g: Generator) -> tuple[bytes, str]:
        shape = page_shape(g)
        ink, text, height = one(write, g, shape, (0.08, 0.5), (0.05, 0.12))
        pitch = height / g.choice([0.8, 1, 1.2, 2, 3] if len(directions) > 1 else [0.7, 0.9, 1])
        foot = np.flatnonzero((ink > 0.5).any(axis=1))[-1]
        side = np.flatnonzero((ink > 0.5).any(axis=0))[0]
        page, angle = sheet(shape, g), g.uniform(-0.03, 0.03)
        tint = (0.45, 0.6, 0.85) if g.random() < 0.5 else (g.uniform(0.2, 0.7),) * 3
        strength, width = g.uniform(0.3, 1), max(1.0, height * g.uniform(0.01, 0.05))
        for direction in directions:
            # Through the foot of the digit, or along its side.
            level = side * np.sin(angle + direction) + foot * np.cos(angle + direction)
            page = lines_on(page, pitch, angle + direction, tint, strength, width, -level)
        page = inked(page, ink, g.uniform(0.75, 1), pen_colour(g), 0.1, g)
        return camera(lit(page, g), g), text

    return draw


def canvas_on_page(write: Writer, g: Generator) -> tuple[bytes, str]:
    """A drawing area of another tone inside a page: a saved figure, a screenshot, a blackboard."""
    side = int(g.integers(100, 400))
    height = side * g.uniform(0.4, 0.85)
    (piece,), text = write(1, height, height * g.uniform(0.06, 0.16))
    ink = placed(fitting(piece, side), (side, side), g, margin=0.04)
    dark, light = g.uniform(0, 0.2), g.uniform(0.85, 1)
    ground, pen, page = (dark, light, light) if g.random() < 0.5 else (light, dark, dark)
    canvas = ground + (pen - ground) * ink
    shape = tuple(round(side * g.uniform(1.2, 2.6)) for _ in range(2))
    top, left = (int(g.integers(side // 20, s - side - side // 20)) for s in shape)
    picture = np.full(shape, page, np.float32)
    picture[top : top + side, left : left + side] = canvas
    if g.random() < 0.3:
        return camera(lit(np.repeat(picture[..., None], 3, axis=2), g), g), text
    image = Image.fromarray(np.rint(255 * picture).astype(np.uint8))
    return encoded(image, "PNG" if g.random() < 0.7 else "JPEG"), text


TROUBLES: dict[str, Draw] = {
    "corner shadow": corner_shadow(several=False),
    "vignette": vignette(several=False),
    "tight crop": tight_crop,
    "hairline": hairline,
    "printed beside": printed_beside,
    "printed beside, single": printed_beside,
    "ruled, touched": lines_touched((0.0,)),
    "squared, touched": lines_touched((0.0, np.pi / 2)),
    "canvas on page": canvas_on_page,
    "several, corner shadow": corner_shadow(several=True),
    "several, vignette": vignette(several=True),
    "several, strip": strip,
    "several, column": rows((2, 7), (1, 2), (0.05, 0.4)),
    "several, tight rows": rows((2, 6), (3, 9), (0.08, 0.4)),
}
