"""Adam, AdamW, and Muon for the weights that are matrices between hidden features; schedules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from taller_cnn.config import TrainConfig

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the odd polynomial that pushes singular values towards 1 (Jordan et al. 2024)."""
ITERATIONS = 3
MOMENTUM = 0.7
"""Muon's memory of past gradients: what the search of `fast` chose for few steps."""
WEIGHT_DECAY = 0.01
"""AdamW's, PyTorch's default."""


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


class Optimizer:
    """Moves weights by their gradients; one learning rate for all of them.

    PyTorch's optimiser classes load its compiler when the first one is made, which takes longer
    than the `fast` recipe trains (docs/log.md). These call the same kernels.

    Args:
        weights: floating-point tensors that require gradients.
        rate: peak learning rate.
    """

    def __init__(self, weights: Sequence[Tensor], rate: float) -> None:
        self.weights = list(weights)
        self.rate = rate
        self._state: dict[str, list[Tensor]] = {}

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for weight in self.weights:
            weight.grad = None

    @torch.no_grad()
    def step(self, scale: float) -> None:
        """Move every weight, at `scale` times the peak learning rate."""
        moved = [i for i, weight in enumerate(self.weights) if weight.grad is not None]
        if moved:
            self._move(moved, self.rate * scale)

    def state(self) -> dict[str, list[Tensor]]:
        """A copy of what is remembered from step to step."""
        return {name: [t.cpu().clone() for t in tensors] for name, tensors in self._state.items()}

    def restore(self, state: Mapping[str, Sequence[Tensor]]) -> None:
        """Go on from a copy made by `state`."""
        for name, tensors in self._state.items():
            for tensor, kept in zip(tensors, state[name], strict=True):
                tensor.copy_(kept)

    def _move(self, moved: list[int], rate: float) -> None:
        """Move the weights at the places `moved`, which have gradients."""
        raise NotImplementedError

    def _of(self, name: str, moved: list[int]) -> list[Tensor]:
        """What is remembered under a name of the weights at the places `moved`."""
        return [self._state[name][place] for place in moved]


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015); with weight decay, AdamW (Loshchilov & Hutter 2019)."""

    def __init__(
        self,
        weights: Sequence[Tensor],
        rate: float,
        betas: tuple[float, float],
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(weights, rate)
        self._betas, self._weight_decay = betas, weight_decay
        self._state = {
            "mean": [torch.zeros_like(w) for w in self.weights],
            "mean_square": [torch.zeros_like(w) for w in self.weights],
            "steps": [torch.zeros((), device=w.device) for w in self.weights],
        }

    def _move(self, moved: list[int], rate: float) -> None:
        weights = [self.weights[place] for place in moved]
        adamw(
            weights,
            [_gradient(weight) for weight in weights],
            self._of("mean", moved),
            self._of("mean_square", moved),
            [],
            self._of("steps", moved),
            fused=True,
            amsgrad=False,
            beta1=self._betas[0],
            beta2=self._betas[1],
            lr=rate,
            weight_decay=self._weight_decay,
            eps=1e-8,
            maximize=False,
        )


class Muon(Optimizer):
    """Momentum whose steps are orthogonalised (Jordan et al. 2024, "Muon").

    Every direction of a weight matrix moves by about the same amount, which learns more from each
    digit than steps scaled weight by weight. A convolution counts as the matrix
    ``[filters, channels * height * width]``. PyTorch's own Muon takes matrices only and iterates
    in bfloat16, which processors without it compute in software.

    Args:
        weights: tensors of two or more dimensions.
        rate: peak learning rate; 0.02 to 0.1 is usual.
        momentum: memory of past gradients (Nesterov), 0 <= momentum < 1.
    """

    def __init__(self, weights: Sequence[Tensor], rate: float, momentum: float = MOMENTUM) -> None:
        super().__init__(weights, rate)
        self._momentum = momentum
        self._state = {"mean": [torch.zeros_like(w) for w in self.weights]}

    def _move(self, moved: list[int], rate: float) -> None:
        for place, mean in zip(moved, self._of("mean", moved), strict=True):
            weight = self.weights[place]
            gradient = _gradient(weight)
            mean.lerp_(gradient, 1 - self._momentum)
            ahead = gradient.lerp(mean, self._momentum)
            direction = orthogonalised(ahead.reshape(len(ahead), -1).float())
            weight.add_(direction.view(ahead.shape), alpha=-rate)


def _gradient(weight: Tensor) -> Tensor:
    assert weight.grad is not None
    return weight.grad


def make_optimizers(
    config: TrainConfig, matrices: Sequence[Tensor], others: Sequence[Tensor]
) -> tuple[Optimizer, ...]:
    """The optimisers of a training.

    Args:
        config: which optimiser and its settings.
        matrices: weights between hidden features: convolutions after the first, and ``fc1`` where
            there is one.
        others: all other weights.
    """
    betas = (config.beta1, config.beta2)
    rate = config.learning_rate
    if config.optimizer == "muon":
        return (
            Muon(matrices, config.muon_learning_rate),
            Adam(others, rate, betas, WEIGHT_DECAY),
        )
    decay = WEIGHT_DECAY if config.optimizer == "adamw" else 0.0
    return (Adam([*others, *matrices], rate, betas, decay),)


def lr_scale(config: TrainConfig, step: int, steps: int) -> float:
    """The learning rate of a step as a fraction of its peak: constant, or up and down in lines.

    The second is the one-cycle policy (Smith & Topin 2019) with its final annealing left out.
    """
    if config.schedule == "constant":
        return 1.0
    peak = config.warmup * steps
    # Half a step in, so that neither the first nor the last step is wasted at rate 0.
    position = step + 0.5
    return position / peak if position < peak else (steps - position) / (steps - peak)
