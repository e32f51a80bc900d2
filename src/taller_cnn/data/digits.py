"""Digits ready for training: from whichever source, checked, split, with their normalisation."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from taller_cnn.data.datasets import FILES, N_CLASSES, SAMPLE, DatasetSpec, Scale, spec_of
from taller_cnn.data.download import DownloadProgress, download
from taller_cnn.data.idx import write_idx
from taller_cnn.data.rawfiles import RawFile, RawFolder, find_raw, raw_folder, read_all
from taller_cnn.data.sample import read_sample
from taller_cnn.data.split import stratified_mask
from taller_cnn.errors import ConfigError, DataError, OutputError, TallerError

__all__ = [
    "SOURCES",
    "Digits",
    "Split",
    "load_digits",
    "loading",
    "normalise",
    "torchvision_root",
]

SOURCES = ("auto", "full", "sample")
SAMPLE_HOLDOUT = 500
"""Most digits of the sample that are held out: one in eight of its training digits."""
CHUNK = 200
"""Images converted at a time: 157,000 pixels, whose 64-bit indices stay in the cache."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Images and their labels.

    Attributes:
        images: ``uint8 (n, 1, 28, 28)``, 0 = background, 255 = full ink.
        labels: ``int64 (n,)``, 0 to 9.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, kw_only=True, eq=False)
class Digits:
    """A data set in memory, split for training, choosing and reporting."""

    train: Split
    validation: Split
    """Held out from the training digits: stratified, fixed per data set; empty for holdout 0."""
    test: Split
    name: str
    """``mnist``, ``fashion-mnist`` or ``kmnist``."""
    source: str
    """``full`` or ``sample``."""
    class_names: tuple[str, ...]
    scale: Scale
    """Normalisation by all training digits, held-out ones too."""
    checksum: str
    """Stands for the content of the four files: 16 hexadecimal digits."""
    folder: Path
    """The folder that holds the four files."""
    verified: bool = False
    """Whether each file has the checksum that is known for it."""
    fallback_reason: TallerError | None = None
    """Why `auto` settled for the sample, if it did."""


def load_digits(
    *,
    dataset: str = "mnist",
    source: str = "auto",
    data_dir: Path,
    sample_dir: Path,
    holdout: int = 5000,
    mirrors: Sequence[str] | None = None,
) -> Digits:
    """Find, fetch if need be, check, read and split the digits.

    Args:
        dataset: one of `DATASETS`.
        source: ``full``: the whole set, from `data_dir` or else downloaded into it; ``sample``:
            the 5,000 digits, written into `sample_dir` when they are not there; ``auto``: full
            if that can be had, else the sample. A full set that is damaged or incomplete is an
            error also for ``auto``.
        data_dir: has the files in ``MNIST/raw`` (or ``FashionMNIST/raw``, ``KMNIST/raw``), or
            directly; plain or ``.gz``.
        sample_dir: where the sample is kept.
        holdout: training digits held out for validation; of the sample at most 500. 0: none.
        mirrors: where to download from instead of torchvision's addresses.

    Raises:
        ConfigError: no such data set or source, or `holdout` leaves no digits to train on.
        DataError: the digits are missing, damaged or cannot be fetched.
        OutputError: a folder cannot be written.
    """
    for item in loading(
        dataset=dataset,
        source=source,
        data_dir=data_dir,
        sample_dir=sample_dir,
        holdout=holdout,
        mirrors=mirrors,
    ):
        if isinstance(item, Digits):
            return item
    raise AssertionError("loading ended without digits")


def loading(
    *,
    dataset: str = "mnist",
    source: str = "auto",
    data_dir: Path,
    sample_dir: Path,
    holdout: int = 5000,
    mirrors: Sequence[str] | None = None,
) -> Iterator[DownloadProgress | Digits]:
    """`load_digits` with the download's progress: the last item is the `Digits`."""
    fetched = yield from _fetch(dataset, source, data_dir, sample_dir, mirrors)
    yield _digits(fetched, holdout)


def torchvision_root(
    *,
    dataset: str = "mnist",
    source: str = "auto",
    data_dir: Path,
    sample_dir: Path,
    mirrors: Sequence[str] | None = None,
) -> Path:
    """The folder to give to ``torchvision.datasets.MNIST(root=...)``, with checked files in it.

    torchvision reads only plain files in ``<root>/MNIST/raw``; files that lie elsewhere or are
    gzipped are copied there.

    Raises:
        ConfigError, DataError, OutputError: as `load_digits`.
    """
    steps = _fetch(dataset, source, data_dir, sample_dir, mirrors)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            fetched: _Fetched = end.value
            break
    root = sample_dir if fetched.source == "sample" else data_dir
    folder = raw_folder(fetched.spec, root)
    for name, file in fetched.files.items():
        if file.path != folder / name:
            write_idx(folder / name, file.array)
    return root


def normalise(images: Tensor, scale: Scale, dtype: torch.dtype = torch.float32) -> Tensor:
    """Pixels as torchvision's ``ToTensor`` and ``Normalize((mean,), (std,))`` give them.

    Args:
        images: ``uint8 (n, 1, 28, 28)``, on the CPU.
        scale: mean and standard deviation.
        dtype: of the result, a floating-point type; the arithmetic is float32, rounded once.

    Returns:
        ``(n, 1, 28, 28)`` of `dtype`, on the CPU.
    """
    grey = torch.arange(256, dtype=torch.float32).div_(255)
    values = grey.sub_(scale.mean).div_(scale.std).to(dtype)
    # Looked up, not computed: one pass over memory, and numpy's one thread does not wait for
    # another on a busy machine. numpy has no bfloat16, so the values travel as integers.
    bits = {2: torch.int16, 4: torch.int32, 8: torch.int64}[dtype.itemsize]
    result = torch.empty(images.shape, dtype=dtype)
    table, pixels, target = values.view(bits).numpy(), images.numpy(), result.view(bits).numpy()
    for start in range(0, len(images), CHUNK):
        part = slice(start, start + CHUNK)
        # "clip" writes straight into `out`; the default mode goes through a buffer.
        np.take(table, pixels[part], out=target[part], mode="clip")
    return result


