"""What a member of the family does to an image, one operation after the other.

Other programs have no `SimpleCNN`: a network goes to them as a list of plain operations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from taller_cnn.config import ModelConfig
from taller_cnn.data import Scale
from taller_cnn.model import stages

Pixels = Literal["normalised", "0-1", "0-255"]
"""What an exported network takes: pixels normalised by whoever asks it, as `SimpleCNN` does, or
grey levels as float32 (0 the background, 1 or 255 the ink), with the normalisation inside."""
EPSILON = 1e-5
"""Added to the variance by batch normalisation, in PyTorch's default."""

Kind = Literal[
    "input",
    "rescale",
    "conv",
    "norm",
    "activation",
    "pool",
    "final_pool",
    "flatten",
    "dropout",
    "dense",
    "other",
]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One operation. Two are the same if they do the same, whatever they are called."""

    kind: Kind
    name: str = field(compare=False)
    """Name of the layer with the weights, or of the operation."""
    settings: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        told = ", ".join(f"{name}={value}" for name, value in self.settings.items())
        return f"{self.kind}({told})"


def steps(config: ModelConfig, n_classes: int) -> list[Step]:
    """The operations of a network, first to last; their values are plain numbers and words."""
    return list(_steps(config, n_classes))


def _steps(config: ModelConfig, n_classes: int) -> Iterator[Step]:
    geometry = stages(config)
    for index, stage in enumerate(geometry, start=1):
        conv = {
            "filters": stage.outputs,
            "kernel_size": config.kernel_size,
            "stride": stage.stride,
            "padding": config.kernel_size // 2,
        }
        yield Step(kind="conv", name=f"conv{index}", settings=conv)
        if config.batch_norm:
            yield Step(kind="norm", name=f"norm{index}", settings={"epsilon": EPSILON})
        yield _activation(config, f"act{index}")
        if stage.pooled:
            how = {"how": "avg" if config.pooling == "avg" else "max"}
            yield Step(kind="pool", name=f"pool{index}", settings=how)
    if config.final_size and config.final_size < geometry[-1].output_size:
        final = {"how": "avg" if config.pooling == "avg" else "max", "size": config.final_size}
        yield Step(kind="final_pool", name="pool", settings=final)
    yield Step(kind="flatten", name="flatten")
    if config.hidden:
        yield Step(kind="dense", name="fc1", settings={"units": config.hidden})
        yield _activation(config, "act")
    if config.dropout:
        yield Step(kind="dropout", name="dropout", settings={"rate": config.dropout})
    yield Step(kind="dense", name="fc2", settings={"units": n_classes})


def _activation(config: ModelConfig, name: str) -> Step:
    return Step(kind="activation", name=name, settings={"function": config.activation})


def rescaling(scale: Scale, pixels: Pixels) -> tuple[float, float] | None:
    """Factor and offset that normalise what comes in; None where it is normalised already."""
    if pixels == "normalised":
        return None
    most = 255 if pixels == "0-255" else 1
    return 1 / (most * scale.std), -scale.mean / scale.std
