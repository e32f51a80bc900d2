"""What a worker process does: checks that it may work, shares out the digits, runs a trial."""

from __future__ import annotations

import dataclasses
import math
import socket
import sys
import threading
import time
from collections.abc import Mapping
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
from taller_cnn.data import Digits, DigitsPlace, LabelledImages, stratified_mask
from taller_cnn.errors import DivergedError, Phrase, TallerError
from taller_cnn.evaluation import Evaluation, evaluate
from taller_cnn.files import processor_name
from taller_cnn.model import SimpleCNN
from taller_cnn.process import give_back_memory
from taller_cnn.study.trial import TRAINING_REVISION, Trial, TrialResult
from taller_cnn.training import EpochResult, train

SEEN_DIGITS = 5000
"""Most seen digits that the gap is taken on; the same ones for every level of a seed and size."""
EVALUATION_BATCH = 250
"""Images evaluated at a time: the maps of wide networks still fit the processor's cache."""
CURVE_POINTS = 6
"""Most points of a learning curve at which the validation digits are evaluated."""

_loading = threading.Lock()


# ------------------------------------------------------------------- who may work


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """What a worker must have so that its numbers are those of any other."""

    place: DigitsPlace
    """Where it finds the digits."""
    checksum: str
    """Of the digits."""
    version: str
    """Of the program, as `program_version` gives it."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A worker would give other numbers, or has no digits."""

    address: str
    reason: Phrase


def program_version() -> str:
    """The version, with the revision of training in parentheses."""
    return f"{__version__} ({TRAINING_REVISION})"


def work(spec: Mapping[str, Any], needed: Requirements) -> TrialResult | Refusal:
    """Run a trial on the dask worker that this is called on, if that may work at all.

    Args:
        spec: the trial, as `Trial.to_dict` gives it.
        needed: what is checked first.
    """
    from distributed import get_worker

    worker = get_worker()
    reason = objection(needed)
    if reason is not None:
        return Refusal(address=worker.address, reason=reason)
    return run_trial(spec, needed.place, is_alone=worker.state.nthreads == 1)


def objection(needed: Requirements) -> Phrase | None:
    """Why this process may not run trials; None if it may."""
    ours = program_version()
    if ours != needed.version:
        values = {"found": ours, "expected": needed.version}
        return Phrase("study_worker_version", values)
    try:
        digits = _digits(needed.place)
    except TallerError as error:
        return Phrase(error.key, error.values)
    if digits.checksum != needed.checksum:
        values = {"found": digits.checksum, "expected": needed.checksum}
        return Phrase("study_worker_digits", values)
    return None


# ---------------------------------------------------------------------- its digits


@dataclass(frozen=True, kw_only=True, eq=False)
class Shares:
    """The digits of a data set that are not test digits, by what they are for."""

    digits: Digits
    """The whole data set."""
    teaching: LabelledImages
    """Trials draw theirs from these."""
    judging: LabelledImages
    """Kept from all training; the same for every trial of a study."""

    @property
    def validation(self) -> LabelledImages:
        """The held-out digits, by which learning rates are chosen."""
        return self.digits.validation


def share_out(digits: Digits, judges: int) -> Shares:
    """Keep training digits apart that judge: stratified, fixed by the data set and their number.

    Args:
        digits: all digits.
        judges: how many judge.
    """
    judging = torch.from_numpy(stratified_mask(digits.train.labels.numpy(), judges))
    return Shares(digits=digits, teaching=digits.train[~judging], judging=digits.train[judging])


@cache
def _load(place: DigitsPlace) -> Digits:
    digits = place.load()
    _warm_up(digits)
    return digits


@cache
def _share_out(place: DigitsPlace, judges: int) -> Shares:
    return share_out(_load(place), judges)


def _digits(place: DigitsPlace) -> Digits:
    """The digits, loaded once per process however many threads ask."""
    with _loading:
        return _load(place)


def _shares(place: DigitsPlace, judges: int) -> Shares:
    """The digits by what they are for, shared out once per process however many threads ask."""
    with _loading:
        return _share_out(place, judges)


def _warm_up(digits: Digits) -> None:
    """Train one step: the first of a process also sets up kernels, at no trial's cost."""
    torch.set_num_threads(1)
    config = TrainConfig(epochs=1, batch_size=1, device="cpu", precision="float32")
    model = SimpleCNN(ModelConfig(filters=(1,), hidden=1), n_classes=digits.n_classes)
    for _ in train(model, digits.training_on(digits.train[:1]), config):
        pass


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


