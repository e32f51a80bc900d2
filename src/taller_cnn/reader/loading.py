"""Pictures from files: everything that Pillow reads, upright, over its ground, not too large.

A picture's size is known from its header, so that a bomb is refused before anything of it is
decoded; a JPEG is reduced while it is decoded, which is ten times as fast.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from taller_cnn.errors import InputError
from taller_cnn.files import os_reason

__all__ = ["MOST_MEGAPIXELS", "WORKING_PIXELS", "Picture", "load_picture", "picture_files"]

MOST_MEGAPIXELS = 50
WORKING_PIXELS = 1_500_000
"""Pictures are worked on with at most so many pixels."""
LEAST_PIXELS = 700_000
"""A JPEG is decoded with at least so many, if it has them."""
SUFFIXES = frozenset(
    [".avif", ".bmp", ".gif", ".heic", ".heif", ".j2k", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"]
)
"""What counts as a picture in a folder."""
GREYS = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")
"""Modes with more than 8 bits."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A picture ready to be read."""

    pixels: NDArray[np.uint8]
    """``uint8 [H, W, 3]`` or, of grey ones, ``[H, W]``, upright."""
    size: tuple[int, int]
    """Width and height of the file's picture, upright."""

    @property
    def scale(self) -> float:
        """Pixels of the file for one of `pixels`."""
        return self.size[0] / self.pixels.shape[1]

    @property
    def is_reduced(self) -> bool:
        """Whether the file has more pixels."""
        return self.size[0] > self.pixels.shape[1]


def picture_files(paths: Iterable[Path]) -> list[Path]:
    """Files as they are, and for each folder the pictures in it, by name.

    Raises:
        InputError: a folder has no pictures.
    """
    files = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        try:
            found = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
        except OSError as error:
            raise InputError("reader_unreadable", path=path, reason=os_reason(error)) from error
        if not found:
            raise InputError("reader_empty_folder", path=path)
        files += found
    return files


def load_picture(
    source: Path | bytes, *, name: str = "", most_pixels: int = WORKING_PIXELS
) -> Picture:
    """Load a picture, its first frame if there are several.

    Args:
        source: a file, or what is in it.
        name: what errors call it; by default the file's path.
        most_pixels: larger pictures are reduced to at most so many.

    Raises:
        InputError: no such file, empty, not a picture, damaged, or of more than
            `MOST_MEGAPIXELS`.
    """
    name = name or ("-" if isinstance(source, bytes) else str(source))
    data = source if isinstance(source, bytes) else _read(source, name)
    if not data:
        raise InputError("reader_empty_file", path=name)
    _know_heif()
    try:
        with warnings.catch_warnings():
            # Pillow warns in words for programmers: of large pictures, of odd metadata.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                return _loaded(image, name, most_pixels)
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError("reader_not_picture", path=name) from error
    except Image.DecompressionBombError as error:
        raise InputError("reader_too_large", path=name, most=MOST_MEGAPIXELS) from error
    except MemoryError:
        raise
    except Exception as error:
        # Which exception damaged bytes raise depends on the format and the bytes.
        raise InputError("reader_damaged", path=name) from error


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError("reader_no_file", path=name) from error
    except (OSError, ValueError) as error:
        reason = os_reason(error) if isinstance(error, OSError) else str(error)
        raise InputError("reader_unreadable", path=name, reason=reason) from error


@cache
def _know_heif() -> None:
    """Let Pillow read HEIC, as telephones write it, if the library for it is there."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return
    register_heif_opener()


def _loaded(image: Image.Image, name: str, most_pixels: int) -> Picture:
    width, height = image.size
    if width * height > MOST_MEGAPIXELS * 1_000_000:
        raise InputError("reader_too_large", path=name, most=MOST_MEGAPIXELS)
    scale = math.sqrt(min(LEAST_PIXELS, most_pixels) / (width * height))
    if scale < 1 and most_pixels <= WORKING_PIXELS:
        image.draft(None, (round(width * scale), round(height * scale)))
    image.load()
    turned = _turned(image)
    upright = (height, width) if turned else (width, height)
    small = _reduced(image, most_pixels)
    return Picture(pixels=_pixels(ImageOps.exif_transpose(small)), size=upright)


def _turned(image: Image.Image) -> bool:
    """Whether EXIF says that the camera was held upright."""
    return image.getexif().get(0x0112, 1) in (5, 6, 7, 8)


def _reduced(image: Image.Image, most_pixels: int) -> Image.Image:
    factor = math.ceil(math.sqrt(image.width * image.height / most_pixels))
    if factor <= 1:
        return image
    exif = image.getexif()
    if image.mode in ("1", "P", "PA"):
        image = image.convert("RGBA" if _has_alpha(image) else "RGB")
    elif image.mode.startswith("I;16"):
        image = image.convert("I")
    small = image.reduce(factor)
    # The orientation is needed yet.
    small.getexif().update(exif)
    return small


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode in GREYS:
        return _stretched(np.asarray(image, dtype=np.float32))
    if _has_alpha(image):
        return _over_ground(np.asarray(image.convert("RGBA")))
    return np.asarray(image if image.mode == "L" else image.convert("RGB"))


def _stretched(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Many bits to 8: from the darkest to the brightest, as few files use their whole range."""
    values = np.nan_to_num(values, posinf=0, neginf=0)
    low, high = float(values.min()), float(values.max())
    return np.rint((values - low) * (255 / max(high - low, 1e-9))).astype(np.uint8)


def _over_ground(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What is drawn on nothing, put over white; over black if it is light itself."""
    colours, alpha = pixels[..., :3].astype(np.float32), pixels[..., 3:].astype(np.float32) / 255
    drawn = float((colours.mean(axis=2, keepdims=True) * alpha).sum() / max(alpha.sum(), 1e-9))
    ground = 0 if float(alpha.mean()) < 0.5 and drawn > 160 else 255
    return np.rint(colours * alpha + ground * (1 - alpha)).astype(np.uint8)
