"""First-layer filters made from the digits themselves, in place of learned ones."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from taller_cnn.errors import ConfigError

__all__ = ["patch_filters"]

SCALE = 0.3
"""Size of a filter's response; 0.15 and 0.6 do as well."""
FLOOR = 0.01
"""Added to each variance, so that directions in which patches hardly vary are not blown up."""


def patch_filters(images: Tensor, filters: int, kernel_size: int) -> Tensor:
    """Filters that whiten image patches, each with its negative.

    They are the principal directions of all patches, scaled to equal variance (the first layer
    of Jordan's 2024 CIFAR-10 speed runs is made so). ReLU keeps one half of a response and the
    negative filter the other. They stay fixed: no gradient is needed for the largest maps.

    Args:
        images: normalised, float32 ``[N, 1, H, W]``.
        filters: how many; at most ``2 * kernel_size**2``.
        kernel_size: side of the patches.

    Returns:
        float32 ``[filters, 1, kernel_size, kernel_size]``, strongest direction first.

    Raises:
        ConfigError: more filters than directions and their negatives.
    """
    area = kernel_size**2
    if filters > 2 * area:
        raise ConfigError("config_patches", value=filters, most=2 * area, kernel=kernel_size)
    patches = F.unfold(images, kernel_size).transpose(1, 2).reshape(-1, area)
    patches = patches - patches.mean(dim=0)
    variance, directions = torch.linalg.eigh(patches.T @ patches / len(patches))
    # Twice the same decomposition must give the same sign on every machine.
    directions = directions * directions.sum(dim=0).sign().where(directions.sum(dim=0) != 0, 1.0)
    whitening = (SCALE * directions / (variance + FLOOR).sqrt()).T.flip(0)
    half = whitening[: (filters + 1) // 2]
    both = torch.cat([half, -half])[:filters]
    return both.reshape(filters, 1, kernel_size, kernel_size)
