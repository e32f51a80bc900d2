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
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from taller_cnn.augmentation import AUGMENTATIONS, augment, cut_amiss
from taller_cnn.config import TrainConfig
from taller_cnn.data import Digits, Split, normalise
from taller_cnn.devices import choose_device, choose_precision, sum_dtype
from taller_cnn.errors import ConfigError, DivergedError
from taller_cnn.evaluation import Evaluation, evaluate
from taller_cnn.model import SimpleCNN
from taller_cnn.training.average import WeightAverage
from taller_cnn.training.events import EpochResult, History, Progress, TrainState
from taller_cnn.training.middle import MiddleOfImages, crop
from taller_cnn.training.optimizers import make_optimizers
from taller_cnn.training.patches import patch_filters
from taller_cnn.training.schedule import rate_factor
from taller_cnn.training.teacher import ROUNDS, Teacher

__all__ = ["Training", "train"]

PROGRESS_SECONDS = 0.1
"""Least time between two `Progress` events."""
UNSURE = 0.5
"""What an image of no digit counts for in the loss, as a part of what a digit does."""
PATCH_IMAGES = 512
"""Training digits that a fixed first layer is made from."""


@dataclass(frozen=True, kw_only=True)
class _Sums:
    """Sums over the present epoch, kept as tensors so that the hot loop never waits for them."""

    loss: float | Tensor = 0.0
    correct: int | Tensor = 0
    seen: int = 0


def train(
    model: SimpleCNN,
    digits: Digits,
    config: TrainConfig,
    state: TrainState | None = None,
    *,
    score: Literal["each-epoch", "last-epoch"] = "each-epoch",
    teacher: nn.Module | None = None,
) -> Training:
    """Train `model` in place; iterate over the result to make it go on.

    Args:
        model: moved to the chosen device.
        digits: its validation and test digits are only evaluated.
        config: how to train.
        state: go on from here instead of from the model's present weights.
        score: when to evaluate validation and test.
        teacher: whose answers are learned where the configuration has a `distillation`; moved to
            the chosen device.

    Raises:
        ConfigError: the device or the precision is not available here, or there is a teacher
            and nothing to learn from it, or the other way round.
        DivergedError: the loss is no longer a number (raised while iterating).
    """
    return Training(model, digits, config, state, score, teacher)


