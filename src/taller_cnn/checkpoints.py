"""A network on disk: plain weights that carry their description.

``cnn_mnist.pt`` is a plain state dict. What the weights are travels in its metadata, so that one
move puts both in place and neither is ever without the other; ``cnn_mnist.json`` beside it is a
copy for people, and says when and where the network was trained. Before, it was the only
description, told to be that of the weights by their SHA-256; such pairs are still read. A folder
of networks is an ensemble.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import MNIST_SCALE, Scale
from taller_cnn.errors import ConfigError, ModelError, OutputError, Phrase
from taller_cnn.files import atomic_path, discard, json_text, read_json, sha256, write_json
from taller_cnn.model import IMAGE_SIZE, Ensemble, SimpleCNN, network_inside
from taller_cnn.model_files import (
    DESCRIPTION,
    Weights,
    is_intact,
    read_file,
    tensor_bytes,
    weights_in,
)
from taller_cnn.reasons import os_reason

FORMAT = 1
"""Version of the description; raised when a reader of the old one would misread the new one."""
DEFAULT_DATASET = "mnist"
"""Of weights that do not tell."""
LESSON_CLASSES = 10
"""Of weights that do not tell."""
LAYERS_TOLD = 3
"""Layers that are named where weights do not fit or are not finite."""


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
    origin: Mapping[str, Any] | None = None
    """The network that its training began with: ``file`` and ``sha256``; None for none."""
    augmentation: Mapping[str, float] = field(default_factory=dict)
    """Strengths of the augmentation that its training named; empty where it had none, or where
    an older version did not write them."""
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
            **({"from": dict(self.origin)} if self.origin else {}),
            **({"augmentation": dict(self.augmentation)} if self.augmentation else {}),
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
            origin=dict(value["from"]) if value.get("from") else None,
            augmentation=dict(value.get("augmentation", {})),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedModel:
    """A network read from disk, in evaluation mode on the CPU."""

    model: SimpleCNN | Ensemble
    info: ModelInfo | None
    """None where the weights had no description of their own."""
    notices: tuple[str, ...] = ()
    """Message keys (``model.<notice>``) of what the reader should know."""
    wrapping: str = ""
    """What other programs had put around the weights, for the notice ``unwrapped``."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of its K classes; numbers where the weights had no description."""
        if self.info is not None:
            return self.info.class_names
        return tuple(map(str, range(network_inside(self.model).n_classes)))

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
    """Path of the copy of the description of the weights in `path`."""
    return path.with_suffix(".json")


# ------------------------------------------------------------------------------------- saving


def save_model(model: SimpleCNN, path: Path, info: ModelInfo) -> None:
    """Save weights with their description; a model of another kind in their place is kept.

    At every moment `path` holds the old or the new weights, whole. Weights of another
    architecture or recipe, that nothing is known of, or that the new ones began with, are first
    copied to ``<name>.previous.pt``. The same training gives the same bytes: its time and machine
    are in the ``.json`` alone.

    Raises:
        ValueError: a number in the description is not finite.
        OutputError: the folder cannot be written or is full.
    """
    # As JSON has it, so that there are only values that torch reads safely.
    description = json.loads(json_text(info.to_json()))
    state = model.state_dict()
    for name, value in state.items():
        state[name] = value.detach().cpu().contiguous()
    inside = {name: value for name, value in description.items() if name != "provenance"}
    vars(state)["_metadata"][DESCRIPTION] = inside
    data = tensor_bytes(state)
    # What is in a pipe or a device is no network, and reading it might never end.
    if path.is_file():
        _keep_other(path, info)
    # The copy is written first and moved last: what fails before the weights move changes nothing.
    with atomic_path(sidecar_path(path)) as copy:
        copy.write_text(json_text({**description, "sha256": sha256(data)}), encoding="utf-8")
        with atomic_path(path) as temporary:
            temporary.write_bytes(data)


