"""Images with labels in one file or in IDX files under any name: CSV, NumPy, EMNIST.

- CSV: a label and 784 grey levels a line, with a heading or without, as Kaggle's copies of MNIST.
- ``.npz``: ``x_train``, ``y_train``, ``x_test``, ``y_test``, as Keras keeps its data sets.
- IDX: ``…-images-idx3-ubyte`` and ``…-labels-idx1-ubyte``, plain or ``.gz``. Those of EMNIST (Cohen
  et al. 2017, arXiv:1702.05373) have rows and columns exchanged.
"""

from __future__ import annotations

import csv
import gzip
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from taller_cnn.data.datasets import SIDE
from taller_cnn.data.folders import LEAST_CLASSES, MOST_CLASSES, natural_order
from taller_cnn.data.own import TEST, TRAIN, UNKNOWN, OwnImages
from taller_cnn.data.rawfiles import parse_idx
from taller_cnn.errors import DataError, InputError, Phrase
from taller_cnn.reasons import os_reason

PIXELS = SIDE * SIDE
MOST_BYTES = 2**30
"""Uncompressed, of one file: EMNIST's largest has 547 million."""
LABEL_COLUMNS = frozenset(["label", "class", "etiqueta", "clase", "target", "y"])
_IMAGES = re.compile(r"^(.*)-images[-.]idx3-ubyte(\.gz)?$", re.IGNORECASE)
_TEST_NAMES = re.compile(r"(^|[^a-z])(test|t10k)([^a-z]|$)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Labelled:
    """Images of one part, with labels as the file has them."""

    images: NDArray[np.uint8]
    """``uint8 [n, 28, 28]``."""
    labels: NDArray[np.str_]
    part: int


def is_table(path: Path) -> bool:
    """Whether a file, or a folder's content, is read here."""
    if path.is_dir():
        return bool(_idx_images(path))
    return path.name.lower().endswith((".csv", ".csv.gz", ".npz"))


def table_files(path: Path) -> list[Path]:
    """The files that a table is read from."""
    if not path.is_dir():
        return [path]
    images = _idx_images(path)
    return [file for pair in ((image, _labels_of(image)) for image in images) for file in pair]


def read_table(path: Path) -> OwnImages:
    """The images of a table.

    Raises:
        InputError: it cannot be read, or it is not what its name says.
        DataError: an IDX file is damaged.
    """
    with _refusals(path):
        if path.is_dir():
            return _joined(path, _read_idx_folder(path), _idx_notes(path))
        if path.name.lower().endswith(".npz"):
            return _joined(path, _read_npz(path))
        return _joined(path, [_read_csv(path)])


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # gzip's own errors have no number.
        reason = os_reason(error) if error.errno else Phrase("reason_damaged_archive")
        raise InputError("own_unreadable", path=path, reason=reason) from error
    except (EOFError, zlib.error, zipfile.BadZipFile) as error:
        reason = Phrase("reason_damaged_archive")
        raise InputError("own_unreadable", path=path, reason=reason) from error


def _joined(path: Path, parts: Sequence[_Labelled], notes: Sequence[Phrase] = ()) -> OwnImages:
    """All parts in one, with classes in natural order and bright ink on a dark ground.

    Raises:
        InputError: there are not from `LEAST_CLASSES` to `MOST_CLASSES` classes.
    """
    labels = np.concatenate([part.labels for part in parts])
    names = sorted(np.unique(labels).tolist(), key=natural_order)
    if not LEAST_CLASSES <= len(names) <= MOST_CLASSES:
        limits = {"least": LEAST_CLASSES, "most": MOST_CLASSES}
        raise InputError("folder_classes", path=path, n=len(names), **limits)
    index = {name: k for k, name in enumerate(names)}
    images = np.concatenate([part.images for part in parts])
    told = list(notes)
    if is_inverted(images):
        images = 255 - images
        told.append(Phrase("own_inverted"))
    return OwnImages(
        images=images,
        labels=np.array([index[label] for label in labels.tolist()], dtype=np.int64),
        class_names=tuple(names),
        parts=np.concatenate([np.full(len(p.labels), p.part, dtype=np.int8) for p in parts]),
        notes=tuple(told),
    )


def is_inverted(images: NDArray[np.uint8]) -> bool:
    """Whether images have dark ink on a light ground, by the pixels at their edges.

    Args:
        images: ``uint8 [n, H, W]``; ``n`` may be 1.
    """
    edges = [images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]]
    return float(np.median(np.concatenate(edges, axis=1))) > 127


def _wrong(path: Path, reason: str, **values: object) -> InputError:
    return InputError("own_unreadable", path=path, reason=Phrase(reason, values))


