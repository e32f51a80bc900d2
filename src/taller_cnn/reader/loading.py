"""Pictures from files: everything that Pillow reads, upright, over its ground, not too large.

A picture's size is known from its header, so that a bomb is refused before anything of it is
decoded; a JPEG is reduced while it is decoded, which is ten times as fast.
"""

from __future__ import annotations

import io
import itertools
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from taller_cnn.errors import InputError
from taller_cnn.reasons import os_reason

MOST_MEGAPIXELS = 50
MOST_MEGABYTES = 250
"""Larger files are not even read: 50 megapixels without compression are 150 MB in colour."""
LONGEST = 20_000
"""Longest side in pixels: what is longer is no picture of writing, and costs as much as a bomb."""
WORKING_PIXELS = 1_500_000
"""Pictures are worked on with at most so many pixels."""
LEAST_PIXELS = 700_000
"""A JPEG is decoded with at least so many, if it has them."""
MANY_BITS = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")
"""Modes of grey with more than 8 bits."""
HEIF_BRANDS = frozenset([b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"])


DOCUMENTS = ("TIFF", "DCX")
"""Formats whose pictures are pages, each to be read."""
ANIMATIONS = ("GIF", "PNG", "WEBP", "AVIF", "HEIF", "FLI")
"""Formats whose further pictures follow the first one in time. What others have behind it, such
as the previews and light maps of telephones' JPEGs, nobody wrote."""
DAMAGED = -1
"""Where a page is that is announced and not there."""
REDUCED = 0xFE
"""Tag of TIFF whose lowest bit tells that a page is a smaller copy of another one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A picture ready to be read."""

    pixels: NDArray[np.uint8]
    """``uint8 [H, W, 3]`` or, of grey ones, ``[H, W]``, upright."""
    size: tuple[int, int]
    """Width and height of the file's picture, upright."""
    pages: int = 1
    """Pictures in the file, this one among them."""
    is_animation: bool = False
    """Whether the others follow in time."""

    @property
    def scale(self) -> float:
        """Pixels of the file for one of `pixels`."""
        width: int = self.pixels.shape[1]
        return self.size[0] / width

    @property
    def is_reduced(self) -> bool:
        """Whether the file has more pixels."""
        width: int = self.pixels.shape[1]
        return self.size[0] > width


def load_picture(
    source: Path | bytes, *, name: str = "", most_pixels: int = WORKING_PIXELS, page: int = 0
) -> Picture:
    """Load a picture.

    Args:
        source: a file, or what is in it.
        name: what errors call it; by default the file's path.
        most_pixels: larger pictures are reduced to at most so many.
        page: which one, from 0, of a file that has several.

    Raises:
        InputError: no such file, empty, not a picture, damaged, or of more than
            `MOST_MEGAPIXELS`.
    """
    name = name or ("-" if isinstance(source, bytes) else str(source))
    data = source if isinstance(source, bytes) else _file_bytes(source, name)
    if not data:
        raise InputError("reader_empty_file", path=name)
    knows_heif = _know_heif()
    try:
        with warnings.catch_warnings():
            # Pillow warns in words for programmers: of large pictures, of odd metadata.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                return _loaded(image, name, most_pixels, page)
    except InputError:
        raise
    except UnidentifiedImageError as error:
        heif = data[4:8] == b"ftyp" and data[8:12] in HEIF_BRANDS
        key = "reader_heif" if heif and not knows_heif else "reader_not_picture"
        raise InputError(key, path=name) from error
    except Image.DecompressionBombError as error:
        raise InputError("reader_too_large", path=name, most=MOST_MEGAPIXELS) from error
    except MemoryError:
        raise
    except Exception as error:
        # Which exception damaged bytes raise depends on the format and the bytes.
        raise InputError("reader_damaged", path=name) from error


def read_bytes(file: BinaryIO, name: str) -> bytes:
    """All that is in an open file.

    Raises:
        InputError: more than `MOST_MEGABYTES`.
    """
    most = MOST_MEGABYTES * 1_000_000
    data = file.read(most + 1)
    if len(data) > most:
        raise InputError("reader_too_many_bytes", path=name, most=MOST_MEGABYTES)
    return data


def _file_bytes(path: Path, name: str) -> bytes:
    with refusals_of(name), path.open("rb") as file:
        return read_bytes(file, name)


@contextmanager
def refusals_of(name: str) -> Iterator[None]:
    """Say of a file or folder why the system does not give it.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise InputError("reader_no_file", path=name) from error
    except (OSError, ValueError) as error:
        reason = os_reason(error) if isinstance(error, OSError) else str(error)
        raise InputError("reader_unreadable", path=name, reason=reason) from error


@cache
def _know_heif() -> bool:
    """Let Pillow read HEIC, as telephones write it, if the library for it is there."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True


def _pages(image: Image.Image) -> list[int]:
    """Where in a file its pictures are; smaller copies of pages are left out."""
    if image.format in DOCUMENTS:
        return list(_document_pages(image))
    if image.format not in ANIMATIONS:
        return [0]
    try:
        return list(range(getattr(image, "n_frames", 1)))
    except Exception:  # whatever raises what is damaged behind it, the first picture is there
        return [0]


def _document_pages(image: Image.Image) -> Iterator[int]:
    """Where its pages are; `DAMAGED` for one that cannot be reached, with all behind it."""
    for frame in itertools.count():
        try:
            image.seek(frame)
            tags = getattr(image, "tag_v2", {})
            is_copy = frame > 0 and int(tags.get(REDUCED, 0)) & 1
        except EOFError:
            return
        except Exception:  # which one depends on what is damaged
            yield DAMAGED
            return
        if not is_copy:
            yield frame


def _loaded(image: Image.Image, name: str, most_pixels: int, page: int) -> Picture:
    is_animation = image.format in ANIMATIONS
    pages = _pages(image)
    if pages[page] == DAMAGED:
        raise InputError("reader_damaged", path=name)
    if len(pages) > 1:
        image.seek(pages[page])
    width, height = image.size
    if width * height > MOST_MEGAPIXELS * 1_000_000:
        raise InputError("reader_too_large", path=name, most=MOST_MEGAPIXELS)
    if max(width, height) > LONGEST:
        raise InputError("reader_too_long", path=name, most=LONGEST)
    scale = math.sqrt(min(LEAST_PIXELS, most_pixels) / (width * height))
    if scale < 1 and most_pixels <= WORKING_PIXELS:
        image.draft(None, (math.ceil(width * scale), math.ceil(height * scale)))
    # TIFF files are put upright by Pillow itself, and then say so.
    opened = image.size
    image.load()
    if image.size == opened[::-1] != opened:
        width, height = height, width
    reduced = _reduced(image, most_pixels)
    lying = reduced.size
    with suppress(Exception):
        # Whatever damaged metadata raise, the picture itself is there: it is turned before what is
        # left of them is written back.
        ImageOps.exif_transpose(reduced, in_place=True)
    size = (width, height) if reduced.size == lying else (height, width)
    return Picture(pixels=_pixels(reduced), size=size, pages=len(pages), is_animation=is_animation)


def _reduced(image: Image.Image, most_pixels: int) -> Image.Image:
    """At most so many pixels, each the mean of an area, in a mode that has means."""
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA" if _has_alpha(image) else "RGB")
    elif image.mode.startswith("I;16"):
        image = image.convert("I")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode == "LAB":
        image = image.getchannel("L")
    factor = math.ceil(math.sqrt(image.width * image.height / most_pixels))
    return image.reduce(factor) if factor > 1 else image


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode in MANY_BITS:
        return _eight_bits(np.asarray(image, dtype=np.float32))
    if _has_alpha(image):
        return _over_ground(np.asarray(image.convert("RGBA")))
    return np.asarray(image if image.mode == "L" else image.convert("RGB"), dtype=np.uint8)


def _eight_bits(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Many bits to 8, by the bits that are used: scanners fill 10, 12 or 14 of 16.

    Not from the darkest to the brightest, which would make ink of an empty page's noise.
    """
    values = np.nan_to_num(values, posinf=0, neginf=0)
    values = values - min(float(values.min()), 0.0)
    highest = float(values.max())
    most = 1.0 if highest <= 1 else 2.0 ** max(8, math.ceil(math.log2(highest + 1))) - 1
    levels: NDArray[np.uint8] = np.rint(values * (255 / most)).astype(np.uint8)
    return levels


def _over_ground(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What is drawn on nothing, put over white; over black if it is light itself."""
    colours, alpha = pixels[..., :3].astype(np.float32), pixels[..., 3:].astype(np.float32) / 255
    drawn = float((colours.mean(axis=2, keepdims=True) * alpha).sum() / max(alpha.sum(), 1e-9))
    ground = 0 if float(alpha.mean()) < 0.5 and drawn > 160 else 255
    shown: NDArray[np.uint8] = np.rint(colours * alpha + ground * (1 - alpha)).astype(np.uint8)
    return shown
