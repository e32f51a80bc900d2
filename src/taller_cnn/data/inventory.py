"""What there is of a data set on disk, damaged or not: a report, never an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from taller_cnn.data.datasets import FILES, SAMPLE, DatasetSpec, spec_of
from taller_cnn.data.place import DigitsPlace
from taller_cnn.data.rawfiles import RawFolder, find_raw, raw_folder, read_file
from taller_cnn.errors import DataError

__all__ = ["FileCheck", "Inventory", "inspect_folders"]


@dataclass(frozen=True, kw_only=True)
class FileCheck:
    """The state of one of the four files."""

    name: str
    """Its canonical name."""
    path: Path | None
    """Where it is, plain or ``.gz``; None if it is missing."""
    state: Literal["verified", "unverified", "damaged", "missing"]
    """``unverified``: plausible, but nobody publishes the checksum of its content."""
    md5: str | None
    """MD5 of the uncompressed content, if that could be read."""
    shape: tuple[int, ...] | None
    """Shape of the array in it: ``(n, 28, 28)`` or ``(n,)``; None if it is damaged or missing."""
    error: DataError | None
    """What is wrong with a damaged file."""


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """What is in one folder."""

    source: Literal["full", "sample"]
    folder: Path
    files: tuple[FileCheck, ...]
    class_counts: Mapping[str, tuple[int, ...]]
    """Digits per class in ``train`` and ``test``, for the label files that are intact."""

    @property
    def usable(self) -> bool:
        """Whether all four files are there and none is damaged."""
        return all(file.state in ("verified", "unverified") for file in self.files)


def inspect_folders(place: DigitsPlace) -> tuple[Inventory, ...]:
    """What is there of a data set: the full set, the sample, both or neither.

    Reads and checks the files, makes and fetches nothing.

    Raises:
        ConfigError: no such data set.
    """
    spec = spec_of(place.dataset)
    found = []
    raw = find_raw(spec, place.data_dir)
    if raw is not None:
        found.append(_inspect(spec, "full", raw))
    if spec.name == SAMPLE.name:
        sample = RawFolder.at(raw_folder(SAMPLE, place.sample_dir))
        if sample.paths:
            found.append(_inspect(SAMPLE, "sample", sample))
    return tuple(found)


def _inspect(spec: DatasetSpec, source: Literal["full", "sample"], raw: RawFolder) -> Inventory:
    files = []
    counts = {}
    for name in FILES:
        check, array = _check(spec, name, raw.paths.get(name))
        files.append(check)
        if array is not None and array.ndim == 1:
            split = "train" if name.startswith("train") else "test"
            classes = len(spec.class_names)
            counts[split] = tuple(np.bincount(array, minlength=classes).tolist())
    return Inventory(source=source, folder=raw.folder, files=tuple(files), class_counts=counts)


def _check(
    spec: DatasetSpec, name: str, path: Path | None
) -> tuple[FileCheck, NDArray[np.uint8] | None]:
    if path is None:
        missing = FileCheck(name=name, path=None, state="missing", md5=None, shape=None, error=None)
        return missing, None
    try:
        file = read_file(spec, name, path)
    except DataError as error:
        found = error.values.get("found")
        md5 = found if isinstance(found, str) else None
        damaged = FileCheck(name=name, path=path, state="damaged", md5=md5, shape=None, error=error)
        return damaged, None
    good = FileCheck(
        name=name, path=path, state=file.state, md5=file.md5, shape=file.array.shape, error=None
    )
    return good, file.array
