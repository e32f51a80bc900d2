"""A trained network read from disk, made ready to be explained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from taller_cnn.checkpoints import LoadedModel, ModelInfo
from taller_cnn.data import Digits, Split
from taller_cnn.errors import InputError
from taller_cnn.evaluation import Evaluation, evaluate
from taller_cnn.explain.section import Subject
from taller_cnn.files import read_json
from taller_cnn.model import SimpleCNN
from taller_cnn.training import EpochResult, History

__all__ = ["make_subject", "positions"]


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
    data_dir: Path | None = None,
    seed: int = 0,
) -> Subject:
    """Ask a network about the test digits and gather what is known of it.

    Args:
        loaded: the network.
        digits: of its data set, with as many held out as in its training.
        results: the folder where the run may have left its numbers.
        chosen: positions of test digits that the reader asked for.
        data_dir: where other data sets may lie.
        seed: of everything that is drawn at random.
    """
    info = loaded.info
    run = _run_of(info, results / "run.json") if info else {}
    return Subject(
        model=loaded.model,
        digits=digits,
        info=info,
        evaluation=_evaluated(loaded, digits, digits.test),
        validation=_validation(loaded, digits),
        initial=SimpleCNN(info.model, seed=info.train.seed).eval() if info else None,
        history=_history(run),
        chosen=chosen,
        data_dir=data_dir,
        seed=seed,
    )


def _evaluated(loaded: LoadedModel, digits: Digits, split: Split) -> Evaluation:
    source = loaded.info or digits
    return evaluate(
        loaded.model,
        split,
        mean=source.mean,
        std=source.std,
        class_names=digits.class_names,
    )


def _validation(loaded: LoadedModel, digits: Digits) -> Evaluation | None:
    """The held-out digits, if it is known that the network has not learned from them."""
    info = loaded.info
    if info is None or not info.train.holdout or not len(digits.validation):
        return None
    if info.data_checksum != digits.checksum:
        return None
    return _evaluated(loaded, digits, digits.validation)


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
