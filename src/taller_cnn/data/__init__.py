"""Where digits come from: find, download, verify, load, split.

    DigitsPlace(data_dir=..., sample_dir=...).load()  ->  Digits

- `datasets`: what is known of MNIST, Fashion-MNIST, KMNIST and the sample.
- `rawfiles`: the four files on disk: their format, found, read and checked.
- `download`, `sample`: how they come there.
- `digits`: the digits as tensors, and which are held out.
- `place`: where to look for them, and what is there, damaged or not.
- `folders`: pictures in folders, and what they are said to be.
- `tables`: images with labels in one file, or in IDX files of any name.
- `own`: data of one's own: split, and kept as IDX files.
"""

from taller_cnn.data.datasets import (
    DATASETS,
    MNIST_SCALE,
    Scale,
    display_class_names,
    display_title,
)
from taller_cnn.data.digits import Digits, LabelledImages, normalise, stratified_mask
from taller_cnn.data.download import DownloadProgress
from taller_cnn.data.place import SOURCES, DigitsPlace, FileCheck, Inventory, inspect_folders
from taller_cnn.data.sample import write_sample

__all__ = [
    "DATASETS",
    "MNIST_SCALE",
    "SOURCES",
    "Digits",
    "DigitsPlace",
    "DownloadProgress",
    "FileCheck",
    "Inventory",
    "LabelledImages",
    "Scale",
    "display_class_names",
    "display_title",
    "inspect_folders",
    "normalise",
    "stratified_mask",
    "write_sample",
]
