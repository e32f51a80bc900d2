"""`SimpleCNN`, the workshop's network, and the family around it; what its layers cost.

Shapes: N images in the batch, C channels, H and W pixels, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from taller_cnn.config import ModelConfig

IMAGE_SIZE = 28
SMALLEST_POOLED = 8
"""A map is halved only while it is at least this wide: 28 -> 14 -> 7, then it stays."""

_ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "tanh": torch.tanh,
}
_RISING = ("relu", "tanh")
"""Activations that never fall, so that the maximum may be taken before them."""


class _Conv2d(nn.Conv2d):
    """A convolution whose weights are drawn by the network, not from the process-wide generator."""

    def reset_parameters(self) -> None:
        """Leave the weights as they are."""


class _Linear(nn.Linear):
    """As `_Conv2d`, fully connected."""

    def reset_parameters(self) -> None:
        """Leave the weights as they are."""


class SeededDropout(nn.Module):
    """Dropout (Srivastava et al. 2014) that draws from a generator of its own.

    `nn.Dropout` draws from the process-wide generator, which a library must not seed.

    Args:
        p: fraction of the units switched off, 0 <= p < 1.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """The input, in training with units switched off and the others scaled up."""
        if not self.training or self.p == 0:
            return x
        kept = torch.empty_like(x).bernoulli_(1 - self.p, generator=self.generator)
        # Scaled apart from the mask: 1 / (1 - p) in bfloat16 would be off by up to 0.4%.
        return x * kept * (1 / (1 - self.p))


