"""A data set of 60 + 20 images, small enough to write, damage and serve in every test."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from taller_cnn.data import MNIST_SCALE
from taller_cnn.data.datasets import FILES, DatasetSpec


def md5_of(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def idx_bytes(array: np.ndarray) -> bytes:
    """An IDX file written by the letter of the format, independently of the code under test."""
    header = bytes((0, 0, 8, array.ndim)) + b"".join(struct.pack(">I", n) for n in array.shape)
    return header + array.astype(np.uint8).tobytes()


@dataclass(frozen=True, kw_only=True)
class SmallSet:
    spec: DatasetSpec
    arrays: dict[str, np.ndarray]
    contents: dict[str, bytes]
    archives: dict[str, bytes]

    def without_checksums(self) -> SmallSet:
        """The same set as KMNIST is published: with checksums of the archives only."""
        spec = dataclasses.replace(
            self.spec, md5={}, archive_md5={name: md5_of(self.archives[name]) for name in FILES}
        )
        return dataclasses.replace(self, spec=spec)

    def write(self, folder: Path, *, zipped: bool = False) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            if zipped:
                (folder / f"{name}.gz").write_bytes(self.archives[name])
            else:
                (folder / name).write_bytes(self.contents[name])
        return folder


@pytest.fixture(scope="session")
def small_set() -> SmallSet:
    generator = np.random.default_rng(1)
    arrays = {}
    for name in FILES:
        n = 60 if name.startswith("train") else 20
        if "images" in name:
            arrays[name] = generator.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        else:
            arrays[name] = generator.permutation(np.arange(n) % 10).astype(np.uint8)
    contents = {name: idx_bytes(array) for name, array in arrays.items()}
    spec = DatasetSpec(
        name="mnist",
        folder="MNIST",
        train_n=60,
        test_n=20,
        md5={name: md5_of(content) for name, content in contents.items()},
        scale=MNIST_SCALE,
    )
    archives = {name: gzip.compress(content) for name, content in contents.items()}
    return SmallSet(spec=spec, arrays=arrays, contents=contents, archives=archives)
