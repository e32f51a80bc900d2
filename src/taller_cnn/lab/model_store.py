"""The models that the lab knows: the folder's networks and ensembles, and those that were kept."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from taller_cnn.checkpoints import (
    LoadedModel,
    load_model,
    member_files,
    sidecar_path,
    weights_checksum,
)
from taller_cnn.config import ModelConfig
from taller_cnn.errors import ModelError, OutputError, TallerError
from taller_cnn.files import sha256
from taller_cnn.lab.command import train_command
from taller_cnn.lab.opened import write_opened
from taller_cnn.lab.problems import LabError
from taller_cnn.lab.schemas import RESERVED, ModelCard, ModelKind, ScoreCard, is_name
from taller_cnn.lab.weights import folded_weights, to_safetensors
from taller_cnn.model import Ensemble, count_parameters, describe, network_inside, stages
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
    safetensors: bytes | None
    """None of an ensemble, whose members have theirs."""


_Version = tuple[tuple[int, int, int], ...]
"""What tells files from those that were there before: times and sizes."""


class ModelStore:
    """Reads models when they are asked for, and again when their file has changed.

    Args:
        folder: the ``modelo`` folder; models that are kept go to ``<folder>/lab/<name>/``.
        config: architecture of the model `main`, or else of `opened`, if it has no description.
        opened: a network or an ensemble elsewhere, which is then the default.
    """

    def __init__(
        self, folder: Path, config: ModelConfig | None = None, opened: Path | None = None
    ) -> None:
        self.folder, self._config, self.opened = folder, config, opened
        self.kept = folder / "lab"
        self._default: str | None = "opened" if opened else None
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
        """The ids of all models that there are, the workshop's first, members after theirs."""
        names = [name for name in (*RESERVED, *self._kept_names()) if self.path(name)]
        names += [name for name in self._folder_names() if name not in names]
        return [part for name in names for part in (name, *self.member_ids(name))]

    def member_ids(self, name: str) -> list[str]:
        """The ids of an ensemble's networks, ``<name>.<file>``; none of a single network."""
        path = self.path(name)
        files = member_files(path) if path and path.is_dir() else []
        return [f"{name}.{file.stem}" for file in files if is_name(file.stem)]

    def _folder_names(self) -> Iterator[str]:
        """Names of networks for other data sets, and of ensembles, by name."""
        if not self.folder.is_dir():
            return
        for path in sorted(self.folder.iterdir()):
            name = path.stem if path.suffix == ".pt" else path.name
            if path.name != WEIGHTS_NAME and is_name(name) and self._in_folder(name):
                yield name

    def _in_folder(self, name: str) -> Path | None:
        """The file of a network, or the folder of an ensemble, in the ``modelo`` folder."""
        file, folder = self.folder / f"{name}.pt", self.folder / name
        if file.is_file():
            return file
        return folder if folder != self.kept and folder.is_dir() and member_files(folder) else None

    def _kept_names(self) -> Iterator[str]:
        """Names of kept models, the newest first."""
        if not self.kept.is_dir():
            return
        folders = [p for p in self.kept.iterdir() if is_name(p.name)]
        times = {p.name: (p / WEIGHTS_NAME) for p in folders}
        found = {name: path.stat().st_mtime for name, path in times.items() if path.is_file()}
        yield from sorted(found, key=lambda name: (-found[name], name))

    def path(self, model_id: str) -> Path | None:
        """A model's file, or an ensemble's folder, or None; only an id leads to the disk."""
        path: Path | None
        ensemble, _, member = model_id.rpartition(".")
        if model_id == "main":
            path = self.folder / WEIGHTS_NAME
        elif model_id == "robust":
            path = (self.folder / WEIGHTS_NAME).with_suffix(".robust.pt")
        elif model_id == "opened":
            path = self.opened
        elif is_name(model_id):
            kept = self.kept / model_id / WEIGHTS_NAME
            path = kept if kept.is_file() else self._in_folder(model_id)
        elif ensemble and "." not in ensemble and is_name(member):
            folder = self.path(ensemble)
            path = folder / f"{member}.pt" if folder and folder.is_dir() else None
        else:
            return None
        return path if path and path.exists() else None

    def _kind(self, model_id: str) -> ModelKind:
        if model_id in ("main", "robust", "opened"):
            return model_id  # type: ignore[return-value]
        if "." in model_id:
            return "member"
        return "kept" if (self.kept / model_id).is_dir() else "folder"

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
            config = self._config if name == ("opened" if self.opened else "main") else None
            model = self._known(name, version) or read_model(name, path, config, self._kind(name))
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

    def keep(self, folder: Path, name: str, *, as_default: bool = True) -> StoredModel:
        """Take in the model in `folder`, which is moved.

        Args:
            folder: has the weights under `WEIGHTS_NAME`.
            name: the model's id.
            as_default: whether the page begins with it from now on.

        Raises:
            LabError: a model cannot be called so (422), or another is (409).
            OutputError: the folder cannot be moved.
        """
        self._move(folder, name)
        if as_default:
            self._default = name
        return self.get(name)

    def _move(self, folder: Path, name: str) -> None:
        if not is_name(name):
            raise LabError(422, "lab_name", pointer="/name", value=_short(name))
        target = self.kept / name
        if target.exists() or self.path(name):
            raise LabError(409, "lab_name_taken", value=name)
        try:
            folder.rename(target)
        except OSError as error:
            raise OutputError("cannot_write", path=target, reason=os_reason(error)) from error

    def take_in(self, data: bytes, description: str, name: str) -> StoredModel:
        """Keep a network that comes as a file's bytes.

        Args:
            data: a ``.pt`` file of weights, or safetensors.
            description: the ``.json`` that lay beside the ``.pt``; empty for none.
            name: the model's id.

        Raises:
            LabError: as `keep`.
            ModelError: not a file of weights that can be read safely, or of an unknown network.
            OutputError: the folder cannot be written.
        """
        folder = self.kept / ".opening" / secrets.token_hex(6)
        try:
            write_opened(folder / WEIGHTS_NAME, data, description)
            # Refused before it is among the others.
            read_model(name, folder / WEIGHTS_NAME)
            return self.keep(folder, name)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def rename(self, name: str, new: str) -> StoredModel:
        """Call a kept model otherwise.

        Raises:
            LabError: there is none (404), it is not a kept one (409), or as `keep`.
            OutputError: the folder cannot be moved.
        """
        folder = self._kept_folder(name)
        self._move(folder, new)
        if self._default == name:
            self._default = new
        return self.get(new)

    def remove(self, name: str) -> None:
        """Delete a kept model.

        Raises:
            LabError: there is none (404), or it is not a kept one (409).
            OutputError: the folder cannot be changed.
        """
        folder = self._kept_folder(name)
        gone = self.kept / f".gone-{secrets.token_hex(6)}"
        try:
            # At once, so that no half of it is left under its name.
            folder.rename(gone)
            shutil.rmtree(gone)
        except OSError as error:
            raise OutputError("cannot_write", path=folder, reason=os_reason(error)) from error

    def _kept_folder(self, name: str) -> Path:
        if self.path(name) is None:
            raise LabError(404, "lab_unknown_model", value=_short(name))
        if self._kind(name) != "kept":
            raise LabError(409, "lab_not_kept", value=name)
        return self.kept / name


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"


