"""The models that the lab knows: the workshop's, and those that were kept in the lab."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from taller_cnn.checkpoints import LoadedModel, load_model, sidecar_path
from taller_cnn.config import ModelConfig
from taller_cnn.errors import ModelError, OutputError, TallerError
from taller_cnn.files import sha256
from taller_cnn.lab.command import train_command
from taller_cnn.lab.problems import LabError
from taller_cnn.lab.schemas import RESERVED, ModelCard, ScoreCard, is_name
from taller_cnn.lab.weights import folded_weights, to_safetensors
from taller_cnn.model import Ensemble, SimpleCNN, count_parameters, describe, stages
from taller_cnn.reasons import os_reason

WEIGHTS_NAME = "cnn_mnist.pt"
MOST_BYTES = 500_000_000
"""Files of weights that are kept in memory, in bytes; what was read longest ago goes first."""
RECENT_SECONDS = 0.5
"""How long a prediction does without looking at the disk."""


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredModel:
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


class ModelStore:
    """Reads models when they are asked for, and again when their file has changed.

    Args:
        folder: the ``modelo`` folder; models that are kept go to ``<folder>/lab/<name>/``.
        config: architecture of the model `main`, if it has no description.
    """

    def __init__(self, folder: Path, config: ModelConfig | None = None) -> None:
        self.folder, self._config = folder, config
        self.kept = folder / "lab"
        self._default: str | None = None
        self._read: dict[str, tuple[_Version, StoredModel]] = {}
        """By id, the one read last at the end."""
        self._recent: dict[str | None, tuple[float, StoredModel]] = {}
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

    def get(self, model_id: str | None = None) -> StoredModel:
        """A model by its id; None stands for the default one.

        Raises:
            LabError: there is no such model (404), or no model at all (409).
            ModelError: its file cannot be used.
        """
        name = model_id if model_id is not None else self.default
        if name is None:
            raise LabError(409, "lab_no_model")
        path = self.path(name)
        if path is None:
            raise LabError(404, "lab_unknown_model", value=_short(name))
        known = self._known(name, _version(path))
        if known:
            return known
        with self._lock:
            # Others that wait for the same model come here after it has been read.
            version = _version(path)
            config = self._config if name == "main" else None
            model = self._known(name, version) or read_model(name, path, config)
            self._read.pop(name, None)
            self._read[name] = version, model
            self._forget()
        return model

    def _known(self, name: str, version: _Version) -> StoredModel | None:
        """A model that was read when its file was of that version."""
        kept = self._read.get(name)
        return kept[1] if kept and kept[0] == version else None

    def _forget(self) -> None:
        """Drop the models whose file is gone, and the oldest ones where all are too large."""
        for name in [name for name in self._read if self.path(name) is None]:
            del self._read[name]
        total = sum(model.card.bytes for _, model in self._read.values())
        for name, (_, model) in list(self._read.items())[:-1]:
            if total > MOST_BYTES:
                total -= model.card.bytes
                del self._read[name]

    async def recent(self, model_id: str | None = None) -> StoredModel:
        """`get` for the event loop: a model as it was just now, else as a thread reads it."""
        now = time.monotonic()
        known = self._recent.get(model_id)
        if known and now - known[0] < RECENT_SECONDS:
            return known[1]
        model = await asyncio.to_thread(self.get, model_id)
        fresh = {k: v for k, v in self._recent.items() if now - v[0] < RECENT_SECONDS}
        self._recent = {**fresh, model_id: (now, model)}
        return model

    def readable(self) -> tuple[list[StoredModel], list[tuple[str, TallerError]]]:
        """All models that can be used, and why the others cannot."""
        good, bad = [], []
        with self._lock:
            self._forget()
        for name in self.ids():
            try:
                good.append(self.get(name))
            except TallerError as error:
                bad.append((name, error))
        return good, bad

    def keep(self, folder: Path, name: str) -> StoredModel:
        """Take in the model in `folder`, which is moved; it becomes the default one.

        Raises:
            LabError: a model cannot be called so (422), or another is (409).
            OutputError: the folder cannot be moved.
        """
        if not is_name(name):
            raise LabError(422, "lab_name", pointer="/name", value=_short(name))
        target = self.kept / name
        if target.exists():
            raise LabError(409, "lab_name_taken", value=name)
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


def read_model(model_id: str, path: Path, config: ModelConfig | None = None) -> StoredModel:
    """Read one file of weights.

    Args:
        model_id: what its card calls it.
        path: the ``.pt`` file.
        config: its architecture, for weights without a description.

    Raises:
        ModelError: the file cannot be used, or it is an ensemble.
    """
    # Read once, because a training may replace the file meanwhile.
    data = _bytes(path)
    loaded = load_model(path, config, data)
    network = loaded.model
    if isinstance(network, Ensemble):
        raise ModelError("lab_ensemble", path=path)
    # Twice as fast on a processor; the weights stay what they are.
    network.to(memory_format=torch.channels_last)
    card = _card(model_id, loaded, network, data)
    weights = folded_weights(network)
    return StoredModel(
        card=card,
        loaded=loaded,
        safetensors=to_safetensors(weights, card.model_dump_json()),
    )


def _bytes(path: Path) -> bytes:
    """What is in a file; nothing of what is none, which `load_model` judges."""
    try:
        return path.read_bytes() if path.is_file() else b""
    except OSError as error:
        raise ModelError("model_unreadable", path=path, reason=os_reason(error)) from error


def _card(model_id: str, loaded: LoadedModel, network: SimpleCNN, data: bytes) -> ModelCard:
    config, info, n_classes = network.config, loaded.info, network.n_classes
    layers = list(describe(config, n_classes))
    kind: Literal["main", "robust", "kept"] = "kept"
    if model_id in RESERVED:
        kind = "main" if model_id == "main" else "robust"
    metrics = info.metrics if info else {}
    return ModelCard(
        id=model_id,
        kind=kind,
        config=config,
        stages=stages(config),
        layers=layers,
        parameters=count_parameters(network),
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


def _score(value: Any) -> ScoreCard | None:
    """An accuracy of the description, if it is whole."""
    try:
        return ScoreCard.model_validate(value) if value else None
    except ValueError:
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
