"""The network for other people's handwriting: trained once, kept beside the user's own.

``cnn_mnist.robust.pt`` beside ``cnn_mnist.pt`` is the workshop's network trained with the recipe
`handwriting`. A training that is stopped goes on where it was the next time.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from dataclasses import asdict, replace
from pathlib import Path

from taller_cnn.augmentation import AUGMENTATIONS
from taller_cnn.checkpoints import LoadedModel, ModelInfo, load_model
from taller_cnn.config import recipe
from taller_cnn.data import Digits, DigitsPlace, DownloadProgress
from taller_cnn.errors import InterruptedRunError, ModelError
from taller_cnn.runs import RunFiles, RunRequest, run
from taller_cnn.runs.resuming import resume_state
from taller_cnn.runs.run import load
from taller_cnn.training import EpochResult, Progress

RECIPE = "handwriting"


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
    if kept.info is None or not _is_of_the_recipe(kept.info):
        return None
    return kept if checksum in (None, kept.info.data_checksum) else None


def _is_of_the_recipe(info: ModelInfo) -> bool:
    """Whether a network was trained as the recipe is now, with any seed and arithmetic."""
    model, train = recipe(RECIPE)
    anyhow = {name: getattr(info.train, name) for name in ("seed", "device", "precision")}
    return (
        (info.model, info.train) == (model, train.replace(**anyhow))
        and info.augmentation == asdict(AUGMENTATIONS[train.augmentation])
        and not info.removed
    )


def ready_robust(model_path: Path) -> LoadedModel | None:
    """The robust network that is kept, if it was trained on the digits of the user's own."""
    own = _own_info(model_path)
    return kept_robust(model_path, own.data_checksum if own else None)


def _own_info(model_path: Path) -> ModelInfo | None:
    """What is known of the user's own network."""
    try:
        return load_model(model_path).info
    except ModelError:
        return None


def robust_network(
    model_path: Path, stop: threading.Event, place: DigitsPlace, *, seed: int = 0
) -> Generator[DownloadProgress | Progress | EpochResult | LoadedModel, None, None]:
    """The robust network, trained now if it is not there or was trained otherwise.

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
        ModelError: the user's own network is of other data than handwritten digits.
        TallerError: as `run`.
    """
    if kept := ready_robust(model_path):
        yield kept
        return
    own = _own_info(model_path)
    if own and own.dataset != place.dataset:
        raise ModelError("robust_other_data", path=model_path, dataset=own.dataset)
    files, (model, train) = RunFiles.robust(model_path), recipe(RECIPE, train={"seed": seed})
    place = replace(place, source=own.source) if own else place
    request = RunRequest(model=model, train=train, place=place, files=files, network_only=True)
    digits = yield from load(request, stop)
    if kept_robust(model_path, digits.checksum) is None:
        request = replace(request, resume=_is_waiting(request, digits))
        try:
            for event in run(request, stop, digits):
                if isinstance(event, Progress | EpochResult):
                    yield event
        except InterruptedRunError as error:
            # Said in words of the command that asked for the network.
            raise InterruptedRunError("reader_interrupted", **error.values) from error
    yield load_model(files.model)


def _is_waiting(request: RunRequest, digits: Digits) -> bool:
    """Whether a training of just this was stopped, and can go on."""
    try:
        resume_state(request, digits)
    except ModelError:
        # None, damaged, or of an older recipe: begun anew.
        return False
    return True
