"""Members of the network family, at least one for each of its features, with made-up weights."""

from __future__ import annotations

from typing import Any

import torch

from taller_cnn.checkpoints import LoadedModel, ModelInfo
from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import MNIST_SCALE
from taller_cnn.model import SimpleCNN

FAMILY: dict[str, dict[str, Any]] = {
    "workshop": {},
    "one pointwise layer": {"filters": (4,), "kernel_size": 1, "hidden": 16},
    "mean, gelu, norm": {
        "filters": (3, 5),
        "kernel_size": 5,
        "pooling": "avg",
        "activation": "gelu",
        "batch_norm": True,
    },
    "stride, tanh, 7x7": {
        "filters": (3, 4, 5),
        "kernel_size": 7,
        "pooling": "stride",
        "activation": "tanh",
        "hidden": 16,
    },
    "no pooling but at the end": {
        "filters": (2, 3),
        "pooling": "none",
        "final_size": 5,
        "hidden": 16,
    },
    "six layers, tanh, norm": {
        "filters": (2, 3, 4, 5, 6, 7),
        "activation": "tanh",
        "batch_norm": True,
        "final_size": 2,
        "hidden": 16,
    },
    "two convolutions per pooling, no hidden layer": {
        "filters": (3, 4, 5, 5, 6, 6),
        "convs_per_pool": 2,
        "hidden": 0,
        "final_size": 1,
        "batch_norm": True,
    },
    "three convolutions per mean, maps to classes": {
        "filters": (2, 3, 2, 3),
        "convs_per_pool": 3,
        "pooling": "avg",
        "hidden": 0,
    },
    "mean at the end": {
        "filters": (4, 6, 6),
        "pooling": "avg",
        "activation": "gelu",
        "final_size": 3,
    },
}
"""The configurations of those that the page is compared on: together they have every part."""

MEMBERS = {
    "workshop": ModelConfig(),
    "kernel 1": ModelConfig(filters=(4, 5), kernel_size=1, hidden=8),
    "kernel 5": ModelConfig(filters=(4, 5), kernel_size=5, hidden=8),
    "kernel 7, one layer": ModelConfig(filters=(4,), kernel_size=7, hidden=8),
    "mean pooling": ModelConfig(filters=(4, 5), pooling="avg", hidden=8),
    "stride": ModelConfig(filters=(4, 5), pooling="stride", hidden=8),
    "stride, kernel 1": ModelConfig(filters=(4, 5), pooling="stride", kernel_size=1, hidden=8),
    "stride, kernel 5": ModelConfig(filters=(4, 5), pooling="stride", kernel_size=5, hidden=8),
    "no pooling": ModelConfig(filters=(2, 3), pooling="none", hidden=4),
    "batch norm": ModelConfig(filters=(4, 5), batch_norm=True, hidden=8),
    "gelu": ModelConfig(filters=(4, 5), activation="gelu", hidden=8),
    "tanh": ModelConfig(filters=(4, 5), activation="tanh", hidden=8),
    "three convolutions a pool": ModelConfig(filters=(2, 3, 4, 5), convs_per_pool=3, hidden=8),
    "no hidden layer": ModelConfig(filters=(4, 5), hidden=0),
    "no dropout": ModelConfig(filters=(4,), dropout=0, hidden=8),
    "six layers": ModelConfig(filters=(2, 3, 4, 5, 6, 7), hidden=8),
    "global maximum": ModelConfig(filters=(4, 5), final_size=1, hidden=0),
    "global mean": ModelConfig(filters=(4, 5), final_size=1, hidden=0, pooling="avg"),
    "overlapping maxima": ModelConfig(filters=(4, 5), final_size=5, hidden=8),
    "overlapping means": ModelConfig(filters=(4, 5), final_size=3, hidden=8, pooling="avg"),
    "means without pooling": ModelConfig(
        filters=(4,), final_size=9, pooling="avg", convs_per_pool=3
    ),
}


def loaded(config: ModelConfig) -> LoadedModel:
    """A network as it would be read from the disk."""
    network = SimpleCNN(config, seed=1).eval()
    generator = torch.Generator().manual_seed(2)
    for name, value in network.state_dict().items():
        # Batch normalisation at its start changes nothing.
        if name.startswith("norm"):
            value.copy_(torch.rand(value.shape, generator=generator) * 3 + 1)
    info = ModelInfo(
        model=config,
        train=TrainConfig(epochs=2.0, seed=3),
        dataset="mnist",
        class_names=tuple("0123456789"),
        scale=MNIST_SCALE,
        source="sample",
        data_checksum="c0ffee",
        origin={"file": "first.pt", "sha256": "ab"},
    )
    return LoadedModel(model=network, info=info)
