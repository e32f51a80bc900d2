"""The training digits, batch by batch: in which order, and varied how."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from taller_cnn.allographs import digits_shown
from taller_cnn.augmentation import AUGMENTATIONS, augment
from taller_cnn.config import TrainConfig
from taller_cnn.data import Digits, normalise

ORDER, VARIATION, DROPOUT = range(3)
"""The streams of chance of a training; its initial weights are drawn from the seed itself."""


def stream_seed(seed: int, *place: int) -> int:
    """Seed of one of the independent streams of chance that a training has (0 to 2**63 - 1).

    Args:
        seed: of the training.
        place: which stream, and which part of it.
    """
    sequence = np.random.SeedSequence(seed, spawn_key=place)
    return int(sequence.generate_state(1, np.uint64)[0] >> 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """The network's input for one step."""

    images: Tensor
    """Normalised ``[N, 1, H, W]``."""
    labels: Tensor
    """Int64 ``[N]``."""


class Batches:
    """The batch of every step, from the seed and the step's number alone.

    So a resumed training gets the same batches as one that was never stopped.

    Args:
        digits: those to train on.
        config: batch size, augmentation and seed.
        device: where the batches are wanted.
        dtype: of the images, a floating-point type.
        crop: the part of images ``[N, 1, 28, 28]`` that training looks at.
    """

    def __init__(
        self,
        digits: Digits,
        config: TrainConfig,
        device: torch.device,
        dtype: torch.dtype,
        crop: Callable[[Tensor], Tensor],
    ) -> None:
        self.per_epoch = math.ceil(len(digits.train) / config.batch_size)
        """Steps of an epoch; its last batch may be smaller than the others."""
        self._config, self._device, self._dtype, self._crop = config, device, dtype, crop
        self._scale = digits.scale
        self._chance = torch.Generator(device)
        self._labels = digits.train.labels.to(device)
        self._digits = digits_shown(digits.class_names).to(device)
        images = digits.train.images
        if not self._varies:
            images = crop(normalise(images, digits.scale, dtype))
        # Raw where each step varies them, else as the network gets them.
        self._images = images.to(device)
        self._order: tuple[int, Tensor] | None = None

    def __getitem__(self, step: int) -> Batch:
        """The batch of a step, counted from 0 through all epochs."""
        epoch, number = divmod(step, self.per_epoch)
        start = number * self._config.batch_size
        chosen = self._order_of(epoch)[start : start + self._config.batch_size]
        images = self._images[chosen]
        if self._varies:
            images = self._varied(images, self._digits[self._labels[chosen]], step)
        # `to`, not `contiguous`: with one channel the latter changes nothing, and the convolutions
        # after it would fall back to the slower layout.
        images = images.to(memory_format=torch.channels_last)
        return Batch(images=images, labels=self._labels[chosen])

    @property
    def _varies(self) -> bool:
        """Whether a digit is another image each time."""
        return self._config.augmentation != "none"

    def _order_of(self, epoch: int) -> Tensor:
        """The order of the digits in one epoch."""
        if self._order is None or self._order[0] != epoch:
            generator = torch.Generator().manual_seed(stream_seed(self._config.seed, ORDER, epoch))
            order = torch.randperm(len(self._labels), generator=generator)
            self._order = epoch, order.to(self._device)
        return self._order[1]

    def _varied(self, images: Tensor, digits: Tensor, step: int) -> Tensor:
        """Raw digits as the network gets them at a step."""
        self._chance.manual_seed(stream_seed(self._config.seed, VARIATION, step))
        images = augment(images, AUGMENTATIONS[self._config.augmentation], self._chance, digits)
        return self._crop(images.sub_(self._scale.mean).div_(self._scale.std).to(self._dtype))
