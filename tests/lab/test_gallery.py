from __future__ import annotations

import pytest

from taller_cnn.data import MNIST_SCALE
from taller_cnn.evaluation import evaluate
from taller_cnn.lab.lab import Lab


def test_the_first_of_each_class_come_in_class_order(shared_lab: Lab) -> None:
    chosen = shared_lab.gallery.first(30)
    assert chosen.labels == [c for c in range(10) for _ in range(3)]
    test = shared_lab.gallery.digits().test
    assert test.labels[chosen.indices].tolist() == chosen.labels
    assert chosen.images.tobytes() == test.images[chosen.indices].numpy().tobytes()
    assert chosen.source == "sample"


def test_fewer_than_ten_are_as_many_as_were_asked_for(shared_lab: Lab) -> None:
    assert shared_lab.gallery.first(3).labels == [0, 1, 2]


def test_a_seed_draws_the_same_digits_again(shared_lab: Lab) -> None:
    gallery = shared_lab.gallery
    one, two, other = gallery.random(50, 1), gallery.random(50, 1), gallery.random(50, 2)
    assert one.indices == two.indices != other.indices
    assert len(set(one.indices)) == 50


def test_validation_digits_are_the_held_out_ones(shared_lab: Lab) -> None:
    chosen = shared_lab.gallery.first(20, "validation")
    held_out = shared_lab.gallery.digits().validation
    assert chosen.images[0].tobytes() == held_out.images[chosen.indices[0]].numpy().tobytes()
    assert max(chosen.indices) < len(held_out) == 500


def test_a_model_is_asked_once_about_the_test_digits(shared_lab: Lab) -> None:
    model, digits = shared_lab.models.get(), shared_lab.gallery.digits()
    found = shared_lab.gallery.evaluation(model)
    assert shared_lab.gallery.evaluation(model) is found
    again = evaluate(model.loaded.model, digits.test, MNIST_SCALE)
    assert found.accuracy == pytest.approx(again.accuracy)
    assert found.n == 1000
