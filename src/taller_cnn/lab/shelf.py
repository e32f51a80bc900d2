"""The models that the lab knows: the workshop's, and those that were kept in the lab."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from taller_cnn.checkpoints import LoadedModel, load_model, sidecar_path
from taller_cnn.config import ModelConfig
from taller_cnn.errors import ModelError, OutputError, TallerError
from taller_cnn.files import os_reason, sha256
from taller_cnn.lab.command import train_command
from taller_cnn.lab.names import RESERVED, is_name
from taller_cnn.lab.problems import ConflictError, FieldError, NotFoundError
from taller_cnn.lab.schemas import LayerCard, ModelCard, ScoreCard, StageCard
from taller_cnn.lab.weights import folded_weights, to_safetensors
from taller_cnn.model import Ensemble, count_parameters, describe, stages

__all__ = ["WEIGHTS_NAME", "Shelf", "ShelfModel", "read_model"]

WEIGHTS_NAME = "cnn_mnist.pt"


@dataclass(frozen=True, kw_only=True, eq=False)
class ShelfModel:
    """A model that was read from the disk."""

    card: ModelCard
    loaded: LoadedModel
    safetensors: bytes


@dataclass(frozen=True, kw_only=True)
class _Version:
    """What tells a file from the one that was there before."""

    modified: int
    size: int
    described: int


class Shelf:
    """Reads models when they are asked for, and again when their file has changed.

    Args:
        folder: the ``modelo`` folder; models that are kept go to ``<folder>/lab/<name>/``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept = folder / "lab"
        self._default: str | None = None
        self._read: dict[str, tuple[_Version, ShelfModel]] = {}
        self._lock = threading.Lock()

    @property
    def default(self) -> str | None:
        """The model to begin with: the last one kept, else the workshop's, else any; or None."""
        if self._default and self.path(self._default):
            return self._default
        # Asked for with every prediction: kept models are looked for only if there is no other.
        known = next(filter(self.path, RESERVED), None)
        return known or next(iter(self.ids()), None)

    def ids(self) -> list[str]:
        """The ids of all models that there are, the workshop's first."""
        return [name for name in (*RESERVED, *self._kept_names()) if self.path(name)]

    def _kept_names(self) -> Iterator[str]:
        """Names of kept models, the newest first."""
        if not self.kept.is_dir():
            return
        folders = [p for p in self.kept.iterdir() if is_name(p.name)]
        times = {p.name: (p / WEIGHTS_NAME) for p in folders}
        found = {name: path.stat().st_mtime for name, path in times.items() if path.is_file()}
        yield from sorted(found, key=lambda name: (-found[name], name))

    def path(self, model_id: str) -> Path | None:
        """The file of a model's weights, or None; no other text than an id leads to the disk."""
        if model_id == "main":
            path = self.folder / WEIGHTS_NAME
        elif model_id == "robust":
            path = (self.folder / WEIGHTS_NAME).with_suffix(".robust.pt")
        elif is_name(model_id):
            path = self.kept / model_id / WEIGHTS_NAME
        else:
            return None
        return path if path.is_file() else None

    def get(self, model_id: str | None = None) -> ShelfModel:
        """A model by its id; None stands for the default one.

        Raises:
            NotFoundError: there is no such model.
            ConflictError: there is no model at all.
            ModelError: its file cannot be used.
        """
        name = model_id if model_id is not None else self.default
        if name is None:
            raise ConflictError("lab_no_model")
        path = self.path(name)
        if path is None:
            raise NotFoundError("lab_unknown_model", value=_short(name))
        known = self._known(name, _version(path))
        if known:
            return known
        with self._lock:
            # Others that wait for the same model come here after it has been read.
            version = _version(path)
            model = self._known(name, version) or read_model(name, path)
            self._read[name] = version, model
        return model

    def _known(self, name: str, version: _Version) -> ShelfModel | None:
        """A model that was read when its file was of that version."""
        kept = self._read.get(name)
        return kept[1] if kept and kept[0] == version else None

    def readable(self) -> tuple[list[ShelfModel], list[tuple[str, TallerError]]]:
        """All models that can be used, and why the others cannot."""
        good, bad = [], []
        for name in self.ids():
            try:
                good.append(self.get(name))
            except TallerError as error:
                bad.append((name, error))
        return good, bad

    def keep(self, folder: Path, name: str) -> ShelfModel:
        """Take in the model in `folder`, which is moved; it becomes the default one.

        Raises:
            FieldError: a model cannot be called so.
            ConflictError: there is a model of that name.
            OutputError: the folder cannot be moved.
        """
        if not is_name(name):
            raise FieldError("lab_name", pointer="/name", value=_short(name))
        target = self.kept / name
        if target.exists():
            raise ConflictError("lab_name_taken", value=name)
        try:
            folder.rename(target)
        except OSError as error:
            raise OutputError("cannot_write", path=target, reason=os_reason(error)) from error
        self._default = name
        return self.get(name)


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"