def _keep_other(path: Path, new: ModelInfo) -> None:
    """Copy the weights in `path` unless they are of the architecture and recipe of `new`.

    Those that `new` began with are kept all the same.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OutputError("cannot_write", path=path, reason=os_reason(error)) from error
    try:
        old, _ = _info(path, data, weights_in(path, data))
    except ModelError:
        # Damaged, of another program, or of a newer version: kept as it is.
        old = None
    is_origin = new.origin is not None and new.origin["sha256"] == sha256(data)
    if old and not is_origin and (old.model, old.train.recipe) == (new.model, new.train.recipe):
        return
    kept = path.with_suffix(f".previous{path.suffix}")
    with atomic_path(kept) as temporary:
        temporary.write_bytes(data)
    if beside := _description_beside(path, data):
        write_json(sidecar_path(kept), beside)
    else:
        discard(sidecar_path(kept))


# ------------------------------------------------------------------------------- descriptions


def read_info(path: Path) -> ModelInfo | None:
    """The description of the network in `path`, which is not built; None if it has none.

    Raises:
        ModelError: not a safe file of weights, or a description by a newer version.
    """
    data = read_file(path)
    return _info(path, data, weights_in(path, data))[0]


def _info(path: Path, data: bytes, weights: Weights) -> tuple[ModelInfo | None, tuple[str, ...]]:
    """The description of the weights, or None and the notice that says why.

    The one that travels with them counts; it is not believed if the file was damaged since.
    """
    beside = _description_beside(path, data)
    inside = weights.description
    is_believed = isinstance(inside, dict) and is_intact(data)
    # What only the copy tells: when and where.
    both = {**(beside or {}), **inside} if is_believed else None
    for description in (both, beside):
        version = description.get("format", FORMAT) if description else FORMAT
        if isinstance(version, int) and version > FORMAT:
            raise ModelError("model_newer", path=path, found=version, known=FORMAT)
        info = _sensible(description) if description else None
        if info:
            return info, ("removed_options",) if info.removed else ()
    is_described = inside is not None or sidecar_path(path).exists()
    return None, ("sidecar_ignored",) if is_described else ()


def _description_beside(path: Path, data: bytes) -> dict[str, Any] | None:
    """The description in the ``.json`` if it is that of the bytes of `path`, by their checksum."""
    value = read_json(sidecar_path(path))
    if not isinstance(value, dict):
        return None
    # Earlier versions kept the description of the weights that were replaced in the new one.
    previous = value.pop("previous", None)
    checksum = sha256(data)
    for description in (value, previous):
        if isinstance(description, dict) and description.get("sha256") == checksum:
            return description
    return None


def _sensible(description: Mapping[str, Any]) -> ModelInfo | None:
    """What a description says, or None if it makes no sense."""
    try:
        # Neither tensors nor numbers that are not finite get through.
        return ModelInfo.from_json(json.loads(json_text(description)))
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError, ConfigError):
        return None


# ------------------------------------------------------------------------------------ loading


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
            weights that do not fit it or are not finite, or a description by a newer version.
    """
    if os.path.isdir(path) and member_files(path):  # noqa: PTH112 - as below
        ensemble = _load_ensemble(path)
        ignored = ("options_ignored",) if config else ()
        return dataclasses.replace(ensemble, notices=(*ensemble.notices, *ignored))
    if not os.path.isfile(path):  # noqa: PTH113 - unlike Path, takes an embedded NUL for "no"
        raise ModelError("no_model", path=path)
    data = data or read_file(path)
    weights = weights_in(path, data)
    info, notices = _info(path, data, weights)
    if info is not None:
        if config not in (None, info.model):
            notices = (*notices, "options_ignored")
        config = info.model
    if config is None:
        _require_lesson_shapes(path, weights.state)
        config, notices = ModelConfig(), (*notices, "taken_as_lesson")
    if weights.wrapping:
        notices = (*notices, "unwrapped")
    n_classes = len(info.class_names) if info else LESSON_CLASSES
    model = _built(path, SimpleCNN(config, n_classes=n_classes), weights.state)
    return LoadedModel(model=model, info=info, notices=notices, wrapping=weights.wrapping)


def _require_lesson_shapes(path: Path, state: Mapping[str, Tensor]) -> None:
    problem = shape_difference(SimpleCNN(), state)
    if problem:
        sidecar = sidecar_path(path).name
        raise ModelError("model_unknown", path=path, sidecar=sidecar, reason=problem)


