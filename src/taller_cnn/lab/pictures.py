"""Pictures that come over the wire, decoded with care: size and kind are looked at first."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from taller_cnn.errors import Phrase
from taller_cnn.lab.problems import FieldError, MediaTypeError, TooLargeError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["MOST_PIXELS", "decode"]

MOST_PIXELS = 50_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""Kinds of files that are decoded; the library knows many more, with rarely used decoders."""
WIDE_GREYS = ("I", "I;16", "I;16L", "I;16B")
"""Pillow's names for 16 bits a pixel, which its conversion would cut off at 255."""


def decode(data: bytes) -> NDArray[np.uint8]:
    """The pixels of a picture, upright, on white where it is transparent.

    Args:
        data: the file.

    Returns:
        ``uint8 [H, W, 3]``.

    Raises:
        FieldError: there is no data.
        MediaTypeError: not a picture of a kind that is read.
        TooLargeError: more than `MOST_PIXELS`.
    """
    from PIL import Image, UnidentifiedImageError

    if not data:
        raise FieldError("lab_picture", pointer="/", reason=Phrase("reason_empty"))
    with warnings.catch_warnings():
        # Of large and of odd files; both are judged here.
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                # Nothing is decoded yet.
                if picture.width * picture.height > MOST_PIXELS:
                    raise TooLargeError("lab_pixels", most=MOST_PIXELS / 1e6)
                return _pixels(picture)
        except UnidentifiedImageError:
            kinds = ", ".join(FORMATS)
            raise MediaTypeError("lab_picture_kind", allowed=kinds) from None
        except Image.DecompressionBombError:
            raise TooLargeError("lab_pixels", most=MOST_PIXELS / 1e6) from None
        except (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, TypeError):
            # Which of these a damaged file raises depends on the decoder.
            reason = Phrase("reason_damaged")
            raise FieldError("lab_picture", pointer="/", reason=reason) from None


def _pixels(picture: Image) -> NDArray[np.uint8]:
    from PIL import Image, ImageOps

    upright = ImageOps.exif_transpose(picture)
    if upright.mode in WIDE_GREYS:
        wide = np.asarray(upright, dtype=np.int64)
        grey = np.clip(wide // (256 if wide.max(initial=0) > 255 else 1), 0, 255)
        return np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)
    if upright.has_transparency_data:
        coloured = upright.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        upright = Image.alpha_composite(white, coloured)
    return np.asarray(upright.convert("RGB"), dtype=np.uint8)
