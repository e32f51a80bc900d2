"""The network whose answers are learned."""

from __future__ import annotations

import dataclasses

from torch import nn

from taller_cnn.checkpoints import load_model, weights_checksum
from taller_cnn.data import Digits
from taller_cnn.errors import ModelError
from taller_cnn.runs.request import RunRequest

__all__ = ["load_teacher"]


def load_teacher(request: RunRequest, digits: Digits) -> tuple[RunRequest, nn.Module | None]:
    """The request with the checksum of the network that teaches, and that network.

    None in its place for a training that learns from labels alone.

    Raises:
        ModelError: there is none, or it learned from other digits, among them perhaps those that
            its pupil is to be judged by.
    """
    path = request.teacher_path
    if path is None:
        return request, None
    if not path.exists():
        raise ModelError("no_teacher", path=path)
    loaded = load_model(path)
    wanted = {"data_checksum": digits.checksum, "holdout": request.train.holdout}
    info = loaded.info
    found = info and {"data_checksum": info.data_checksum, "holdout": info.train.holdout}
    for name, value in wanted.items():
        given = found[name] if found else "-"
        if given != value:
            raise ModelError("teacher_other", path=path, field=name, found=given, expected=value)
    return dataclasses.replace(request, teacher_checksum=weights_checksum(path)), loaded.model
