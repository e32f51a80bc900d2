"""A network's weights as the page reads them: batch norm folded in, in the safetensors format."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from taller_cnn.model import SimpleCNN


@torch.no_grad()
def folded_weights(model: SimpleCNN) -> dict[str, NDArray[np.float32]]:
    """The weights of the same function without batch norm.

    In evaluation mode a normalisation is a factor and an offset per channel, and the convolution
    before it can have both. Sums are taken in float64 and rounded once.

    Returns:
        ``conv<i>.weight (out, in, k, k)``, ``conv<i>.bias (out,)``, with a hidden layer
        ``fc1.weight (hidden, flat)`` and ``fc1.bias``, ``fc2.weight (K, units)``, ``fc2.bias``;
        float32, C order.
    """
    found: dict[str, Tensor] = {}
    for index in range(1, model.config.layers + 1):
        conv = model.get_submodule(f"conv{index}")
        assert isinstance(conv, nn.Conv2d)
        assert conv.bias is not None
        weight, bias = conv.weight.double(), conv.bias.double()
        if model.config.batch_norm:
            weight, bias = _folded(weight, bias, model.get_submodule(f"norm{index}"))
        found[f"conv{index}.weight"], found[f"conv{index}.bias"] = weight, bias
    for name in ("fc1", "fc2") if model.config.hidden else ("fc2",):
        layer = model.get_submodule(name)
        assert isinstance(layer, nn.Linear)
        found[f"{name}.weight"], found[f"{name}.bias"] = layer.weight, layer.bias
    return {
        name: np.ascontiguousarray(value.detach().cpu().to(torch.float32).numpy())
        for name, value in found.items()
    }


def _folded(weight: Tensor, bias: Tensor, norm: nn.Module) -> tuple[Tensor, Tensor]:
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    factor = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    offset = norm.bias.double() - norm.running_mean.double() * factor
    return weight * factor[:, None, None, None], bias * factor + offset


def to_safetensors(weights: Mapping[str, NDArray[np.float32]], card: str) -> bytes:
    """Weights as safetensors bytes with the model's card, a JSON text, in their metadata."""
    from safetensors.numpy import save

    return save(dict(weights), metadata={"card": card})
