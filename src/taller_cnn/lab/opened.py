"""A network that comes as a file: what is in it is looked at, and nothing in it is run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from taller_cnn.checkpoints import ModelInfo, save_model, sidecar_path
from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import Scale
from taller_cnn.errors import ConfigError, ModelError, OutputError, Phrase
from taller_cnn.model import SimpleCNN
from taller_cnn.model_files import write_tensors
from taller_cnn.reasons import os_reason

ARCHIVE = b"PK"
"""What a ``.pt`` file begins with; safetensors begins with the length of its header."""


def write_opened(path: Path, data: bytes, description: str) -> None:
    """Write a file of weights to `path`, as the lab keeps its networks.

    Args:
        path: the ``.pt`` file, in a folder that is made.
        data: a ``.pt`` file as it is, or safetensors: the page's own, which carries the card of
            its network, or another program's.
        description: the ``.json`` that lay beside the ``.pt``; empty for none.

    Raises:
        ModelError: the safetensors are damaged, or their card is none.
        OutputError: the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True)
        if data.startswith(ARCHIVE) or data[8:9] != b"{":
            path.write_bytes(data)
            if description:
                sidecar_path(path).write_text(description, encoding="utf-8")
            return
    except OSError as error:
        raise OutputError("cannot_write", path=path, reason=os_reason(error)) from error
    _write_safetensors(path, data)


def _write_safetensors(path: Path, data: bytes) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        state = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        card = json.loads(header.get("__metadata__", {}).get("card", "null"))
        if card is None:
            write_tensors(path, state)
            return
        info = _info(card)
        network = SimpleCNN(info.model, n_classes=len(info.class_names))
        network.load_state_dict(state)
    except (SafetensorError, ValueError, TypeError, KeyError, RuntimeError, ConfigError) as error:
        raise ModelError("model_unreadable", path=path, reason=Phrase("reason_damaged")) from error
    save_model(network, path, info)


def _info(card: dict[str, Any]) -> ModelInfo:
    """The description in a card of the page, of whose training only the recipe's name is known."""
    # In the page's weights batch norm is part of the convolutions.
    config = ModelConfig.from_dict({**card["config"], "batch_norm": False})
    known = {name: card[name] for name in ("recipe", "epochs", "seed") if card.get(name)}
    return ModelInfo(
        model=config,
        train=TrainConfig.from_dict(known),
        dataset=str(card["dataset"]),
        class_names=tuple(map(str, card["class_names"])),
        scale=Scale(float(card["mean"]), float(card["std"])),
        source=str(card.get("source") or "full"),
        data_checksum="",
        metrics={name: card[name] for name in ("test", "validation") if card.get(name)},
        provenance={"created": card["created"]} if card.get("created") else {},
    )
