"""The network for other people's handwriting: trained once, kept beside the user's own.

``cnn_mnist.robust.pt`` beside ``cnn_mnist.pt`` is the workshop's network trained with the recipe
`handwriting`. A training that is stopped goes on where it was the next time.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

from taller_cnn.checkpoints import LoadedModel, ModelInfo, load_model, save_model
from taller_cnn.config import recipe
from taller_cnn.data import Digits, DigitsPlace, DownloadProgress
from taller_cnn.errors import ModelError
from taller_cnn.files import check_writable, discard, folder_lock, provenance
from taller_cnn.model import SimpleCNN
from taller_cnn.runs.request import RunFiles, RunRequest
from taller_cnn.runs.results import brief_scores, model_info
from taller_cnn.runs.resuming import resume_state
from taller_cnn.runs.run import checkpointed, load
from taller_cnn.training import EpochResult, Progress, TrainState, train

RECIPE = "handwriting"
FREE_BYTES = 20_000_000
"""Free disk asked for before the training: weights and optimiser state, several times over."""


def robust_path(model_path: Path) -> Path:
    """Where the robust network beside the network in `model_path` is kept."""
    return RunFiles.robust(model_path).model


def kept_robust(model_path: Path, checksum: str | None = None) -> LoadedModel | None:
    """The robust network that is kept beside `model_path`, if there is one to be used.

    Args:
        model_path: the user's own network, which need not exist.
        checksum: of the digits it should have been trained on; None takes any.
    """
    try:
        kept = load_model(robust_path(model_path))
    except ModelError:
        return None
    if kept.info is None or kept.info.train.recipe != RECIPE:
        return None
    return kept if checksum in (None, kept.info.data_checksum) else None


def ready_robust(model_path: Path) -> LoadedModel | None:
    """The robust network that is kept, if it was trained on the digits of the user's own."""
    own = _own_info(model_path)
    return kept_robust(model_path, own.data_checksum if own else None)


def robust_network(
    model_path: Path,
    stop: threading.Event,
    place: DigitsPlace,
    *,
    seed: int = 0,
) -> Generator[DownloadProgress | Progress | EpochResult | LoadedModel, None, None]:
    """The robust network, trained now if it is not there or was trained on other digits.

    Args:
        model_path: the user's own network; the robust one is kept beside it, and trained on the
            same digits if it is known which those are.
        stop: when set, the training keeps its state and ends at the next event.
        place: where the digits are; which ones, its source says where `model_path` does not.
        seed: of the training.

    Yields:
        The download's and the training's progress; the last item is the network.

    Raises:
        InterruptedRunError: `stop` was set; asked for again, the training goes on.
        BusyError: another training holds the folder.
        TallerError: the folder or the digits cannot be used.
    """
    if kept := ready_robust(model_path):
        yield kept
        return
    own = _own_info(model_path)
    files = RunFiles.robust(model_path)
    model, config = recipe(RECIPE, train={"seed": seed})
    place = replace(place, source=own.source) if own else place
    request = RunRequest(model=model, train=config, place=place, files=files)
    check_writable(model_path.parent, FREE_BYTES)
    with folder_lock(model_path.parent):
        digits = yield from load(request, stop)
        if kept_robust(model_path, digits.checksum) is None:
            yield from _train(request, digits, stop)
    yield load_model(files.model)


def _own_info(model_path: Path) -> ModelInfo | None:
    """What is known of the user's own network."""
    try:
        return load_model(model_path).info
    except ModelError:
        return None


def _train(
    request: RunRequest, digits: Digits, stop: threading.Event
) -> Generator[Progress | EpochResult, None, None]:
    """Train and keep the network, from the checkpoint if there is one of this training."""
    model = SimpleCNN(request.model, n_classes=digits.n_classes, seed=request.train.seed)
    training = train(model, digits, request.train, _waiting(request, digits), score="last-epoch")
    yield from checkpointed(request, digits, training, stop, "reader_interrupted")
    info = model_info(request.model, request.train, digits, brief_scores(training), provenance())
    save_model(model, request.files.model, info)
    discard(request.files.checkpoint)


def _waiting(request: RunRequest, digits: Digits) -> TrainState | None:
    """The state to go on from, if a training of just this was stopped."""
    try:
        return resume_state(request, digits)
    except ModelError:
        # None, damaged, or of an older recipe: begun anew.
        return None
