"""The four IDX files of a data set on disk: the format, finding them, reading and checking them.

An IDX file is an array of unsigned bytes behind a short header, big-endian: two zero bytes, the
type (8 = unsigned byte), the number of dimensions, then each dimension as 32 bits. Format: LeCun,
Cortes & Burges, The MNIST database, 1998. It is read here and not by torchvision, whose import
alone takes one to two seconds, several times what loading and checking the whole of MNIST takes.

The checksum of the uncompressed content is checked at every read, whichever way a file came:
hashing all of MNIST takes a tenth of a second. For `kmnist` only the checksums of the ``.gz``
files are published. Such a ``.gz`` is *verified*; any other file of the right size, with every
class equally often as in that data set, is taken as *unverified*.
"""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from taller_cnn.data.datasets import FILES, DatasetSpec
from taller_cnn.errors import DataError
from taller_cnn.files import atomic_path, md5
from taller_cnn.reasons import os_reason

UNSIGNED_BYTE = 8
IDX_HEAD = bytes((0, 0, UNSIGNED_BYTE))
GZIP_HEAD = b"\x1f\x8b"
GZIP_LAYERS = 2
"""A server or a program may pack an archive once more on its way; ours takes off as many layers."""
# More than any file of these data sets holds; a damaged or hostile .gz cannot fill the memory.
UNPACKED_LIMIT = 128 * 2**20


