"""A network run in pieces: only what the explanations need beside its own `forward`."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

from taller_cnn.model import SimpleCNN

BATCH = 250
Network = TypeVar("Network", bound=nn.Module)


def quick_copy(model: Network) -> Network:
    """The same network in PyTorch's channels-last layout: three times as fast on a processor."""
    fast = copy.deepcopy(model)
    fast.to(memory_format=torch.channels_last)
    return fast.eval().requires_grad_(False)


@torch.inference_mode()
def class_logits(model: nn.Module, images: Tensor) -> Tensor:
    """Logits ``[N, K]`` of normalised images float32 ``[N, 1, 28, 28]``, batch by batch."""
    rows = [
        model(images[start : start + BATCH].to(memory_format=torch.channels_last))
        for start in range(0, len(images), BATCH)
    ]
    return torch.cat(rows)


def pre_activation(model: SimpleCNN, index: int, x: Tensor) -> Tensor:
    """Convolution `index` (from 1) with its normalisation, before activation and pooling.

    Args:
        model: the network.
        index: which convolution.
        x: its input ``[N, C, H, W]``.
    """
    x = model.get_submodule(f"conv{index}")(x)
    if model.config.batch_norm:
        x = model.get_submodule(f"norm{index}")(x)
    return x


def from_stage(model: SimpleCNN, index: int, x: Tensor) -> Tensor:
    """Logits ``[N, K]`` from the output of stage `index`, as the network itself goes on from it."""
    for following in range(index + 1, model.config.layers + 1):
        x = model.stage(following, x)
    logits: Tensor = model.fc2(model.embed_maps(x))
    return logits


def first_of_each_class(labels: Tensor, n: int) -> Tensor:
    """Positions of the first labels of each class in its share, about `n` in all, in order.

    All positions if there are no more than `n`.

    Args:
        labels: int64 ``[N]``.
        n: how many at most; but one of every class.
    """
    if len(labels) <= n:
        return torch.arange(len(labels))
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for label in torch.unique(labels):
        of_class = (labels == label).nonzero()[:, 0]
        chosen[of_class[: max(1, n * len(of_class) // len(labels))]] = True
    return chosen.nonzero()[:, 0]
