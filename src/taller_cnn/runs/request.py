"""What to train, and where a run keeps its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import DigitsPlace
from taller_cnn.messages import DEFAULT_LANGUAGE

__all__ = ["RunRequest", "Workdir"]


@dataclass(frozen=True)
class Workdir:
    """Where a run keeps its files, for one data set."""

    root: Path
    dataset: str = "mnist"
    member: int | None = None
    """Seed of a network of the ensemble; None for a network of its own."""

    @property
    def model(self) -> Path:
        """The trained weights."""
        if self.member is not None:
            return self.ensemble / f"seed{self.member}.pt"
        return self.root / "modelo" / f"cnn_{self.dataset}.pt"

    @property
    def ensemble(self) -> Path:
        """The folder of an ensemble's networks."""
        return self.root / "modelo" / f"ensemble_{self.dataset}"

    @property
    def checkpoint(self) -> Path:
        """The state of a training that has not ended."""
        return self.model.with_suffix(".checkpoint.pt")

    @property
    def results(self) -> Path:
        """The folder of figures and numbers."""
        results = self.root / "resultados"
        return results if self.member is None else results / "ensemble" / f"seed{self.member}"


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What to train, on what, and where."""

    model: ModelConfig
    train: TrainConfig
    place: DigitsPlace
    workdir: Path
    resume: bool = False
    language: str = DEFAULT_LANGUAGE
    """Language tag of the figures."""
    member: int | None = None
    """Seed of a network of the ensemble; None for a network of its own."""

    @property
    def where(self) -> Workdir:
        """The run's files."""
        return Workdir(self.workdir, self.place.dataset, self.member)
