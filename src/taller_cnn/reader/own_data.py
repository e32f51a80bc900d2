"""Data of one's own, from pictures in folders or from a table, prepared once.

Pictures of 28 x 28 pixels are taken as they are; in others the reader looks for the one thing that
is written, or they are only made smaller.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from taller_cnn.data.folders import LABELS, LabelledFolder, labelled_pictures
from taller_cnn.data.own import (
    TEST,
    TRAIN,
    UNKNOWN,
    VALIDATION,
    OwnImages,
    fingerprint,
    keep,
    kept_notes,
    set_name,
)
from taller_cnn.data.tables import is_inverted, is_table, read_table, table_files
from taller_cnn.errors import DataError, InputError, Phrase, TallerError
from taller_cnn.reader.finding import Options, find
from taller_cnn.reader.light import grey
from taller_cnn.reader.loading import load_picture
from taller_cnn.reader.preparation import SIDE
from taller_cnn.reasons import os_reason

PARTS = {"": UNKNOWN, "train": TRAIN, "validation": VALIDATION, "test": TEST}
MOST_SKIPPED = 0.1
"""Of the pictures that cannot be used: with more, something else is wrong."""
NAMED = 3
"""Pictures that are named where some are left out."""


@dataclass(frozen=True, kw_only=True)
class PreparedPictures:
    """How many pictures have been prepared."""

    done: int
    total: int


@dataclass(frozen=True, kw_only=True)
class OwnSet:
    """A set of one's own that can be loaded by its name."""

    name: str
    notes: tuple[Phrase, ...]
    """What is to be told of it."""
    is_new: bool
    """Whether it was made now."""


def own_set(
    path: Path, own_dir: Path, *, resized: bool | None = None
) -> Iterator[PreparedPictures | OwnSet]:
    """The set that a path stands for, made if it is not there or if what it was made from changed.

    Args:
        path: a folder of pictures with classes, a folder of IDX files, a CSV or a ``.npz``.
        own_dir: where sets are kept, each in a folder of its name.
        resized: whether pictures are only made smaller; None for as the set was made before.

    Yields:
        How far it is with pictures; the last item is the set.

    Raises:
        InputError: the path cannot be read, or it is none of these.
        DataError: too many pictures cannot be used, or a class has too few.
        OutputError: the set cannot be kept.
    """
    if not path.exists():
        raise InputError("own_no_path", path=path)
    table = is_table(path)
    if not table and not path.is_dir():
        raise InputError("own_kind", path=path)
    folder = own_dir / set_name(path)
    pictures = None if table else labelled_pictures(path)
    key = _key(path, pictures)
    notes = kept_notes(folder, key, resized)
    if notes is not None:
        yield OwnSet(name=folder.name, notes=notes, is_new=False)
        return
    if pictures is None:
        own = read_table(path)
    else:
        own = yield from _own_images(pictures, path, resized=bool(resized))
    notes = keep(own, folder, key=key, source=path.absolute(), resized=bool(resized))
    yield OwnSet(name=folder.name, notes=notes, is_new=True)


def _key(path: Path, pictures: LabelledFolder | None) -> str:
    """What stands for the files of a source, by their names, sizes and times of change."""
    if pictures is None:
        files = table_files(path)
    else:
        files = [picture.path for picture in pictures.pictures]
        files += path.rglob(LABELS)
    entries: dict[str, object] = {}
    for file in files:
        try:
            status = file.stat()
        except OSError as error:
            entries[str(file)] = os_reason(error)
        else:
            entries[str(file)] = status.st_size, status.st_mtime_ns
    return fingerprint(entries)


def _own_images(
    folder: LabelledFolder, path: Path, *, resized: bool
) -> Generator[PreparedPictures, None, OwnImages]:
    """Every picture of a folder as the network sees it.

    Raises:
        DataError: more than `MOST_SKIPPED` of them cannot be used.
    """
    images: list[NDArray[np.uint8]] = []
    kept: list[int] = []
    skipped: list[tuple[str, TallerError]] = []
    inverted = 0
    total = len(folder.pictures)
    for index, picture in enumerate(folder.pictures):
        try:
            image, was_inverted = own_image(picture.path, resized=resized)
        except TallerError as error:
            skipped.append((picture.path.name, error))
        else:
            images.append(image)
            kept.append(index)
            inverted += was_inverted
        yield PreparedPictures(done=index + 1, total=total)
    if len(skipped) > MOST_SKIPPED * total:
        first = skipped[0][1]
        raise DataError(
            "own_skipped_many",
            path=path,
            n=len(skipped),
            total=total,
            reason=Phrase(first.key, first.values),
        )
    notes = [Phrase("own_inverted_some", {"n": inverted})] if inverted else []
    if skipped:
        names = ", ".join(name for name, _ in skipped[:NAMED])
        notes.append(Phrase("own_skipped", {"n": len(skipped), "names": names}))
    if folder.unlabelled:
        names = ", ".join(place.name for place in folder.unlabelled[:NAMED])
        notes.append(Phrase("own_unlabelled", {"n": len(folder.unlabelled), "names": names}))
    return OwnImages(
        images=np.stack(images) if images else np.zeros((0, SIDE, SIDE), dtype=np.uint8),
        labels=np.array([folder.pictures[k].label for k in kept], dtype=np.int64),
        class_names=folder.class_names,
        parts=np.array([PARTS[folder.pictures[k].split] for k in kept], dtype=np.int8),
        notes=tuple(notes),
    )


def own_image(path: Path, *, resized: bool) -> tuple[NDArray[np.uint8], bool]:
    """A picture as the network sees it, and whether its dark ink was made bright.

    Args:
        path: the picture.
        resized: whether it is only made smaller: put into the middle of a square, then reduced.

    Returns:
        ``uint8 [28, 28]``.

    Raises:
        InputError: it cannot be read, or nothing is written in it.
    """
    pixels = load_picture(path).pixels
    if pixels.shape[:2] != (SIDE, SIDE) and not resized:
        found = find(pixels, Options(single=True))
        if not len(found.images28):
            raise InputError("reader_no_ink", path=path)
        return found.images28[0], False
    levels = np.rint(grey(pixels) * 255).astype(np.uint8)
    inverted = is_inverted(levels[None])
    if inverted:
        levels = 255 - levels
    return _in_square(levels), inverted


def _in_square(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey levels ``[H, W]`` of any size on dark ground, reduced to 28 x 28 with their shape."""
    height, width = levels.shape
    if (height, width) == (SIDE, SIDE):
        return levels
    side = max(height, width)
    square = np.zeros((side, side), dtype=np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = levels
    small: NDArray[np.uint8] = np.asarray(
        Image.fromarray(square).resize((SIDE, SIDE), Image.Resampling.BOX)
    )
    return small
