"""Learning from another network: what is learned, how often it is asked, and going on later."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext

import pytest
import torch

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import Digits, LabelledImages, normalise
from taller_cnn.errors import ConfigError
from taller_cnn.model import SimpleCNN
from taller_cnn.training import TrainState, train
from taller_cnn.training.teacher import Teacher

SMALL = ModelConfig(filters=(4, 8), hidden=16, dropout=0.0)
LEARNING = TrainConfig(
    epochs=3,
    batch_size=32,
    learning_rate=3e-3,
    device="cpu",
    precision="float32",
    augmentation="affine",
    distillation=1.0,
)


class Counting(SimpleCNN):
    """A teacher that counts how many batches it is asked for."""

    asked = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.asked += 1
        return super().forward(x)


def test_what_is_learned_lies_between_the_label_and_the_answer(tiny_digits: Digits) -> None:
    model = SimpleCNN(SMALL, seed=1).eval()
    images = normalise(tiny_digits.train.images[:6], tiny_digits.scale)
    labels = tiny_digits.train.labels[:6]
    answers = model(images).softmax(dim=1).detach()
    targets = Teacher(model, 0.25, nullcontext).targets(0, images, labels)
    for row, label in enumerate(labels.tolist()):
        expected = 0.25 * answers[row]
        expected[label] += 0.75
        torch.testing.assert_close(targets[row], expected)


def test_a_pupil_believes_its_teacher_and_not_the_labels(tiny_digits: Digits) -> None:
    def shifted(split: LabelledImages) -> LabelledImages:
        return dataclasses.replace(split, labels=(split.labels + 1) % 10)

    wrong = dataclasses.replace(
        tiny_digits, train=shifted(tiny_digits.train), test=shifted(tiny_digits.test)
    )
    teacher = SimpleCNN(SMALL, seed=1)
    list(train(teacher, wrong, LEARNING.replace(epochs=15, distillation=0.0)))
    pupil = SimpleCNN(SMALL, seed=2)
    list(train(pupil, tiny_digits, LEARNING.replace(epochs=15), teacher=teacher))
    inputs = normalise(tiny_digits.train.images, tiny_digits.scale)
    said = pupil.eval()(inputs).argmax(dim=1)
    agree = (said == teacher.eval()(inputs).argmax(dim=1)).float().mean()
    right = (said == tiny_digits.train.labels).float().mean()
    assert agree > 0.6
    assert right < 0.2


def test_a_batch_that_comes_again_is_not_asked_for_again(
    tiny_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taller_cnn.training.loop.ROUNDS", 2)
    teacher = Counting(SMALL, seed=1)
    training = train(SimpleCNN(SMALL), tiny_digits, LEARNING.replace(epochs=5), teacher=teacher)
    list(training)
    assert teacher.asked == training.steps * 2 // 5


def test_going_on_later_gives_the_same_pupil(
    tiny_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taller_cnn.training.loop.ROUNDS", 2)
    monkeypatch.setattr("taller_cnn.training.loop.PROGRESS_SECONDS", 0.0)
    teacher = SimpleCNN(SMALL, seed=1)
    whole = SimpleCNN(SMALL)
    list(train(whole, tiny_digits, LEARNING, teacher=teacher))
    begun = train(SimpleCNN(SMALL), tiny_digits, LEARNING, teacher=teacher)
    for _ in begun:
        if begun.step > begun.steps * 0.8:
            break
    assert begun.step < begun.steps
    state = TrainState.from_dict(begun.state().to_dict())
    gone_on = SimpleCNN(SMALL, seed=9)
    list(train(gone_on, tiny_digits, LEARNING, state, teacher=teacher))
    for name, value in whole.state_dict().items():
        assert torch.equal(value, gone_on.state_dict()[name]), name


def test_the_teacher_itself_learns_nothing(tiny_digits: Digits) -> None:
    teacher = SimpleCNN(SMALL.replace(batch_norm=True), seed=1)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    list(train(SimpleCNN(SMALL), tiny_digits, LEARNING.replace(epochs=1), teacher=teacher))
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())


@pytest.mark.parametrize(
    ("changes", "has_teacher", "message"),
    [
        ({}, False, "no network to learn from"),
        ({"distillation": 0.0}, True, "distillation is 0"),
        ({"middle": True}, True, "whole images"),
    ],
)
def test_a_teacher_and_the_share_that_is_learned_from_it_belong_together(
    tiny_digits: Digits, changes: dict[str, float], has_teacher: bool, message: str
) -> None:
    teacher = SimpleCNN(SMALL) if has_teacher else None
    with pytest.raises(ConfigError, match=message):
        train(SimpleCNN(SMALL), tiny_digits, LEARNING.replace(**changes), teacher=teacher)
