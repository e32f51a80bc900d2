from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from made_parts import made, told

from taller_cnn.evaluation import Evaluation
from taller_cnn.explain.classes import chance_of_differences, class_scores
from taller_cnn.explain.subject import Subject


def of_confusion(confusion: list[list[int]]) -> Evaluation:
    """An evaluation with that confusion matrix."""
    size = len(confusion)
    cells = torch.arange(size**2).repeat_interleave(torch.tensor(confusion).flatten())
    answers = torch.nn.functional.one_hot(cells % size, size).float()
    return Evaluation(log_probabilities=answers, labels=cells // size)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95% interval from its formula."""
    z, p = 1.959963984540054, hits / n
    centre, half = p + z**2 / (2 * n), z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return (centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n)


def test_precision_and_recall_are_counted_with_wilson_s_interval() -> None:
    first, second = class_scores(of_confusion([[8, 2], [5, 35]]))

    assert (first.recall.value, first.precision.value) == (0.8, 8 / 13)
    assert (first.recall.low, first.recall.high) == pytest.approx(wilson(8, 10))
    assert (second.precision.low, second.precision.high) == pytest.approx(wilson(35, 37))
    assert (first.support, first.predicted, second.support, second.predicted) == (10, 13, 40, 37)


def test_f1_is_the_harmonic_mean_and_lies_in_its_interval() -> None:
    score = class_scores(of_confusion([[8, 2], [5, 35]]))[0]
    assert score.precision.value is not None
    assert score.recall.value is not None
    assert score.f1.value is not None
    harmonic = 2 / (1 / score.precision.value + 1 / score.recall.value)

    assert score.f1.value == pytest.approx(harmonic)
    assert score.f1.low < harmonic < score.f1.high


def test_the_interval_of_f1_covers_the_true_value_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    chances = np.array([0.18, 0.02, 0.03, 0.77])
    true_f1 = 2 * 0.18 / (2 * 0.18 + 0.02 + 0.03)
    tables = generator.multinomial(200, chances, size=100).reshape(-1, 2, 2)
    scores = [class_scores(of_confusion(table.tolist()))[0].f1 for table in tables]

    assert np.mean([score.low <= true_f1 <= score.high for score in scores]) >= 0.89


def test_a_class_without_mistakes_still_has_an_interval() -> None:
    score = class_scores(of_confusion([[20, 0], [0, 20]]))[0]

    assert (score.f1.value, score.f1.high) == (1.0, 1.0)
    assert 0.8 < score.f1.low < 0.97


def test_a_class_that_is_never_named_has_no_precision() -> None:
    score = class_scores(of_confusion([[0, 10], [0, 10]]))[0]

    assert score.precision.value is None
    assert (score.precision.low, score.precision.high) == (0.0, 1.0)
    assert (score.recall.value, score.f1.value) == (0.0, 0.0)


def test_classes_of_equal_difficulty_are_not_told_apart_and_others_are() -> None:
    even = of_confusion([[95, 5, 0], [0, 95, 5], [5, 0, 95]])
    uneven = of_confusion([[80, 20, 0], [0, 99, 1], [0, 0, 100]])

    assert chance_of_differences(even) > 0.9
    assert chance_of_differences(uneven) < 0.001


def test_the_chance_is_that_of_a_table_by_hand() -> None:
    # Two errors among 4 images of two classes: both in the same class in 2 of 6 deals.
    found = chance_of_differences(of_confusion([[0, 2], [0, 2]]), draws=20_000)

    assert found == pytest.approx(1 / 3, abs=0.02)


def test_without_mistakes_nothing_tells_classes_apart() -> None:
    assert chance_of_differences(of_confusion([[9, 0], [0, 3]])) == 1.0


def test_the_classes_that_are_never_said_are_named(subject: Subject, answering) -> None:
    part = made("classes", answering([1] * 100, [0.5] * 100))

    never = "The network never predicts 9 of the classes: 0, 2, 3, 4, 5, 6, 7, 8, 9"
    assert never in told(part).split("\n")[-1]
    assert part.numbers["classes"][0]["precision"]["value"] is None
