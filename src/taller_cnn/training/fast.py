"""What makes the `fast` recipe fast: a first layer that is not learned, and smaller images.

- The first layer's filters are made from patches of the training digits and stay fixed: no
  gradient is needed for the largest maps.
- A digit of MNIST lies in a box of 20 by 20 pixels; the outermost pixels are almost always paper.
  On the middle 26 by 26 pixels, unpadded convolutions give exactly those cells of the padded
  network's maps that never look beyond them. The cells left out get weight 0 in the hidden layer,
  so that what was trained *is* the whole network, for a third less work.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import Digits, normalise
from taller_cnn.errors import ConfigError
from taller_cnn.model import IMAGE_SIZE, SimpleCNN, stages
from taller_cnn.training.network import TrainedNetwork

PATCH_IMAGES = 512
"""Training digits that a fixed first layer is made from."""
SCALE = 0.3
"""Size of a filter's response; 0.15 and 0.6 do as well."""
FLOOR = 0.01
"""Added to each variance, so that directions in which patches hardly vary are not blown up."""
NEARLY = 0.9
"""From this part of the largest entry on, another one counts as large too."""
MARGIN = 1
"""Pixels left out on each side of an image."""


def trained_form(model: SimpleCNN, digits: Digits, config: TrainConfig) -> TrainedNetwork:
    """The form in which a configuration trains a network.

    Args:
        model: on the device of the training; its first layer is set where patches make it.
        digits: whose training digits such a first layer is made from.
        config: `first_layer` and `middle` choose the form.

    Raises:
        ConfigError: this member of the family cannot be trained so.
    """
    fixed = config.first_layer != "learned"
    if config.first_layer == "patches":
        images = normalise(digits.train.images[:PATCH_IMAGES], digits.scale)
        set_first_layer(model, images)
    if config.middle:
        return MiddleOfImages(model, fixed_first_layer=fixed)
    return FixedFirstLayer(model) if fixed else TrainedNetwork(model)


class FixedFirstLayer(TrainedNetwork):
    """A network whose first layer is left as it is."""

    fixed_first_layer = True

    def __call__(self, images: Tensor) -> Tensor:
        """Logits ``[N, K]`` of images as `crop` gives them."""
        with torch.set_grad_enabled(not self.fixed_first_layer):
            maps = self._stage(1, images)
        for index in range(2, self._model.config.layers + 1):
            maps = self._stage(index, maps)
        logits: Tensor = self._model.fc2(self._model.dropout(self._embed(maps)))
        return logits

    def others(self) -> list[Tensor]:
        """All trained weights that are not `matrices`."""
        fixed = set(map(id, self._model.conv1.parameters())) if self.fixed_first_layer else set()
        return [weight for weight in super().others() if id(weight) not in fixed]

    def _stage(self, index: int, maps: Tensor) -> Tensor:
        return self._model.stage(index, maps)

    def _embed(self, maps: Tensor) -> Tensor:
        return self._model.embed_maps(maps)


class MiddleOfImages(FixedFirstLayer):
    """A network as it sees the middle of the images; shares all weights but ``fc1``'s.

    Args:
        model: the whole network.
        fixed_first_layer: whether the first layer is left as it is.

    Raises:
        ConfigError: this member of the family cannot be trained so.
    """

    def __init__(self, model: SimpleCNN, *, fixed_first_layer: bool = False) -> None:
        super().__init__(model)
        self.fixed_first_layer = fixed_first_layer
        self._cells = middle_cells(model.config)
        inside = self._inside(model.fc1.weight).detach().flatten(1).clone()
        self.weight = nn.Parameter(inside, requires_grad=model.fc1.weight.requires_grad)
        """``fc1``'s weights of the middle cells, ``[hidden, C * H * W]``."""

    def crop(self, images: Tensor) -> Tensor:
        """The middle ``[N, 1, 26, 26]`` of images ``[N, 1, 28, 28]``."""
        return images[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN].contiguous()

    @property
    def model(self) -> SimpleCNN:
        """The whole network, with 0 for the cells that were left out."""
        with torch.no_grad():
            self._model.fc1.weight.zero_()
            inside = self._inside(self._model.fc1.weight)
            inside.copy_(self.weight.view(inside.shape))
        return self._model

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights of a state dict of the whole network."""
        super().load(state)
        with torch.no_grad():
            self.weight.copy_(self._inside(self._model.fc1.weight).flatten(1))

    def matrices(self) -> list[Tensor]:
        """As of the whole network, with the middle cells' weights in ``fc1``'s place."""
        whole = self._model.fc1.weight
        return [self.weight if weight is whole else weight for weight in super().matrices()]

    def others(self) -> list[Tensor]:
        """All other trained weights."""
        return [weight for weight in super().others() if weight is not self._model.fc1.weight]

    def _stage(self, index: int, maps: Tensor) -> Tensor:
        conv = self._model.get_submodule(f"conv{index}")
        assert isinstance(conv, nn.Conv2d)
        return self._model.after_conv(index, F.conv2d(maps, conv.weight, conv.bias))

    def _embed(self, maps: Tensor) -> Tensor:
        hidden = F.linear(maps.flatten(1), self.weight, self._model.fc1.bias)
        return self._model.activation(hidden)

    def _inside(self, weight: Tensor) -> Tensor:
        """The part of ``fc1``'s weight that looks at the middle cells, ``[hidden, C, H, W]``."""
        config = self._model.config
        size = stages(config)[-1].output_size
        maps = weight.view(config.hidden, config.filters[-1], size, size)
        return maps[:, :, self._cells, self._cells]


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


@torch.no_grad()
def set_first_layer(model: SimpleCNN, images: Tensor) -> None:
    """Put filters made from normalised images ``[N, 1, 28, 28]`` into the first layer.

    Raises:
        ConfigError: the layer has more filters than patches of its size have directions.
    """
    conv = model.conv1
    conv.weight.copy_(patch_filters(images, conv.out_channels, conv.kernel_size[0]))
    if conv.bias is not None:
        conv.bias.zero_()


def patch_filters(images: Tensor, filters: int, kernel_size: int) -> Tensor:
    """Filters that whiten image patches, each with its negative.

    They are the principal directions of all patches, scaled to equal variance (the first layer
    of Jordan's 2024 CIFAR-10 speed runs is made so). ReLU keeps one half of a response and the
    negative filter the other.

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
    directions = directions * _signs(directions)
    whitening = (SCALE * directions / (variance + FLOOR).sqrt()).T.flip(0)
    half = whitening[: (filters + 1) // 2]
    both = torch.cat([half, -half])[:filters]
    return both.reshape(filters, 1, kernel_size, kernel_size)


def _signs(directions: Tensor) -> Tensor:
    """Signs ``[D]`` that make columns ``[area, D]`` of unit length the same on every machine.

    A decomposition leaves them open. The first of a column's largest entries becomes positive: its
    sum is near 0 for an edge, whose two largest entries differ by little more than their sign.
    """
    size = directions.abs()
    large = size > NEARLY * size.amax(dim=0)
    first = large.int().argmax(dim=0)
    return directions.gather(0, first[None])[0].sign()
