"""Files that are never half-written, one training per folder, and where a result came from."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from taller_cnn.errors import BusyError, OutputError
from taller_cnn.reasons import os_reason

PACKAGES = ("taller-cnn", "torch", "torchvision", "numpy", "matplotlib", "mlxtend")


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError("cannot_write", path=path, reason=os_reason(error))


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without error.

    The file is flushed to the disk before it is moved, so that after a kill or a power cut
    `path` holds the old content or the new one, never a part.

    Raises:
        OutputError: the folder cannot be written or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not by `tempfile`, whose files only their owner may read.
        temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:12]}{path.suffix}")
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        yield temporary
        # Open for writing, because Windows flushes no other files.
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        # What cannot be removed is no reason to hide the error that led here.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


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


def processor_name() -> str:
    """The processor's name as the system gives it."""
    # Linux tells `platform` nothing, and some containers hide the file.
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
