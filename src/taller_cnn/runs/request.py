"""What to train, and where a run keeps its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.messages import DEFAULT_LANGUAGE

__all__ = ["RunRequest", "Workdir"]


@dataclass(frozen=True)
class Workdir:
    """Where a run keeps its files, for one data set."""

    root: Path
    dataset: str = "mnist"

    @property
    def model(self) -> Path:
        """The trained weights."""
        return self.root / "modelo" / f"cnn_{self.dataset}.pt"

    @property
    def checkpoint(self) -> Path:
        """The state of a training that has not ended."""
        return self.model.with_suffix(".checkpoint.pt")

    @property
    def results(self) -> Path:
        """The folder of figures and numbers."""
        return self.root / "resultados"

    @property
    def sample(self) -> Path:
        """The folder of the sample that is used where the full set is not to be had."""
        return self.root / "data" / "sample"


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What to train, on what, and where."""

    model: ModelConfig
    train: TrainConfig
    workdir: Path
    data_dir: Path
    dataset: str = "mnist"
    source: str = "auto"
    resume: bool = False
    language: str = DEFAULT_LANGUAGE
    """Language tag of the figures."""

    @property
    def where(self) -> Workdir:
        """The run's files."""
        return Workdir(self.workdir, self.dataset)