def _version(path: Path) -> _Version:
    try:
        status = path.stat()
        sidecar = sidecar_path(path)
        described = sidecar.stat().st_mtime_ns if sidecar.exists() else 0
    except OSError as error:
        raise ModelError("model_unreadable", path=path, reason=os_reason(error)) from error
    return _Version(modified=status.st_mtime_ns, size=status.st_size, described=described)


def read_model(model_id: str, path: Path) -> ShelfModel:
    """Read one file of weights.

    Args:
        model_id: what its card calls it.
        path: the ``.pt`` file.

    Raises:
        ModelError: the file cannot be used, or it is an ensemble.
    """
    # Read once, because a training may replace the file meanwhile.
    data = _bytes(path)
    loaded = load_model(path, data=data)
    if isinstance(loaded.model, Ensemble):
        raise ModelError("lab_ensemble", path=path)
    # Twice as fast on a processor; the weights stay what they are.
    loaded.model.to(memory_format=torch.channels_last)
    card = _card(model_id, loaded, data)
    weights = folded_weights(loaded.model)
    text = json.dumps(card.model_dump(), ensure_ascii=False)
    return ShelfModel(card=card, loaded=loaded, safetensors=to_safetensors(weights, text))


def _bytes(path: Path) -> bytes:
    """What is in a file; nothing of what is none, which `load_model` judges."""
    try:
        return path.read_bytes() if path.is_file() else b""
    except OSError as error:
        raise ModelError("model_unreadable", path=path, reason=os_reason(error)) from error


def _card(model_id: str, loaded: LoadedModel, data: bytes) -> ModelCard:
    config, info = loaded.model.config, loaded.info
    n_classes = loaded.model.n_classes
    layers = _layers(config, n_classes)
    kind: Literal["main", "robust", "kept"] = "kept"
    if model_id in RESERVED:
        kind = "main" if model_id == "main" else "robust"
    metrics = info.metrics if info else {}
    return ModelCard(
        id=model_id,
        kind=kind,
        config=config.to_dict(),
        stages=[_stage(config, i) for i in range(config.layers)],
        layers=layers,
        parameters=count_parameters(loaded.model),
        macs=sum(layer.macs for layer in layers),
        bytes=len(data),
        class_names=list(info.class_names) if info else [str(i) for i in range(n_classes)],
        mean=loaded.scale.mean,
        std=loaded.scale.std,
        dataset=info.dataset if info else "mnist",
        source=info.source if info else None,
        recipe=info.train.recipe if info else None,
        epochs=info.train.epochs if info else None,
        seed=info.train.seed if info else None,
        test=_score(metrics.get("test")),
        validation=_score(metrics.get("validation")),
        created=_text(info.provenance.get("created")) if info else None,
        command=train_command(info) if info else None,
        sha256=sha256(data),
    )


def _layers(config: ModelConfig, n_classes: int) -> list[LayerCard]:
    return [
        LayerCard.model_validate({**vars(row), "output_shape": list(row.output_shape)})
        for row in describe(config, n_classes)
    ]


def _stage(config: ModelConfig, index: int) -> StageCard:
    stage = stages(config)[index]
    return StageCard(**vars(stage), final_size=stage.output_size)


def _score(value: Any) -> ScoreCard | None:
    """An accuracy of the description, if it is whole."""
    try:
        return ScoreCard.model_validate(value) if value else None
    except ValueError:
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
