from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from made_parts import made, pictures, told, words
from reader_settings import check_that_settings_change_nothing

from taller_cnn.config import ModelConfig
from taller_cnn.evaluation import Evaluation
from taller_cnn.explain.feature_maps import layer_maps
from taller_cnn.explain.subject import Subject
from taller_cnn.model import SimpleCNN, describe


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"filters": (2, 3, 4), "pooling": "stride", "batch_norm": True},
        {"filters": (3,), "pooling": "avg", "final_size": 3, "kernel_size": 1},
        {"filters": (2,) * 6, "pooling": "none", "activation": "gelu"},
        {"filters": (2,) * 4, "convs_per_pool": 2, "hidden": 0, "final_size": 1},
    ],
)
def test_every_layer_has_the_shape_that_the_description_gives_it(options: dict[str, Any]) -> None:
    config = ModelConfig(**{"hidden": 5, "dropout": 0.0, **options})
    model = SimpleCNN(config, seed=0).eval()
    x = torch.randn(1, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    layers = layer_maps(model, x)
    shapes = {row.name: row.output_shape for row in describe(config)}
    assert {layer.name: tuple(layer.values.shape) for layer in layers}.items() <= shapes.items()
    assert torch.allclose(layers[-1].values, model(x)[0], atol=1e-5)


def test_the_reader_s_settings_change_nothing(subject: Subject, tmp_path: Path) -> None:
    [picture] = pictures(made("feature_maps", replace(subject, chosen=(42,)), "es"))
    check_that_settings_change_nothing(picture.draw, tmp_path)


def test_chosen_digits_are_shown_and_no_others(subject: Subject) -> None:
    part = made("feature_maps", replace(subject, chosen=(42, 7)))
    assert part.numbers["positions"] == [42, 7]


def test_without_a_choice_three_classes_are_shown(subject: Subject) -> None:
    positions = made("feature_maps", subject).numbers["positions"]
    assert len(set(subject.digits.test.labels[positions].tolist())) == 3


def test_there_are_as_many_probabilities_as_classes(subject: Subject) -> None:
    digits, test = subject.digits, subject.digits.test
    three = replace(
        subject,
        model=SimpleCNN(subject.network.config, n_classes=3).eval(),
        digits=replace(
            digits,
            test=replace(test, labels=test.labels % 3),
            class_names=("circle", "cross", "line"),
        ),
        evaluation=Evaluation(
            log_probabilities=subject.evaluation.log_probabilities[:, :3], labels=test.labels % 3
        ),
    )
    part = made("feature_maps", three)
    assert "gives 3 probabilities" in told(part)
    assert "ten" not in told(part).split()
    assert "circle" in words(part)[-1]


def test_chosen_digits_that_are_not_shown_are_told_of(subject: Subject) -> None:
    part = made("feature_maps", replace(subject, chosen=tuple(range(8))))
    assert part.numbers["positions"] == list(range(6))
    assert "The first 6 of the 8 chosen digits are shown." in told(part)
