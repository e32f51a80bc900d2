"""Training as a sequence of events that the caller asks for one by one.

    for event in train(model, digits, config):
        ...

Nobody passes callbacks: pausing is not asking for the next event, stopping is leaving the loop.
`Training.state` is then the state at the last finished step, and a training that starts from it
goes on inside the epoch with the same numbers as if it had never stopped.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from taller_cnn.config import TrainConfig
from taller_cnn.data import Digits, Split, normalise
from taller_cnn.devices import choose_device, choose_precision
from taller_cnn.errors import DivergedError
from taller_cnn.evaluation import Evaluation, Score, evaluate
from taller_cnn.model import SimpleCNN

__all__ = ["EpochResult", "History", "Progress", "TrainState", "Training", "train"]

PROGRESS_SECONDS = 0.1
"""Least time between two `Progress` events."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far the training is, about ten times a second."""

    step: int
    of: int
    epoch: float
    """Passes over the training digits so far."""
    loss: float
    """Mean training loss of the epoch so far, in nats."""
    accuracy: float
    """Training accuracy of the epoch so far, 0 to 1."""
    images_per_second: float
    seconds_left: float


@dataclass(frozen=True, kw_only=True)
class EpochResult:
    """One epoch's figures; `train` ones are running means over the epoch's batches."""

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


@dataclass(frozen=True)
class History:
    """The epochs of a run, first to last."""

    epochs: tuple[EpochResult, ...] = ()

    @property
    def best_validation(self) -> EpochResult | None:
        """The epoch of highest validation accuracy, the earliest of equals; None without any."""
        scored = [result for result in self.epochs if result.validation is not None]
        return max(scored, key=lambda r: r.validation.accuracy if r.validation else 0, default=None)


