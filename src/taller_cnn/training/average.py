"""A running mean of the weights, which often does better than the weights themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

__all__ = ["WeightAverage"]


class WeightAverage:
    """Exponential mean of weights over the training steps (Polyak & Juditsky 1992).

    The mean forgets the untrained start quickly: after t steps its memory is (1 + t) / (10 + t),
    until that has grown to `memory`.

    Args:
        weights: floating-point tensors that training changes in place; none for no mean.
        memory: fraction of the mean that a step keeps, 0 <= memory < 1.
    """

    def __init__(self, weights: Sequence[Tensor], memory: float) -> None:
        self._weights = list(weights)
        self._memory = memory
        self._others = [weight.detach().clone() for weight in weights]
        self._is_in = False

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step `step` (from 0)."""
        share = 1 - min(self._memory, (1 + step) / (10 + step))
        for mean, weight in zip(self._others, self._weights, strict=True):
            mean.lerp_(weight, share)

    def put_in(self) -> None:
        """Put the mean in the weights' place, and keep the weights."""
        if not self._is_in:
            self._swap()

    def take_out(self) -> None:
        """Put the weights back to where they were."""
        if self._is_in:
            self._swap()

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        """The weights in their place, whatever is there before and after."""
        was_in = self._is_in
        self.take_out()
        yield
        if was_in:
            self.put_in()

    def state(self) -> tuple[Tensor, ...]:
        """A copy of the mean."""
        mean = self._weights if self._is_in else self._others
        return tuple(value.detach().cpu().clone() for value in mean)

    def restore(self, mean: Sequence[Tensor]) -> None:
        """Go on from a copy made by `state`; the weights are in their place.

        Raises:
            ValueError: it is of other weights.
        """
        for mine, given in zip(self._others, mean, strict=True):
            mine.copy_(given)

    @torch.no_grad()
    def _swap(self) -> None:
        for weight, other in zip(self._weights, self._others, strict=True):
            kept = weight.clone()
            weight.copy_(other)
            other.copy_(kept)
        self._is_in = not self._is_in
