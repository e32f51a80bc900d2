"""One pass over images, and what follows from it.

Sums run over all images and are divided once, so results do not depend on the batch size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any

import torch
from torch import Tensor, nn

from taller_cnn.data import LabelledImages, Scale, normalise


@dataclass(frozen=True, kw_only=True)
class Score:
    """Mean loss and accuracy over `n` images."""

    loss: float
    """Mean cross-entropy, in nats."""
    accuracy: float
    """Fraction right, 0 to 1."""
    n: int


@dataclass(frozen=True, kw_only=True)
class ClassReport:
    """How well one class is recognised; a ratio with nothing in its denominator is 0."""

    precision: float
    recall: float
    f1: float
    support: int
    """Images of the class."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """What a network says about `n` labelled images, and the figures that follow."""

    log_probabilities: Tensor
    """float32 ``[N, K]``."""
    labels: Tensor
    """int64 ``[N]``."""

    @property
    def n(self) -> int:
        """Number of images."""
        return len(self.labels)

    @property
    def n_classes(self) -> int:
        """Number of classes, K."""
        return self.log_probabilities.shape[1]

    @cached_property
    def predictions(self) -> Tensor:
        """The most probable class, int64 ``[N]``."""
        return self.log_probabilities.argmax(dim=1)

    @cached_property
    def correct(self) -> int:
        """Number of images whose most probable class is the true one."""
        return int((self.predictions == self.labels).sum())

    @property
    def errors(self) -> int:
        """Number of images got wrong."""
        return self.n - self.correct

    @property
    def accuracy(self) -> float:
        """Fraction right, 0 to 1."""
        return self.correct / self.n

    @cached_property
    def loss(self) -> float:
        """Mean cross-entropy, in nats."""
        true = self.log_probabilities.gather(1, self.labels[:, None])
        return -float(true.sum(dtype=torch.float64)) / self.n

    @property
    def score(self) -> Score:
        """Loss and accuracy with their n."""
        return Score(loss=self.loss, accuracy=self.accuracy, n=self.n)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Wilson's interval of the accuracy."""
        return wilson_interval(self.correct, self.n, confidence)

    @property
    def is_guessing(self) -> bool:
        """Whether always naming the commonest class may do as well, by 95% intervals."""
        commonest = int(self.confusion.sum(dim=1).max())
        return self.interval()[0] <= wilson_interval(commonest, self.n)[1]

    @cached_property
    def confusion(self) -> Tensor:
        """Counts, int64 ``[K, K]``: a row per true class, a column per predicted one."""
        k = self.n_classes
        return torch.bincount(self.labels * k + self.predictions, minlength=k**2).reshape(k, k)

    def top_confusions(self, most: int) -> list[tuple[int, int, int]]:
        """The most frequent mistakes as (true class, predicted class, count), largest first."""
        mistakes = self.confusion - torch.diag(self.confusion.diagonal())
        order = mistakes.flatten().argsort(descending=True, stable=True)[:most].tolist()
        k = self.n_classes
        rows = [(i // k, i % k, int(mistakes.flatten()[i])) for i in order]
        return [row for row in rows if row[2] > 0]

    def per_class(self) -> tuple[ClassReport, ...]:
        """Precision, recall, F1 and support of every class, in class order."""
        hits = self.confusion.diagonal().tolist()
        support = self.confusion.sum(dim=1).tolist()
        predicted = self.confusion.sum(dim=0).tolist()
        return tuple(
            ClassReport(
                precision=_ratio(hits[i], predicted[i]),
                recall=_ratio(hits[i], support[i]),
                f1=_ratio(2 * hits[i], support[i] + predicted[i]),
                support=support[i],
            )
            for i in range(self.n_classes)
        )

    def brief(self) -> dict[str, Any]:
        """Accuracy with n and interval, and loss."""
        return {
            "n": self.n,
            "errors": self.errors,
            "accuracy": self.accuracy,
            "interval_95": list(self.interval()),
            "loss": self.loss,
        }

    def to_json(self, class_names: Sequence[str]) -> dict[str, Any]:
        """The same, with confusion matrix and a report per class under its name."""
        return {
            **self.brief(),
            "confusion": self.confusion.tolist(),
            "per_class": [
                {"name": name, **vars(report)}
                for name, report in zip(class_names, self.per_class(), strict=True)
            ],
        }


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def wilson_interval(correct: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927), as fractions from 0 to 1.

    Args:
        correct: how many of the `n` are; 0 <= correct <= n.
        n: at least 1.
        confidence: of the interval, 0 < confidence < 1.
    """
    # Not by scipy.stats, whose import takes longer than a second.
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = correct / n
    centre = share + z**2 / (2 * n)
    reach = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = ((centre + sign * reach) / (1 + z**2 / n) for sign in (-1, 1))
    # The ends are exact where rounding would miss them.
    return 0.0 if correct == 0 else low, 1.0 if correct == n else high


@torch.inference_mode()
def evaluate(
    model: nn.Module, split: LabelledImages, scale: Scale, *, batch_size: int = 500
) -> Evaluation:
    """Ask `model` about every image of `split`, in float32 and evaluation mode.

    The model's mode is put back afterwards. The device is that of the model's parameters.

    Args:
        model: gives logits ``[N, K]`` for images ``[N, 1, 28, 28]``.
        split: at least one image with its label.
        scale: normalisation that the model was trained with.
        batch_size: images at a time; changes memory and speed, not the result.
    """
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    rows = []
    try:
        for images in split.images.split(batch_size):  # type: ignore[no-untyped-call]
            # Convolutions are two to three times as fast in this layout; torch asks `to`, not
            # `contiguous`, for it, because with one channel the numbers lie the same either way.
            inputs = normalise(images, scale).to(device, memory_format=torch.channels_last)
            logits = model(inputs)
            rows.append(logits.float().log_softmax(dim=1).cpu())
    finally:
        model.train(training)
    return Evaluation(log_probabilities=torch.cat(rows), labels=split.labels)
