"""What is told of the steps of an epoch."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from taller_cnn.devices import sum_dtype


class RunningScore:
    """Sums over the digits that an epoch has trained on so far.

    They are of the same quantities as an evaluation's: smoothed labels change what is minimised
    and not this. Tensors, so that the hot loop never waits for them.
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
