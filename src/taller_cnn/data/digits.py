"""Digits in memory: split for training, choosing and reporting, with their normalisation."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from taller_cnn.data.datasets import FILES, DatasetSpec, Scale
from taller_cnn.data.rawfiles import RawFile
from taller_cnn.errors import ConfigError, TallerError

SAMPLE_HOLDOUT = 500
"""Most digits of the sample that are held out: one in eight of its training digits."""
SPLIT_SEED = 20250619
"""Of what is held out: the same digits for every run, whatever its seed."""
CHUNK = 200
"""Images converted at a time: 157,000 pixels, whose 64-bit indices stay in the cache."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledImages:
    """Images and their labels.

    Attributes:
        images: ``uint8 (n, 1, 28, 28)``, 0 = background, 255 = full ink.
        labels: ``int64 (n,)``, 0 to K - 1.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, which: Tensor | slice) -> LabelledImages:
        """Some of the images with their labels, by positions, a mask or a slice."""
        return LabelledImages(images=self.images[which], labels=self.labels[which])


@dataclass(frozen=True, kw_only=True, eq=False)
class Digits:
    """A data set in memory, split for training, choosing and reporting."""

    train: LabelledImages
    validation: LabelledImages
    """Held out from the training digits: stratified, fixed per data set; empty for holdout 0."""
    test: LabelledImages
    name: str
    """``mnist``, ``fashion-mnist``, ``kmnist``, or of a set of one's own."""
    source: str
    """``full``, ``sample`` or ``own``."""
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

    @property
    def n_classes(self) -> int:
        """Number of classes, K."""
        return len(self.class_names)

    @property
    def pool(self) -> LabelledImages:
        """Training digits, then the held-out ones."""
        parts = (self.train, self.validation)
        return LabelledImages(
            images=torch.cat([part.images for part in parts]),
            labels=torch.cat([part.labels for part in parts]),
        )

    def training_on(self, train: LabelledImages) -> Digits:
        """Other digits to train on, and none that the training would evaluate."""
        return replace(self, train=train, validation=train[:0], test=train[:0])


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


def split_digits(
    spec: DatasetSpec,
    files: Mapping[str, RawFile],
    holdout: int,
    *,
    source: str,
    fallback_reason: TallerError | None = None,
) -> Digits:
    """Hold out training digits for validation and put everything into tensors.

    Raises:
        ConfigError: `holdout` is negative or leaves no digits to train on.
    """
    train_images, train_labels, test_images, test_labels = (files[name].array for name in FILES)
    held_out = _held_out(spec, source, train_labels, holdout)
    content = "".join(files[name].md5 for name in FILES)
    return Digits(
        train=_split(train_images, train_labels, np.flatnonzero(~held_out)),
        validation=_split(train_images, train_labels, np.flatnonzero(held_out)),
        test=_split(test_images, test_labels, None),
        name=spec.name,
        source=source,
        class_names=spec.class_names,
        scale=spec.scale or pixel_statistics(train_images),
        checksum=hashlib.sha256(content.encode("ascii")).hexdigest()[:16],
        folder=files[FILES[0]].path.parent,
        verified=all(file.state == "verified" for file in files.values()),
        fallback_reason=fallback_reason,
    )


def _held_out(
    spec: DatasetSpec, source: str, labels: NDArray[np.uint8], holdout: int
) -> NDArray[np.bool_]:
    """Mask of the training digits that are held out, ``(n,)``."""
    if spec.held_out is None:
        return stratified_mask(labels, _checked_holdout(spec, source, holdout))
    # Which ones was settled when the set was made: copies of them are nowhere else.
    mask = np.zeros(len(labels), dtype=np.bool_)
    if holdout:
        mask[len(labels) - spec.held_out :] = True
    return mask


def _checked_holdout(spec: DatasetSpec, source: str, holdout: int) -> int:
    total = spec.train_n
    if source == "sample":
        holdout = min(holdout, SAMPLE_HOLDOUT)
    most = total - len(spec.class_names)
    if holdout < 0:
        raise ConfigError("config_range", field="holdout", value=holdout, least=0, most=most)
    if holdout > most:
        raise ConfigError(
            "holdout_too_large", field="holdout", value=holdout, total=total, most=most
        )
    return holdout


def stratified_mask(labels: NDArray[np.integer], count: int) -> NDArray[np.bool_]:
    """Choose `count` positions with the classes in the proportion they have in `labels`.

    The choice depends on the labels and the count alone, and uses no global generator.

    Args:
        labels: classes from 0, shape ``(n,)``.
        count: how many to choose, at most ``n``.

    Returns:
        Mask of the chosen positions, shape ``(n,)``.
    """
    # RandomState and not default_rng: numpy keeps its stream the same in every version.
    order = np.random.RandomState(SPLIT_SEED).permutation(len(labels))
    mask = np.zeros(len(labels), dtype=np.bool_)
    ordered = labels[order]
    for label, quota in enumerate(_quotas(np.bincount(labels), count)):
        mask[order[ordered == label][:quota]] = True
    return mask


def _quotas(counts: NDArray[np.intp], total: int) -> list[int]:
    """Share out `total` in the proportion of `counts`: largest remainder, first class on ties."""
    n = max(int(counts.sum()), 1)
    quotas = counts * total // n
    remainders = counts * total % n
    first = np.argsort(-remainders, kind="stable")[: total - int(quotas.sum())]
    quotas[first] += 1
    return [int(quota) for quota in quotas]


def _split(
    images: NDArray[np.uint8], labels: NDArray[np.uint8], chosen: NDArray[np.intp] | None
) -> LabelledImages:
    """The chosen digits, all for None, in the order of the file."""
    image_tensor = torch.from_numpy(images).unsqueeze(1)
    label_tensor = torch.from_numpy(labels)
    if chosen is not None and len(chosen) < len(labels):
        index = torch.from_numpy(chosen)
        image_tensor = image_tensor.index_select(0, index)
        label_tensor = label_tensor.index_select(0, index)
    return LabelledImages(images=image_tensor, labels=label_tensor.to(torch.int64))


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
