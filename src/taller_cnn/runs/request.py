"""What to train, and where the files of a run lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from taller_cnn.checkpoints import LoadedModel, load_model, member_files
from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import DigitsPlace
from taller_cnn.errors import ModelError
from taller_cnn.files import sha256
from taller_cnn.messages import DEFAULT_LANGUAGE
from taller_cnn.model_files import read_file


@dataclass(frozen=True, kw_only=True)
class RunFiles:
    """Where the files of one network and of its training lie."""

    model: Path
    """The trained weights; their description lies beside them."""
    results: Path
    """The folder of figures and numbers."""
    checkpoint: Path
    """The state of a training that has not ended."""

    @classmethod
    def in_workdir(cls, workdir: Path, dataset: str = "mnist") -> Self:
        """Files of the network that a working folder has for a data set."""
        return cls._at(workdir / "modelo" / f"cnn_{dataset}.pt", results_folder(workdir))

    @classmethod
    def member(cls, workdir: Path, dataset: str, seed: int) -> Self:
        """Files of the network of an ensemble that was made from a seed."""
        model = ensemble_folder(workdir, dataset) / f"seed{seed}.pt"
        return cls._at(model, results_folder(workdir) / "ensemble" / f"seed{seed}")

    @classmethod
    def robust(cls, model: Path) -> Self:
        """Files of the robust network beside the network in `model`, which may lie anywhere."""
        return cls._at(model.with_suffix(".robust.pt"), model.parent)

    @classmethod
    def _at(cls, model: Path, results: Path) -> Self:
        return cls(model=model, results=results, checkpoint=model.with_suffix(".checkpoint.pt"))


def ensemble_folder(workdir: Path, dataset: str = "mnist") -> Path:
    """Folder of an ensemble's networks."""
    return workdir / "modelo" / f"ensemble_{dataset}"


def results_folder(workdir: Path) -> Path:
    """Folder of figures and numbers."""
    return workdir / "resultados"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The trained network that a training begins with."""

    file: str
    """Its file, as it was given."""
    sha256: str
    """Of the file, in hexadecimal."""
    dataset: str | None
    source: str | None
    """What it was trained on; None where the weights had no description."""
    weights: Mapping[str, Tensor] | None = field(default=None, repr=False, compare=False)
    """A state dict; None where the training is resumed, whose checkpoint has what became of it."""

    def to_json(self) -> dict[str, Any]:
        """What is kept of it beside the weights that it led to."""
        return {name: value for name, value in vars(self).items() if name != "weights"}


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What to train, on what, and where the result goes."""

    model: ModelConfig
    train: TrainConfig
    place: DigitsPlace
    files: RunFiles
    resume: bool = False
    language: str = DEFAULT_LANGUAGE
    """Language tag of the figures."""
    origin: Origin | None = None
    """What the weights begin as; None for weights that are drawn from the seed."""
    network_only: bool = False
    """Whether no figures and numbers are left beside the network, which is then scored once, after
    the last epoch."""


def read_origin(path: Path, config: ModelConfig | None) -> tuple[Origin, LoadedModel]:
    """The network in a file, to begin a training with.

    Args:
        path: the ``.pt`` file.
        config: its architecture, for weights without a description.

    Raises:
        ModelError: as `load_model`, or it is the folder of an ensemble.
    """
    if path.is_dir() and member_files(path):
        raise ModelError("from_ensemble", path=path)
    # Read once, because a training may replace the file meanwhile.
    data = read_file(path) if path.is_file() else b""
    loaded = load_model(path, config, data)
    # They are not: the training says whether the weights fit them.
    notices = tuple(notice for notice in loaded.notices if notice != "options_ignored")
    loaded = replace(loaded, notices=notices)
    origin = Origin(
        file=str(path),
        sha256=sha256(data),
        dataset=loaded.info.dataset if loaded.info else None,
        source=loaded.info.source if loaded.info else None,
        weights=loaded.model.state_dict(),
    )
    return origin, loaded
