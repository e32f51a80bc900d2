"""One training inside a study, as a worker process runs it."""

from __future__ import annotations

import dataclasses
import math
import socket
import sys
import threading
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from taller_cnn import __version__
from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import Digits, DigitsPlace, LabelledImages
from taller_cnn.errors import DivergedError
from taller_cnn.evaluation import Evaluation, evaluate
from taller_cnn.files import processor_name
from taller_cnn.model import SimpleCNN
from taller_cnn.process import give_back_memory
from taller_cnn.study.design import TRAINING_REVISION, Trial
from taller_cnn.training import EpochResult, train

SEEN_DIGITS = 5000
"""Most seen digits that the gap is taken on; the same ones for every level of a seed and size."""
EVALUATION_BATCH = 250
"""Images evaluated at a time: the maps of wide networks still fit the processor's cache."""
CURVE_POINTS = 6
"""Most points of a learning curve at which the validation digits are evaluated."""
FINAL_REASONS = ("diverged",)
"""Failures that another try would only repeat."""

FOLD_SEED = 20261126
"""Of the order in which the digits are shared out to folds: a trial's key stands for it too."""

_loading = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """What is kept of a trial; all but status and reason may be None for one that failed."""

    status: str
    """``ok`` or ``failed``."""
    reason: str | None = None
    """``diverged``, ``memory``, ``lost`` (its workers died), or the error as Python tells it."""
    validation_error: float | None = None
    """Fraction wrong, 0 to 1, of the digits that judge the trial: those held out for validation,
    or its fold. The other errors are fractions too."""
    test_error: float | None = None
    seen_error: float | None = None
    """On digits that were trained on, in evaluation mode; None where there is no gap to measure."""
    validation_loss: float | None = None
    """Mean cross-entropy, in nats."""
    train_seconds: float | None = None
    """In training steps, without evaluations."""
    wall_seconds: float | None = None
    """Of the whole trial."""
    peak_memory_mb: float | None = None
    """Of the whole worker process; None where the system or its other threads hide it."""
    images_seen: int | None = None
    curve: tuple[tuple[int, float, float | None], ...] | None = None
    """Per epoch: images seen, mean training loss over it, validation error where evaluated."""
    validation_wrong: bytes | None = None
    """`numpy.packbits` of which validation digits are wrong; with folds, those of the fold."""
    machine: str = ""
    """Name of the machine that ran it."""


@dataclass(frozen=True, kw_only=True)
class Introduction:
    """Who a worker is, so that one that would give other numbers can be refused."""

    version: str
    revision: int
    checksum: str
    machine: str
    processor: str


@cache
def _load(place: DigitsPlace) -> Digits:
    return place.load()


def _digits(place: DigitsPlace) -> Digits:
    """The digits, loaded once per process however many threads ask."""
    with _loading:
        return _load(place)


def introduce(place: DigitsPlace) -> Introduction:
    """Load the digits, get ready to train, and say who this worker is.

    Raises:
        DataError, ConfigError, OutputError: the digits are not to be had here.
    """
    digits = _digits(place)
    _warm_up(digits)
    return Introduction(
        version=__version__,
        revision=TRAINING_REVISION,
        checksum=digits.checksum,
        machine=socket.gethostname(),
        processor=processor_name(),
    )


def _warm_up(digits: Digits) -> None:
    """Train one step: the first of a process also sets up kernels, at no trial's cost."""
    torch.set_num_threads(1)
    config = TrainConfig(epochs=1, batch_size=1, device="cpu", precision="float32")
    model = SimpleCNN(ModelConfig(filters=(1,), hidden=1), n_classes=digits.n_classes)
    for _ in train(model, digits.training_on(digits.train[:1]), config):
        pass


def run_trial(spec: dict[str, Any], place: DigitsPlace, alone: bool) -> TrialResult:
    """Run a trial on this worker; whatever goes wrong with it is its result.

    Args:
        spec: the trial, as `Trial.to_dict` gives it.
        place: where the digits are.
        alone: no other trial runs in this process, so that its memory can be told.
    """
    # More threads would make the workers of one machine wait for each other.
    torch.set_num_threads(1)
    started = time.perf_counter()
    try:
        digits = _digits(place)
        if alone:
            _reset_peak_memory()
        result = train_trial(Trial.from_dict(spec), digits)
    except Exception as error:
        return TrialResult(status="failed", reason=_reason(error), machine=socket.gethostname())
    return dataclasses.replace(
        result,
        wall_seconds=time.perf_counter() - started,
        peak_memory_mb=_peak_memory_mb() if alone else None,
        machine=socket.gethostname(),
    )