def _version(path: Path) -> _Version:
    files = member_files(path) if path.is_dir() else [path]
    found = []
    try:
        for file in files:
            status, sidecar = file.stat(), sidecar_path(file)
            described = sidecar.stat().st_mtime_ns if sidecar.exists() else 0
            found.append((status.st_mtime_ns, status.st_size, described))
    except OSError as error:
        raise ModelError("model_unreadable", path=path, reason=os_reason(error)) from error
    return tuple(found)


def read_model(
    model_id: str, path: Path, config: ModelConfig | None = None, kind: ModelKind = "kept"
) -> StoredModel:
    """Read one file of weights, or an ensemble's folder.

    Args:
        model_id: what its card calls it.
        path: the ``.pt`` file, or the folder.
        config: its architecture, for weights without a description.
        kind: where it is from.

    Raises:
        ModelError: a file cannot be used.
    """
    # Read once, because a training may replace the file meanwhile.
    data = _bytes(path)
    loaded = load_model(path, config, data)
    # Twice as fast on a processor; the weights stay what they are.
    loaded.model.to(memory_format=torch.channels_last)
    checksum = sha256(data) if data else weights_checksum(path)
    card = _card(model_id, path, loaded, checksum, kind)
    weights = None
    if not isinstance(loaded.model, Ensemble):
        weights = to_safetensors(folded_weights(loaded.model), card.model_dump_json())
    return StoredModel(card=card, loaded=loaded, safetensors=weights)


def _bytes(path: Path) -> bytes:
    """What is in a file; nothing of what is none, which `load_model` judges."""
    try:
        return path.read_bytes() if path.is_file() else b""
    except OSError as error:
        raise ModelError("model_unreadable", path=path, reason=os_reason(error)) from error


def _card(
    model_id: str, path: Path, loaded: LoadedModel, checksum: str, kind: ModelKind
) -> ModelCard:
    """What is known of a network; an ensemble's layers are those of its first member."""
    network, info = network_inside(loaded.model), loaded.info
    config, n_classes = network.config, network.n_classes
    layers = list(describe(config, n_classes))
    is_ensemble = isinstance(loaded.model, Ensemble)
    files = member_files(path) if is_ensemble else [path]
    metrics = info.metrics if info else {}
    return ModelCard(
        id=model_id,
        kind=kind,
        members=[f"{model_id}.{file.stem}" for file in files] if is_ensemble else [],
        config=config,
        stages=stages(config),
        layers=layers,
        parameters=count_parameters(loaded.model),
        macs=sum(layer.macs for layer in layers) * len(files),
        bytes=sum(file.stat().st_size for file in files),
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
        command=train_command(info) if info and not is_ensemble else None,
        sha256=checksum,
    )


def _score(value: Any) -> ScoreCard | None:
    """An accuracy of the description, if it is whole."""
    try:
        return ScoreCard.model_validate(value) if value else None
    except ValueError:
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
