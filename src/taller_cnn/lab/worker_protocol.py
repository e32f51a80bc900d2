"""What the lab and its training process say to each other, over one pipe of `multiprocessing`.

The process is started with a `TrainingOrder`. The lab sends an `Action` whenever somebody asks
for one; the process sends its events, each a name with data, `TallerError`s among them. The end
of the pipe means to either side that the other one is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import DigitsPlace

Action = Literal["pause", "continue", "stop"]


@dataclass(frozen=True, kw_only=True)
class TrainingOrder:
    """What the process is to train."""

    model: ModelConfig
    train: TrainConfig
    place: DigitsPlace
    """Where the digits are."""
    folder: Path
    """Where the finished model goes."""
