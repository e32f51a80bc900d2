"""Pictures in folders: which there are, and what they are said to be.

Labels come from ``labels.csv``, a line for each picture with its file and its class, or else from
folders: one for each class, as torchvision's ``ImageFolder`` reads them. Either may be divided into
``train`` and ``test``. Names are in natural order, ``2`` before ``10``; what is hidden is skipped.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from taller_cnn.errors import InputError, Phrase
from taller_cnn.reasons import os_reason

SUFFIXES = frozenset(
    [
        ".avif",
        ".bmp",
        ".gif",
        ".heic",
        ".heif",
        ".j2k",
        ".jp2",
        ".jpeg",
        ".jpg",
        ".pbm",
        ".pgm",
        ".png",
        ".pnm",
        ".ppm",
        ".tga",
        ".tif",
        ".tiff",
        ".webp",
    ]
)
"""What counts as a picture in a folder."""
LABELS = "labels.csv"
LEAST_CLASSES, MOST_CLASSES = 2, 64
SPLITS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
}
"""By a folder's name, the part of the data that is in it."""
_FILE_COLUMNS = frozenset(
    ["file", "filename", "file_name", "image", "img", "path", "picture", "id", "archivo", "imagen"]
)
_LABEL_COLUMNS = frozenset(
    ["label", "class", "class_name", "digit", "target", "etiqueta", "clase", "dígito"]
)


@dataclass(frozen=True, kw_only=True)
class PictureFolder:
    """The pictures in a folder and in the folders in it."""

    pictures: tuple[Path, ...]
    """In natural order; links are followed, and no folder is listed twice."""
    unreadable: tuple[tuple[Path, OSError], ...]
    """Folders in it that cannot be listed."""


@dataclass(frozen=True, kw_only=True)
class LabelledPicture:
    """A picture and what it is said to be."""

    path: Path
    """A file that ``labels.csv`` names may not be there."""
    label: int
    """Which of the class names."""
    split: str
    """``train``, ``validation`` or ``test``; empty where the folder is not divided."""


@dataclass(frozen=True, kw_only=True)
class LabelledFolder:
    """Pictures with their classes."""

    class_names: tuple[str, ...]
    """In natural order."""
    pictures: tuple[LabelledPicture, ...]
    unlabelled: tuple[Path, ...]
    """Pictures that nothing says the class of."""


def natural_order(name: str) -> tuple[list[tuple[bool, int, str]], str]:
    """A key to sort names by, in which numbers in them count as numbers."""
    parts = [part for part in re.split(r"(\d+)", name) if part]
    keys = [(not p.isdecimal(), int(p) if p.isdecimal() else 0, p.casefold()) for p in parts]
    return keys, name


def pictures_in(folder: Path) -> PictureFolder:
    """Look for pictures in a folder and in the folders in it.

    Raises:
        OSError: the folder cannot be listed.
    """
    pictures: list[Path] = []
    unreadable: list[tuple[Path, OSError]] = []
    listed: set[tuple[int, int]] = set()
    waiting, links = _listed(folder, listed), list[Path]()
    # Links last: what a folder holds belongs to it, and not to a link that leads to it.
    while waiting or links:
        path = (waiting or links).pop()
        try:
            if path.is_dir():
                if path.is_symlink() and waiting:
                    links.append(path)
                else:
                    waiting += _listed(path, listed)
            elif path.suffix.lower() in SUFFIXES and path.is_file():
                pictures.append(path)
        except OSError as error:
            unreadable.append((path, error))
    pictures.sort(key=lambda path: [natural_order(part) for part in path.parts])
    return PictureFolder(pictures=tuple(pictures), unreadable=tuple(unreadable))


def _listed(folder: Path, listed: set[tuple[int, int]]) -> list[Path]:
    """What is in a folder; nothing of one that has been listed."""
    status = folder.stat()
    identity = status.st_dev, status.st_ino
    if identity in listed:
        return []
    listed.add(identity)
    return _visible(folder)


def _visible(folder: Path) -> list[Path]:
    """What is in a folder and is not hidden; a Mac leaves "._photo.jpg" beside what it copies."""
    found = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return sorted(found, key=lambda path: natural_order(path.name))


# ------------------------------------------------------------------------------------ labels


