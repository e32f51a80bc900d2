"""The state of a training that has not ended, on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import Digits
from taller_cnn.errors import ModelError, TallerError
from taller_cnn.model_files import read_tensors, write_tensors
from taller_cnn.runs.request import RunRequest, Workdir
from taller_cnn.training import TrainState

__all__ = ["checkpoint_request", "resume_state", "waiting_request", "write_checkpoint"]

CHECKPOINT_FORMAT = 1


def write_checkpoint(request: RunRequest, digits: Digits, state: TrainState) -> None:
    """Keep `state` with what it belongs to, so that nothing else is resumed from it."""
    header = {
        "format": CHECKPOINT_FORMAT,
        "model": request.model.to_dict(),
        "train": request.train.to_dict(),
        "source": digits.source,
        "data_checksum": digits.checksum,
        "teacher": request.teacher_checksum,
    }
    write_tensors(request.where.checkpoint, {**header, "state": state.to_dict()})


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


def checkpoint_request(workdir: Path, dataset: str) -> tuple[ModelConfig, TrainConfig, str]:
    """Network, training and data source of the training that waits to be resumed.

    Raises:
        ModelError: there is none, or its file is damaged.
    """
    return waiting_request(Workdir(workdir, dataset).checkpoint)


def waiting_request(path: Path) -> tuple[ModelConfig, TrainConfig, str]:
    """As `checkpoint_request`, of the checkpoint in `path`."""
    value = _read_checkpoint(path)
    try:
        model = ModelConfig.from_dict(value["model"])
        return model, TrainConfig.from_dict(value["train"]), str(value["source"])
    except (KeyError, TypeError, TallerError) as error:
        raise ModelError("checkpoint_damaged", path=path, reason=str(error)) from error


def resume_state(request: RunRequest, digits: Digits) -> TrainState:
    """The state to go on from, if it is that of the same training."""
    path = request.where.checkpoint
    value = _read_checkpoint(path)
    expected = {
        **request.model.to_dict(),
        **request.train.to_dict(),
        "data_checksum": digits.checksum,
        "teacher": request.teacher_checksum,
    }
    try:
        found = {
            # Fields that an older version did not write have their default.
            **ModelConfig.from_dict(value["model"]).to_dict(),
            **TrainConfig.from_dict(value["train"]).to_dict(),
            "data_checksum": value["data_checksum"],
            "teacher": value.get("teacher"),
        }
        state = TrainState.from_dict(value["state"])
    except (KeyError, TypeError, TallerError) as error:
        raise ModelError("checkpoint_damaged", path=path, reason=str(error)) from error
    for name, wanted in expected.items():
        if found.get(name) != wanted:
            raise ModelError(
                "checkpoint_other", path=path, field=name, found=found.get(name), expected=wanted
            )
    return state
