"""What to train, and where the files of a run lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import DigitsPlace
from taller_cnn.messages import DEFAULT_LANGUAGE


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
class RunRequest:
    """What to train, on what, and where the result goes."""

    model: ModelConfig
    train: TrainConfig
    place: DigitsPlace
    files: RunFiles
    resume: bool = False
    language: str = DEFAULT_LANGUAGE
    """Language tag of the figures."""
