from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_parts import made
from scipy.stats import binom

from taller_cnn.evaluation import wilson_interval
from taller_cnn.explain.distortions import DISTORTIONS, Distortion
from taller_cnn.explain.robustness import (
    Curve,
    _loss_cell,
    _numbers,
    _verdict,
    measure_curve,
    strength_at_loss,
)
from taller_cnn.explain.subject import Subject
from taller_cnn.messages import Messages


def by_name(name: str) -> Distortion:
    return next(one for one in DISTORTIONS if one.name == name)


def test_the_strength_of_a_loss_is_interpolated() -> None:
    assert strength_at_loss((0, 10, 20), (1.0, 0.98, 0.88), 0.01) == pytest.approx(5)
    assert strength_at_loss((0, 10, 20), (1.0, 0.98, 0.88), 0.10) == pytest.approx(18)
    assert strength_at_loss((1, 0.5, 0.1), (0.9, 0.9, 0.7), 0.10) == pytest.approx(0.3)


def test_a_loss_that_is_never_reached_has_no_strength() -> None:
    assert strength_at_loss((0, 10), (0.9, 0.85), 0.10) is None


def made_curve(strengths: tuple[float, ...], correct: tuple[int, ...], n: int) -> Curve:
    right = np.arange(n) < np.array(correct)[:, None]
    return Curve(name="noise", strengths=strengths, right=right)


@pytest.mark.parametrize("strengths", [(0, 1, 2), (2, 1, 0)])
def test_the_interval_of_a_strength_is_that_of_the_accuracies(
    strengths: tuple[float, ...],
) -> None:
    curve = made_curve(strengths, (1000, 980, 900), n=1000)
    ends = curve.loss_interval(0.01, seed=0)
    # All are right at first, so 1 point is gone at 10 of the mistakes at the second strength.
    fewest, most = binom.ppf([0.025, 0.975], 1000, 0.02)
    expected = [abs(strengths[0] - 10 / mistakes) for mistakes in (most, fewest)]

    assert ends == pytest.approx(expected, abs=0.06)
    assert ends == curve.loss_interval(0.01, seed=0)


def test_an_end_beyond_all_that_was_measured_is_not_known() -> None:
    curve = made_curve((0, 1), (1000, 990), n=1000)
    low, high = curve.loss_interval(0.01, seed=0)

    assert low is not None
    assert 0.5 < low < 1
    assert high is None
    assert curve.loss_interval(0.10, seed=0) == (None, None)


@pytest.mark.parametrize(
    ("at", "interval", "told"),
    [
        (0.4, [0.3, 0.5], "deviation 0.40 (0.30 – 0.50)"),
        (0.9, [0.7, None], "deviation 0.90 (0.70 – beyond)"),
        (None, [0.8, None], "not with deviation 1.00; perhaps from deviation 0.80"),
        (None, [None, None], "not with deviation 1.00"),
    ],
)
def test_a_strength_is_told_with_its_interval(
    at: float | None, interval: list[float | None], told: str
) -> None:
    curve = made_curve((0, 1), (100, 99), n=100)
    numbers = {"loses_1_point_at": at, "loses_1_point_interval_95": interval}
    assert _loss_cell(curve, numbers, "1_point", Messages("en")) == told


def test_ten_points_are_called_not_lost_only_where_the_interval_says_so_too() -> None:
    surely, perhaps = (made_curve((0, 1), (100, last), n=100) for last in (99, 91))
    assert surely.strength_at_loss(0.1) is perhaps.strength_at_loss(0.1) is None
    curves = (surely, replace(perhaps, name="blur"))
    numbers = {curve.name: _numbers(curve, seed=0) for curve in curves}
    text = _verdict(curves, numbers, Messages("en"))

    assert "the lowest accuracy comes with blurring: 91.0% (83.8% to 95.2%) at σ of 1.0 pixels" in text
    assert "This does not rank them" in text
    assert text.endswith("nor its interval loses ten points with these distortions: adding noise.")


def test_a_curve_has_wilsons_interval_at_every_strength() -> None:
    curve = made_curve((0, 1), (99, 50), n=100)
    assert curve.intervals() == (wilson_interval(99, 100), wilson_interval(50, 100))


def test_without_distortion_the_curve_starts_at_the_networks_own_accuracy(
    subject: Subject,
) -> None:
    for distortion in DISTORTIONS:
        curve = measure_curve(
            subject.model,
            subject.digits.test,
            lambda x: (x - subject.scale.mean) / subject.scale.std,
            distortion,
            seed=0,
        )
        assert curve.correct[0] == subject.evaluation.correct
        assert curve.correct[-1] < curve.correct[0]


@pytest.mark.parametrize("distortion", DISTORTIONS, ids=lambda d: d.name)
def test_a_distortion_keeps_the_shape_and_grows_with_its_strength(distortion: Distortion) -> None:
    images = torch.zeros(8, 1, 28, 28)
    images[:, :, 8:20, 11:17] = 1
    images[:, :, 8:12, 8:20] = 1
    changes = []
    for strength in (distortion.strengths[1], distortion.strengths[-1]):
        changed = distortion.apply(images, strength, torch.Generator().manual_seed(0))
        assert changed.shape == images.shape
        changes.append(float((changed.clamp(0, 1) - images).abs().mean()))
    assert 0 < changes[0] < changes[1]


def test_distortions_do_what_they_are_called() -> None:
    bar = torch.zeros(1, 1, 28, 28)
    bar[..., 4:24, 12:16] = 1
    ink = float(bar.sum())

    def amount(name: str, strength: float) -> float:
        return float(by_name(name).apply(bar, strength, torch.Generator().manual_seed(0)).sum())

    assert amount("thicker", 1) == ink + 2 * 20 + 2 * 4
    assert amount("thinner", 1) == 18 * 2
    assert amount("contrast", 0.5) == pytest.approx(ink / 2)
    assert amount("blur", 1) == pytest.approx(ink, rel=0.01)
    assert amount("shrink", 0.5) == pytest.approx(ink / 4, rel=0.1)


def test_the_section_tells_every_distortion_with_its_strengths(subject: Subject) -> None:
    steps: list[tuple[int, int]] = []
    part = made("robustness", subject, tick=lambda done, of: steps.append((done, of)))
    assert set(part.numbers) == {one.name for one in DISTORTIONS}
    assert steps[-1] == (len(DISTORTIONS), len(DISTORTIONS))
    for numbers in part.numbers.values():
        assert all(
            low <= a <= high
            for a, (low, high) in zip(numbers["accuracy"], numbers["interval_95"], strict=True)
        )
        at, (low, high) = numbers["loses_10_points_at"], numbers["loses_10_points_interval_95"]
        if None not in (at, low, high):
            assert min(low, high) <= at <= max(low, high)