def _reason(error: Exception) -> str:
    text = str(error).lower()
    if isinstance(error, DivergedError):
        return "diverged"
    if isinstance(error, MemoryError) or "out of memory" in text or "allocate memory" in text:
        return "memory"
    return f"{type(error).__name__}: {error}"[:300]


def train_trial(trial: Trial, digits: Digits) -> TrialResult:
    """Train and evaluate one trial.

    Args:
        trial: what to train.
        digits: all digits; the trial takes its own subset of the training ones.

    Raises:
        DivergedError: the loss is no longer a number.
    """
    digits = in_folds(digits, trial.folds, trial.fold) if trial.folds else digits
    chosen = nested_order(digits.train.labels, trial.train.seed)[: trial.train_n]
    subset = digits.train[chosen]
    # Evaluated here and not by the training, which would evaluate the test digits as often.
    model = SimpleCNN(trial.model, n_classes=digits.n_classes, seed=trial.train.seed)
    training = train(model, digits.training_on(subset), trial.train)
    curve: list[tuple[int, float, float | None]] = []
    validation: Evaluation | None = None
    evaluated = evaluated_epochs(trial)
    for event in training:
        if isinstance(event, EpochResult):
            wanted = len(curve) + 1 in evaluated
            validation = _evaluate(training.network, digits, digits.validation) if wanted else None
            error = _error(validation) if validation else None
            curve.append((trial.images_after(training.step), event.train_loss, error))
    assert validation is not None, "the last epoch is evaluated"
    if not math.isfinite(validation.loss):
        raise DivergedError("diverged", epoch=trial.train.epochs, step=training.step, suggestion=0)
    network = training.network
    wrong = (validation.predictions != validation.labels).numpy()
    return TrialResult(
        status="ok",
        validation_error=_error(validation),
        test_error=_error(_evaluate(network, digits, digits.test)),
        seen_error=_seen_error(network, digits, subset) if trial.has_gap else None,
        validation_loss=validation.loss,
        train_seconds=training.history.epochs[-1].train_seconds,
        images_seen=trial.images_after(training.step),
        curve=tuple(curve),
        validation_wrong=np.packbits(wrong).tobytes(),
    )


def _seen_error(model: SimpleCNN, digits: Digits, subset: LabelledImages) -> float:
    return _error(_evaluate(model, digits, subset[:SEEN_DIGITS]))


def evaluated_epochs(trial: Trial) -> frozenset[int]:
    """Epochs, from 1, after which the validation digits are evaluated; the last is one.

    A fold has so many digits that judging them more than once would take a large part of the time.
    """
    epochs = math.ceil(trial.steps / trial.steps_per_epoch)
    if trial.folds:
        return frozenset({epochs})
    return frozenset(round(at) for at in np.geomspace(1, epochs, min(epochs, CURVE_POINTS)))


def _evaluate(model: SimpleCNN, digits: Digits, split: LabelledImages) -> Evaluation:
    return evaluate(model, split, digits.scale, batch_size=EVALUATION_BATCH)


def _error(evaluation: Evaluation) -> float:
    return evaluation.errors / evaluation.n


def in_folds(digits: Digits, folds: int, fold: int) -> Digits:
    """The digits split anew: one stratified fold to judge by, the others to train on.

    Training and validation digits are shared out together, always in the same way, so that every
    one of them is in one fold.
    """
    pool = digits.pool
    # Every stretch of this order, and not only every beginning, has the classes in proportion.
    parts = np.array_split(nested_order(pool.labels, FOLD_SEED).numpy(), folds)
    others = np.concatenate([part for number, part in enumerate(parts) if number != fold])
    return dataclasses.replace(
        digits,
        train=pool[torch.from_numpy(others)],
        validation=pool[torch.from_numpy(parts[fold])],
    )


def nested_order(labels: Tensor, seed: int) -> Tensor:
    """An order of the digits of which every beginning has the classes in proportion.

    The first n digits are the trial's training set, so that a larger one contains a smaller one
    of the same seed.

    Args:
        labels: int64 ``[N]``.
        seed: of the trial.

    Returns:
        Positions, int64 ``[N]``.
    """
    # RandomState and not default_rng: numpy keeps its stream the same in every version.
    order = np.random.RandomState(seed).permutation(len(labels))
    shuffled = labels.numpy()[order]
    place: NDArray[np.float64] = np.empty(len(order))
    for label in np.unique(shuffled):
        at = np.flatnonzero(shuffled == label)
        place[at] = (np.arange(len(at)) + 0.5) / len(at)
    return torch.from_numpy(order[np.argsort(place, kind="stable")])


def _reset_peak_memory() -> None:
    """Let the kernel count the process's peak memory from here."""
    give_back_memory()
    if sys.platform.startswith("linux"):
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            return


def _peak_memory_mb() -> float | None:
    if not sys.platform.startswith("linux"):
        return None
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return None