def _built(path: Path, model: SimpleCNN, state: Mapping[str, Tensor]) -> SimpleCNN:
    """The network with its weights, in evaluation mode."""
    problem = shape_difference(model, state)
    if problem:
        raise ModelError("model_mismatch", path=path, reason=problem)
    model.load_state_dict(state)
    _require_finite(path, model.eval())
    return model


def shape_difference(model: SimpleCNN, state: Mapping[str, Tensor]) -> Phrase | str:
    """What keeps `state` from being the weights of `model`, layer by layer; empty if nothing."""
    expected = {name: _layout(value) for name, value in model.state_dict().items()}
    found = {name: _layout(value) for name, value in state.items()}
    names = [name for name in {**expected, **found} if found.get(name) != expected.get(name)]
    problems = [f"{name}: {found.get(name, '-')} != {expected.get(name, '-')}" for name in names]
    return _first_layers(problems)


def _first_layers(told: list[str]) -> Phrase | str:
    """The first of what is told of layers, and how much more there is."""
    layers, more = "; ".join(told[:LAYERS_TOLD]), len(told) - LAYERS_TOLD
    return Phrase("reason_layers_more", {"layers": layers, "more": more}) if more > 0 else layers


def _layout(value: Tensor) -> str:
    """Shape, and the kind of numbers where it is not floating point."""
    kind = "" if value.is_floating_point() else f" {value.dtype}".replace("torch.", "")
    return f"{tuple(value.shape)}{kind}"


@torch.inference_mode()
def _require_finite(path: Path, model: SimpleCNN) -> None:
    """Refuse weights that are not finite, or whose answers are not."""
    state = model.state_dict()
    broken = [name for name, value in state.items() if not value.isfinite().all()]
    if broken:
        raise ModelError("model_not_finite", path=path, layers=_first_layers(broken))
    # Paper and ink, about as a normalisation gives them: finite weights can be too large.
    plain = torch.tensor([0.0, 1.0, -1.0, 3.0])[:, None, None, None]
    if not model(plain.expand(-1, 1, IMAGE_SIZE, IMAGE_SIZE)).isfinite().all():
        raise ModelError("model_overflows", path=path)


# ---------------------------------------------------------------------------------- ensembles


def member_files(folder: Path) -> list[Path]:
    """The networks of an ensemble, by name; checkpoints and replaced ones are not among them."""
    return sorted(path for path in folder.glob("*.pt") if "." not in path.stem)


def weights_checksum(path: Path) -> str:
    """SHA-256 in hexadecimal of a network's weights, or of all of an ensemble's."""
    files = member_files(path) if path.is_dir() else [path]
    return sha256(b"".join(file.read_bytes() for file in files))


def _load_ensemble(folder: Path) -> LoadedModel:
    """Networks trained on the same digits, as one; its description is that of the first."""
    paths = member_files(folder)
    members = [load_model(path) for path in paths]
    infos = []
    for path, member in zip(paths, members, strict=True):
        if member.info is None:
            raise ModelError("ensemble_unknown", path=path, sidecar=sidecar_path(path).name)
        infos.append(member.info)
    first, *others = map(_trained_on, infos)
    for path, other in zip(paths[1:], others, strict=True):
        for name in first:
            if other[name] != first[name]:
                raise ModelError("ensemble_mixed", path=path, field=name, first=paths[0].name)
    return LoadedModel(
        model=Ensemble([network_inside(member.model) for member in members]).eval(),
        # One member's figures are not those of all.
        info=dataclasses.replace(infos[0], metrics={}),
        # One network alone, in a folder of its own, is that network.
        notices=("ensemble",) if len(paths) > 1 else (),
    )


def _trained_on(info: ModelInfo) -> dict[str, Any]:
    """What must be the same for all members of an ensemble."""
    names = ("dataset", "data_checksum", "class_names")
    known = {name: getattr(info, name) for name in names}
    return {"holdout": info.train.holdout, **known, **dataclasses.asdict(info.scale)}
