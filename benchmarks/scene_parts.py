"""What scenes are made of: writing on paper, under a lamp, before a camera."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

Grey = NDArray[np.float32]
Generator = np.random.Generator
Writer = Callable[[int, float, float], tuple[list[Grey], str]]
"""(count, height, width of a stroke) -> ink of each digit, 0 to 1, and what they are."""


def line_of(pieces: list[Grey], gap: tuple[float, float], generator: Generator) -> Grey:
    """Digits beside each other; gaps are in digit heights, negative ones let them touch."""
    height = max(len(piece) for piece in pieces)
    spaces = [round(height * generator.uniform(*gap)) for _ in pieces]
    width = sum(piece.shape[1] for piece in pieces) + sum(max(s, 0) for s in spaces) + 2 * height
    ink = np.zeros((2 * height, width), np.float32)
    x = height // 2
    for piece, space in zip(pieces, spaces, strict=True):
        top = height // 2 + (height - len(piece)) // 2
        top += round(float(generator.normal(0, 0.05)) * height)
        top = min(max(top, 0), 2 * height - len(piece))
        part = ink[top : top + len(piece), x : x + piece.shape[1]]
        np.maximum(part, piece, out=part)
        x += piece.shape[1] + max(space, -piece.shape[1] // 3)
    return cropped(ink)


def cropped(ink: Grey) -> Grey:
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def turned(ink: Grey, degrees: float) -> Grey:
    image = Image.fromarray(np.pad(ink, 2))
    return cropped(np.asarray(image.rotate(degrees, Image.Resampling.BILINEAR, expand=True)))


def fitting(ink: Grey, side: int) -> Grey:
    """Reduced where it is longer than the frame."""
    scale = side / max(ink.shape)
    if scale >= 1:
        return ink
    size = (max(1, int(ink.shape[1] * scale)), max(1, int(ink.shape[0] * scale)))
    return np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BOX))


def placed(ink: Grey, shape: tuple[int, int], generator: Generator, margin: float = 0.02) -> Grey:
    """Somewhere on a page."""
    page = np.zeros(shape, np.float32)
    room = [max(shape[axis] - ink.shape[axis], 0) for axis in (0, 1)]
    edge = round(margin * min(shape))
    y, x = (int(generator.integers(min(edge, r // 2), max(r - edge, r // 2) + 1)) for r in room)
    part = page[y : y + ink.shape[0], x : x + ink.shape[1]]
    part[:] = ink[: part.shape[0], : part.shape[1]]
    return page


# ------------------------------------------------------------------------------- paper and light


def sheet(shape: tuple[int, int], generator: Generator) -> Grey:
    """White to cream, ``float32 [H, W, 3]``."""
    white = generator.uniform(0.8, 1.0) * np.array(
        [1, generator.uniform(0.97, 1), generator.uniform(0.85, 1)]
    )
    return np.broadcast_to(white.astype(np.float32), (*shape, 3)).copy()


def inked(
    page: Grey, ink: Grey, darkness: float, colour: Any, grain: float, generator: Generator
) -> Grey:
    if grain:
        rough = gaussian_filter(generator.standard_normal(ink.shape, dtype=np.float32), 0.8)
        ink = ink * np.clip(1 - grain * (0.5 + rough / rough.std()), 0, 1)
    cover = (darkness * ink)[..., None]
    inked: Grey = page * (1 - cover) + np.asarray(colour, np.float32) * cover
    return inked


PENS = ((0.08, 0.08, 0.1), (0.1, 0.15, 0.5), (0.05, 0.1, 0.35), (0.2, 0.2, 0.2), (0.7, 0.1, 0.1))


def pen_colour(generator: Generator) -> tuple[float, float, float]:
    return PENS[int(generator.integers(len(PENS)))]


def lines_on(
    page: Grey,
    pitch: float,
    angle: float,
    colour: Any,
    strength: float,
    width: float,
    offset: float,
) -> Grey:
    y, x = np.mgrid[: page.shape[0], : page.shape[1]].astype(np.float32)
    across = x * np.sin(angle) + y * np.cos(angle)
    position = np.mod(across + offset, pitch)
    distance = np.minimum(position, pitch - position)
    line = strength * np.clip(width / 2 + 0.5 - distance, 0, 1)[..., None]
    lined: Grey = page * (1 - line) + np.asarray(colour, np.float32) * line
    return lined


def lit(page: Grey, generator: Generator, fall: float = 0.3, shadow: float = 0.0) -> Grey:
    shape = page.shape[:2]
    y, x = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in shape), indexing="ij")
    angle = generator.uniform(0, 2 * np.pi)
    along = (x * np.cos(angle) + y * np.sin(angle)) / 1.4
    light = generator.uniform(0.6, 1.0) * (1 - fall * (1 + along) / 2)
    if shadow:
        angle = generator.uniform(0, 2 * np.pi)
        beyond = x * np.cos(angle) + y * np.sin(angle) - generator.uniform(-0.6, 0.6)
        beyond += 0.15 * np.sin(
            generator.uniform(2, 6) * (x * np.sin(angle) - y * np.cos(angle)) + 1
        )
        light *= 1 - shadow / (1 + np.exp(-beyond / generator.uniform(0.02, 0.3)))
    seen: Grey = page * light[..., None].astype(np.float32)
    return seen


def camera(
    page: Grey,
    generator: Generator,
    quality: tuple[int, int] = (60, 95),
    noise: float = 0.02,
    blur: float = 1.2,
) -> bytes:
    page = gaussian_filter(page, (*[generator.uniform(0.3, blur)] * 2, 0))
    page = page + generator.standard_normal(page.shape, dtype=np.float32) * np.float32(
        generator.uniform(0.003, noise)
    )
    pixels = np.rint(255 * np.clip(page, 0, 1)).astype(np.uint8)
    return encoded(Image.fromarray(pixels), "JPEG", quality=int(generator.integers(*quality)))


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def page_shape(generator: Generator) -> tuple[int, int]:
    long = int(generator.integers(500, 1300))
    short = round(long * generator.uniform(0.65, 0.8))
    return (long, short) if generator.random() < 0.5 else (short, long)


def one(
    write: Writer,
    generator: Generator,
    shape: tuple[int, int],
    size: tuple[float, float] = (0.12, 0.7),
    stroke: tuple[float, float] = (0.04, 0.13),
) -> tuple[Grey, str, float]:
    """A digit on a page of that shape, what it is, and its height."""
    height = min(shape) * float(np.exp(generator.uniform(*np.log(size))))
    width = max(height * float(np.exp(generator.uniform(*np.log(stroke)))), 1.6)
    (piece,), text = write(1, height, width if generator.random() < 0.8 else 0.0)
    return placed(fitting(piece, round(0.97 * min(shape))), shape, generator), text, height