def labelled_pictures(folder: Path) -> LabelledFolder:
    """The pictures of a folder with their classes.

    Raises:
        InputError: there is no such folder or it cannot be read, it has no labels, ``labels.csv``
            is wrong, or there are not from `LEAST_CLASSES` to `MOST_CLASSES` classes.
    """
    try:
        every = pictures_in(folder).pictures
        rows = [row for split, place in _parts(folder) for row in _labelled(place, split, every)]
    except OSError as error:
        raise InputError("folder_unreadable", path=folder, reason=os_reason(error)) from error
    names = sorted({name for _, name, _ in rows}, key=natural_order)
    if not names:
        raise InputError("folder_no_labels", path=folder, file=LABELS)
    if not LEAST_CLASSES <= len(names) <= MOST_CLASSES:
        limits = {"least": LEAST_CLASSES, "most": MOST_CLASSES}
        raise InputError("folder_classes", path=folder, n=len(names), **limits)
    known = {path for path, _, _ in rows}
    return LabelledFolder(
        class_names=tuple(names),
        pictures=tuple(
            LabelledPicture(path=path, label=names.index(name), split=split)
            for path, name, split in rows
        ),
        unlabelled=tuple(path for path in every if path not in known),
    )


def _parts(folder: Path) -> list[tuple[str, Path]]:
    """The divisions of the data, each with its folder; the whole folder where there are none."""
    if (folder / LABELS).is_file():
        return [("", folder)]
    parts = [
        (SPLITS[path.name.lower()], path)
        for path in _visible(folder)
        if path.name.lower() in SPLITS and path.is_dir() and _has_labels(path)
    ]
    return parts if {"train", "test"} & {split for split, _ in parts} else [("", folder)]


def _has_labels(folder: Path) -> bool:
    return (folder / LABELS).is_file() or any(path.is_dir() for path in _visible(folder))


def _labelled(folder: Path, split: str, every: Sequence[Path]) -> Iterator[tuple[Path, str, str]]:
    """Each picture of a division with the name of its class."""
    if (folder / LABELS).is_file():
        for path, name in _read_labels(folder / LABELS, every).items():
            yield path, name, split
        return
    for path in every:
        inside = path.relative_to(folder).parts if path.is_relative_to(folder) else ()
        if len(inside) > 1:
            yield path, inside[0], split


# -------------------------------------------------------------------------------- labels.csv


def _read_labels(path: Path, every: Sequence[Path]) -> dict[Path, str]:
    """The class of each picture that the table names.

    Raises:
        InputError: a line is not a file and a class, or says another class than an earlier one.
        OSError: the file cannot be read.
    """
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    separator = max(",;\t", key=text.partition("\n")[0].count)
    try:
        lines = list(enumerate(csv.reader(text.splitlines(), delimiter=separator), 1))
    except csv.Error as error:
        raise _wrong(path, 1, "reason_two_columns") from error
    rows = [(number, [cell.strip() for cell in cells]) for number, cells in lines if any(cells)]
    file_column, label_column = _columns(rows[0][1]) if rows else (0, 1)
    stems = {p.stem: p for p in every if p.is_relative_to(path.parent)}
    labels: dict[Path, str] = {}
    for number, cells in rows:
        pair = [cells[column] for column in (file_column, label_column) if column < len(cells)]
        if len(pair) < 2 or not all(pair):
            raise _wrong(path, number, "reason_two_columns")
        picture = _named(path.parent, cells[file_column], stems)
        if number == rows[0][0] and _is_heading(cells, picture):
            continue
        if labels.setdefault(picture, cells[label_column]) != cells[label_column]:
            raise _wrong(path, number, "reason_two_labels", file=cells[file_column])
    return labels


def _wrong(path: Path, line: int, reason: str, **values: object) -> InputError:
    return InputError("folder_labels", path=path, line=line, reason=Phrase(reason, values))


def _columns(heading: Sequence[str]) -> tuple[int, int]:
    """Which columns the file and the class are in; the first two, if the first line is silent."""
    names = [cell.casefold() for cell in heading]
    file = next((i for i, name in enumerate(names) if name in _FILE_COLUMNS), None)
    label = next((i for i, name in enumerate(names) if name in _LABEL_COLUMNS), None)
    if file is None and label is None:
        return 0, 1
    if file is None:
        return int(label == 0), label or 0
    return file, int(file == 0) if label is None else label


def _is_heading(cells: Sequence[str], picture: Path) -> bool:
    """Whether the first line names columns: neither a picture nor the name of one."""
    named = {cell.casefold() for cell in cells} & (_FILE_COLUMNS | _LABEL_COLUMNS)
    return not picture.is_file() and (bool(named) or picture.suffix.lower() not in SUFFIXES)


def _named(folder: Path, name: str, stems: dict[str, Path]) -> Path:
    """The picture of a name, which may lack its ending or come from Windows."""
    path = folder / name
    if not os.path.isfile(path):  # noqa: PTH113 - unlike Path, takes an embedded NUL for "no"
        path = folder / name.replace("\\", "/")
        path = path if os.path.isfile(path) else stems.get(name, path)  # noqa: PTH113
    return path
