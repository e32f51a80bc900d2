"""What the lab and its training process say to each other: one JSON object a line.

The server writes commands to the process's standard input, the process writes events to its
standard output. The end of either means that the other side is gone.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.errors import Phrase, TallerError

if TYPE_CHECKING:
    from taller_cnn.data import DigitsPlace

__all__ = ["TrainingOrder", "error_from_json", "error_to_json", "to_base64", "to_line"]


@dataclass(frozen=True, kw_only=True)
class TrainingOrder:
    """What the process is to train."""

    model: ModelConfig
    train: TrainConfig
    place: DigitsPlace
    """Where the digits are."""
    folder: Path
    """Where the finished model goes."""

    def to_json(self) -> dict[str, Any]:
        """The order as a JSON object."""
        return {
            "model": self.model.to_dict(),
            "train": self.train.to_dict(),
            "place": {
                **asdict(self.place),
                "data_dir": str(self.place.data_dir),
                "sample_dir": str(self.place.sample_dir),
            },
            "folder": str(self.folder),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TrainingOrder:
        """Back from `to_json`."""
        # Imports torch, which the process that trains has to wait with.
        from taller_cnn.data import DigitsPlace

        place = value["place"]
        folders = {name: Path(place[name]) for name in ("data_dir", "sample_dir")}
        # None and no mirrors are not the same.
        mirrors = None if place["mirrors"] is None else tuple(place["mirrors"])
        return cls(
            model=ModelConfig.from_dict(value["model"]),
            train=TrainConfig.from_dict(value["train"]),
            place=DigitsPlace(**{**place, **folders, "mirrors": mirrors}),
            folder=Path(value["folder"]),
        )


def to_line(value: Mapping[str, Any]) -> bytes:
    """One message as a line; a number that is not finite, which JSON has no word for, is null."""
    try:
        text = json.dumps(value, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), allow_nan=False)
    return text.encode("ascii") + b"\n"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_base64(array: NDArray[Any]) -> str:
    """The bytes of an array, C order, little-endian."""
    ordered = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return base64.b64encode(ordered.tobytes()).decode("ascii")


def error_to_json(error: TallerError) -> dict[str, Any]:
    """An error's key and values, for the other process; the words are found there."""
    return {"key": error.key, "values": {k: _to_plain(v) for k, v in error.values.items()}}


def _to_plain(value: object) -> Any:
    if isinstance(value, Phrase):
        return {"phrase": value.key, "values": {k: _to_plain(v) for k, v in value.values.items()}}
    return value if isinstance(value, int | float | str) else str(value)


def error_from_json(value: Mapping[str, Any]) -> TallerError:
    """The error again."""
    return TallerError(value["key"], **{k: _from_plain(v) for k, v in value["values"].items()})


def _from_plain(value: Any) -> Any:
    if isinstance(value, dict):
        values = {k: _from_plain(v) for k, v in value["values"].items()}
        return Phrase(value["phrase"], values)
    return value
