"""Members of the family of networks that together have every part that one can have."""

from __future__ import annotations

from typing import Any

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
