"""One pass over images: sums divided once, and figures checked against other libraries."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from taller_cnn.data import MNIST_SCALE, Digits, Scale
from taller_cnn.evaluation import Evaluation, evaluate, wilson_interval
from taller_cnn.model import SimpleCNN

NAMES = tuple("0123456789")


def evaluation_of(predicted: list[int], labels: list[int], classes: int = 10) -> Evaluation:
    """An evaluation whose most probable classes are `predicted`, each with probability 0.9."""
    rows = torch.full((len(predicted), classes), 0.1 / (classes - 1))
    rows[torch.arange(len(predicted)), torch.tensor(predicted)] = 0.9
    return Evaluation(log_probabilities=rows.log(), labels=torch.tensor(labels))


@pytest.mark.parametrize("batch_size", [1, 7, 100, 1000])
def test_the_batch_size_does_not_change_the_result(tiny_digits: Digits, batch_size: int) -> None:
    model = SimpleCNN(seed=3)
    whole, parts = (
        evaluate(model, tiny_digits.test, MNIST_SCALE, batch_size=n)
        for n in (len(tiny_digits.test), batch_size)
    )
    assert parts.accuracy == whole.accuracy
    assert parts.loss == pytest.approx(whole.loss, rel=1e-6)
    torch.testing.assert_close(parts.log_probabilities, whole.log_probabilities)


def test_evaluating_uses_evaluation_mode_and_puts_the_mode_back(tiny_digits: Digits) -> None:
    model = SimpleCNN(seed=0).train()
    first, second = (evaluate(model, tiny_digits.test, MNIST_SCALE) for _ in range(2))
    assert model.training
    torch.testing.assert_close(first.log_probabilities, second.log_probabilities, rtol=0, atol=0)


def test_the_mode_is_put_back_after_an_error(tiny_digits: Digits) -> None:
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, x: Tensor) -> Tensor:
            raise ValueError("broken")

    model = Broken().train()
    with pytest.raises(ValueError, match="broken"):
        evaluate(model, tiny_digits.test, Scale(0.0, 1.0))
    assert model.training


def test_figures_of_a_case_counted_by_hand() -> None:
    result = evaluation_of([0, 0, 1, 2, 2, 2], [0, 1, 1, 2, 2, 0], classes=3)
    assert result.accuracy == 4 / 6
    assert result.errors == 2
    assert result.confusion.tolist() == [[1, 0, 1], [1, 1, 0], [0, 0, 2]]
    assert result.top_confusions(5) == [(0, 2, 1), (1, 0, 1)]
    zero, one, two = result.per_class()
    assert (zero.precision, zero.recall, zero.support) == (0.5, 0.5, 2)
    assert (one.precision, one.recall) == (1.0, 0.5)
    assert two.f1 == pytest.approx(2 * (2 / 3) * 1 / (2 / 3 + 1))
    assert result.loss == pytest.approx(-(4 * math.log(0.9) + 2 * math.log(0.05)) / 6)


def test_naming_the_commonest_class_and_little_more_is_guessing() -> None:
    labels = [1] * 30 + [2] * 70
    assert evaluation_of([2] * 100, labels).is_guessing
    assert evaluation_of([1] * 5 + [2] * 95, labels).is_guessing
    assert not evaluation_of([1] * 28 + [2] * 72, labels).is_guessing


def test_a_class_never_predicted_has_precision_zero() -> None:
    assert evaluation_of([0, 0], [0, 1], classes=2).per_class()[1].precision == 0.0


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=80))
def test_confusion_and_per_class_figures_agree_with_scikit_learn(
    pairs: list[tuple[int, int]],
) -> None:
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    labels, predicted = (list(column) for column in zip(*pairs, strict=True))
    result = evaluation_of(predicted, labels)
    expected = confusion_matrix(labels, predicted, labels=range(10))
    np.testing.assert_array_equal(result.confusion.numpy(), expected)
    table = precision_recall_fscore_support(labels, predicted, labels=range(10), zero_division=0)
    ours = [[r.precision, r.recall, r.f1, r.support] for r in result.per_class()]
    np.testing.assert_allclose(np.array(ours).T, np.array(table), atol=1e-12)


def test_wilson_interval_agrees_with_its_formula() -> None:
    n, p, z = 10_000, 0.99, 1.959963984540054
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert wilson_interval(9900, n) == pytest.approx((centre - half, centre + half), abs=1e-12)


def test_wilson_interval_stays_inside_zero_and_one() -> None:
    assert wilson_interval(10, 10)[1] == 1.0
    assert wilson_interval(0, 10)[0] == 0.0
    assert wilson_interval(10, 10)[0] < 1.0
