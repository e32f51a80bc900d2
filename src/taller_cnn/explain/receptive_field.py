"""Which pixels a unit of a convolution can see, from the network's configuration alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from taller_cnn.config import ModelConfig
from taller_cnn.model import stages


@dataclass(frozen=True, kw_only=True)
class ReceptiveField:
    """The square of pixels behind one unit of a map (Araujo et al. 2019, Distill)."""

    size: int
    """Side of the square, in pixels."""
    jump: int
    """Pixels between the squares of neighbouring units."""
    start: int
    """First row and column of unit (0, 0); negative where it reaches over the image's edge."""


def receptive_fields(config: ModelConfig) -> tuple[ReceptiveField, ...]:
    """The field of a unit of every convolution, before its pooling, first to last."""
    found = []
    size, jump, start = 1, 1, 0
    for stage in stages(config):
        size += (config.kernel_size - 1) * jump
        start -= config.kernel_size // 2 * jump
        jump *= stage.stride
        found.append(ReceptiveField(size=size, jump=jump, start=start))
        if stage.pooled:
            size += jump
            jump *= 2
    return tuple(found)


def crops(images: Tensor, rows: Tensor, columns: Tensor, field: ReceptiveField) -> Tensor:
    """What one unit sees of each image; background where it looks over the edge.

    Args:
        images: ``[P, 1, 28, 28]``, an image per unit.
        rows: the unit's row in its map, int64 ``[P]``.
        columns: its column, int64 ``[P]``.
        field: of that map.

    Returns:
        ``[P, size, size]`` of the images' type.
    """
    margin = field.size
    padded = F.pad(images[:, 0], (margin, margin, margin, margin))
    steps = torch.arange(field.size)
    top = (rows * field.jump + field.start + margin)[:, None] + steps
    left = (columns * field.jump + field.start + margin)[:, None] + steps
    return padded[torch.arange(len(images))[:, None, None], top[:, :, None], left[:, None, :]]
