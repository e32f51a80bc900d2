"""One run on disk, end to end: lock, load, train, checkpoint, evaluate, save, draw."""

from taller_cnn.runs.ensemble import EnsemblePlan, EnsembleResult, Member, run_ensemble
from taller_cnn.runs.request import (
    RunFiles,
    RunRequest,
    ensemble_folder,
    read_origin,
    results_folder,
)
from taller_cnn.runs.results import RunResult
from taller_cnn.runs.resuming import checkpoint_request
from taller_cnn.runs.run import Started, run

__all__ = [
    "EnsemblePlan",
    "EnsembleResult",
    "Member",
    "RunFiles",
    "RunRequest",
    "RunResult",
    "Started",
    "checkpoint_request",
    "ensemble_folder",
    "read_origin",
    "results_folder",
    "run",
    "run_ensemble",
]