class Training(Iterator[Progress | EpochResult]):
    """A training under way; made by `train`."""

    def __init__(
        self,
        model: SimpleCNN,
        digits: Digits,
        config: TrainConfig,
        state: TrainState | None,
        score: Literal["each-epoch", "last-epoch"],
        teacher: nn.Module | None,
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
        if config.first_layer == "patches":
            _fix_first_layer(self._model, digits)
        self._middle = MiddleOfImages(self._model) if config.middle else None
        self._optimizers = make_optimizers(config, *self._parameters())
        self._average = WeightAverage(self._averaged(), config.weight_average)
        self._dropout = torch.Generator(self.device.value).manual_seed(config.seed)
        self._model.dropout.generator = self._dropout
        self._teacher = self._with_share(teacher)
        self._augmentation = AUGMENTATIONS[config.augmentation]
        self._chance = torch.Generator(self.device.value)
        self._images = self._prepared(digits.train.images).to(self.device.value)
        self._labels = digits.train.labels.to(self.device.value)
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

    def _with_share(self, teacher: nn.Module | None) -> Teacher | None:
        """The teacher with what the configuration makes of it."""
        share = self.config.distillation
        if (teacher is None) != (share == 0):
            raise ConfigError("config_teacher" if share else "config_teacher_unused", value=share)
        if teacher is None:
            return None
        if self.config.middle:
            raise ConfigError("config_teacher_middle", value=share)
        teacher.to(self.device.value, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return Teacher(teacher, share, self._autocast)

    @property
    def _varies(self) -> bool:
        """Whether a digit is another image each time."""
        return self.config.augmentation != "none" or self.config.cut_amiss > 0

    def _parameters(self) -> tuple[list[Tensor], list[Tensor]]:
        """What is trained: the matrices between hidden features, and all the rest."""
        model = self._model
        convolutions = range(2, model.config.layers + 1)
        matrices: list[Tensor] = [model.get_parameter(f"conv{i}.weight") for i in convolutions]
        apart = set(map(id, matrices))
        if model.config.hidden:
            matrices.append(self._middle.weight if self._middle else model.fc1.weight)
            apart |= {id(model.fc1.weight), id(matrices[-1])}
        trained: list[Tensor] = [p for p in model.parameters() if p.requires_grad]
        return matrices, [p for p in trained if id(p) not in apart]

    def _averaged(self) -> list[Tensor]:
        """The weights that are averaged, with the batch statistics that belong to them."""
        if not self.config.weight_average:
            return []
        kept = [value for value in self._model.state_dict().values() if value.is_floating_point()]
        return [*kept, self._middle.weight.detach()] if self._middle else kept

    def state(self) -> TrainState:
        """A copy of the state at the last finished step; call it between two events."""
        with self._average.set_aside():
            if self._middle:
                self._middle.write_back()
            model = {k: v.detach().cpu().clone() for k, v in self._model.state_dict().items()}
        return TrainState(
            model=model,
            average=self._average.state(),
            optimizers=tuple(optimizer.state() for optimizer in self._optimizers),
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
        if self._middle:
            self._middle.read()
        self._average.restore(state.average)
        for optimizer, values in zip(self._optimizers, state.optimizers, strict=True):
            optimizer.restore(values)
        self._dropout.set_state(state.dropout)
        self.step, self.history = state.step, state.history
        self._sums = _Sums(loss=state.loss_sum, correct=state.correct, seen=state.seen)
        self._train_seconds = state.train_seconds

    def _run(self) -> Iterator[Progress | EpochResult]:
        while self.step < self.steps:
            epoch = self.step // self._steps_per_epoch
            self._average.take_out()
            yield from self._train_epoch(epoch)
            # Until training goes on, the network is the one that is scored.
            self._average.put_in()
            yield self._finish_epoch()
        self._average.put_in()
        if self._middle:
            self._middle.write_back()
        # A generator cannot be copied, and a trained network may have to be.
        self._model.dropout.generator = None
        self._model.requires_grad_(True)

    def _train_epoch(self, epoch: int) -> Iterator[Progress]:
        """Train from the present step to the end of `epoch`, or of the training."""
        self._model.train()
        order = _permutation(len(self._labels), self.config.seed, self._round(epoch))
        order = order.to(self.device.value)
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
                self.require_finite(self._sums.loss)
                yield self._progress((self.step - first) / (now - started))
                # Time that the caller keeps the event is not training.
                paused = time.perf_counter() - now
                started, last = started + paused, now + paused
        self.require_finite(self._sums.loss)
        self._train_seconds = seconds_before + time.perf_counter() - started

    def _round(self, epoch: int) -> int:
        """Which of the different passes over the digits comes in `epoch`."""
        return epoch % ROUNDS if self._teacher else epoch

    @property
    def _batch_number(self) -> int:
        """The step at which the present one's batch came for the first time."""
        epoch, batch = divmod(self.step, self._steps_per_epoch)
        return self._round(epoch) * self._steps_per_epoch + batch

    def _prepared(self, images: Tensor) -> Tensor:
        """The training digits as they are kept: raw if each step varies them, else normalised."""
        if self._varies:
            return images
        images = normalise(images, self._digits.mean, self._digits.std, self.precision.value)
        return crop(images) if self._middle else images

    def _batch(self, indices: Tensor) -> Tensor:
        """The network's input for one step: the digits, then images of none."""
        images = self._images[indices]
        if self._varies:
            # From the batch's number alone, so that a resumed training draws the same.
            self._chance.manual_seed(_batch_seed(self.config.seed, self._batch_number))
            if self.config.cut_amiss:
                images = images.float().div_(255)
                more = round(self.config.cut_amiss * len(images))
                images = torch.cat([images, cut_amiss(images, more, self._chance)])
            images = augment(images, self._augmentation, self._chance)
            images = images.sub_(self._digits.mean).div_(self._digits.std).to(self.precision.value)
            images = crop(images) if self._middle else images
        # `to`, not `contiguous`: with one channel the latter changes nothing, and the convolutions
        # after it would fall back to the slower layout.
        return images.to(memory_format=torch.channels_last)

    def _train_step(self, indices: Tensor) -> None:
        images = self._batch(indices)
        labels = self._labels[indices]
        factor = rate_factor(self.config, self.step, self.steps)
        for optimizer in self._optimizers:
            optimizer.zero_grad()
        with self._autocast():
            logits = self._middle(images) if self._middle else self._model(images)
        loss = self._loss(logits.float(), images, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        for optimizer in self._optimizers:
            optimizer.step(factor)
        self._average.update(self.step)
        self._add_up(logits.detach()[: len(labels)].float(), labels)
        self.step += 1

    def _add_up(self, logits: Tensor, labels: Tensor) -> None:
        """Add a batch to the epoch's sums: the same quantities as an evaluation's.

        Smoothed labels, a teacher or images of no digit change what is minimised and not this.
        """
        loss = F.cross_entropy(logits, labels, reduction="sum").to(sum_dtype(self.device.value))
        self._sums = _Sums(
            loss=self._sums.loss + loss,
            correct=self._sums.correct + (logits.argmax(dim=1) == labels).sum(),
            seen=self._sums.seen + len(labels),
        )

    def _loss(self, logits: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch, whose last images may be none of the digits."""
        logits, unknown = logits.tensor_split([len(labels)])
        targets = labels
        if self._teacher:
            seen = images[: len(labels)]
            targets = self._teacher.targets(self._batch_number, seen, labels)
        smoothing = self.config.label_smoothing
        loss = F.cross_entropy(logits, targets, label_smoothing=smoothing)
        if len(unknown):
            # What is no digit is as likely each of them (Hendrycks et al. 2019).
            unsure = -unknown.log_softmax(dim=1).mean()
            loss = loss + UNSURE * self.config.cut_amiss * unsure
        return loss

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

    def require_finite(self, loss: float | Tensor) -> None:
        """Raise DivergedError, with the way out, for a loss that is no number."""
        if not math.isfinite(loss):
            raise DivergedError(
                "diverged",
                epoch=self.step / self._steps_per_epoch,
                step=self.step,
                suggestion=self.config.learning_rate / 10,
            )

    def _finish_epoch(self) -> EpochResult:
        if self._middle:
            self._middle.write_back()
        if self._score == "each-epoch" or self.step == self.steps:
            self.validation = self._evaluate(self._digits.validation)
            self.test = self._evaluate(self._digits.test)
            # The epoch's last step may have spoilt a network whose training loss was a number.
            for score in filter(None, (self.validation, self.test)):
                self.require_finite(score.loss)
        result = EpochResult(
            epoch=self.step / self._steps_per_epoch,
            train_loss=float(self._sums.loss) / self._sums.seen,
            train_accuracy=int(self._sums.correct) / self._sums.seen,
            validation=self.validation.score if self.validation else None,
            test=self.test.score if self.test else None,
            train_seconds=self._train_seconds,
            learning_rate=self.config.learning_rate
            * rate_factor(self.config, self.step - 1, self.steps),
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


def _fix_first_layer(model: SimpleCNN, digits: Digits) -> None:
    """Put filters made from the training digits into the first layer, to stay as they are."""
    conv = model.conv1
    images = normalise(digits.train.images[:PATCH_IMAGES], digits.mean, digits.std)
    filters = patch_filters(images, conv.out_channels, conv.kernel_size[0])
    with torch.no_grad():
        conv.weight.copy_(filters)
        if conv.bias is not None:
            conv.bias.zero_()
    conv.requires_grad_(False)


def _permutation(n: int, seed: int, epoch: int) -> Tensor:
    """The order of the digits in one epoch, from the seed and the epoch's number alone."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(n, generator=generator)


def _batch_seed(seed: int, batch: int) -> int:
    """Seed of what varies the digits of a batch."""
    return seed * 2_000_003 + batch
