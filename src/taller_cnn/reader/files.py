"""Many files read together: each by itself if it fails, the network in batches over all.

Of a file with several pages each is read; of an animation, its first picture.
"""

from __future__ import annotations

import glob
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from taller_cnn.data.folders import pictures_in
from taller_cnn.errors import InputError, TallerError
from taller_cnn.reader.finding import Found, Options, find
from taller_cnn.reader.loading import (
    Picture,
    load_picture,
    read_bytes,
    refusals_of,
)
from taller_cnn.reader.marks import Rejected
from taller_cnn.reader.reading import PictureReading, Reader, read_found
from taller_cnn.reasons import os_reason

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
MOST_PAGES = 100
"""Pages of a file that are read."""
LEAST_LOST, LEAST_LOST_PART = 20, 0.08
"""Longer side of a mark that may be a digit: pixels, or a part of a small picture's longer side."""


Source = Path | bytes | TallerError
"""A file, what is in one, or why it cannot be had."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FileReading:
    """What became of one file."""

    name: str
    label: str
    """The same for people, with the page where several are read: ``scan.tif [2]``."""
    picture: Picture | None
    """As it was worked on."""
    reading: PictureReading | None
    """Boxes in pixels of `picture`."""
    error: TallerError | None
    """Why nothing was read."""
    page: int = 1
    """Which of the file's pictures it is, from 1."""
    pages: int = 1
    """Pictures in the file."""
    unread: int = 0
    """Pictures of the file that are left out after this one."""
    is_mostly_lost: bool = False
    """Whether more marks that may be digits were rejected than digits were read."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Loaded:
    """A page that waits for the network; fields as of `FileReading`."""

    name: str
    label: str
    picture: Picture | None = None
    found: Found | None = None
    error: TallerError | None = None
    page: int = 1
    pages: int = 1
    unread: int = 0


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
                yield from _pictures(place)
        except InputError as error:
            yield name, error


def _pictures(place: Path) -> Iterator[tuple[str, Source]]:
    """A file as it is; of a folder, the pictures in it, and folders in it that have none to give.

    Raises:
        InputError: there is no such file, or the folder has no pictures or cannot be listed.
    """
    with refusals_of(str(place)):
        if not stat.S_ISDIR(place.stat().st_mode):
            yield str(place), place
            return
        found = pictures_in(place)
    if not found.pictures and not found.unreadable:
        raise InputError("reader_empty_folder", path=place)
    yield from ((str(path), path) for path in found.pictures)
    for path, error in found.unreadable:
        yield str(path), InputError("reader_unreadable", path=path, reason=os_reason(error))


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
    sources: Iterable[tuple[str, Source]],
    reader: Reader,
    options: Options | None = None,
    *,
    most_pages: int = MOST_PAGES,
) -> Iterator[FileReading]:
    """Read pictures, in their order.

    Args:
        sources: what to call each, and where it comes from.
        reader: the network.
        options: how.
        most_pages: of each file.
    """
    options = options or Options()
    batch: list[_Loaded] = []
    pixels = 0
    for name, source in sources:
        for loaded in _pages(name, source, options, most_pages):
            batch.append(loaded)
            pixels += loaded.picture.pixels.size if loaded.picture is not None else 0
            if len(batch) == BATCH or pixels > BATCH_PIXELS:
                yield from _read_batch(batch, reader, options)
                batch, pixels = [], 0
    yield from _read_batch(batch, reader, options)


def _read_batch(
    batch: Sequence[_Loaded], reader: Reader, options: Options
) -> Iterator[FileReading]:
    found = [loaded.found for loaded in batch if loaded.found is not None]
    readings = iter(read_found(found, reader, options))
    for loaded in batch:
        reading = next(readings) if loaded.found is not None else None
        error, is_mostly_lost = loaded.error, False
        if reading is not None and loaded.picture is not None:
            lost = 0 if options.single else _lost(reading.rejected, loaded.picture)
            is_mostly_lost = lost > len(reading.digits) > 0
            if not reading.digits:
                key = "reader_no_digits" if reading.rejected else "reader_no_ink"
                error = InputError(key, path=loaded.label)
        yield FileReading(
            name=loaded.name,
            label=loaded.label,
            picture=loaded.picture,
            reading=reading,
            error=error,
            page=loaded.page,
            pages=loaded.pages,
            unread=loaded.unread,
            is_mostly_lost=is_mostly_lost,
        )


def _lost(rejected: Sequence[Rejected], picture: Picture) -> int:
    """How many of the marks that are not read may be digits, by their size.

    The sheet's edges and shadows that touch them are none.
    """
    least = min(LEAST_LOST, LEAST_LOST_PART * max(picture.pixels.shape[:2]))
    boxes = [mark.box for mark in rejected if mark.reason.key != "reader_edge"]
    return sum(max(box[2] - box[0], box[3] - box[1]) >= least for box in boxes)


def _pages(name: str, source: Source, options: Options, most: int) -> Iterator[_Loaded]:
    """The pages of a file that are read, one after the other."""
    first = _found(name, source, options)
    pages = first.picture.pages if first.picture is not None else 1
    read = 1 if first.picture is None or first.picture.is_animation else min(pages, most)
    if read == 1:
        yield replace(first, pages=pages, unread=pages - 1)
        return
    labels = [f"{name} [{page}]" for page in range(1, read + 1)]
    yield replace(first, label=labels[0], pages=pages)
    for page in range(1, read):
        unread = pages - read if page == read - 1 else 0
        found = _found(name, source, options, page, labels[page])
        yield replace(found, pages=pages, unread=unread)


def _found(name: str, source: Source, options: Options, page: int = 0, label: str = "") -> _Loaded:
    """What is in one page of a file; whatever happens to it, others can still be read."""
    label = label or name
    loaded = _Loaded(name=name, label=label, page=page + 1)
    if isinstance(source, TallerError):
        return replace(loaded, error=source)
    try:
        picture = load_picture(source, name=label, page=page)
        found = find(picture.pixels, options)
        if picture.is_reduced and 0 < found.stroke < THIN:
            most = FINER * picture.pixels.shape[0] * picture.pixels.shape[1]
            picture = load_picture(source, name=label, most_pixels=most, page=page)
            found = find(picture.pixels, options)
    except TallerError as error:
        return replace(loaded, error=error)
    except MemoryError:
        return replace(loaded, error=InputError("reader_no_memory", path=label))
    except Exception as error:  # a fault of ours with one picture is no reason to lose the others
        reason = f"{type(error).__name__}: {error}"
        return replace(loaded, error=InputError("reader_fault", path=label, reason=reason))
    return replace(loaded, picture=picture, found=found)


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