@dataclass(frozen=True, kw_only=True, eq=False)
class _Fetched:
    """The four files, read and checked, and where they are from."""

    spec: DatasetSpec
    source: str
    files: Mapping[str, RawFile]
    fallback_reason: TallerError | None = None


def _fetch(
    dataset: str, source: str, data_dir: Path, sample_dir: Path, mirrors: Sequence[str] | None
) -> Generator[DownloadProgress, None, _Fetched]:
    """Settle on a source and read it."""
    spec = spec_of(dataset)
    if source not in SOURCES:
        raise ConfigError("config_choice", field="source", value=source, allowed=", ".join(SOURCES))
    has_sample = spec.name == SAMPLE.name
    if source == "sample" and not has_sample:
        raise ConfigError("data_no_sample", dataset=dataset)
    if source == "sample":
        return _Fetched(spec=SAMPLE, source="sample", files=read_sample(sample_dir))
    found = find_raw(spec, data_dir)
    if found is None or found.missing:
        try:
            yield from download(spec, data_dir, mirrors=mirrors)
        except (DataError, OutputError) as error:
            if found is None and source == "auto" and has_sample:
                files = read_sample(sample_dir)
                return _Fetched(spec=SAMPLE, source="sample", files=files, fallback_reason=error)
            raise _unavailable(spec, data_dir, found, error) from error
        found = find_raw(spec, data_dir)
    assert found is not None
    return _Fetched(spec=spec, source="full", files=read_all(spec, found))


def _unavailable(
    spec: DatasetSpec, data_dir: Path, found: RawFolder | None, error: TallerError
) -> TallerError:
    """The error for a set that is not there and could not be downloaded, with the ways to it."""
    if found is not None:
        missing = ", ".join(found.missing)
        return DataError("data_incomplete", path=found.folder, missing=missing)
    if isinstance(error, OutputError):
        return error
    return DataError(
        "data_unavailable" if spec.name == SAMPLE.name else "data_unavailable_other",
        dataset=spec.name,
        folder=raw_folder(spec, data_dir),
        files=", ".join(FILES),
        reason=error.values["reasons"],
    )


def _digits(fetched: _Fetched, holdout: int) -> Digits:
    """Split the training digits and put everything into tensors."""
    spec, files = fetched.spec, fetched.files
    train_images, train_labels, test_images, test_labels = (files[name].array for name in FILES)
    held_out = stratified_mask(train_labels, _checked_holdout(fetched, holdout))
    content = "".join(files[name].md5 for name in FILES)
    return Digits(
        train=_split(train_images, train_labels, np.flatnonzero(~held_out)),
        validation=_split(train_images, train_labels, np.flatnonzero(held_out)),
        test=_split(test_images, test_labels, None),
        name=spec.name,
        source=fetched.source,
        class_names=spec.class_names,
        scale=spec.scale or pixel_statistics(train_images),
        checksum=hashlib.sha256(content.encode("ascii")).hexdigest()[:16],
        folder=files[FILES[0]].path.parent,
        verified=all(file.state == "verified" for file in files.values()),
        fallback_reason=fetched.fallback_reason,
    )


def _checked_holdout(fetched: _Fetched, holdout: int) -> int:
    total = fetched.spec.train_n
    if fetched.source == "sample":
        holdout = min(holdout, SAMPLE_HOLDOUT)
    most = total - N_CLASSES
    if holdout < 0:
        raise ConfigError("config_range", field="holdout", value=holdout, least=0, most=most)
    if holdout > most:
        raise ConfigError(
            "holdout_too_large", field="holdout", value=holdout, total=total, most=most
        )
    return holdout


def _split(
    images: NDArray[np.uint8], labels: NDArray[np.uint8], chosen: NDArray[np.intp] | None
) -> Split:
    """The chosen digits, all for None, in the order of the file."""
    image_tensor = torch.from_numpy(images).unsqueeze(1)
    label_tensor = torch.from_numpy(labels)
    if chosen is not None and len(chosen) < len(labels):
        index = torch.from_numpy(chosen)
        image_tensor = image_tensor.index_select(0, index)
        label_tensor = label_tensor.index_select(0, index)
    return Split(images=image_tensor, labels=label_tensor.to(torch.int64))


def pixel_statistics(images: NDArray[np.uint8]) -> Scale:
    """Mean and standard deviation of all pixels as numbers in 0..1, to four decimals.

    Four decimals is what the field quotes them with, e.g. 0.1307 and 0.3081 for MNIST.
    """
    total = squares = 0
    for start in range(0, len(images), CHUNK):
        values = torch.from_numpy(images[start : start + CHUNK]).to(torch.int32)
        total += int(values.sum())
        squares += int((values * values).sum())
    mean = total / images.size / 255
    variance = squares / images.size / 255**2 - mean**2
    return Scale(round(mean, 4), round(math.sqrt(variance), 4))
