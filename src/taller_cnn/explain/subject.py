"""A trained network read from disk, made ready to be explained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from taller_cnn.checkpoints import LoadedModel, ModelInfo
from taller_cnn.data import Digits, DigitsPlace
from taller_cnn.errors import InputError
from taller_cnn.evaluation import evaluate
from taller_cnn.explain.section import Subject
from taller_cnn.files import read_json
from taller_cnn.model import SimpleCNN
from taller_cnn.training import EpochResult, History


def positions(digits: Digits, classes: Sequence[int], indices: Sequence[int]) -> tuple[int, ...]:
    """The test digits that a reader asks for: the first of each class, then those by position.

    Raises:
        InputError: there is no such class, or no digit at that position.
    """
    return tuple(dict.fromkeys([*_first_of(digits, classes), *_checked(digits, indices)]))


def _first_of(digits: Digits, classes: Sequence[int]) -> Iterator[int]:
    labels = digits.test.labels
    for value in classes:
        found = torch.nonzero(labels == value)
        if not len(found):
            allowed = ", ".join(map(str, sorted(set(labels.tolist()))))
            raise InputError("explain_digit", value=value, allowed=allowed)
        yield int(found[0])


def _checked(digits: Digits, indices: Sequence[int]) -> Iterator[int]:
    most = len(digits.test) - 1
    for value in indices:
        if not 0 <= value <= most:
            raise InputError("explain_index", value=value, most=most)
        yield value


def make_subject(
    loaded: LoadedModel,
    digits: Digits,
    results: Path,
    *,
    chosen: tuple[int, ...] = (),
    place: DigitsPlace | None = None,
    seed: int = 0,
) -> Subject:
    """Ask a network about the test digits and gather what is known of it.

    Args:
        loaded: the network.
        digits: of its data set, with as many held out as in its training.
        results: the folder where the run may have left its numbers.
        chosen: positions of test digits that the reader asked for.
        place: where other data sets may lie.
        seed: of everything that is drawn at random.
    """
    info = loaded.info
    run = _run_of(info, results / "run.json") if info else {}
    scale = info.scale if info else digits.scale
    unseen = _has_not_seen_validation(info, digits)
    return Subject(
        model=loaded.model,
        digits=digits,
        info=info,
        evaluation=evaluate(loaded.model, digits.test, scale),
        validation=evaluate(loaded.model, digits.validation, scale) if unseen else None,
        initial=_initial(info) if info else None,
        history=_history(run),
        chosen=chosen,
        place=place,
        seed=seed,
    )


def _initial(info: ModelInfo) -> SimpleCNN:
    """The network before its training."""
    classes = len(info.class_names)
    return SimpleCNN(info.model, n_classes=classes, seed=info.train.seed).eval()


def _has_not_seen_validation(info: ModelInfo | None, digits: Digits) -> bool:
    """Whether there are held-out digits that the network is known not to have learned from."""
    if info is None or not info.train.holdout or not len(digits.validation):
        return False
    return info.data_checksum == digits.checksum


def _run_of(info: ModelInfo, path: Path) -> Mapping[str, Any]:
    """The numbers of the run that made these weights; empty if they are of another run."""
    run = read_json(path)
    if not isinstance(run, dict) or not isinstance(run.get("test"), dict):
        return {}
    tested = info.metrics.get("test") or {}
    same = tested.get("loss") == run["test"].get("loss")
    return run if same and run.get("data_checksum") == info.data_checksum else {}


def _history(run: Mapping[str, Any]) -> History | None:
    try:
        return History(tuple(EpochResult.from_dict(result) for result in run["epochs"]))
    except (KeyError, TypeError):
        return None
