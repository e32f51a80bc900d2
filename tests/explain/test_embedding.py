from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_parts import made, told

from taller_cnn.data import LabelledImages
from taller_cnn.explain.embedding import (
    principal_components,
    same_class_neighbours,
    two_dimensional,
)
from taller_cnn.explain.subject import Subject


def test_the_explained_variance_is_that_of_the_covariances_eigenvalues() -> None:
    points = np.random.default_rng(0).normal(size=(200, 6)) * np.array([5, 4, 3, 2, 1, 0.5])
    components, shares = principal_components(points, most=4)
    values = np.sort(np.linalg.eigvalsh(np.cov(points.T)))[::-1]
    assert shares == pytest.approx(values[:4] / values.sum())
    assert components.var(axis=0, ddof=1) == pytest.approx(values[:4])


def test_points_that_do_not_vary_have_no_components() -> None:
    components, shares = principal_components(np.ones((10, 5)))
    assert not components.any()
    assert not shares.any()


def test_neighbours_of_the_same_class_are_counted_as_by_brute_force() -> None:
    generator = np.random.default_rng(1)
    points, labels = generator.normal(size=(60, 3)), generator.integers(0, 3, 60)
    distances = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argsort(axis=1)[:, :5]
    expected = (labels[nearest] == labels[:, None]).mean()
    assert same_class_neighbours(points, labels, 5).mean() == pytest.approx(expected)


def test_groups_that_are_apart_stay_apart_on_the_plane() -> None:
    generator = np.random.default_rng(2)
    labels = np.repeat([0, 1, 2], 30)
    points = generator.normal(size=(90, 5)) + 20 * np.eye(5)[labels]
    places = two_dimensional(points, seed=0)
    assert places.shape == (90, 2)
    assert (same_class_neighbours(places, labels, 5) == 1.0).all()


def test_one_component_is_enough_for_a_plane() -> None:
    points = np.random.default_rng(3).normal(size=(40, 1))
    assert np.isfinite(two_dimensional(points, seed=0)).all()


def test_the_hidden_layer_brings_classes_together(subject: Subject) -> None:
    part = made("embedding", subject)
    numbers = part.numbers
    assert numbers["n"] == 100
    assert numbers["neighbours_hidden"] > numbers["neighbours_pixels"] > 0.2
    assert 0.9 < sum(numbers["explained_variance"]) <= 1 + 1e-9


def test_where_a_class_lies_closer_is_told_only_where_the_digits_show_it(
    subject: Subject,
) -> None:
    text = told(made("embedding", subject))
    assert "The images of a class lie closer together in that layer than in the pixels (p = 0.0002)" in text
    digits = subject.digits
    few = LabelledImages(images=digits.test.images[:8], labels=torch.arange(8) % 2)
    says = replace(
        subject.evaluation,
        log_probabilities=subject.evaluation.log_probabilities[:8],
        labels=few.labels,
    )
    lucky = replace(subject, digits=replace(digits, test=few), evaluation=says)
    part = made("embedding", lucky)

    assert part.numbers["neighbours_p"] > 0.05
    assert "From these 8 images there is no telling" in told(part)
