"""One run on disk, end to end: lock, load, train, checkpoint, evaluate, save, draw."""

from taller_cnn.runs.ensemble import EnsemblePlan, EnsembleResult, Member, run_ensemble
from taller_cnn.runs.request import RunRequest, Workdir
from taller_cnn.runs.results import RunResult
from taller_cnn.runs.resuming import checkpoint_request
from taller_cnn.runs.run import Started, run

__all__ = [
    "EnsemblePlan",
    "EnsembleResult",
    "Member",
    "RunRequest",
    "RunResult",
    "Started",
    "Workdir",
    "checkpoint_request",
    "run",
    "run_ensemble",
]
