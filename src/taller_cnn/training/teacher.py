"""Learning from another network's answers instead of from labels alone."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from taller_cnn.model import CLASSES

__all__ = ["ROUNDS", "Teacher"]

ROUNDS = 5
"""Passes over the digits before they come again in the same batches, varied in the same way."""


class Teacher:
    """A trained network, or an ensemble, that says how probable each class is.

    Its pupil sees exactly what it sees, varied digits too, and as often as it takes (Beyer et al.
    2022, "Knowledge distillation: a good teacher is patient and consistent"). An ensemble answers
    far more slowly than a small pupil learns, so a batch that comes again is not asked for again.

    Args:
        model: on the device of the training.
        share: of its answer in what is learned, 0 to 1; the rest is the label.
        autocast: makes the context of the arithmetic that it answers in.
    """

    def __init__(self, model: nn.Module, share: float, autocast: Any) -> None:
        self._model, self._share, self._autocast = model.eval(), share, autocast
        self._answers: dict[int, Tensor] = {}

    def targets(self, batch: int, images: Tensor, labels: Tensor) -> Tensor:
        """What the pupil should say of a batch.

        Args:
            batch: its number; the same number means the same images.
            images: as the network takes them.
            labels: int64 ``[N]``.

        Returns:
            Probabilities, float32 ``[N, K]``.
        """
        if batch not in self._answers:
            with torch.no_grad(), self._autocast():
                logits = self._model(images)
            self._answers[batch] = logits.float().softmax(dim=1)
        true = F.one_hot(labels, CLASSES).float()
        return torch.lerp(true, self._answers[batch], self._share)
