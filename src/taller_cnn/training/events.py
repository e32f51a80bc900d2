"""What a training tells, and the state it can go on from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from taller_cnn.evaluation import Score


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far the training is, about ten times a second."""

    step: int
    of: int
    epoch: float
    """Passes over the training digits so far."""
    loss: float
    """Mean cross-entropy of the epoch's training digits so far, in nats."""
    accuracy: float
    """Training accuracy of the epoch so far, 0 to 1."""
    images_per_second: float
    seconds_left: float


@dataclass(frozen=True, kw_only=True)
class EpochResult:
    """One epoch's figures; `train` ones are running means over the epoch's batches.

    They are of the digits as training sees them, varied and with dropout; the loss is the plain
    cross-entropy in nats, to be compared with that of `validation` and `test`.
    """

    epoch: float
    """Passes over the training digits so far; whole but for a fraction at the very end."""
    train_loss: float
    train_accuracy: float
    validation: Score | None
    """None where nothing is held out, or where only the last epoch is scored."""
    test: Score | None
    train_seconds: float
    """Seconds in training steps since the start, without evaluations."""
    learning_rate: float
    """At the epoch's last step."""

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> EpochResult:
        """Back from `to_dict`."""
        scores = {k: value[k] and Score(**value[k]) for k in ("validation", "test")}
        return cls(**{**value, **scores})


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """A look at a training of less than two epochs, whose epochs alone would make no curve.

    The sums run since the start of the point's epoch, so that a resumed training tells the same.
    """

    epoch: float
    """Passes over the training digits so far."""
    loss_sum: float
    """Sum of the cross-entropy, in nats."""
    correct: int
    seen: int
    """Digits in these sums."""
    validation: Score | None = None
    """On some of the validation digits, always the same ones; None where it was not asked."""


@dataclass(frozen=True, kw_only=True)
class TrainingScore:
    """Mean loss and accuracy of the digits trained on from one point of the curve to the next."""

    epoch: float
    """Passes over the training digits at their end."""
    loss: float
    accuracy: float


@dataclass(frozen=True)
class History:
    """The epochs of a run, first to last, and the points between them in a short run."""

    epochs: tuple[EpochResult, ...] = ()
    points: tuple[CurvePoint, ...] = ()

    @property
    def training_curve(self) -> tuple[TrainingScore, ...]:
        """What was trained on between the points; empty for a run without points."""
        curve, last = [], CurvePoint(epoch=0.0, loss_sum=0.0, correct=0, seen=0)
        for point in self.points:
            if point.seen <= last.seen:
                last = CurvePoint(epoch=last.epoch, loss_sum=0.0, correct=0, seen=0)
            seen = point.seen - last.seen
            curve.append(
                TrainingScore(
                    epoch=point.epoch,
                    loss=(point.loss_sum - last.loss_sum) / seen,
                    accuracy=(point.correct - last.correct) / seen,
                )
            )
            last = point
        return tuple(curve)

    @property
    def best_validation(self) -> EpochResult | None:
        """The epoch of highest validation accuracy, the earliest of equals; None without any."""
        scored = [result for result in self.epochs if result.validation is not None]
        return max(scored, key=lambda r: r.validation.accuracy if r.validation else 0, default=None)


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainState:
    """All that resuming needs, as values that `torch.save` can write and read back safely."""

    model: Mapping[str, Tensor]
    optimizers: tuple[Mapping[str, Any], ...]
    dropout: Tensor
    """State of the dropout's generator, uint8."""
    step: int
    loss_sum: float
    """Sum of the cross-entropy over the present epoch's digits."""
    correct: int
    seen: int
    train_seconds: float
    history: History = field(default_factory=History)

    def to_dict(self) -> dict[str, Any]:
        """Tensors and plain values only."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {
            **fields,
            "optimizers": list(self.optimizers),
            "history": [result.to_dict() for result in self.history.epochs],
            "points": [dataclasses.asdict(point) for point in self.history.points],
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> TrainState:
        """Back from `to_dict`.

        Raises:
            KeyError, TypeError: not such a dictionary.
        """
        epochs = tuple(EpochResult.from_dict(result) for result in value["history"])
        # States of before have no points, and the running mean of a training without one: empty.
        points = tuple(_point(point) for point in value.get("points", ()))
        fields = {name: kept for name, kept in value.items() if name not in ("average", "points")}
        optimizers, history = tuple(value["optimizers"]), History(epochs, points)
        return cls(**{**fields, "optimizers": optimizers, "history": history})


def _point(value: Mapping[str, Any]) -> CurvePoint:
    validation = value["validation"]
    return CurvePoint(**{**value, "validation": validation and Score(**validation)})