# ------------------------------------------------------------------------ a trial


def run_trial(spec: Mapping[str, Any], place: DigitsPlace, *, is_alone: bool) -> TrialResult:
    """Run a trial in this process; whatever goes wrong with it is its result.

    Args:
        spec: the trial, as `Trial.to_dict` gives it.
        place: where the digits are.
        is_alone: no other trial runs in this process, so that its memory can be told.
    """
    # More threads would make the workers of one machine wait for each other.
    torch.set_num_threads(1)
    here = {"machine": socket.gethostname(), "processor": processor_name()}
    started = time.perf_counter()
    try:
        trial = Trial.from_dict(spec)
        shares = _shares(place, trial.judges)
        if is_alone:
            _reset_peak_memory()
        result = train_trial(trial, shares)
    except Exception as error:
        return TrialResult(status="failed", reason=_reason(error), **here)
    return dataclasses.replace(
        result,
        wall_seconds=time.perf_counter() - started,
        peak_memory_mb=_peak_memory_mb() if is_alone else None,
        **here,
    )


def _reason(error: Exception) -> str:
    text = str(error).lower()
    if isinstance(error, DivergedError):
        return "diverged"
    if isinstance(error, MemoryError) or "out of memory" in text or "allocate memory" in text:
        return "memory"
    return f"{type(error).__name__}: {error}"[:300]


def train_trial(trial: Trial, shares: Shares) -> TrialResult:
    """Train and judge one trial.

    Args:
        trial: what to train.
        shares: all digits; the trial takes its own subset of those that teach.

    Raises:
        DivergedError: the loss is no longer a number.
    """
    digits = shares.digits
    subset = shares.teaching[
        nested_order(shares.teaching.labels, trial.train.seed)[: trial.train_n]
    ]
    # Evaluated here and not by the training, which would evaluate the test digits as often.
    model = SimpleCNN(trial.model, n_classes=digits.n_classes, seed=trial.train.seed)
    training = train(model, digits.training_on(subset), trial.train)
    curve: list[tuple[int, float, float | None]] = []
    evaluated = curve_epochs(trial)
    for event in training:
        if isinstance(event, EpochResult):
            error = None
            if len(curve) + 1 in evaluated:
                held_out = _evaluate(training.network, digits, shares.validation)
                error = held_out.errors / held_out.n
            curve.append((trial.images_after(training.step), event.train_loss, error))
    network = training.network
    judged = _evaluate(network, digits, shares.validation if trial.is_pilot else shares.judging)
    if not math.isfinite(judged.loss):
        raise DivergedError("diverged", epoch=trial.train.epochs, step=training.step, suggestion=0)
    return TrialResult(
        status="ok",
        **_counts(trial, judged),
        **_seen(trial, network, digits, subset),
        judged_loss=judged.loss,
        train_seconds=training.history.epochs[-1].train_seconds,
        images_seen=trial.images_after(training.step),
        curve=tuple(curve),
    )


def curve_epochs(trial: Trial) -> frozenset[int]:
    """Epochs, from 1, after which the validation digits are evaluated for the learning curve.

    A single point is no curve, and a pilot's is not looked at.
    """
    epochs = math.ceil(trial.steps / trial.steps_per_epoch)
    if trial.is_pilot or epochs == 1:
        return frozenset()
    return frozenset(round(at) for at in np.geomspace(1, epochs, min(epochs, CURVE_POINTS)))


def _counts(trial: Trial, judged: Evaluation) -> dict[str, Any]:
    """How many digits are wrong of those that judge the trial, and which."""
    if trial.is_pilot:
        return {"pilot_n": judged.n, "pilot_errors": judged.errors}
    wrong = (judged.predictions != judged.labels).numpy()
    return {
        "judged_n": judged.n,
        "judged_errors": judged.errors,
        "judged_wrong": np.packbits(wrong).tobytes(),
    }


def _seen(
    trial: Trial, network: SimpleCNN, digits: Digits, subset: LabelledImages
) -> dict[str, Any]:
    """How many digits are wrong of those that were trained on, where they were seen again."""
    if trial.is_pilot or not trial.sees_digits_again:
        return {}
    seen = _evaluate(network, digits, subset[:SEEN_DIGITS])
    return {"seen_n": seen.n, "seen_errors": seen.errors}


def _evaluate(model: SimpleCNN, digits: Digits, split: LabelledImages) -> Evaluation:
    return evaluate(model, split, digits.scale, batch_size=EVALUATION_BATCH)


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
