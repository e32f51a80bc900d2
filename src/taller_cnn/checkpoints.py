"""A network on disk: plain weights beside a description.

``cnn_mnist.pt`` is a plain state dict. ``cnn_mnist.json`` beside it says what the weights are and
carries their SHA-256. The description is written first and keeps the one it replaces, so whichever
weights a kill or a power cut leaves behind, the description that belongs to them is there. A
folder of such networks is an ensemble.
"""

from __future__ import annotations

import dataclasses
import io
import math
import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import MNIST_SCALE, Scale
from taller_cnn.errors import ConfigError, ModelError, OutputError, Phrase
from taller_cnn.files import atomic_path, os_reason, read_json, sha256, write_json
from taller_cnn.model import Ensemble, SimpleCNN

__all__ = [
    "LoadedModel",
    "ModelInfo",
    "dataset_of",
    "holdout_of",
    "load_model",
    "member_files",
    "read_tensors",
    "save_model",
    "sidecar_path",
    "weights_checksum",
    "write_tensors",
]

FORMAT = 1
"""Version of the description; raised when a reader of the old one would misread the new one."""
DEFAULT_DATASET = "mnist"
"""Of weights that do not tell."""
LESSON_CLASSES = 10
"""Of weights that do not tell."""
_ARCHIVE = b"PK\x03\x04"
"""First bytes of what `torch.save` writes: a zip archive."""


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What is known about trained weights beside the weights."""

    model: ModelConfig
    train: TrainConfig
    dataset: str
    class_names: tuple[str, ...]
    scale: Scale
    """Normalisation of the inputs."""
    source: str
    """`full` or `sample`."""
    data_checksum: str
    metrics: Mapping[str, Any] = field(default_factory=dict)
    """Accuracies with their n and intervals, as in `run.json`."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    """Options of its training that there are no more."""

    def to_json(self) -> dict[str, Any]:
        """The description as a JSON object."""
        return {
            "format": FORMAT,
            "model": self.model.to_dict(),
            "train": self.train.to_dict(),
            "dataset": self.dataset,
            "mean": self.scale.mean,
            "std": self.scale.std,
            "source": self.source,
            "data_checksum": self.data_checksum,
            "class_names": list(self.class_names),
            "metrics": dict(self.metrics),
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ModelInfo:
        """Read a description; fields that an older version did not write take their default.

        Raises:
            KeyError, TypeError, ValueError, OverflowError, ConfigError: not a description.
        """
        class_names = tuple(map(str, value["class_names"]))
        mean, std = float(value["mean"]), float(value["std"])
        if len(class_names) < 2 or not (math.isfinite(mean) and 0 < std < math.inf):
            raise ValueError("class names or normalisation")
        train, removed = TrainConfig.from_saved(value["train"])
        return cls(
            model=ModelConfig.from_dict(value["model"]),
            train=train,
            removed=removed,
            dataset=str(value["dataset"]),
            class_names=class_names,
            scale=Scale(mean, std),
            source=str(value.get("source", "full")),
            data_checksum=str(value.get("data_checksum", "")),
            metrics=dict(value.get("metrics", {})),
            provenance=dict(value.get("provenance", {})),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedModel:
    """A network read from disk, in evaluation mode on the CPU."""

    model: SimpleCNN
    info: ModelInfo | None
    """None where the weights had no description of their own."""
    notices: tuple[str, ...] = ()
    """Message keys (``model.<notice>``) of what the reader should know."""

    @property
    def scale(self) -> Scale:
        """Normalisation of the inputs; the lesson's where the weights had no description."""
        return self.info.scale if self.info else MNIST_SCALE


def dataset_of(path: Path, loaded: LoadedModel, asked: str | None) -> str:
    """The data set to use with a network: the one asked for, or that of its training.

    Raises:
        ModelError: it was trained on another data set than the one asked for.
    """
    known = loaded.info.dataset if loaded.info else None
    if asked and known and asked != known:
        raise ModelError("model_dataset", path=path, found=known, expected=asked)
    return asked or known or DEFAULT_DATASET


def holdout_of(info: ModelInfo | None) -> int:
    """How many digits to hold out, so that they are those that the training did."""
    return info.train.holdout if info else TrainConfig().holdout


def sidecar_path(path: Path) -> Path:
    """Where the description of the weights in `path` lies."""
    return path.with_suffix(".json")