class SimpleCNN(nn.Module):
    """Convolutions with activation and pooling, one hidden layer or none, one output per class.

    Layers are the attributes ``conv1 ... convL``, ``norm1 ... normL`` (with batch norm), ``fc1``
    (with a hidden layer) and ``fc2``; the default configuration has the state dict of the
    workshop's lesson.

    Args:
        config: the member of the family.
        n_classes: number of classes, K.
        seed: seed of the initial weights. They are PyTorch's default ones, so that the same
            seed gives the same weights as building the lesson's class after
            ``torch.manual_seed(seed)``; no process-wide generator is touched.
    """

    conv1: nn.Conv2d

    def __init__(
        self, config: ModelConfig | None = None, *, n_classes: int = 10, seed: int = 0
    ) -> None:
        super().__init__()
        self.config = config = config or ModelConfig()
        geometry = stages(config)
        for index, stage in enumerate(geometry, start=1):
            conv = _Conv2d(
                stage.inputs,
                stage.outputs,
                config.kernel_size,
                stride=stage.stride,
                padding=config.kernel_size // 2,
            )
            self.add_module(f"conv{index}", conv)
            if config.batch_norm:
                self.add_module(f"norm{index}", nn.BatchNorm2d(stage.outputs))
        if config.hidden:
            self.fc1 = _Linear(_flat_size(config), config.hidden)
        self.fc2 = _Linear(config.hidden or _flat_size(config), n_classes)
        self.dropout = SeededDropout(config.dropout)
        self.activation = _ACTIVATIONS[config.activation]
        self._pooled = tuple(stage.pooled for stage in geometry)
        self.reset_parameters(torch.Generator().manual_seed(seed))

    @property
    def n_classes(self) -> int:
        """Number of classes, K."""
        return self.fc2.out_features

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw PyTorch's default initial weights (He et al. 2015, uniform) from `generator`."""
        for layer in self.children():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=generator)
                bound = 1 / math.sqrt(layer.weight[0].numel())
                if layer.bias is not None:
                    nn.init.uniform_(layer.bias, -bound, bound, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[N, K]`` of normalised images ``[N, 1, 28, 28]``.

        Raises:
            ValueError: the images have another shape.
        """
        logits: Tensor = self.fc2(self.dropout(self.embed(x)))
        return logits

    def embed(self, x: Tensor) -> Tensor:
        """What the classes are made from ``[N, fc2.in_features]``, before dropout.

        The hidden layer after its activation or, without one, the last maps.
        """
        if x.shape[1:] != (1, IMAGE_SIZE, IMAGE_SIZE):
            # Pooling forgives other sizes: 29 x 29 pixels would give logits that mean nothing.
            raise ValueError(f"images of shape {tuple(x.shape)} are not [N, 1, 28, 28]")
        for index in range(1, self.config.layers + 1):
            x = self.stage(index, x)
        return self.embed_maps(x)

    def embed_maps(self, maps: Tensor) -> Tensor:
        """As `embed`, from the output ``[N, C, H, W]`` of the last stage."""
        flat = self.final_maps(maps).flatten(1)
        return self.activation(self.fc1(flat)) if self.config.hidden else flat

    def final_maps(self, maps: Tensor) -> Tensor:
        """The output ``[N, C, H, W]`` of the last stage, pooled down to `final_size`."""
        size = self.config.final_size
        if not size or maps.shape[-1] <= size:
            return maps
        pool = F.adaptive_avg_pool2d if self.config.pooling == "avg" else F.adaptive_max_pool2d
        return pool(maps, size)

    def stage(self, index: int, x: Tensor) -> Tensor:
        """Convolution `index` (from 1) with its normalisation, activation and pooling."""
        return self.after_conv(index, self.get_submodule(f"conv{index}")(x))

    def after_conv(self, index: int, x: Tensor) -> Tensor:
        """Normalisation, activation and pooling of the output of convolution `index`."""
        if self.config.batch_norm:
            x = self.get_submodule(f"norm{index}")(x)
        if not self._pooled[index - 1]:
            return self.activation(x)
        if self.config.pooling == "avg":
            return F.avg_pool2d(self.activation(x), 2)
        if self.config.activation in _RISING:
            # The same function as activation then maximum, on a quarter of the values.
            return self.activation(_max_pool(x))
        return _max_pool(self.activation(x))


def _max_pool(x: Tensor) -> Tensor:
    """Maximum of each 2x2 cell of maps with even sides.

    `max_pool2d` keeps the place of every maximum for the gradient. Where none will be asked for,
    the maximum of neighbouring rows and then columns is the same: with `max_pool2d` an evaluation
    of the workshop's network takes 1.2 times as long (docs/log.md).
    """
    if x.requires_grad:
        return F.max_pool2d(x, 2)
    rows = torch.maximum(x[:, :, ::2], x[:, :, 1::2])
    return torch.maximum(rows[..., ::2], rows[..., 1::2])


class Ensemble(nn.Module):
    """Networks that answer together, with the mean of their probabilities.

    Args:
        members: trained networks, at least one.
    """

    def __init__(self, members: Sequence[SimpleCNN]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: Tensor) -> Tensor:
        """Logarithms of the mean probabilities ``[N, K]``, which serve as logits.

        Raises:
            ValueError: the images are not ``[N, 1, 28, 28]``.
        """
        return mean_answer(torch.stack([member(x) for member in self.members]))


def network_inside(model: SimpleCNN | Ensemble) -> SimpleCNN:
    """The network whose layers and maps are shown: of an ensemble, its first member."""
    if isinstance(model, SimpleCNN):
        return model
    first = model.members[0]
    assert isinstance(first, SimpleCNN)
    return first


def mean_answer(logits: Tensor) -> Tensor:
    """Logarithms of the mean of M answers' probabilities, ``[N, K]`` of logits ``[M, N, K]``."""
    return logits.log_softmax(dim=2).logsumexp(dim=0) - math.log(len(logits))


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Geometry of one convolution with its pooling."""

    inputs: int
    outputs: int
    stride: int
    size: int
    """Side of the convolution's output, in pixels."""
    pooled: bool
    """Whether the convolution's output is then pooled 2x2."""

    @property
    def output_size(self) -> int:
        """Side of the map after pooling, in pixels."""
        return self.size // 2 if self.pooled else self.size


def stages(config: ModelConfig) -> list[Stage]:
    """The geometry of every convolution of a network, first to last."""
    found: list[Stage] = []
    size, inputs = IMAGE_SIZE, 1
    for index, outputs in enumerate(config.filters, start=1):
        last = index % config.convs_per_pool == 0
        halved = config.pooling != "none" and last and size >= SMALLEST_POOLED
        strided = halved and config.pooling == "stride"
        stride = 2 if strided else 1
        stage = Stage(
            inputs=inputs,
            outputs=outputs,
            stride=stride,
            size=math.ceil(size / stride),
            pooled=halved and not strided,
        )
        found.append(stage)
        size, inputs = stage.output_size, outputs
    return found


def _final_size(config: ModelConfig) -> int:
    """Side of the maps that the first fully connected layer is given, in pixels."""
    size = stages(config)[-1].output_size
    return min(size, config.final_size) if config.final_size else size


def _flat_size(config: ModelConfig) -> int:
    return config.filters[-1] * _final_size(config) ** 2


def count_parameters(model: nn.Module) -> int:
    """Number of weights and biases, those held fixed while training included."""
    return sum(p.numel() for p in model.parameters())


@dataclass(frozen=True, kw_only=True)
class LayerRow:
    """What one layer makes and costs, for one image."""

    name: str
    """Attribute name of a layer with weights (``conv1``), or ``pool1``, ``dropout``."""
    kind: str
    """`conv`, `norm`, `pool`, `fc`, `dropout` or `input`."""
    output_shape: tuple[int, ...]
    """``(C, H, W)`` of a map, ``(units,)`` of a fully connected layer."""
    parameters: int = 0
    arithmetic: str = ""
    """How the parameters add up, e.g. ``16 × (1 × 3 × 3 + 1)``."""
    macs: int = 0
    """Multiply-accumulate operations of the forward pass."""


def describe(config: ModelConfig, n_classes: int = 10) -> tuple[LayerRow, ...]:
    """The layers of a network in order, with shapes, parameters and multiply-accumulates.

    Nothing is built: the rows come from the configuration and the number of classes alone.
    """
    return tuple(_rows(config, n_classes))


def _rows(config: ModelConfig, n_classes: int) -> Iterator[LayerRow]:
    yield LayerRow(name="input", kind="input", output_shape=(1, IMAGE_SIZE, IMAGE_SIZE))
    for index, stage in enumerate(stages(config), start=1):
        yield from _stage_rows(config, index, stage)
    flat, size = _flat_size(config), _final_size(config)
    if size < stages(config)[-1].output_size:
        yield LayerRow(name="pool", kind="pool", output_shape=(config.filters[-1], size, size))
    units = config.hidden or flat
    if config.hidden:
        yield _linear_row("fc1", flat, units)
    if config.dropout:
        yield LayerRow(name="dropout", kind="dropout", output_shape=(units,))
    yield _linear_row("fc2", units, n_classes)


def _stage_rows(config: ModelConfig, index: int, stage: Stage) -> Iterator[LayerRow]:
    side = config.kernel_size
    kernel = stage.inputs * side**2
    yield LayerRow(
        name=f"conv{index}",
        kind="conv",
        output_shape=(stage.outputs, stage.size, stage.size),
        parameters=stage.outputs * (kernel + 1),
        arithmetic=f"{stage.outputs} × ({stage.inputs} × {side} × {side} + 1)",
        macs=stage.outputs * stage.size**2 * kernel,
    )
    if config.batch_norm:
        yield LayerRow(
            name=f"norm{index}",
            kind="norm",
            output_shape=(stage.outputs, stage.size, stage.size),
            parameters=2 * stage.outputs,
            arithmetic=f"{stage.outputs} × 2",
        )
    if stage.pooled:
        pooled = (stage.outputs, stage.output_size, stage.output_size)
        yield LayerRow(name=f"pool{index}", kind="pool", output_shape=pooled)


def _linear_row(name: str, inputs: int, outputs: int) -> LayerRow:
    return LayerRow(
        name=name,
        kind="fc",
        output_shape=(outputs,),
        parameters=outputs * (inputs + 1),
        arithmetic=f"{outputs} × ({inputs} + 1)",
        macs=inputs * outputs,
    )
