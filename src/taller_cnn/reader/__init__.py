"""Photos, scans and drawings to digits that are read."""

from taller_cnn.reader.finding import Found, Options, find
from taller_cnn.reader.marks import Rejected
from taller_cnn.reader.preparation import prepare
from taller_cnn.reader.reading import (
    DigitReading,
    PictureReading,
    Reader,
    read,
    read_found,
)

__all__ = [
    "DigitReading",
    "Found",
    "Options",
    "PictureReading",
    "Reader",
    "Rejected",
    "find",
    "prepare",
    "read",
    "read_found",
]
