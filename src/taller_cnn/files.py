"""Files that are never half-written, one training per folder, and where a result came from."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import shutil
import stat
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from taller_cnn.errors import BusyError, OutputError, Phrase
from taller_cnn.reasons import os_reason

PACKAGES = ("taller-cnn", "torch", "torchvision", "numpy", "matplotlib", "mlxtend")


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError("cannot_write", path=path, reason=os_reason(error))


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path whose content takes the place of `path` when the block ends without error.

    The file is flushed to the disk before it is moved, so that after a kill or a power cut
    `path` holds the old content or the new one, never a part. Where `path` is a link, the file
    that it leads to is replaced, as editors do; into a pipe or a device the content is written.

    Raises:
        OutputError: the folder cannot be written, the disk is full, or what is in the place is
            neither a file nor a pipe nor a device that takes bytes one after the other.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        target = _file_behind(path)
        with _poured_into(path) if target is None else _in_place_of(target) as temporary:
            yield temporary
    except OSError as error:
        raise _cannot_write(path, error) from error


def _file_behind(path: Path) -> Path | None:
    """The file to replace, there or not: `path`, or where its links lead; None for a stream.

    Raises:
        OSError: `path` cannot be looked at, or is a folder.
        OutputError: it is a socket or a disk.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return Path(os.path.realpath(path))
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if stat.S_ISFIFO(status.st_mode) or stat.S_ISCHR(status.st_mode):
        return None
    if not stat.S_ISREG(status.st_mode):
        raise OutputError("cannot_write", path=path, reason=Phrase("reason_special"))
    target = Path(os.path.realpath(path))
    # Through /dev/stdout one may write into a file that has no name any more.
    return target if target.exists() and target.samefile(path) else None


@contextmanager
def _in_place_of(target: Path) -> Iterator[Path]:
    """A temporary path beside a file, which is moved to its place at the end."""
    # Not by `tempfile`, whose files only their owner may read.
    temporary = target.with_name(f".{target.stem}.{uuid.uuid4().hex[:12]}{target.suffix}")
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        # Open for writing, because Windows flushes no other files.
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
        _flush_folder(target.parent)
    finally:
        # What cannot be removed is no reason to hide the error that led here.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def _poured_into(stream: Path) -> Iterator[Path]:
    """A temporary path whose content is written into a pipe or a device at the end."""
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / stream.name
        yield temporary
        # Neither made nor cut: it may have gone in the meantime.
        handle = os.open(stream, os.O_WRONLY)
        with os.fdopen(handle, "wb") as file, temporary.open("rb") as content:
            shutil.copyfileobj(content, file)


def discard(path: Path) -> None:
    """Remove a file or a link that holds for nothing any more; pipes and devices stay.

    Raises:
        OSError: it cannot be removed.
    """
    if path.is_file() or path.is_symlink():
        path.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    """Put a folder's names on the disk, where the system can: files keep their order of arrival."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        # Some network file systems refuse, and then there is nothing more to do.
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically.

    Raises:
        ValueError: a number in it is not finite.
        OutputError: the folder cannot be written or the disk is full.
    """
    text = json_text(value)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def json_text(value: Any) -> str:
    """`value` as indented JSON.

    Raises:
        ValueError: a number in it is not finite.
    """
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_json(path: Path) -> Any | None:
    """The JSON in `path`, or None if there is none or it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def sha256(data: bytes | memoryview) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def md5(data: bytes | memoryview) -> str:
    """MD5 in hexadecimal: the published checksum of the data sets, not a protection."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def check_writable(folder: Path, free_bytes: int) -> None:
    """Make sure that results can be written before the work that leads to them starts.

    Raises:
        OutputError: the folder cannot be made or written, or has less than `free_bytes` free.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * 4096)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise _cannot_write(folder, error) from error
    if free < free_bytes:
        raise OutputError("disk_full", path=folder, free_mb=free / 1e6, needed_mb=free_bytes / 1e6)


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the folder for one training; the lock goes with the process, however it ends.

    Raises:
        BusyError: another training holds it.
        OutputError: the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".taller-cnn.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise BusyError("busy", path=folder.resolve()) from error
    except OSError as error:
        raise _cannot_write(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def provenance() -> dict[str, Any]:
    """Where and when a result was made: package versions, machine, time (local, with offset)."""
    import torch

    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = ""
    return {
        "created": datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **versions},
        "machine": {
            "processor": processor_name(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "instructions": torch.backends.cpu.get_cpu_capability(),
            "system": f"{platform.system()} {platform.release()}",
        },
    }


def cpu_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Instructions of the first processor in a Linux ``cpuinfo`` file; none elsewhere."""
    with suppress(OSError):
        for line in cpuinfo.read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("flags", "Features"):
                return frozenset(value.split())
    return frozenset()


def processor_name() -> str:
    """The processor's name as the system gives it."""
    # Linux tells `platform` nothing, and some containers hide the file.
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
