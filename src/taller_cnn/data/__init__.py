"""Where digits come from: find, download, verify, load, split.

    load_digits(source="auto", data_dir=..., sample_dir=...)  ->  Digits

- `datasets`: what is known of MNIST, Fashion-MNIST, KMNIST and the sample.
- `idx`: the file format. `rawfiles`: the four files on disk, found and checked.
- `download`, `sample`: how they come there. `split`: what is held out.
- `digits`: the digits as tensors. `inventory`: what is there, damaged or not.
"""

from taller_cnn.data.datasets import DATASETS, MNIST_SCALE, Scale, display_class_names
from taller_cnn.data.digits import (
    SOURCES,
    Digits,
    Split,
    load_digits,
    loading,
    normalise,
    torchvision_root,
)
from taller_cnn.data.download import DownloadProgress
from taller_cnn.data.inventory import FileCheck, Inventory, inspect_folders
from taller_cnn.data.sample import write_sample

__all__ = [
    "DATASETS",
    "MNIST_SCALE",
    "SOURCES",
    "Digits",
    "DownloadProgress",
    "FileCheck",
    "Inventory",
    "Scale",
    "Split",
    "display_class_names",
    "inspect_folders",
    "load_digits",
    "loading",
    "normalise",
    "torchvision_root",
    "write_sample",
]