def save_model(model: SimpleCNN, path: Path, info: ModelInfo) -> None:
    """Save weights and description; a model of another kind in their place is kept.

    At every moment `path` holds the old or the new weights, whole and with their description.
    Weights of another architecture or recipe, or that nothing is known of, are first copied to
    ``<name>.previous.pt``.

    Raises:
        OutputError: the folder cannot be written or is full.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    if path.exists():
        _keep_other(path, info)
    _write(path, _tensor_bytes(state), info.to_json())


def _keep_other(path: Path, new: ModelInfo) -> None:
    """Copy the weights in `path` unless they are of the architecture and recipe of `new`."""
    try:
        weights = path.read_bytes()
    except OSError as error:
        raise OutputError("cannot_write", path=path, reason=os_reason(error)) from error
    description = _matching_description(path, weights)
    old = _info(description) if description else None
    if old and (old.model, old.train.recipe) == (new.model, new.train.recipe):
        return
    kept = path.with_suffix(f".previous{path.suffix}")
    if description:
        _write(kept, weights, description)
    else:
        with atomic_path(kept) as temporary:
            temporary.write_bytes(weights)
        sidecar_path(kept).unlink(missing_ok=True)


def _write(path: Path, weights: bytes | memoryview, description: Mapping[str, Any]) -> None:
    """Weights and their description, each in one move: first the description."""
    value = {**description, "sha256": sha256(weights)}
    with atomic_path(path) as temporary:
        temporary.write_bytes(weights)
        old = _matching_description(path, path.read_bytes()) if path.exists() else None
        write_json(sidecar_path(path), {**value, "previous": old} if old else value)


def _matching_description(path: Path, weights: bytes) -> dict[str, Any] | None:
    """The description beside `path` that belongs to `weights`, by their checksum."""
    value = read_json(sidecar_path(path))
    if not isinstance(value, dict):
        return None
    checksum = sha256(weights)
    previous = value.pop("previous", None)
    for candidate in (value, previous):
        if isinstance(candidate, dict) and candidate.get("sha256") == checksum:
            return candidate
    return None


def _info(description: Mapping[str, Any]) -> ModelInfo | None:
    """What a description says, or None if it makes no sense."""
    try:
        return ModelInfo.from_json(description)
    except (KeyError, TypeError, ValueError, OverflowError, ConfigError):
        return None


def write_tensors(path: Path, value: Mapping[str, Any]) -> None:
    """Write tensors and plain values, atomically, for `read_tensors`.

    Raises:
        OutputError: the folder cannot be written or is full.
    """
    data = _tensor_bytes(value)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def _tensor_bytes(value: Mapping[str, Any]) -> memoryview:
    """`torch.save` into memory: on a full disk it would raise an error without a reason."""
    buffer = io.BytesIO()
    torch.save(dict(value), buffer)
    return buffer.getbuffer()


def read_tensors(path: Path) -> dict[str, Any]:
    """Read a file of tensors and plain values without running anything in it.

    Raises:
        ModelError: not such a file: empty, cut short, damaged, or a pickle with code.
    """
    return _unpacked(path, _read(path))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError("model_unreadable", path=path, reason=os_reason(error)) from error


def _unpacked(path: Path, data: bytes) -> dict[str, Any]:
    """The dictionary in the bytes of `path`."""
    if not data.startswith(_ARCHIVE):
        # Bare pickles are older than torch 1.6, or not torch's.
        reason = Phrase("reason_not_archive" if data else "reason_empty")
        raise ModelError("model_unreadable", path=path, reason=reason)
    try:
        with warnings.catch_warnings():
            # On files that it then refuses, torch warns in words for programmers.
            warnings.simplefilter("ignore")
            value = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        # Which exception damaged bytes raise depends on the bytes.
        raise ModelError("model_unreadable", path=path, reason=_reason(error)) from error
    if not isinstance(value, dict):
        raise ModelError("model_unreadable", path=path, reason=_no_weights(type(value).__name__))
    return value


def _reason(error: Exception) -> Phrase:
    """Why torch refused a file; its own text advises to read it unsafely."""
    code = re.search(r"GLOBAL (\S+)", str(error))
    return Phrase("reason_code", {"code": code[1]}) if code else Phrase("reason_damaged")


def _no_weights(found: str) -> Phrase:
    return Phrase("reason_no_weights", {"found": found})


def load_model(path: Path, config: ModelConfig | None = None, data: bytes = b"") -> LoadedModel:
    """Load a trained network.

    Args:
        path: the ``.pt`` file, or the folder of an ensemble's.
        config: the architecture, for weights without a description. Where there is one, it
            counts, and other options are left aside with a notice. Weights with neither are
            taken only if they have the lesson's shapes.
        data: the bytes of the file, if they have been read.

    Raises:
        ModelError: no such file, not a safe file of weights, no way to know its architecture,
            weights that do not fit it, or a description by a newer version.
    """
    if os.path.isdir(path) and member_files(path):  # noqa: PTH112 - as below
        return _load_ensemble(path)
    if not os.path.isfile(path):  # noqa: PTH113 - unlike Path, takes an embedded NUL for "no"
        raise ModelError("no_model", path=path)
    data = data or _read(path)
    state = _weights(path, data)
    info, notices = _read_info(path, data)
    if info is not None:
        if config not in (None, info.model):
            notices = (*notices, "options_ignored")
        config = info.model
    if config is None:
        _require_lesson_shapes(path, state)
        config, notices = ModelConfig(), (*notices, "taken_as_lesson")
    n_classes = len(info.class_names) if info else LESSON_CLASSES
    model = _built(path, SimpleCNN(config, n_classes=n_classes), state)
    return LoadedModel(model=model, info=info, notices=notices)


def _weights(path: Path, data: bytes) -> dict[str, Tensor]:
    state = _unpacked(path, data)
    others = [f"{k}: {type(v).__name__}" for k, v in state.items() if not _is_dense(v)]
    if others or not state:
        reason = _no_weights(others[0] if others else "{}")
        raise ModelError("model_unreadable", path=path, reason=reason)
    return state


def _is_dense(value: Any) -> bool:
    """Whether a value is a tensor of the plain sort, with a number in every place."""
    return (
        isinstance(value, Tensor)
        and value.layout is torch.strided
        and not (value.is_meta or value.is_nested or value.is_quantized)
    )


def _read_info(path: Path, data: bytes) -> tuple[ModelInfo | None, tuple[str, ...]]:
    """The description of the weights, or None and the notice that says why."""
    if not sidecar_path(path).exists():
        return None, ()
    description = _matching_description(path, data) or {}
    version = description.get("format", FORMAT)
    if isinstance(version, int) and version > FORMAT:
        raise ModelError("model_newer", path=path, found=version, known=FORMAT)
    info = _info(description)
    if info is None:
        return None, ("sidecar_ignored",)
    return info, ("removed_options",) if info.removed else ()


def _require_lesson_shapes(path: Path, state: Mapping[str, Tensor]) -> None:
    problem = _difference(SimpleCNN(), state)
    if problem:
        sidecar = sidecar_path(path).name
        raise ModelError("model_unknown", path=path, sidecar=sidecar, reason=problem)


def _built(path: Path, model: SimpleCNN, state: Mapping[str, Tensor]) -> SimpleCNN:
    """The network with its weights, in evaluation mode."""
    problem = _difference(model, state)
    if problem:
        raise ModelError("model_mismatch", path=path, reason=problem)
    model.load_state_dict(state)
    return model.eval()


def _difference(model: SimpleCNN, state: Mapping[str, Tensor]) -> str:
    """What keeps `state` from being the weights of `model`; empty if nothing does."""
    expected = {name: _layout(value) for name, value in model.state_dict().items()}
    found = {name: _layout(value) for name, value in state.items()}
    for name, layout in expected.items():
        if found.get(name) != layout:
            return f"{name}: {found.get(name, '-')} != {layout}"
    extra = [name for name in found if name not in expected]
    return f"{extra[0]}: {found[extra[0]]} != -" if extra else ""


def _layout(value: Tensor) -> str:
    """Shape, and the kind of numbers where it is not floating point."""
    kind = "" if value.is_floating_point() else f" {value.dtype}".replace("torch.", "")
    return f"{tuple(value.shape)}{kind}"


def member_files(folder: Path) -> list[Path]:
    """The networks of an ensemble, by name; checkpoints and replaced ones are not among them."""
    return sorted(path for path in folder.glob("*.pt") if "." not in path.stem)


def weights_checksum(path: Path) -> str:
    """SHA-256 in hexadecimal of a network's weights, or of all of an ensemble's."""
    files = member_files(path) if path.is_dir() else [path]
    return sha256(b"".join(file.read_bytes() for file in files))


def _load_ensemble(folder: Path) -> LoadedModel:
    """Networks trained on the same digits, as one; its description is that of the first."""
    members = [(path, load_model(path)) for path in member_files(folder)]
    first, *others = [_trained_on(path, loaded.info) for path, loaded in members]
    for (path, _), other in zip(members[1:], others, strict=True):
        for name in first:
            if other[name] != first[name]:
                raise ModelError("ensemble_mixed", path=path, field=name, first=members[0][0].name)
    info = members[0][1].info
    assert info is not None
    return LoadedModel(
        model=Ensemble([loaded.model for _, loaded in members]).eval(),
        # One member's figures are not those of all.
        info=dataclasses.replace(info, metrics={}),
        # One network alone, in a folder of its own, is that network.
        notices=("ensemble",) if len(members) > 1 else (),
    )


def _trained_on(path: Path, info: ModelInfo | None) -> dict[str, Any]:
    """What must be the same for all members of an ensemble."""
    if info is None:
        raise ModelError("ensemble_unknown", path=path, sidecar=sidecar_path(path).name)
    names = ("dataset", "data_checksum", "class_names")
    known = {name: getattr(info, name) for name in names}
    return {"holdout": info.train.holdout, **known, **dataclasses.asdict(info.scale)}