def parse_idx(content: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
    """The array in the bytes of an IDX file, a view on `content`.

    Args:
        content: all bytes of the uncompressed file, shape ``(n_bytes,)``.
        path: where they came from, for the error.

    Raises:
        DataError: not an IDX file of unsigned bytes, or its length is not what its header says.
    """
    head = content[:4].tobytes()
    if len(head) < 4 or head[:3] != IDX_HEAD or head[3] == 0:
        raise DataError("idx_format", path=path, found=head.hex(" "))
    rank = head[3]
    start = 4 + 4 * rank
    if len(content) < start:
        raise DataError("idx_length", path=path, expected=start, found=len(content))
    shape = struct.unpack(f">{rank}I", content[4:start].tobytes())
    length = start + math.prod(shape)
    if len(content) != length:
        raise DataError("idx_length", path=path, expected=length, found=len(content))
    try:
        return content[start:].reshape(shape)
    except ValueError as error:  # an empty array with more or longer sides than numpy can have
        raise DataError("idx_format", path=path, found=head.hex(" ")) from error


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    """Write an array of unsigned bytes, 1 to 255 dimensions, as an IDX file, atomically.

    Raises:
        OutputError: the folder cannot be written or the disk is full.
    """
    assert array.dtype == np.uint8, array.dtype
    header = struct.pack(f">HBB{array.ndim}I", 0, UNSIGNED_BYTE, array.ndim, *array.shape)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(header)
        file.write(np.ascontiguousarray(array).tobytes())


@dataclass(frozen=True, kw_only=True)
class RawFolder:
    """A folder with some or all of the four files of a data set."""

    folder: Path
    paths: Mapping[str, Path]
    """The path of each file that is there, named as a plain one or ``.gz``, by canonical name."""

    @classmethod
    def at(cls, folder: Path) -> RawFolder:
        """What `folder` has of the four files; a plain file goes before its archive."""
        paths = {}
        for name in FILES:
            for path in (folder / name, folder / f"{name}.gz"):
                if path.is_file():
                    paths[name] = path
                    break
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
    is_packed: bool = False
    """Whether the file is an archive, whatever its name."""


def raw_folder(spec: DatasetSpec, data_dir: Path) -> Path:
    """Where torchvision keeps the files of a data set under `data_dir`."""
    return data_dir / spec.folder / "raw"


def find_raw(spec: DatasetSpec, data_dir: Path) -> RawFolder | None:
    """The first folder with all four files, else the first with any, else None.

    Looked into: ``data_dir/<folder>/raw``, ``data_dir/<folder>`` and `data_dir` itself.
    """
    folders = (raw_folder(spec, data_dir), data_dir / spec.folder, data_dir)
    present = [raw for raw in map(RawFolder.at, folders) if raw.paths]
    return min(present, key=lambda raw: bool(raw.missing), default=None)


def read_all(spec: DatasetSpec, raw: RawFolder) -> dict[str, RawFile]:
    """Read and check the four files.

    Raises:
        DataError: a file is missing, cannot be read, or is not what it should be.
    """
    if raw.missing:
        raise DataError("data_incomplete", path=raw.folder, missing=", ".join(raw.missing))
    # Hashing and unpacking let go of Python's lock, so threads use the other cores.
    with ThreadPoolExecutor(len(FILES)) as pool:
        files = pool.map(lambda name: read_file(spec, name, raw.paths[name]), FILES)
        return {file.name: file for file in files}


def read_file(spec: DatasetSpec, name: str, path: Path) -> RawFile:
    """Read and check one file.

    Args:
        spec: its data set.
        name: its canonical name.
        path: where it is; whether it is packed its content tells.

    Raises:
        DataError: it cannot be read; its checksum, length or header is not the expected one.
    """
    try:
        with path.open("rb") as file:
            head = file.read(len(IDX_HEAD))
        # Its content decides: browsers unpack archives and keep the name, or lose the ".gz".
        if head.startswith(GZIP_HEAD) or (path.suffix == ".gz" and head != IDX_HEAD):
            return check_archive(spec, name, path, path.read_bytes())
        size = path.stat().st_size
        if size != spec.size(name):
            with path.open("rb") as file:
                raise _refusal(spec, name, path, hashlib.file_digest(file, "md5").hexdigest(), size)
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DataError("data_unreadable", path=path, reason=os_reason(error)) from error
    return _check_content(spec, name, path, content)


def check_archive(spec: DatasetSpec, name: str, path: Path, archive: bytes) -> RawFile:
    """Unpack and check the bytes of an archive; `path` says where they came from.

    What is not packed any more, because a server or a browser has unpacked it, is checked as it is.

    Raises:
        DataError: it is damaged, or its content is not the expected one.
    """
    content = archive
    try:
        if not content.startswith(IDX_HEAD):
            content = _unpacked(content)
        for _ in range(GZIP_LAYERS - 1):
            if content.startswith(GZIP_HEAD):
                archive, content = content, _unpacked(content)
    except zlib.error as error:
        expected = _expected(spec, name)
        raise DataError("data_archive", path=path, expected=expected, found=md5(archive)) from error
    published = spec.archive_md5.get(name) == md5(archive)
    # A bytearray, because torch warns about memory that cannot be written.
    array = np.frombuffer(bytearray(content), np.uint8)
    return _check_content(
        spec, name, path, array, published=published, is_packed=content is not archive
    )


def _unpacked(archive: bytes) -> bytes:
    """What is in an archive, all its members one after the other, at most `UNPACKED_LIMIT`.

    Raises:
        zlib.error: it is damaged or cut short.
    """
    content = b""
    while True:
        decompressor = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        content += decompressor.decompress(archive, UNPACKED_LIMIT - len(content))
        if len(content) == UNPACKED_LIMIT:
            return content
        if not decompressor.eof:
            raise zlib.error("it is cut short")
        archive = decompressor.unused_data
        # As gzip does, what follows the last member is left.
        if not archive.startswith(GZIP_HEAD):
            return content


def _check_content(
    spec: DatasetSpec,
    name: str,
    path: Path,
    content: NDArray[np.uint8],
    *,
    published: bool = False,
    is_packed: bool = False,
) -> RawFile:
    """Check the uncompressed bytes; `published` tells that those of their archive were right."""
    found, known_md5 = md5(content.data), spec.md5.get(name)
    if len(content) != spec.size(name) or known_md5 not in (None, found):
        raise _refusal(spec, name, path, found, len(content))
    array = parse_idx(content, path)
    verified = published or known_md5 is not None
    if array.shape != spec.shape(name) or not (verified or _plausible(spec, array)):
        raise _refusal(spec, name, path, found, len(content))
    state: Literal["verified", "unverified"] = "verified" if verified else "unverified"
    return RawFile(name=name, path=path, array=array, md5=found, state=state, is_packed=is_packed)


def _plausible(spec: DatasetSpec, array: NDArray[np.uint8]) -> bool:
    """Whether labels have every class equally often; of images nothing more is known."""
    if array.ndim > 1:
        return True
    classes = len(spec.class_names)
    counts = np.bincount(array, minlength=classes)
    return len(counts) == classes and bool((counts == len(array) // classes).all())


def _refusal(spec: DatasetSpec, name: str, path: Path, found: str, size: int) -> DataError:
    """The error for a file that is not what it should be."""
    checksums = {"path": path, "expected": _expected(spec, name), "found": found}
    if size != spec.size(name):
        return DataError("data_size", **checksums, size=size, expected_size=spec.size(name))
    return DataError("data_damaged", **checksums)


def _expected(spec: DatasetSpec, name: str) -> str:
    """The published checksum of a file, or else of its archive."""
    return spec.md5.get(name) or f"{spec.archive_md5.get(name, '?')} (.gz)"
