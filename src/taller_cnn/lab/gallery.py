"""Real digits for the page, and the mistakes of a model on the test split."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from taller_cnn.data import Digits, DigitsPlace, LabelledImages
from taller_cnn.evaluation import Evaluation, evaluate
from taller_cnn.lab.model_store import StoredModel

MOST_EVALUATIONS = 8
"""Models whose answers on the test split are kept: 400 kB each for 10,000 images."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DigitBatch:
    """Digits of one split."""

    source: str
    indices: list[int]
    """Where they are in the split."""
    labels: list[int]
    images: NDArray[np.uint8]
    """``(n, 28, 28)``."""


class Gallery:
    """Loads the digits when they are first asked for: the full set, or the sample without it.

    Every method may be called from several threads.

    Args:
        place: where the digits are.
    """

    def __init__(self, place: DigitsPlace) -> None:
        self.place = place
        self._digits: Digits | None = None
        self._evaluations: dict[str, Evaluation] = {}
        self._lock = threading.Lock()
        self._evaluating = threading.Lock()

    def digits(self) -> Digits:
        """The data set.

        Raises:
            DataError, OutputError: there are no digits to be had.
        """
        with self._lock:
            if self._digits is None:
                self._digits = self.place.load()
            return self._digits

    def first(self, n: int, split: str = "test") -> DigitBatch:
        """The first digits of each class, in class order: `n` in all, or a few less."""
        labels, classes = self._split(split).labels, self.digits().n_classes
        each = max(1, n // classes)
        of_class = [(labels == c).nonzero()[:each, 0] for c in range(classes)]
        return self._batch(torch.cat(of_class)[:n], split)

    def random(self, n: int, seed: int, split: str = "test") -> DigitBatch:
        """Digits drawn at random, the same ones for the same seed."""
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(self._split(split)), generator=generator)
        return self._batch(order[:n], split)

    def at(self, indices: list[int], split: str = "test") -> DigitBatch:
        """The digits at some places of a split."""
        return self._batch(torch.tensor(indices, dtype=torch.int64), split)

    def _split(self, name: str) -> LabelledImages:
        digits = self.digits()
        return {"train": digits.train, "validation": digits.validation, "test": digits.test}[name]

    def _batch(self, indices: torch.Tensor, split: str) -> DigitBatch:
        found = self._split(split)
        return DigitBatch(
            source=self.digits().source,
            indices=indices.tolist(),
            labels=found.labels[indices].tolist(),
            images=found.images[indices, 0].numpy(),
        )

    def evaluation(self, model: StoredModel) -> Evaluation:
        """What a model says about the test split; kept for the next time."""
        digits, key = self.digits(), model.card.sha256
        with self._evaluating:
            found = self._evaluations.get(key)
            if found is None:
                found = evaluate(model.loaded.model, digits.test, model.loaded.scale)
                while len(self._evaluations) >= MOST_EVALUATIONS:
                    del self._evaluations[next(iter(self._evaluations))]
                self._evaluations[key] = found
        return found
