"""Scenes that other people photograph, scan and draw, made from MNIST's digits, by kind.

    scenes(split, n, seed)  ->  picture files, each with what is written in it

A page with one small digit, a desk around it, faint pencil, a marker, squares of a quarter of a
digit, a red margin, JPEG at quality 30, drawings that fill the frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scene_hands import HANDS, Form
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
from scene_troubles import TROUBLES
from scipy.ndimage import gaussian_filter, map_coordinates
from writing import Pen, written

from taller_cnn.data import LabelledImages
from taller_cnn.reader.finding import Options

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A picture file and what is written in it."""

    data: bytes
    text: str
    kind: str

    @property
    def options(self) -> Options:
        """How the picture is read."""
        return Options(single=self.kind.endswith(", single"))


def scenes(split: LabelledImages, n: int, seed: int, kinds: list[str] | None = None) -> list[Scene]:
    """`n` pictures of each kind; those of several digits a third of that."""
    result = []
    images, labels = split.images.numpy()[:, 0], split.labels.numpy()
    for kind in kinds or list(SCENES):
        generator = np.random.default_rng([seed, sum(map(ord, kind))])
        forms = HANDS.get(kind, {})
        # A picture of one digit in another form is of a digit that has one.
        alone = bool(forms) and not kind.startswith("several")
        pool = np.flatnonzero(np.isin(labels, list(forms))) if alone else np.arange(len(labels))
        write = writer(images, labels, pool, forms, generator)
        for _ in range(n if not kind.startswith("several") else max(1, n // 3)):
            data, text = SCENES[kind](write, generator)
            result.append(Scene(data=data, text=text, kind=kind))
    return result


def writer(
    images: Pixels,
    labels: NDArray[np.int64],
    pool: NDArray[np.int64],
    forms: Mapping[int, Form],
    generator: Generator,
) -> Writer:
    """Writes the digits whose places are in `pool`, each in its form if it has one."""

    def write(count: int, height: float, width: float) -> tuple[list[Grey], str]:
        chosen = pool[generator.integers(0, len(pool), count)]
        pen = Pen(height=max(round(height), 4), width=width)
        pieces = [written(images[i], pen, generator) for i in chosen]
        names = [int(labels[i]) for i in chosen]
        pieces = [
            forms[name](piece, generator) if name in forms else piece
            for name, piece in zip(names, pieces, strict=True)
        ]
        return pieces, "".join(map(str, names))

    return write


def on_paper(
    write: Writer, g: Generator, shape: tuple[int, int], *sizes: tuple[float, float]
) -> tuple[Grey, str]:
    """A page of that shape with a digit, before it is lit; sizes as for `one`."""
    ink, text, _ = one(write, g, shape, *sizes)
    return inked(sheet(shape, g), ink, g.uniform(0.7, 1), pen_colour(g), 0.1, g), text


def photo(write: Writer, g: Generator) -> tuple[bytes, str]:
    shape = page_shape(g)
    page, text = on_paper(write, g, shape)
    return camera(lit(page, g), g), text


def close_up(write: Writer, g: Generator) -> tuple[bytes, str]:
    side = int(g.integers(150, 900))
    shape = (side, round(side * g.uniform(0.7, 1.3)))
    page, text = on_paper(write, g, shape, (0.75, 0.97), (0.05, 0.15))
    return camera(lit(page, g), g), text


def small_photo(write: Writer, g: Generator) -> tuple[bytes, str]:
    side = int(g.integers(60, 160))
    shape = (side, round(side * g.uniform(0.75, 1.3)))
    page, text = on_paper(write, g, shape, (0.35, 0.8), (0.06, 0.15))
    return camera(lit(page, g), g, blur=0.7), text


def faint_pencil(write: Writer, g: Generator) -> tuple[bytes, str]:
    shape = page_shape(g)
    ink, text, _ = one(write, g, shape, (0.15, 0.7), (0.025, 0.07))
    page = inked(sheet(shape, g), ink, g.uniform(0.25, 0.5), (0.35,) * 3, g.uniform(0.1, 0.5), g)
    return camera(lit(page, g), g, noise=0.012), text


def marker(write: Writer, g: Generator) -> tuple[bytes, str]:
    shape = page_shape(g)
    ink, text, _ = one(write, g, shape, (0.2, 0.8), (0.12, 0.2))
    page = inked(sheet(shape, g), ink, g.uniform(0.8, 1), pen_colour(g), 0.05, g)
    return camera(lit(page, g), g), text


def strong_shadow(write: Writer, g: Generator) -> tuple[bytes, str]:
    shape = page_shape(g)
    page, text = on_paper(write, g, shape)
    return camera(lit(page, g, g.uniform(0.3, 0.6), g.uniform(0.4, 0.65)), g), text


def desk(write: Writer, g: Generator) -> tuple[bytes, str]:
    shape = page_shape(g)
    page, text = on_paper(write, g, shape, (0.15, 0.6))
    if g.random() < 0.4:
        page = lines_on(
            page, 0.05 * shape[0] * g.uniform(0.6, 1.5), 0.0, (0.5, 0.6, 0.8), 0.5, 1.5, 0
        )
    big = (round(shape[0] * g.uniform(1.1, 1.6)), round(shape[1] * g.uniform(1.1, 1.6)))
    grain = gaussian_filter(g.standard_normal(big, dtype=np.float32), (2, 60))
    tone = g.uniform(0.1, 0.55) * np.array([1, g.uniform(0.6, 1), g.uniform(0.4, 1)])
    table = (tone * (1 + 0.15 * grain / grain.std())[..., None]).astype(np.float32)
    y, x = (int(g.uniform(-0.05 * big[a], 1.05 * big[a] - shape[a])) for a in (0, 1))
    angle = np.radians(g.uniform(-8, 8))
    yy, xx = np.mgrid[: big[0], : big[1]].astype(np.float32)
    cy, cx = y + shape[0] / 2, x + shape[1] / 2
    sy = (yy - cy) * np.cos(angle) + (xx - cx) * np.sin(angle) + shape[0] / 2
    sx = -(yy - cy) * np.sin(angle) + (xx - cx) * np.cos(angle) + shape[1] / 2
    on = np.stack(
        [map_coordinates(page[..., c], [sy, sx], order=1, cval=-1.0) for c in range(3)], -1
    )
    inside = (on >= 0).all(axis=-1, keepdims=True)
    return camera(lit(np.where(inside, on, table), g), g), text


def squared(colour: str) -> Callable[[Writer, Generator], tuple[bytes, str]]:
    def draw(write: Writer, g: Generator) -> tuple[bytes, str]:
        shape = page_shape(g)
        ink, text, height = one(write, g, shape, (0.12, 0.6), (0.04, 0.12))
        tint = (0.45, 0.6, 0.85) if colour == "blue" else (g.uniform(0.4, 0.7),) * 3
        page, angle = sheet(shape, g), g.uniform(-0.05, 0.05)
        pitch = max(height * g.uniform(0.25, 1.3), 12)
        strength, width = g.uniform(0.3, 0.9), max(1.0, 0.04 * pitch * g.uniform(0.5, 1.3))
        for direction in (0.0, np.pi / 2):
            page = lines_on(
                page, pitch, angle + direction, tint, strength, width, g.uniform(0, pitch)
            )
        page = inked(page, ink, g.uniform(0.75, 1), pen_colour(g), 0.1, g)
        return camera(lit(page, g), g), text

    return draw


def ruled_margin(write: Writer, g: Generator) -> tuple[bytes, str]:
    shape = page_shape(g)
    ink, text, height = one(write, g, shape, (0.08, 0.4), (0.05, 0.12))
    page, angle = sheet(shape, g), g.uniform(-0.06, 0.06)
    pitch = height * g.uniform(0.8, 1.8)
    page = lines_on(
        page,
        pitch,
        angle,
        (0.5, 0.6, 0.85),
        g.uniform(0.4, 0.9),
        max(1, 0.03 * pitch),
        g.uniform(0, pitch),
    )
    red = shape[1] * g.uniform(0.1, 0.3)
    page = lines_on(
        page, 10 * shape[1], angle + np.pi / 2, (0.85, 0.3, 0.35), 0.8, max(1.2, 0.03 * pitch), -red
    )
    page = inked(page, ink, g.uniform(0.75, 1), pen_colour(g), 0.1, g)
    return camera(lit(page, g), g), text


def jpeg30(write: Writer, g: Generator) -> tuple[bytes, str]:
    side = int(g.integers(150, 500))
    shape = (side, round(side * g.uniform(0.75, 1.3)))
    page, text = on_paper(write, g, shape, (0.25, 0.8))
    return camera(lit(page, g), g, quality=(20, 35)), text


def scan(write: Writer, g: Generator) -> tuple[bytes, str]:
    shape = page_shape(g)
    ink, text, _ = one(write, g, shape, (0.05, 0.5))
    page = np.ones((*shape, 3), np.float32) * np.float32(g.uniform(0.93, 1))
    page = inked(page, ink, g.uniform(0.75, 1), pen_colour(g), 0.2, g)
    return camera(page, g, noise=0.006, blur=0.6), text


def board(write: Writer, g: Generator) -> tuple[bytes, str]:
    """Chalk on a blackboard."""
    shape = page_shape(g)
    ink, text, _ = one(write, g, shape, (0.2, 0.7), (0.05, 0.13))
    page = np.broadcast_to(
        np.array([0.15, g.uniform(0.15, 0.3), g.uniform(0.15, 0.25)], np.float32), (*shape, 3)
    ).copy()
    cloud = gaussian_filter(g.standard_normal(shape, dtype=np.float32), 0.06 * min(shape))
    page += (0.03 * cloud / cloud.std())[..., None]
    page = inked(page, ink, g.uniform(0.6, 0.95), (0.9, 0.9, 0.87), g.uniform(0.1, 0.4), g)
    return camera(lit(page, g), g), text


def sticky(write: Writer, g: Generator) -> tuple[bytes, str]:
    """A coloured sheet."""
    shape = page_shape(g)
    ink, text, _ = one(write, g, shape, (0.3, 0.8))
    tone = g.uniform(0.35, 1, 3).astype(np.float32)
    page = np.broadcast_to(tone / tone.max() * np.float32(g.uniform(0.7, 1)), (*shape, 3)).copy()
    page = inked(page, ink, g.uniform(0.8, 1), (0.08, 0.08, 0.12), 0.1, g)
    return camera(lit(page, g), g), text


def mouse(dark: bool, filling: bool) -> Callable[[Writer, Generator], tuple[bytes, str]]:
    def draw(write: Writer, g: Generator) -> tuple[bytes, str]:
        side = int(g.choice([100, 140, 200, 280, 400, 560, 800]))
        height = side * (g.uniform(0.85, 1.0) if filling else g.uniform(0.2, 0.6))
        width = min(float(np.exp(g.uniform(np.log(3), np.log(20)))), 0.17 * height)
        (piece,), text = write(1, height, width)
        piece = (fitting(piece, side) > 0.5).astype(np.float32)
        ink = placed(piece, (side, side), g, margin=0.0)
        levels = 1 - ink if dark else ink
        if g.random() < 0.3:
            levels = gaussian_filter(levels, 0.5)
        image = Image.fromarray(np.rint(levels * 255).astype(np.uint8))
        form = "PNG" if g.random() < 0.7 else "JPEG"
        return encoded(image, form), text

    return draw


def alpha(write: Writer, g: Generator) -> tuple[bytes, str]:
    side = int(g.integers(100, 500))
    height = side * g.uniform(0.3, 0.9)
    (piece,), text = write(1, height, height * g.uniform(0.05, 0.14))
    ink = placed(piece, (side, side), g)
    tone = [0, 0, 0] if g.random() < 0.5 else [255, 255, 255]
    pixels = np.concatenate([np.full((side, side, 3), tone), np.rint(255 * ink)[..., None]], axis=2)
    return encoded(Image.fromarray(pixels.astype(np.uint8)), "PNG"), text


def png28(write: Writer, g: Generator) -> tuple[bytes, str]:
    """Drawn elsewhere and reduced to 28x28: any margin, any polarity, some with noise."""
    height = g.uniform(16, 26) * 10
    (piece,), text = write(1, height, height * g.uniform(0.06, 0.14))
    ink = placed(fitting(piece, 280), (280, 280), g)
    small = np.asarray(
        Image.fromarray(ink).resize(
            (28, 28), Image.Resampling.BOX if g.random() < 0.6 else Image.Resampling.BILINEAR
        )
    )
    levels = small if g.random() < 0.5 else 1 - g.uniform(0.7, 1) * small
    levels = levels + g.normal(0, g.choice([0, 0.03, 0.1]), levels.shape)
    return encoded(
        Image.fromarray(np.rint(255 * np.clip(levels, 0, 1)).astype(np.uint8)), "PNG"
    ), text


def tiny(write: Writer, g: Generator) -> tuple[bytes, str]:
    """8 to 20 pixels."""
    side = int(g.integers(8, 21))
    height = g.uniform(0.75, 1) * 160
    (piece,), text = write(1, height, height * g.uniform(0.08, 0.16))
    ink = placed(fitting(piece, 160), (160, 160), g)
    small = np.asarray(Image.fromarray(ink).resize((side, side), Image.Resampling.BOX))
    levels = small if g.random() < 0.5 else 1 - small
    return encoded(
        Image.fromarray(np.rint(255 * np.clip(levels, 0, 1)).astype(np.uint8)), "PNG"
    ), text


def several(
    gap: tuple[float, float],
    kind: str = "photo",
    slant: float = 3.0,
    count: tuple[int, int] = (2, 8),
) -> Callable[[Writer, Generator], tuple[bytes, str]]:
    def draw(write: Writer, g: Generator) -> tuple[bytes, str]:
        n, height = int(g.integers(*count)), float(g.uniform(40, 160))
        width = 0.0 if g.random() < 0.2 else max(height * g.uniform(0.05, 0.13), 1.6)
        pieces, text = write(n, height, width)
        ink = turned(line_of(pieces, gap, g), g.uniform(-slant, slant))
        shape = tuple(round(s + height * g.uniform(0.5, 3)) for s in ink.shape)
        assert len(shape) == 2
        ink = placed(ink, shape, g)
        if kind == "mouse":
            levels = ink > 0.5 if g.random() < 0.5 else ink <= 0.5
            return encoded(Image.fromarray(levels.astype(np.uint8) * 255), "PNG"), text
        page = sheet(shape, g)
        if kind == "squared":
            pitch, angle = max(height * g.uniform(0.4, 1.3), 12), g.uniform(-0.04, 0.04)
            for direction in (0.0, np.pi / 2):
                page = lines_on(
                    page,
                    pitch,
                    angle + direction,
                    (0.5, 0.6, 0.85),
                    g.uniform(0.3, 0.8),
                    max(1.0, 0.03 * pitch),
                    g.uniform(0, pitch),
                )
        page = inked(page, ink, g.uniform(0.7, 1), pen_colour(g), 0.1, g)
        return camera(lit(page, g), g, blur=0.9), text

    return draw


def hand(write: Writer, g: Generator) -> tuple[bytes, str]:
    """A digit in another form, photographed, close or not, scanned or drawn on a screen."""
    draws = (photo, close_up, scan, mouse(dark=True, filling=False))
    return draws[int(g.integers(len(draws)))](write, g)


SCENES: dict[str, Callable[[Writer, Generator], tuple[bytes, str]]] = {
    "photo": photo,
    "close-up": close_up,
    "small photo": small_photo,
    "faint pencil": faint_pencil,
    "marker": marker,
    "strong shadow": strong_shadow,
    "desk": desk,
    "squared, blue": squared("blue"),
    "squared, grey": squared("grey"),
    "ruled with margin": ruled_margin,
    "JPEG 30": jpeg30,
    "scan": scan,
    "blackboard": board,
    "coloured sheet": sticky,
    "mouse, dark": mouse(True, False),
    "mouse, light": mouse(False, False),
    "mouse, filling, dark": mouse(True, True),
    "mouse, filling, light": mouse(False, True),
    "alpha": alpha,
    "28x28": png28,
    "tiny": tiny,
    "several, apart": several((0.3, 1.5)),
    "several, close": several((0.05, 0.3)),
    "several, touching": several((-0.08, 0.05)),
    "several, mouse": several((0.05, 0.6), "mouse"),
    "several, squared": several((0.1, 0.6), "squared"),
    "several, slanted": several((0.1, 0.6), slant=14.0, count=(4, 8)),
    **TROUBLES,
    **{kind: hand for kind in HANDS if not kind.startswith("several")},
    "several, continental": several((0.1, 0.8)),
}
