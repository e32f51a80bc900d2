"""The network that is explained, with its digits and what is known of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from taller_cnn.checkpoints import LoadedModel, ModelInfo
from taller_cnn.data import (
    Digits,
    DigitsPlace,
    LabelledImages,
    Scale,
    display_class_names,
    normalise,
)
from taller_cnn.errors import InputError
from taller_cnn.evaluation import Evaluation, evaluate
from taller_cnn.files import read_json
from taller_cnn.messages import Messages
from taller_cnn.model import Ensemble, SimpleCNN, network_inside
from taller_cnn.training import EpochResult, History

Tick = Callable[[int, int], None]
"""Told how many steps are done, and of how many."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """The network that is explained, with what is known about it."""

    model: SimpleCNN | Ensemble
    """What answers: in evaluation mode, on the CPU, float32."""
    digits: Digits
    info: ModelInfo | None
    """None where the weights have no description."""
    evaluation: Evaluation
    """Of the test digits."""
    validation: Evaluation | None
    """Of the held-out digits; None without any."""
    initial: SimpleCNN | None = None
    """The same network before training, where its seed is known."""
    history: History | None = None
    """How the training went, where the run left its numbers."""
    chosen: tuple[int, ...] = ()
    """Positions of test digits that the reader asked for."""
    place: DigitsPlace | None = None
    """Where other data sets may lie."""
    seed: int = 0
    """Of everything that is drawn at random."""

    @property
    def scale(self) -> Scale:
        """Normalisation of the network's inputs."""
        return (self.info or self.digits).scale

    @property
    def network(self) -> SimpleCNN:
        """The network whose inside is shown: of an ensemble, its first member."""
        return network_inside(self.model)

    @property
    def mistakes(self) -> Tensor:
        """Positions of the test digits got wrong, in order of loss, largest first: int64 [M]."""
        says = self.evaluation
        loss = -says.log_probabilities.gather(1, says.labels[:, None])[:, 0]
        order = loss.argsort(descending=True, stable=True)
        return order[(says.predictions != says.labels)[order]]

    def names(self, say: Messages) -> tuple[str, ...]:
        """The names of the classes in the reader's language."""
        return display_class_names(self.digits.name, self.digits.class_names, say)

    def normalised(self, images: Tensor) -> Tensor:
        """Images ``uint8 [N, 1, 28, 28]`` as the network takes them, float32."""
        return normalise(images, self.scale)

    @torch.inference_mode()
    def embedding(self, split: LabelledImages, batch_size: int = 200) -> Tensor:
        """What the classes are made from (`SimpleCNN.embed`), float32 ``[N, units]``."""
        rows = torch.empty(len(split), self.network.fc2.in_features)
        for start in range(0, len(split), batch_size):
            part = slice(start, start + batch_size)
            # In this layout the convolutions take half the time.
            images = self.normalised(split.images[part]).to(memory_format=torch.channels_last)
            # Written into place: kept among large temporaries, small results fragment the heap.
            rows[part] = self.network.embed(images)
        return rows


def positions(digits: Digits, classes: Sequence[int], indices: Sequence[int]) -> tuple[int, ...]:
    """The test digits that a reader asks for: the first of each class, then those by position.

    Raises:
        InputError: there is no such class, or no digit at that position.
    """
    return tuple(dict.fromkeys([*_first_of(digits, classes), *_checked(digits, indices)]))


def _first_of(digits: Digits, classes: Sequence[int]) -> Iterator[int]:
    labels = digits.test.labels
    for value in classes:
        of_class = torch.nonzero(labels == value)
        if not len(of_class):
            allowed = ", ".join(map(str, sorted(set(labels.tolist()))))
            raise InputError("explain_digit", value=value, allowed=allowed)
        yield int(of_class[0])


def _checked(digits: Digits, indices: Sequence[int]) -> Iterator[int]:
    most = len(digits.test) - 1
    for value in indices:
        if not 0 <= value <= most:
            raise InputError("explain_index", value=value, most=most)
        yield value


def first_of_each_class(labels: Tensor, n: int) -> Tensor:
    """Positions of about `n` labels, the first of every class in its share, in order.

    All positions if there are no more than `n`.

    Args:
        labels: int64 ``[N]``.
        n: how many at most; but one of every class.
    """
    if len(labels) <= n:
        return torch.arange(len(labels))
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for label in torch.unique(labels):
        of_class = (labels == label).nonzero()[:, 0]
        chosen[of_class[: max(1, n * len(of_class) // len(labels))]] = True
    return chosen.nonzero()[:, 0]


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
