"""What a step minimises, and what is told of it."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from taller_cnn.config import TrainConfig
from taller_cnn.devices import sum_dtype

UNSURE = 0.5
"""Weight in the loss of an image that is no digit, where a digit has 1."""


def batch_loss(logits: Tensor, labels: Tensor, config: TrainConfig) -> Tensor:
    """The loss of a batch whose last images may be no digits, a scalar.

    Args:
        logits: ``[N + M, K]``.
        labels: of the N digits, int64 ``[N]``; the other M images have none.
        config: label smoothing (Szegedy et al. 2016), and how many images are no digits.
    """
    digits, unknown = logits.tensor_split([len(labels)])
    loss = F.cross_entropy(digits, labels, label_smoothing=config.label_smoothing)
    if len(unknown):
        # What is no digit is as likely each of them (Hendrycks et al. 2019).
        loss = loss + UNSURE * config.cut_amiss * -unknown.log_softmax(dim=1).mean()
    return loss


class RunningScore:
    """Sums over the digits that an epoch has trained on so far.

    They are of the same quantities as an evaluation's: smoothed labels or images of no digit
    change what is minimised and not this. Tensors, so that the hot loop never waits for them.
    """

    def __init__(self, loss_sum: float = 0.0, correct: int = 0, seen: int = 0) -> None:
        self._loss: float | Tensor = loss_sum
        self._correct: int | Tensor = correct
        self.seen = seen

    def add(self, logits: Tensor, labels: Tensor) -> None:
        """Add a batch: logits ``[N, K]``, labels int64 ``[N]``."""
        loss = F.cross_entropy(logits, labels, reduction="sum")
        self._loss = self._loss + loss.to(sum_dtype(logits.device))
        self._correct = self._correct + (logits.argmax(dim=1) == labels).sum()
        self.seen += len(labels)

    @property
    def loss_sum(self) -> float:
        """Sum of the cross-entropy, in nats."""
        return float(self._loss)

    @property
    def correct(self) -> int:
        """Number of digits whose most probable class was the true one."""
        return int(self._correct)

    @property
    def loss(self) -> float:
        """Mean cross-entropy, in nats."""
        return self.loss_sum / self.seen

    @property
    def accuracy(self) -> float:
        """Fraction right, 0 to 1."""
        return self.correct / self.seen
