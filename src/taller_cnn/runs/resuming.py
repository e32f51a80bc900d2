"""The state of a training that has not ended, on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import Digits
from taller_cnn.errors import ConfigError, ModelError
from taller_cnn.model_files import read_tensors, write_tensors
from taller_cnn.runs.request import Origin, RunRequest
from taller_cnn.training import TrainState

CHECKPOINT_FORMAT = 1


def write_checkpoint(request: RunRequest, digits: Digits, state: TrainState) -> None:
    """Keep `state` with what it belongs to, so that nothing else is resumed from it."""
    header = {
        "format": CHECKPOINT_FORMAT,
        "model": request.model.to_dict(),
        "train": request.train.to_dict(),
        "source": digits.source,
        "data_checksum": digits.checksum,
        "from": request.origin.to_json() if request.origin else {},
    }
    write_tensors(request.files.checkpoint, {**header, "state": state.to_dict()})


def _read_checkpoint(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise ModelError("no_checkpoint", path=path)
    try:
        value = read_tensors(path)
    except ModelError as error:
        reason = error.values["reason"]
        raise ModelError("checkpoint_damaged", path=path, reason=reason) from error
    if value.get("format") != CHECKPOINT_FORMAT:
        reason = f"format {value.get('format')}"
        raise ModelError("checkpoint_damaged", path=path, reason=reason)
    return value


class Waiting(NamedTuple):
    """The training that waits to be resumed."""

    model: ModelConfig
    train: TrainConfig
    source: str
    """Of its digits."""
    origin: Origin | None
    """What its weights began as."""


def checkpoint_request(path: Path) -> Waiting:
    """What the training is that waits to be resumed.

    Raises:
        ModelError: there is none, its file is damaged, or it uses an option that has gone.
    """
    value = _read_checkpoint(path)
    try:
        model, train = _configs(value)
        origin = Origin(**value["from"]) if value.get("from") else None
        return Waiting(model, train, str(value["source"]), origin)
    except (KeyError, TypeError, ConfigError) as error:
        raise ModelError("checkpoint_damaged", path=path, reason=str(error)) from error


def _configs(value: Mapping[str, Any]) -> tuple[ModelConfig, TrainConfig]:
    """The configurations in a checkpoint, if this version can still train so.

    Raises:
        KeyError, TypeError, ConfigError: it has none.
        ModelError: the training uses an option that there is no more.
    """
    train, removed = TrainConfig.from_saved(value["train"])
    if removed:
        raise ModelError("checkpoint_removed", field=removed[0], value=value["train"][removed[0]])
    return ModelConfig.from_dict(value["model"]), train


def resume_state(request: RunRequest, digits: Digits) -> TrainState:
    """The state to go on from, if it is that of the same training."""
    path = request.files.checkpoint
    value = _read_checkpoint(path)
    expected = {
        **request.model.to_dict(),
        **request.train.to_dict(),
        "data_checksum": digits.checksum,
    }
    try:
        model, train = _configs(value)
        found = {
            # Fields that an older version did not write have their default.
            **model.to_dict(),
            **train.to_dict(),
            "data_checksum": value["data_checksum"],
        }
        state = TrainState.from_dict(value["state"])
    except (KeyError, TypeError, ConfigError) as error:
        raise ModelError("checkpoint_damaged", path=path, reason=str(error)) from error
    for name, wanted in expected.items():
        if found.get(name) != wanted:
            raise ModelError(
                "checkpoint_other", path=path, field=name, found=found.get(name), expected=wanted
            )
    return state