@dataclass(frozen=True, kw_only=True)
class _Sums:
    """Sums over the present epoch, kept as tensors so that the hot loop never waits for them."""

    loss: float | Tensor = 0.0
    correct: int | Tensor = 0
    seen: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainState:
    """All that resuming needs, as values that `torch.save` can write and read back safely."""

    model: Mapping[str, Tensor]
    optimizer: Mapping[str, Any]
    dropout: Tensor
    """State of the dropout's generator, uint8."""
    step: int
    loss_sum: float
    """Sum of the training loss over the present epoch's images."""
    correct: int
    seen: int
    train_seconds: float
    history: History = field(default_factory=History)

    def to_dict(self) -> dict[str, Any]:
        """Tensors and plain values only."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {**fields, "history": [result.to_dict() for result in self.history.epochs]}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> TrainState:
        """Back from `to_dict`.

        Raises:
            KeyError, TypeError: not such a dictionary.
        """
        epochs = tuple(EpochResult.from_dict(result) for result in value["history"])
        return cls(**{**value, "history": History(epochs)})


def train(
    model: SimpleCNN,
    digits: Digits,
    config: TrainConfig,
    state: TrainState | None = None,
    *,
    score: Literal["each-epoch", "last-epoch"] = "each-epoch",
) -> Training:
    """Train `model` in place; iterate over the result to make it go on.

    Args:
        model: moved to the chosen device.
        digits: its validation and test digits are only evaluated.
        config: how to train.
        state: go on from here instead of from the model's present weights.
        score: when to evaluate validation and test.

    Raises:
        ConfigError: the device or the precision is not available here.
        DivergedError: the loss is no longer a number (raised while iterating).
    """
    return Training(model, digits, config, state, score)


class Training(Iterator[Progress | EpochResult]):
    """A training under way; made by `train`."""

    def __init__(
        self,
        model: SimpleCNN,
        digits: Digits,
        config: TrainConfig,
        state: TrainState | None,
        score: Literal["each-epoch", "last-epoch"],
    ) -> None:
        self.config = config
        self.device = choose_device(config.device)
        self.precision = choose_precision(config.precision, self.device.value)
        self.validation: Evaluation | None = None
        """The latest evaluation of the validation digits."""
        self.test: Evaluation | None = None
        """The latest evaluation of the test digits."""
        self._digits, self._score = digits, score
        self._model = _on_device(model, self.device.value)
        self._optimizer = _optimizer(self._model, config)
        self._dropout = torch.Generator(self.device.value).manual_seed(config.seed)
        self._model.dropout.generator = self._dropout
        self._images, self._labels = _in_memory(digits, self.device.value, self.precision.value)
        self._steps_per_epoch = math.ceil(len(digits.train) / config.batch_size)
        self.steps = max(1, round(config.epochs * self._steps_per_epoch))
        self.step = 0
        """Finished steps."""
        self.history = History()
        self._sums = _Sums()
        self._train_seconds = 0.0
        if state is not None:
            self._restore(state)
        self._events = self._run()

    def __next__(self) -> Progress | EpochResult:
        """Train until there is something to tell."""
        return next(self._events)

    def state(self) -> TrainState:
        """A copy of the state at the last finished step; call it between two events."""
        return TrainState(
            model={k: v.detach().cpu().clone() for k, v in self._model.state_dict().items()},
            optimizer=copy.deepcopy(self._optimizer.state_dict()),
            dropout=self._dropout.get_state(),
            step=self.step,
            loss_sum=float(self._sums.loss),
            correct=int(self._sums.correct),
            seen=self._sums.seen,
            train_seconds=self._train_seconds,
            history=self.history,
        )

    def _restore(self, state: TrainState) -> None:
        self._model.load_state_dict(state.model)
        # A copy, because the optimiser works on the tensors it is given.
        self._optimizer.load_state_dict(copy.deepcopy(dict(state.optimizer)))
        self._dropout.set_state(state.dropout)
        self.step, self.history = state.step, state.history
        self._sums = _Sums(loss=state.loss_sum, correct=state.correct, seen=state.seen)
        self._train_seconds = state.train_seconds

    def _run(self) -> Iterator[Progress | EpochResult]:
        while self.step < self.steps:
            epoch = self.step // self._steps_per_epoch
            yield from self._train_epoch(epoch)
            yield self._finish_epoch()
        # A generator cannot be copied, and a trained network may have to be.
        self._model.dropout.generator = None

    def _train_epoch(self, epoch: int) -> Iterator[Progress]:
        """Train from the present step to the end of `epoch`, or of the training."""
        self._model.train()
        order = _permutation(len(self._labels), self.config.seed, epoch).to(self.device.value)
        end = min((epoch + 1) * self._steps_per_epoch, self.steps)
        started = last = time.perf_counter()
        seconds_before, first = self._train_seconds, self.step
        while self.step < end:
            start = (self.step % self._steps_per_epoch) * self.config.batch_size
            self._train_step(order[start : start + self.config.batch_size])
            now = time.perf_counter()
            self._train_seconds = seconds_before + now - started
            # Not at the end of an epoch: its result comes next, and only then is the state whole.
            if now - last >= PROGRESS_SECONDS and self.step < end:
                self._check_finite()
                yield self._progress((self.step - first) / (now - started))
                # Time that the caller keeps the event is not training.
                paused = time.perf_counter() - now
                started, last = started + paused, now + paused
        self._check_finite()
        self._train_seconds = seconds_before + time.perf_counter() - started

    def _train_step(self, indices: Tensor) -> None:
        images, labels = self._images[indices], self._labels[indices]
        rate = _learning_rate(self.config, self.step, self.steps)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad(set_to_none=True)
        with self._autocast():
            logits = self._model(images)
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=self.config.label_smoothing)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._sums = _Sums(
            loss=self._sums.loss + loss.detach().double() * len(labels),
            correct=self._sums.correct + (logits.argmax(dim=1) == labels).sum(),
            seen=self._sums.seen + len(labels),
        )
        self.step += 1

    def _autocast(self) -> Any:
        if self.precision.value == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.value.type, dtype=self.precision.value)

    def _progress(self, steps_per_second: float) -> Progress:
        return Progress(
            step=self.step,
            of=self.steps,
            epoch=self.step / self._steps_per_epoch,
            loss=float(self._sums.loss) / self._sums.seen,
            accuracy=int(self._sums.correct) / self._sums.seen,
            images_per_second=steps_per_second * self.config.batch_size,
            seconds_left=(self.steps - self.step) / steps_per_second,
        )

    def _check_finite(self) -> None:
        if not math.isfinite(self._sums.loss):
            raise DivergedError(
                "diverged",
                epoch=self.step / self._steps_per_epoch,
                step=self.step,
                suggestion=self.config.learning_rate / 10,
            )

    def _finish_epoch(self) -> EpochResult:
        if self._score == "each-epoch" or self.step == self.steps:
            self.validation = self._evaluate(self._digits.validation)
            self.test = self._evaluate(self._digits.test)
        result = EpochResult(
            epoch=self.step / self._steps_per_epoch,
            train_loss=float(self._sums.loss) / self._sums.seen,
            train_accuracy=int(self._sums.correct) / self._sums.seen,
            validation=self.validation.score if self.validation else None,
            test=self.test.score if self.test else None,
            train_seconds=self._train_seconds,
            learning_rate=_learning_rate(self.config, self.step - 1, self.steps),
        )
        self.history = History((*self.history.epochs, result))
        self._sums = _Sums()
        return result

    def _evaluate(self, split: Split) -> Evaluation | None:
        if len(split) == 0:
            return None
        return evaluate(
            self._model,
            split,
            mean=self._digits.mean,
            std=self._digits.std,
            class_names=self._digits.class_names,
        )


def _on_device(model: SimpleCNN, device: torch.device) -> SimpleCNN:
    return model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _optimizer(model: SimpleCNN, config: TrainConfig) -> torch.optim.Optimizer:
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    betas = (config.beta1, config.beta2)
    return kind(model.parameters(), lr=config.learning_rate, betas=betas, fused=True)


def _in_memory(digits: Digits, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """All training digits, normalised once, where the training happens."""
    images = normalise(digits.train.images, digits.mean, digits.std, dtype)
    return images.to(device), digits.train.labels.to(device)


def _permutation(n: int, seed: int, epoch: int) -> Tensor:
    """The order of the digits in one epoch, from the seed and the epoch's number alone."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(n, generator=generator)


def _learning_rate(config: TrainConfig, step: int, steps: int) -> float:
    """The rate of a step: constant, or a straight line up and a straight line down.

    The second is the one-cycle policy (Smith & Topin 2019) with its final annealing left out.
    """
    if config.schedule == "constant":
        return config.learning_rate
    peak = config.warmup * steps
    # Half a step in, so that neither the first nor the last step is wasted at rate 0.
    position = step + 0.5
    if position < peak:
        return config.learning_rate * position / peak
    return config.learning_rate * (steps - position) / (steps - peak)