def _grey(path: Path, name: str, array: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Images as ``uint8 [n, 28, 28]``, from integers 0 to 255 or fractions 0 to 1.

    Raises:
        InputError: their shape or their values are others.
    """
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim == 2 and array.shape[1] == PIXELS:
        array = array.reshape(-1, SIDE, SIDE)
    if array.ndim != 3 or array.shape[1:] != (SIDE, SIDE):
        shape = " x ".join(map(str, array.shape))
        raise _wrong(path, "reason_own_shape", name=name, shape=shape)
    if array.dtype == np.uint8:
        return array.astype(np.uint8, copy=False)
    if array.dtype.kind not in "fiub":
        raise _wrong(path, "reason_own_values", name=name)
    values = array.astype(np.float32)
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    if not (low >= 0 and high <= 255):
        raise _wrong(path, "reason_own_values", name=name)
    fractions = array.dtype.kind == "f" and high <= 1
    grey: NDArray[np.uint8] = np.rint(values * 255 if fractions else values).astype(np.uint8)
    return grey


# ------------------------------------------------------------------------------------- NumPy


def _read_npz(path: Path) -> list[_Labelled]:
    try:
        # numpy does not close what it cannot make sense of.
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as arrays:
            names = set(arrays.files)
            if not {"x_train", "y_train"} <= names:
                raise _wrong(path, "reason_own_npz", found=", ".join(sorted(names)) or "-")
            return [
                _npz_part(path, part, arrays[f"x_{name}"], arrays[f"y_{name}"], name)
                for part, name in ((TRAIN, "train"), (TEST, "test"))
                if {f"x_{name}", f"y_{name}"} <= names
            ]
    except ValueError as error:
        raise _wrong(path, "reason_own_pickled") from error


def _npz_part(
    path: Path, part: int, x: NDArray[np.generic], y: NDArray[np.generic], name: str
) -> _Labelled:
    images = _grey(path, f"x_{name}", x)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.shape != (len(images),):
        counts = {"images": len(images), "labels": len(y)}
        raise _wrong(path, "reason_own_lengths", **counts)
    whole = y.astype(np.int64) if y.dtype.kind == "f" and bool((y == np.rint(y)).all()) else y
    return _Labelled(images=images, labels=whole.astype(str), part=part)


# --------------------------------------------------------------------------------------- CSV


def _opened(path: Path) -> IO[str]:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="replace", newline="")
    return path.open(encoding="utf-8-sig", errors="replace", newline="")


def _read_csv(path: Path) -> _Labelled:
    """Every line a label and 784 grey levels.

    Raises:
        InputError: a line is anything else.
    """
    with _opened(path) as file:
        first = file.readline()
        separator = max(",;\t", key=first.count)
        cells = [cell.strip().casefold() for cell in next(csv.reader([first], delimiter=separator))]
        if len(cells) != PIXELS + 1:
            raise _wrong(path, "reason_own_columns", line=1, n=len(cells), expected=PIXELS + 1)
        has_heading = not all(cell.isdecimal() for cell in cells[1:])
        column = next((k for k, cell in enumerate(cells) if cell in LABEL_COLUMNS), 0)
        if not has_heading:
            file.seek(0)
        rows, labels = [], []
        for number, line in enumerate(file, 1 + has_heading):
            if not line.strip():
                continue
            values = line.rstrip("\r\n").split(separator)
            if len(values) != PIXELS + 1:
                counts = {"line": number, "n": len(values), "expected": PIXELS + 1}
                raise _wrong(path, "reason_own_columns", **counts)
            labels.append(values.pop(column).strip().strip('"'))
            try:
                rows.append(np.array(values, dtype=np.uint8))
            except (ValueError, OverflowError) as error:
                raise _wrong(path, "reason_own_cell", line=number) from error
    if not rows:
        raise _wrong(path, "reason_own_empty")
    images = np.stack(rows).reshape(-1, SIDE, SIDE)
    return _Labelled(images=images, labels=np.array(labels, dtype=str), part=UNKNOWN)


# --------------------------------------------------------------------------------------- IDX


def _idx_images(folder: Path) -> list[Path]:
    """Files of images in a folder that have one of labels; the plain one before its archive."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        match = _IMAGES.match(path.name)
        if match and path.is_file() and _labels_of(path).is_file():
            found.setdefault(match[1], path)
    return list(found.values())


def _labels_of(images: Path) -> Path:
    """The file of labels that belongs to one of images; plain, or else packed."""
    name = re.sub(r"(?i)-images([-.])idx3", r"-labels\1idx1", images.name)
    plain = images.with_name(re.sub(r"(?i)\.gz$", "", name))
    return plain if plain.is_file() else plain.with_name(f"{plain.name}.gz")


def _is_transposed(images: Path) -> bool:
    return "emnist" in images.name.lower()


def _idx_notes(folder: Path) -> list[Phrase]:
    return [Phrase("own_transposed")] if any(map(_is_transposed, _idx_images(folder))) else []


def _read_idx_folder(folder: Path) -> list[_Labelled]:
    """Each pair of files; which part it is for, its name says.

    Raises:
        InputError: images and labels are not equally many, or there is more than one data set.
        DataError: a file is damaged.
    """
    parts: dict[int, _Labelled] = {}
    for path in _idx_images(folder):
        part = TEST if _TEST_NAMES.search(path.name) else TRAIN
        if part in parts:
            names = ", ".join(image.name for image in _idx_images(folder))
            raise _wrong(folder, "reason_own_several", names=names)
        images = _grey(path, path.name, read_idx(path))
        labels = read_idx(_labels_of(path))
        if labels.shape != (len(images),):
            counts = {"images": len(images), "labels": len(labels)}
            raise _wrong(path, "reason_own_lengths", **counts)
        if _is_transposed(path):
            images = np.ascontiguousarray(images.transpose(0, 2, 1))
        parts[part] = _Labelled(images=images, labels=labels.astype(str), part=part)
    if len(parts) == 1:
        (only,) = parts.values()
        return [_Labelled(images=only.images, labels=only.labels, part=UNKNOWN)]
    return list(parts.values())


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array in an IDX file, plain or ``.gz``.

    Raises:
        InputError: it is larger than `MOST_BYTES`.
        DataError: it is not an IDX file of unsigned bytes.
        OSError, EOFError, zlib.error: it cannot be read or unpacked.
    """
    with path.open("rb") as raw:
        is_packed = path.suffix.lower() == ".gz"
        content = (gzip.GzipFile(fileobj=raw) if is_packed else raw).read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise InputError("own_too_large", path=path, most=MOST_BYTES // 2**20)
    array = parse_idx(np.frombuffer(bytearray(content), np.uint8), path)
    if array.ndim not in (1, 3):
        raise DataError("idx_format", path=path, found=content[:4].hex(" "))
    return array
