"""Training on the middle of the images, for a third less work.

A digit of MNIST lies in a box of 20 by 20 pixels; the outermost pixels are almost always paper. On
the middle 26 by 26 pixels, unpadded convolutions give exactly those cells of the padded network's
maps that never look beyond them. The cells left out get weight 0 in the hidden layer, so that what
was trained *is* the whole network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from taller_cnn.config import ModelConfig
from taller_cnn.errors import ConfigError
from taller_cnn.model import IMAGE_SIZE, SimpleCNN, stages

__all__ = ["MiddleOfImages", "crop"]

MARGIN = 1
"""Pixels left out on each side."""


def crop(images: Tensor) -> Tensor:
    """The middle ``[N, 1, 26, 26]`` of images ``[N, 1, 28, 28]``."""
    return images[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN].contiguous()


def middle_cells(config: ModelConfig) -> slice:
    """Rows (and columns) of the last map that depend on the middle of the image alone.

    Raises:
        ConfigError: the cells of a map do not line up with those of the whole network, or the
            hidden layer does not get them one by one.
    """
    start, stop = MARGIN, IMAGE_SIZE - MARGIN
    for stage in stages(config):
        start, stop = start + config.kernel_size // 2, stop - config.kernel_size // 2
        if stage.stride != 1 or (stage.pooled and (start % 2 or stop % 2)):
            start = stop
        elif stage.pooled:
            start, stop = start // 2, stop // 2
    if config.final_size or not config.hidden:
        raise ConfigError("config_middle_maps", size=config.final_size, hidden=config.hidden)
    if start >= stop:
        raise ConfigError("config_middle", pooling=config.pooling, kernel=config.kernel_size)
    return slice(start, stop)


class MiddleOfImages:
    """A network as it sees the middle of the images; shares all weights but ``fc1``'s.

    Args:
        model: the whole network.

    Raises:
        ConfigError: this member of the family cannot be trained so.
    """

    def __init__(self, model: SimpleCNN) -> None:
        self._model = model
        self._cells = middle_cells(model.config)
        self.weight = nn.Parameter(self._inside(model.fc1.weight).detach().flatten(1).clone())
        """``fc1``'s weights of the middle cells, ``[hidden, C * H * W]``."""

    def __call__(self, images: Tensor) -> Tensor:
        """Logits ``[N, K]`` of images ``[N, 1, 26, 26]``."""
        model, maps = self._model, images
        for index in range(1, model.config.layers + 1):
            maps = model.stage(index, maps, padded=False)
        hidden = nn.functional.linear(maps.flatten(1), self.weight, model.fc1.bias)
        logits: Tensor = model.fc2(model.dropout(model.activation(hidden)))
        return logits

    @torch.no_grad()
    def write_back(self) -> None:
        """Put the weights into the whole network, with 0 for the cells that were left out."""
        self._model.fc1.weight.zero_()
        inside = self._inside(self._model.fc1.weight)
        inside.copy_(self.weight.view(inside.shape))

    @torch.no_grad()
    def read(self) -> None:
        """Take the weights of the whole network."""
        self.weight.copy_(self._inside(self._model.fc1.weight).flatten(1))

    def _inside(self, weight: Tensor) -> Tensor:
        """The part of ``fc1``'s weight that looks at the middle cells, ``[hidden, C, H, W]``."""
        config = self._model.config
        size = stages(config)[-1].output_size
        maps = weight.view(config.hidden, config.filters[-1], size, size)
        return maps[:, :, self._cells, self._cells]
