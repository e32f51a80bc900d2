"""Adam, AdamW, and Muon for the weights that are matrices between hidden features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from taller_cnn.config import TrainConfig

__all__ = ["Muon", "make_optimizers", "orthogonalised"]

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the odd polynomial that pushes singular values towards 1 (Jordan et al. 2024)."""
ITERATIONS = 3


def orthogonalised(matrix: Tensor, iterations: int = ITERATIONS) -> Tensor:
    """A matrix with the same singular vectors and singular values near 1.

    Newton-Schulz iteration on the smaller Gram matrix, so that its cost depends on the longer side
    only twice.

    Args:
        matrix: ``[m, n]``, floating point.
        iterations: more bring small singular values closer to 1.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonalised(matrix.T, iterations).transpose(0, 1)
    a, b, c = NEWTON_SCHULZ
    x = matrix / (matrix.norm() + 1e-7)
    gram = x @ x.T
    product: Tensor | None = None
    for iteration in range(iterations):
        polynomial = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        polynomial.diagonal().add_(a)
        product = polynomial if product is None else polynomial @ product
        if iteration < iterations - 1:
            gram = polynomial @ gram @ polynomial
    return x if product is None else torch.mm(product, x)


class Muon(torch.optim.Optimizer):
    """Momentum whose steps are orthogonalised (Jordan et al. 2024, "Muon").

    Every direction of a weight matrix moves by about the same amount, which learns more from each
    digit than steps scaled weight by weight. A convolution counts as the matrix
    ``[filters, channels * height * width]``. PyTorch's own Muon takes matrices only and iterates
    in bfloat16, which processors without it compute in software.

    Args:
        params: weights of two or more dimensions.
        lr: learning rate; 0.02 to 0.1 is usual.
        momentum: memory of past gradients (Nesterov), 0 <= momentum < 1.
    """

    def __init__(self, params: Sequence[Tensor], lr: float, momentum: float) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Move every weight that has a gradient."""
        loss = closure() if closure else None
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, weight.grad, group)
        return loss

    def _move(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, momentum = self.state[weight], group["momentum"]
        if "mean" not in state:
            state["mean"] = torch.zeros_like(weight)
        mean: Tensor = state["mean"]
        mean.lerp_(gradient, 1 - momentum)
        ahead = gradient.lerp(mean, momentum)
        direction = orthogonalised(ahead.reshape(len(ahead), -1).float())
        weight.add_(direction.view(ahead.shape), alpha=-group["lr"])


def make_optimizers(
    config: TrainConfig, matrices: Sequence[Tensor], others: Sequence[Tensor]
) -> tuple[torch.optim.Optimizer, ...]:
    """The optimisers of a training; each group has its peak learning rate as ``peak``.

    Args:
        config: which optimiser and its settings.
        matrices: weights between hidden features: convolutions after the first, and ``fc1``.
        others: all other weights.
    """
    betas = (config.beta1, config.beta2)
    options: dict[str, Any] = {"lr": config.learning_rate, "betas": betas, "fused": True}
    optimizers: tuple[torch.optim.Optimizer, ...]
    if config.optimizer == "muon":
        rate, momentum = config.muon_learning_rate, config.muon_momentum
        optimizers = (Muon(matrices, rate, momentum), torch.optim.AdamW(others, **options))
    else:
        kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
        optimizers = (kind([*others, *matrices], **options),)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return optimizers
