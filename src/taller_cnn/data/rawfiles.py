"""The four IDX files of a data set on disk: find them, read them, check them.

The checksum of the uncompressed content is checked at every read, whichever way a file came:
hashing all of MNIST takes a tenth of a second. For `kmnist` only the checksums of the ``.gz``
files are published. There a file is *verified* if it is such a ``.gz``, or if its content has the
checksum that the download noted in ``MD5SUMS`` beside it; any other file of the right size, with
every class equally often as in that data set, is taken as *unverified*.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from taller_cnn.data.datasets import FILES, DatasetSpec, known_file
from taller_cnn.data.idx import parse_idx
from taller_cnn.errors import DataError
from taller_cnn.files import md5, os_reason

__all__ = [
    "CHECKSUM_FILE",
    "RawFile",
    "RawFolder",
    "check_archive",
    "find_raw",
    "raw_folder",
    "read_all",
    "read_checksums",
    "read_file",
]

CHECKSUM_FILE = "MD5SUMS"
# More than any file of these data sets holds; a damaged or hostile .gz cannot fill the memory.
UNPACKED_LIMIT = 128 * 2**20


@dataclass(frozen=True, kw_only=True)
class RawFolder:
    """A folder with some or all of the four files of a data set."""

    folder: Path
    paths: Mapping[str, Path]
    """The path of each file that is there, plain or ``.gz``, by its canonical name."""

    @classmethod
    def at(cls, folder: Path) -> RawFolder:
        """What `folder` has of the four files, under any of their spellings."""
        paths = {
            name: path for name in FILES for path in _spellings(folder, name) if path.is_file()
        }
        return cls(folder=folder, paths=paths)

    @property
    def missing(self) -> tuple[str, ...]:
        """The canonical names of the files that are not there."""
        return tuple(name for name in FILES if name not in self.paths)


@dataclass(frozen=True, kw_only=True, eq=False)
class RawFile:
    """The content of one of the four files."""

    name: str
    path: Path
    array: NDArray[np.uint8]
    """Images ``(n, 28, 28)`` or labels ``(n,)``."""
    md5: str
    """MD5 of the uncompressed file."""
    state: Literal["verified", "unverified"]


def raw_folder(spec: DatasetSpec, data_dir: Path) -> Path:
    """Where torchvision keeps the files of a data set under `data_dir`."""
    return data_dir / spec.folder / "raw"


def find_raw(spec: DatasetSpec, data_dir: Path) -> RawFolder | None:
    """The first folder with all four files, else the first with any, else None.

    Looked into: ``data_dir/<folder>/raw``, ``data_dir/<folder>``, `data_dir` itself, and where a
    package of the operating system puts the set. Names may end in ``.gz`` and may be written
    ``train-images.idx3-ubyte``, as some archives do.
    """
    places = (raw_folder(spec, data_dir), data_dir / spec.folder, data_dir, *spec.system_folders)
    found = [RawFolder.at(place) for place in places]
    return min((raw for raw in found if raw.paths), key=lambda raw: bool(raw.missing), default=None)


def _spellings(folder: Path, name: str) -> Iterator[Path]:
    """The paths that file `name` may have, the preferred one last."""
    for written in (name.replace("-idx", ".idx"), name):
        yield folder / f"{written}.gz"
        yield folder / written


def read_all(spec: DatasetSpec, raw: RawFolder) -> dict[str, RawFile]:
    """Read and check the four files.

    Raises:
        DataError: a file is missing, cannot be read, or is not what it should be.
    """
    if raw.missing:
        raise DataError("data_incomplete", path=raw.folder, missing=", ".join(raw.missing))
    noted = read_checksums(raw.folder)
    # Hashing and unpacking let go of Python's lock, so threads use the other cores.
    with ThreadPoolExecutor(len(FILES)) as pool:
        files = pool.map(lambda name: read_file(spec, name, raw.paths[name], noted), FILES)
        return {file.name: file for file in files}


def read_file(
    spec: DatasetSpec, name: str, path: Path, noted: Mapping[str, str] | None = None
) -> RawFile:
    """Read and check one file.

    Args:
        spec: its data set.
        name: its canonical name.
        path: where it is, plain or ``.gz``.
        noted: MD5 of uncompressed files that the download noted, for sets without published ones.

    Raises:
        DataError: it cannot be read; its checksum, length or header is not the expected one.
    """
    try:
        if path.suffix == ".gz":
            return check_archive(spec, name, path, path.read_bytes(), noted)
        if path.stat().st_size != spec.size(name):
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "md5").hexdigest()
            raise _refusal(spec, name, path, found, path.stat().st_size, noted)
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DataError("data_unreadable", path=path, reason=os_reason(error)) from error
    return _check_content(spec, name, path, content, noted)


def check_archive(
    spec: DatasetSpec,
    name: str,
    path: Path,
    archive: bytes,
    noted: Mapping[str, str] | None = None,
) -> RawFile:
    """Unpack and check the bytes of a ``.gz``; `path` says where they came from.

    Raises:
        DataError: it is damaged, or its content is not the expected one.
    """
    decompressor = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        unpacked = decompressor.decompress(archive, UNPACKED_LIMIT)
        damaged = not decompressor.eof and len(unpacked) < UNPACKED_LIMIT
    except zlib.error:
        damaged = True
    if damaged:
        expected = _expected(spec, name, noted)
        raise DataError("data_archive", path=path, expected=expected, found=md5(archive))
    # A bytearray, because torch warns about memory that cannot be written.
    content = np.frombuffer(bytearray(unpacked), np.uint8)
    published = spec.archive_md5.get(name) == md5(archive)
    return _check_content(spec, name, path, content, noted, published=published)


def _check_content(
    spec: DatasetSpec,
    name: str,
    path: Path,
    content: NDArray[np.uint8],
    noted: Mapping[str, str] | None,
    *,
    published: bool = False,
) -> RawFile:
    found = md5(content.data)
    expected = spec.md5.get(name) or (noted or {}).get(name)
    if len(content) != spec.size(name) or (expected and found != expected and not published):
        raise _refusal(spec, name, path, found, len(content), noted)
    array = parse_idx(content, path)
    verified = published or bool(expected)
    if array.shape != spec.shape(name) or not (verified or _plausible(spec, array)):
        raise _refusal(spec, name, path, found, len(content), noted)
    state: Literal["verified", "unverified"] = "verified" if verified else "unverified"
    return RawFile(name=name, path=path, array=array, md5=found, state=state)


def _plausible(spec: DatasetSpec, array: NDArray[np.uint8]) -> bool:
    """Whether labels have every class equally often; of images nothing more is known."""
    if array.ndim > 1:
        return True
    classes = len(spec.class_names)
    counts = np.bincount(array, minlength=classes)
    return len(counts) == classes and bool((counts == len(array) // classes).all())


def _refusal(
    spec: DatasetSpec,
    name: str,
    path: Path,
    found: str,
    size: int,
    noted: Mapping[str, str] | None,
) -> DataError:
    """The error for a file that is not what it should be: which file it is, if that is known."""
    checksums = {"path": path, "expected": _expected(spec, name, noted), "found": found}
    known = known_file(found)
    if known is not None:
        return DataError("data_swapped", **checksums, dataset=known[0], file=known[1])
    if size != spec.size(name):
        return DataError("data_size", **checksums, size=size, expected_size=spec.size(name))
    return DataError("data_damaged", **checksums)


def _expected(spec: DatasetSpec, name: str, noted: Mapping[str, str] | None) -> str:
    content = spec.md5.get(name) or (noted or {}).get(name)
    return content or f"{spec.archive_md5.get(name, '?')} (.gz)"


def read_checksums(folder: Path) -> dict[str, str]:
    """MD5 by file name from ``MD5SUMS`` (the format of ``md5sum``), empty if there is none."""
    try:
        lines = (folder / CHECKSUM_FILE).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = [line.split() for line in lines]
    return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}
