"""A small network, trained for a moment on 300 digits, and answers made to order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from taller_cnn.config import ModelConfig, recipe
from taller_cnn.data import Digits
from taller_cnn.evaluation import Evaluation, evaluate
from taller_cnn.explain.subject import Subject
from taller_cnn.model import SimpleCNN
from taller_cnn.training import Training, train

Answering = Callable[[list[int], list[float]], Subject]


@pytest.fixture(scope="session")
def subject(tiny_digits: Digits) -> Subject:
    """A network of the family with what it says of 100 test digits; for reading only."""
    config = ModelConfig(filters=(4, 6), hidden=16, dropout=0.0)
    model = SimpleCNN(config, seed=1)
    settings = {"epochs": 6.0, "batch_size": 32, "precision": "float32", "seed": 1}
    training = train(model, tiny_digits, recipe("quick", train=settings)[1])
    list(training)
    return subject_of(model, tiny_digits, training)


def subject_of(model: SimpleCNN, digits: Digits, training: Training | None = None) -> Subject:
    """A network as the parts are given it."""
    model = model.to("cpu", memory_format=torch.contiguous_format).eval()
    splits = {"evaluation": digits.test, "validation": digits.validation}
    said = {name: evaluate(model, split, digits.scale) for name, split in splits.items()}
    history = training.history if training else None
    initial = SimpleCNN(model.config, seed=1).eval()
    return Subject(model=model, digits=digits, info=None, history=history, initial=initial, **said)


@pytest.fixture(scope="session")
def answering(subject: Subject) -> Answering:
    """The subject as if it had given these answers to its test digits, with these confidences."""

    def made(answers: list[int], confidences: list[float]) -> Subject:
        sure = torch.tensor(confidences, dtype=torch.float64)
        chances = ((1 - sure) / 9)[:, None].repeat(1, 10)
        chances[torch.arange(len(answers)), torch.tensor(answers)] = sure
        said = Evaluation(
            log_probabilities=chances.log().float(),
            labels=subject.digits.test.labels,
        )
        return replace(subject, evaluation=said)

    return made
