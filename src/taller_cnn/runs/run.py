"""One run on disk: lock, load, train with checkpoints, finish."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import torch

from taller_cnn.checkpoints import shape_difference
from taller_cnn.data import Digits, DownloadProgress
from taller_cnn.errors import (
    ConfigError,
    DivergedError,
    InterruptedRunError,
    ModelError,
    TallerError,
)
from taller_cnn.files import check_writable, discard, folder_lock
from taller_cnn.model import SimpleCNN, count_parameters
from taller_cnn.runs.request import RunRequest
from taller_cnn.runs.results import RunResult, finish
from taller_cnn.runs.resuming import resume_state, write_checkpoint
from taller_cnn.training import EpochResult, Progress, Training, train

FREE_BYTES = 50_000_000
"""Free disk asked for before a run: weights, optimiser state and figures, several times over."""


@dataclass(frozen=True, kw_only=True)
class Started:
    """What is about to be trained, told once before the first step."""

    dataset: str
    source: str
    train_n: int
    validation_n: int
    test_n: int
    parameters: int
    device: str
    device_reason: str
    """Message key ``devices.<reason>``."""
    precision: str
    precision_reason: str
    """Message key ``devices.<reason>``."""
    threads: int
    resumed_step: int
    """0 for a training from the start."""
    origin: str | None = None
    """File of the network that it began with."""
    fallback_reason: TallerError | None = None
    """Why the sample is used where the full set was wanted."""
    notices: tuple[str, ...] = ()
    """Message keys ``runs.<notice>``."""


def run(
    request: RunRequest, stop: threading.Event, digits: Digits | None = None
) -> Generator[DownloadProgress | Started | Progress | EpochResult | RunResult, None, None]:
    """Train and keep the result; iterate to make it go on.

    Args:
        request: what to do.
        stop: when set, the run keeps its state and ends at the next event.
        digits: those of the request, if they have been loaded.

    Raises:
        InterruptedRunError: `stop` was set; the state is in the checkpoint.
        DivergedError: the loss is no longer a number; an earlier model is untouched.
        TallerError: the folder, the data, the checkpoint or the options cannot be used.
    """
    began = time.perf_counter()
    files = request.files
    if not request.network_only:
        check_writable(files.results, FREE_BYTES)
    check_writable(files.model.parent, FREE_BYTES)
    with folder_lock(files.model.parent):
        notices = _notices(request)
        digits = digits or (yield from load(request, stop))
        state = resume_state(request, digits) if request.resume else None
        model = _first_weights(request, digits)
        training = train(
            model,
            digits,
            request.train,
            state,
            score="last-epoch" if request.network_only else "each-epoch",
        )
        loaded = time.perf_counter()
        yield _started(request, digits, training, notices)
        yield from _checkpointed(request, digits, training, stop)
        trained = time.perf_counter()
        wall = {"load": loaded - began, "train_and_evaluate": trained - loaded}
        result = finish(request, digits, training, wall, began)
        # Before the result is told: nobody has to ask once more for the run to be over.
        discard(files.checkpoint)
        yield result


def load(request: RunRequest, stop: threading.Event) -> Generator[DownloadProgress, None, Digits]:
    """The digits; on the way, how far their download is.

    Raises:
        InterruptedRunError: `stop` was set.
        DataError, OutputError: as `DigitsPlace.load`.
    """
    for item in request.place.loading(request.train.holdout):
        if isinstance(item, Digits):
            return item
        if stop.is_set():
            raise InterruptedRunError("interrupted_download")
        yield item
    raise AssertionError("loading ended without digits")


def _notices(request: RunRequest) -> tuple[str, ...]:
    if request.files.checkpoint.exists() and not request.resume:
        return ("checkpoint_abandoned",)
    return ()


def _first_weights(request: RunRequest, digits: Digits) -> SimpleCNN:
    """The network before its training: drawn from the seed, or with the weights of another.

    Raises:
        ModelError: those are of other shapes.
        ConfigError: the training would replace its first layer.
    """
    model = SimpleCNN(request.model, n_classes=digits.n_classes, seed=request.train.seed)
    origin = request.origin
    if origin is None or origin.weights is None:
        return model
    if request.train.first_layer == "patches":
        raise ConfigError("from_patches", path=origin.file)
    if problem := shape_difference(model, origin.weights):
        raise ModelError("from_shapes", path=origin.file, reason=problem)
    model.load_state_dict(origin.weights)
    return model


def _started(
    request: RunRequest, digits: Digits, training: Training, notices: tuple[str, ...]
) -> Started:
    return Started(
        dataset=digits.name,
        source=digits.source,
        train_n=len(digits.train),
        validation_n=len(digits.validation),
        test_n=len(digits.test),
        parameters=count_parameters(training.network),
        device=str(training.device.value),
        device_reason=training.device.reason,
        precision=str(training.precision.value).removeprefix("torch."),
        precision_reason=training.precision.reason,
        threads=torch.get_num_threads(),
        resumed_step=training.step,
        origin=request.origin.file if request.origin else None,
        fallback_reason=digits.fallback_reason,
        notices=notices,
    )


def _checkpointed(
    request: RunRequest, digits: Digits, training: Training, stop: threading.Event
) -> Iterator[Progress | EpochResult]:
    """The training's events, with a checkpoint after each epoch and when stopped.

    Raises:
        InterruptedRunError: `stop` was set.
        DivergedError: the loss is no longer a number.
    """
    path = request.files.checkpoint
    try:
        for event in training:
            unfinished = training.step < training.steps
            stopping = stop.is_set() and unfinished
            if stopping or (isinstance(event, EpochResult) and unfinished):
                write_checkpoint(request, digits, training.state())
            yield event
            if stopping:
                raise InterruptedRunError(
                    "interrupted", step=training.step, of=training.steps, path=path
                )
    except DivergedError:
        # Going on from it would only diverge again.
        discard(path)
        raise
