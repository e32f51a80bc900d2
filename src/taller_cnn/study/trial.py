"""Value types of a study: its digits, one training, what identifies it, and what it came to."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import Digits
from taller_cnn.model import describe

TRAINING_REVISION = 3
"""Goes up when training, network or subset come to other numbers, and only then: results of
another revision are not compared with new ones. A test pins the numbers of a tiny training."""

_RATE_FIELDS = ("learning_rate", "muon_learning_rate")
FINAL_REASONS = ("diverged",)
"""Failures that another try would only repeat."""


@dataclass(frozen=True, kw_only=True)
class StudyDigits:
    """The data set that a study's trials are trained on and judged by."""

    name: str
    source: str
    """`full` or `sample`."""
    checksum: str
    train_n: int
    """Training digits without those held out for validation: they teach or judge."""
    validation_n: int
    """Digits held out for validation, which judge pilots."""

    @classmethod
    def of(cls, digits: Digits) -> StudyDigits:
        """The description of digits in memory."""
        return cls(
            name=digits.name,
            source=digits.source,
            checksum=digits.checksum,
            train_n=len(digits.train),
            validation_n=len(digits.validation),
        )

    def judging(self, wanted: int) -> int:
        """Digits that judge where a regime wants so many: at most two fifths."""
        return min(wanted, self.train_n * 2 // 5)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training inside a study."""

    model: ModelConfig
    train: TrainConfig
    train_n: int
    """Digits trained on, drawn by the trial's seed; the first n of the same order for every n."""
    judges: int
    """Digits that are kept from all training of the study, to judge its networks."""
    judged_by: Literal["validation", "judges"] = "judges"
    """``validation`` for a pilot, which helps to choose a learning rate and no more."""

    @property
    def is_pilot(self) -> bool:
        """Whether it helps to choose a learning rate, and is not compared."""
        return self.judged_by == "validation"

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types."""
        return {**_numbers(self), "model": self.model.to_dict(), "train": self.train.to_dict()}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Trial:
        """Back from `to_dict`."""
        return cls(
            model=ModelConfig.from_dict(value["model"]),
            train=TrainConfig.from_dict(value["train"]),
            train_n=int(value["train_n"]),
            judges=int(value["judges"]),
            judged_by=value["judged_by"],
        )

    def key(self, data_checksum: str) -> str:
        """SHA-256 in hexadecimal of all that the trial's numbers depend on.

        Fields that have their default are left out, so that a new field whose default changes
        no number leaves the keys as they are. A test pins the defaults.
        """
        content = {
            **_numbers(self),
            "model": _changed(self.model),
            "train": _changed(self.train),
            "data": data_checksum,
            "revision": TRAINING_REVISION,
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    @cached_property
    def parameters(self) -> int:
        """Trainable parameters of the network."""
        return sum(row.parameters for row in describe(self.model))

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of the network for one image."""
        return sum(row.macs for row in describe(self.model))

    @property
    def steps_per_epoch(self) -> int:
        """Training steps of one pass over the trial's digits."""
        return math.ceil(self.train_n / self.train.batch_size)

    @property
    def steps(self) -> int:
        """Training steps."""
        return max(1, round(self.train.epochs * self.steps_per_epoch))

    @property
    def images(self) -> int:
        """Images trained on, each as often as it was seen."""
        return self.images_after(self.steps)

    def images_after(self, step: int) -> int:
        """Images trained on in the first `step` steps."""
        epochs, rest = divmod(step, self.steps_per_epoch)
        return epochs * self.train_n + rest * self.train.batch_size

    @property
    def sees_digits_again(self) -> bool:
        """Whether a digit is trained on more than once: otherwise there is nothing to overfit."""
        return self.images > self.train_n


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One level, or one pair of crossed levels, with the trials that it may come to."""

    levels: tuple[str, ...]
    values: tuple[float | None, ...]
    base: Trial
    """The trial that is compared, at x1 of the learning rate and with seed 0."""
    rates: tuple[float, ...]
    """Multiples of the learning rate that pilots are to choose from; a single one needs none."""
    extends: bool
    """Whether further rates are tried as long as the best one is at an edge."""

    @property
    def parameters(self) -> int:
        """Trainable parameters of its network."""
        return self.base.parameters

    @property
    def macs(self) -> int:
        """Multiply-accumulates of its network for one image."""
        return self.base.macs

    @property
    def has_pilots(self) -> bool:
        """Whether there is a learning rate to choose."""
        return len(self.rates) > 1

    def pilot(self, rate: float, seed: int) -> Trial:
        """The trial that tries a learning rate."""
        trial = self.fresh(rate, seed)
        return self._made.setdefault(
            (rate, seed, True), dataclasses.replace(trial, judged_by="validation")
        )

    def fresh(self, rate: float, seed: int) -> Trial:
        """The trial that is compared with those of other cells."""
        known = self._made.get((rate, seed, False))
        if known is None:
            train = with_rate(self.base.train, rate).replace(seed=seed)
            known = self._made[rate, seed, False] = dataclasses.replace(self.base, train=train)
        return known

    def has(self, trial: Trial) -> bool:
        """Whether a trial is one of the cell's, at whatever learning rate it chooses between."""
        if not self.has_pilots:
            return trial == self.fresh(self.rates[0], trial.train.seed)
        kept = {name: getattr(self.base.train, name) for name in ("seed", *_RATE_FIELDS)}
        train = trial.train.replace(**kept)
        return dataclasses.replace(trial, train=train, judged_by="judges") == self.base

    @cached_property
    def _made(self) -> dict[tuple[float, int, bool], Trial]:
        """Trials that were asked for: they are asked for after every result."""
        return {}


def with_rate(train: TrainConfig, multiple: float) -> TrainConfig:
    """The training with its learning rates multiplied; Muon has one of its own."""
    names = _RATE_FIELDS if train.optimizer == "muon" else _RATE_FIELDS[:1]
    return train.replace(**{name: getattr(train, name) * multiple for name in names})


def _numbers(trial: Trial) -> dict[str, Any]:
    """The numbers of a trial beside its configurations."""
    return {"train_n": trial.train_n, "judges": trial.judges, "judged_by": trial.judged_by}


@cache
def _defaults() -> Mapping[type, Mapping[str, Any]]:
    return {kind: kind().to_dict() for kind in (ModelConfig, TrainConfig)}


def _changed(config: ModelConfig | TrainConfig) -> dict[str, Any]:
    """The fields that do not have their default, without the name of the recipe."""
    default = _defaults()[type(config)]
    values = config.to_dict()
    return {k: v for k, v in values.items() if v != default[k] and k != "recipe"}


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """What is kept of a trial; all but status and reason may be None for one that failed.

    Errors are counts of digits that the trained network gets wrong, beside the number of digits.
    """

    status: Literal["ok", "failed"]
    reason: str | None = None
    """``diverged``, ``memory``, ``lost`` (its workers died), or the error as Python tells it."""
    pilot_n: int | None = None
    """Validation digits; of pilots only."""
    pilot_errors: int | None = None
    judged_n: int | None = None
    """Judging digits; of all other trials."""
    judged_errors: int | None = None
    seen_n: int | None = None
    """Digits that were trained on and judged again, in evaluation mode; None where no digit is
    seen more than once, and of pilots."""
    seen_errors: int | None = None
    judged_loss: float | None = None
    """Mean cross-entropy, in nats, over the digits that judge the trial."""
    train_seconds: float | None = None
    """In training steps, without evaluations."""
    wall_seconds: float | None = None
    """Of the whole trial."""
    peak_memory_mb: float | None = None
    """Of the whole worker process; None where the system or its other threads hide it."""
    images_seen: int | None = None
    curve: tuple[tuple[int, float, float | None], ...] | None = None
    """Per epoch: images seen, mean training loss over it in nats, and the fraction wrong of the
    validation digits where it was evaluated; never in a single epoch."""
    judged_wrong: bytes | None = None
    """`numpy.packbits` of which judging digits are wrong, in the order of the data set."""
    machine: str = ""
    """Name of the machine that ran it."""
    processor: str = ""

    @property
    def is_final(self) -> bool:
        """Whether another try would come to the same."""
        return self.status == "ok" or self.reason in FINAL_REASONS
