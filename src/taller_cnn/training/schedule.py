"""How the learning rate goes over a training."""

from __future__ import annotations

from taller_cnn.config import TrainConfig

__all__ = ["rate_factor"]


def rate_factor(config: TrainConfig, step: int, steps: int) -> float:
    """The learning rate of a step as a fraction of its peak: constant, or up and down in lines.

    The second is the one-cycle policy (Smith & Topin 2019) with its final annealing left out.
    """
    if config.schedule == "constant":
        return 1.0
    peak = config.warmup * steps
    # Half a step in, so that neither the first nor the last step is wasted at rate 0.
    position = step + 0.5
    return position / peak if position < peak else (steps - position) / (steps - peak)
