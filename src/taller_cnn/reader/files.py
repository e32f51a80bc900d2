"""Many files read together: each by itself if it fails, the network in batches over all."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from taller_cnn.errors import InputError, TallerError
from taller_cnn.reader.finding import Found, Options, find
from taller_cnn.reader.loading import Picture, load_picture, picture_files, read_bytes, refusals_of
from taller_cnn.reader.reading import PictureReading, Reader, read_found

STDIN = "-"
"""What stands for standard input."""

BATCH = 64
"""Pictures that the network sees together."""
BATCH_PIXELS = 16_000_000
"""Pixels of pictures that are in memory together: 50 MB, and the few times that of the stages."""
THIN = 1.6
"""Strokes thinner than this many pixels have lost by the reduction of their picture."""
FINER = 4
"""Times the pixels that such a picture is loaded with again."""


Source = Path | bytes | TallerError
"""A file, what is in one, or why it cannot be had."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FileReading:
    """What became of one file."""

    name: str
    picture: Picture | None
    """As it was worked on."""
    reading: PictureReading | None
    """Boxes in pixels of `picture`."""
    error: TallerError | None
    """Why nothing was read."""


_Loaded = tuple[str, Picture | None, Found | None, TallerError | None]
"""What a file is called, its picture, what is in it, or why there is none."""


def named_sources(words: Sequence[str], stdin: BinaryIO) -> Iterator[tuple[str, Source]]:
    """The pictures that words stand for, each with its name; for a word that has none, why.

    Args:
        words: files, folders, patterns that the shell has left as they are, and `STDIN`.
        stdin: the bytes of `STDIN`.
    """
    for word in words:
        name = word
        try:
            if word == STDIN:
                with refusals_of(STDIN):
                    data = read_bytes(stdin, STDIN)
                yield STDIN, data
                continue
            for place in _expanded(word):
                name = str(place)
                yield from ((str(path), path) for path in picture_files(place))
        except InputError as error:
            yield name, error


def _expanded(word: str) -> list[Path]:
    """The files and folders of a pattern; a word that is none, or the name of a file, as it is.

    Raises:
        InputError: nothing matches.
    """
    path = Path(word)
    try:
        exists = path.exists()
    except (OSError, ValueError):
        exists = False
    if exists or not glob.has_magic(word):
        return [path]
    matches = sorted(glob.glob(word, recursive=True))  # noqa: PTH207 - absolute ones too
    if not matches:
        raise InputError("reader_no_match", path=word)
    return [Path(match) for match in matches]


def refusals(
    sources: Sequence[tuple[str, Source]], *, closely: bool
) -> list[tuple[str, TallerError]]:
    """Why none of the pictures can be read; nothing where one can.

    Args:
        sources: from `named_sources`.
        closely: whether files are opened; otherwise it is enough that they are there.
    """
    refused = []
    for name, source in sources:
        try:
            if isinstance(source, TallerError):
                raise source
            if closely:
                load_picture(source, name=name)
        except TallerError as error:
            refused.append((name, error))
        else:
            return []
    return refused


def read_files(
    sources: Iterable[tuple[str, Source]], reader: Reader, options: Options | None = None
) -> Iterator[FileReading]:
    """Read pictures, in their order.

    Args:
        sources: what to call each, and where it comes from.
        reader: the network.
        options: how.
    """
    options = options or Options()
    batch: list[_Loaded] = []
    pixels = 0
    for name, source in sources:
        batch.append(_found(name, source, options))
        picture = batch[-1][1]
        pixels += picture.pixels.size if picture is not None else 0
        if len(batch) == BATCH or pixels > BATCH_PIXELS:
            yield from _read_batch(batch, reader, options)
            batch, pixels = [], 0
    yield from _read_batch(batch, reader, options)


def _read_batch(
    batch: Sequence[_Loaded], reader: Reader, options: Options
) -> Iterator[FileReading]:
    readings = iter(read_found([f for _, _, f, _ in batch if f is not None], reader, options))
    for name, picture, found, error in batch:
        reading = next(readings) if found is not None else None
        if reading is not None and not reading.digits:
            error = InputError(
                "reader_no_digits" if reading.rejected else "reader_no_ink", path=name
            )
        yield FileReading(name=name, picture=picture, reading=reading, error=error)


def _found(name: str, source: Source, options: Options) -> _Loaded:
    if isinstance(source, TallerError):
        return name, None, None, source
    try:
        picture = load_picture(source, name=name)
        found = find(picture.pixels, options)
        if picture.is_reduced and 0 < found.stroke < THIN:
            most = FINER * picture.pixels.shape[0] * picture.pixels.shape[1]
            picture = load_picture(source, name=name, most_pixels=most)
            found = find(picture.pixels, options)
    except TallerError as error:
        return name, None, None, error
    return name, picture, found, None


def in_file_pixels(reading: FileReading) -> PictureReading:
    """The reading with boxes in pixels of the file's own picture."""
    assert reading.reading is not None
    assert reading.picture is not None
    scale, (width, height) = reading.picture.scale, reading.picture.size

    def scaled(box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        left, top, right, bottom = (round(value * scale) for value in box)
        return max(left, 0), max(top, 0), min(right, width), min(bottom, height)

    digits = tuple(replace(digit, box=scaled(digit.box)) for digit in reading.reading.digits)
    marks = tuple(replace(mark, box=scaled(mark.box)) for mark in reading.reading.rejected)
    return replace(reading.reading, digits=digits, rejected=marks)
