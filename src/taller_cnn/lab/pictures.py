"""Pictures that come over the wire: what kind they are is looked at first, then they are read."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

from taller_cnn.errors import Phrase, TallerError
from taller_cnn.lab.problems import FieldError, LabError, MediaTypeError, TooLargeError

if TYPE_CHECKING:
    from taller_cnn.reader import Options, PictureReading, Reader
    from taller_cnn.reader.loading import Picture

__all__ = ["read_bytes"]

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""Kinds of files that are decoded; the library knows many more, with rarely used decoders."""


def read_bytes(data: bytes, reader: Reader, options: Options) -> tuple[Picture, PictureReading]:
    """What the reader makes of a picture file.

    Returns:
        The picture as it was worked on, and what was read, with boxes in the file's own pixels;
        without digits where there are none.

    Raises:
        FieldError: there is no data, or the picture is damaged.
        MediaTypeError: not a picture of a kind that is read.
        TooLargeError: more pixels than the reader takes.
    """
    from taller_cnn.reader.files import in_file_pixels, read_files

    _check_kind(data)
    (read,) = read_files([("", data)], reader, options)
    if read.picture is None or read.reading is None:
        raise _refusal(read.error)
    return read.picture, in_file_pixels(read)


def _check_kind(data: bytes) -> None:
    """Look at the header alone, with none but the known decoders."""
    from PIL import Image, UnidentifiedImageError

    if not data:
        raise FieldError("lab_picture", pointer="/", reason=Phrase("reason_empty"))
    with warnings.catch_warnings():
        # Of large and of odd files; the reader judges both.
        warnings.simplefilter("ignore")
        try:
            Image.open(io.BytesIO(data), formats=FORMATS).close()
        except UnidentifiedImageError:
            raise _wrong_kind() from None
        except Image.DecompressionBombError:
            # How many pixels are too many, the reader says.
            return
        except (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, TypeError):
            # Which of these a damaged header raises depends on the decoder.
            raise _damaged() from None


def _refusal(error: TallerError | None) -> TallerError:
    """The reader's refusal as the lab tells it, where the picture has no name."""
    assert error is not None
    most = error.values.get("most")
    refusals: dict[str, LabError] = {
        "reader_too_large": TooLargeError("lab_pixels", most=most),
        "reader_too_long": TooLargeError("lab_picture_side", most=most),
        "reader_not_picture": _wrong_kind(),
        "reader_damaged": _damaged(),
    }
    return refusals.get(error.key, error)


def _wrong_kind() -> MediaTypeError:
    return MediaTypeError("lab_picture_kind", allowed=", ".join(FORMATS))


def _damaged() -> FieldError:
    return FieldError("lab_picture", pointer="/", reason=Phrase("reason_damaged"))
