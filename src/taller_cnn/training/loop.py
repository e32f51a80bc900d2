"""Training as a sequence of events that the caller asks for one by one.

    for event in train(model, digits, config):
        ...

Nobody passes callbacks: pausing is not asking for the next event, stopping is leaving the loop.
`Training.state` is then the state at the last finished step, and a training that starts from it
goes on inside the epoch with the same numbers as if it had never stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from functools import cached_property
from typing import Any, Literal

import torch
import torch.nn.functional as F

from taller_cnn.config import TrainConfig
from taller_cnn.data import Digits, LabelledImages, stratified_mask
from taller_cnn.devices import choose_device, choose_precision
from taller_cnn.errors import DivergedError
from taller_cnn.evaluation import Evaluation, evaluate
from taller_cnn.model import SimpleCNN
from taller_cnn.training.batches import DROPOUT, Batches, stream_seed
from taller_cnn.training.events import CurvePoint, EpochResult, History, Progress, TrainState
from taller_cnn.training.fast import trained_form
from taller_cnn.training.objective import RunningScore
from taller_cnn.training.optimizers import lr_scale, make_optimizers

PROGRESS_SECONDS = 0.1
"""Least time between two `Progress` events."""
SHORT_EPOCHS = 2
"""A run of fewer epochs is looked at between them too: one or two points make no curve."""
CURVE_POINTS, VALIDATED_POINTS = 16, 4
"""Looks at a short run, and how many of them ask some of the validation digits."""
CURVE_DIGITS = 500
"""Validation digits asked at a look: always the same ones, every class in its proportion."""


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
        model: moved to the chosen device. Weights that do not require gradients stay as they are.
        digits: its validation and test digits are only evaluated.
        config: how to train.
        state: go on from here instead of from the model's present weights.
        score: when to evaluate validation and test.

    Raises:
        ConfigError: the device or the precision is not available here, or this network cannot
            be trained so.
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
        device, dtype = self.device.value, self.precision.value
        self._form = trained_form(_on_device(model, device), digits, config)
        self._optimizers = make_optimizers(config, self._form.matrices(), self._form.others())
        self._dropout = torch.Generator(device).manual_seed(stream_seed(config.seed, DROPOUT))
        model.dropout.generator = self._dropout
        self._batches = Batches(digits, config, device, dtype, self._form.crop)
        self.steps = max(1, round(config.epochs * self._batches.per_epoch))
        self.step = 0
        """Finished steps."""
        self.history = History()
        self._running = RunningScore()
        self._looks = self._planned_looks()
        self._train_seconds = 0.0
        if state is not None:
            self._restore(state)
        self._events = self._run()

    def __next__(self) -> Progress | EpochResult:
        """Train until there is something to tell."""
        return next(self._events)

    @property
    def network(self) -> SimpleCNN:
        """The network as it is scored, with all that has been learned up to this moment."""
        return self._form.model

    def state(self) -> TrainState:
        """A copy of the state at the last finished step; call it between two events."""
        weights = self.network.state_dict()
        return TrainState(
            model={name: value.detach().cpu().clone() for name, value in weights.items()},
            optimizers=tuple(optimizer.state() for optimizer in self._optimizers),
            dropout=self._dropout.get_state(),
            step=self.step,
            loss_sum=self._running.loss_sum,
            correct=self._running.correct,
            seen=self._running.seen,
            train_seconds=self._train_seconds,
            history=self.history,
        )

    def _restore(self, state: TrainState) -> None:
        self._form.load(state.model)
        for optimizer, values in zip(self._optimizers, state.optimizers, strict=True):
            optimizer.restore(values)
        self._dropout.set_state(state.dropout)
        self.step, self.history = state.step, state.history
        self._running = RunningScore(state.loss_sum, state.correct, state.seen)
        self._train_seconds = state.train_seconds

    def _run(self) -> Iterator[Progress | EpochResult]:
        while self.step < self.steps:
            epoch = self.step // self._batches.per_epoch
            yield from self._train_until(min((epoch + 1) * self._batches.per_epoch, self.steps))
            yield self._finish_epoch()
        # A generator cannot be copied, and a trained network may have to be.
        self.network.dropout.generator = None

    def _train_until(self, end: int) -> Iterator[Progress]:
        """Train to step `end`, the last of an epoch or of the training."""
        self._form.model.train()
        started = last = time.perf_counter()
        seconds_before, first = self._train_seconds, self.step
        while self.step < end:
            self._train_step()
            now = time.perf_counter()
            self._train_seconds = seconds_before + now - started
            if self.step in self._looks:
                self._look()
                # Nor is a look at it training.
                looked = time.perf_counter()
                started, now = started + looked - now, looked
            # Not at the end of an epoch: its result comes next, and only then is the state whole.
            if now - last >= PROGRESS_SECONDS and self.step < end:
                self.require_finite(self._running.loss_sum)
                yield self._progress((self.step - first) / (now - started))
                # Time that the caller keeps the event is not training.
                paused = time.perf_counter() - now
                started, last = started + paused, now + paused
        self.require_finite(self._running.loss_sum)
        self._train_seconds = seconds_before + time.perf_counter() - started

    def _train_step(self) -> None:
        batch = self._batches[self.step]
        for optimizer in self._optimizers:
            optimizer.zero_grad()
        with self._autocast():
            logits = self._form(batch.images)
        logits, smoothing = logits.float(), self.config.label_smoothing
        # Szegedy et al. 2016.
        loss = F.cross_entropy(logits, batch.labels, label_smoothing=smoothing)
        loss.backward()  # type: ignore[no-untyped-call]
        scale = lr_scale(self.config, self.step, self.steps)
        for optimizer in self._optimizers:
            optimizer.step(scale)
        self._running.add(logits.detach(), batch.labels)
        self.step += 1

    def _planned_looks(self) -> dict[int, bool]:
        """Steps after which a short run is looked at, and whether validation digits are asked."""
        if self.config.epochs >= SHORT_EPOCHS or self._score == "last-epoch":
            return {}
        ends = range(self._batches.per_epoch, self.steps, self._batches.per_epoch)
        looks = dict.fromkeys(ends, False)
        for number in range(1, CURVE_POINTS + 1):
            asked = number % (CURVE_POINTS // VALIDATED_POINTS) == 0
            step = max(1, round(number * self.steps / CURVE_POINTS))
            # In a run of few steps two looks may fall on one.
            looks[step] = asked or looks.get(step, False)
        return looks

    def _look(self) -> None:
        """Add a point to the curve of a short run."""
        some = self._evaluate(self._curve_digits) if self._looks[self.step] else None
        point = CurvePoint(
            epoch=self.step / self._batches.per_epoch,
            loss_sum=self._running.loss_sum,
            correct=self._running.correct,
            seen=self._running.seen,
            validation=some.score if some else None,
        )
        self.history = History(self.history.epochs, (*self.history.points, point))

    @cached_property
    def _curve_digits(self) -> LabelledImages:
        """The validation digits that a look asks."""
        every = self._digits.validation
        chosen = stratified_mask(every.labels.numpy(), min(CURVE_DIGITS, len(every)))
        return every[torch.from_numpy(chosen)]

    def _autocast(self) -> Any:
        if self.precision.value == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.value.type, dtype=self.precision.value)

    def _progress(self, steps_per_second: float) -> Progress:
        return Progress(
            step=self.step,
            of=self.steps,
            epoch=self.step / self._batches.per_epoch,
            loss=self._running.loss,
            accuracy=self._running.accuracy,
            images_per_second=steps_per_second * self.config.batch_size,
            seconds_left=(self.steps - self.step) / steps_per_second,
        )

    def require_finite(self, loss: float) -> None:
        """Raise DivergedError, with the way out, for a loss that is no number."""
        if not math.isfinite(loss):
            raise DivergedError(
                "diverged",
                epoch=self.step / self._batches.per_epoch,
                step=self.step,
                suggestion=self.config.learning_rate / 10,
            )

    def _finish_epoch(self) -> EpochResult:
        if self._score == "each-epoch" or self.step == self.steps:
            self.validation = self._evaluate(self._digits.validation)
            self.test = self._evaluate(self._digits.test)
            # The epoch's last step may have spoilt a network whose training loss was a number.
            for score in filter(None, (self.validation, self.test)):
                self.require_finite(score.loss)
        last_scale = lr_scale(self.config, self.step - 1, self.steps)
        result = EpochResult(
            epoch=self.step / self._batches.per_epoch,
            train_loss=self._running.loss,
            train_accuracy=self._running.accuracy,
            validation=self.validation.score if self.validation else None,
            test=self.test.score if self.test else None,
            train_seconds=self._train_seconds,
            learning_rate=self.config.learning_rate * last_scale,
        )
        self.history = History((*self.history.epochs, result), self.history.points)
        self._running = RunningScore()
        return result

    def _evaluate(self, split: LabelledImages) -> Evaluation | None:
        if len(split) == 0:
            return None
        return evaluate(self.network, split, self._digits.scale)


def _on_device(model: SimpleCNN, device: torch.device) -> SimpleCNN:
    return model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
