from __future__ import annotations

import pytest
import torch

from taller_cnn.evaluation import wilson_interval
from taller_cnn.explain.distortions import DISTORTIONS, Distortion
from taller_cnn.explain.robustness import Curve, measure_curve, robustness, strength_at_loss
from taller_cnn.explain.section import Subject


def by_name(name: str) -> Distortion:
    return next(one for one in DISTORTIONS if one.name == name)


def test_the_strength_of_a_loss_is_interpolated() -> None:
    assert strength_at_loss((0, 10, 20), (1.0, 0.98, 0.88), 0.01) == pytest.approx(5)
    assert strength_at_loss((0, 10, 20), (1.0, 0.98, 0.88), 0.10) == pytest.approx(18)
    assert strength_at_loss((1, 0.5, 0.1), (0.9, 0.9, 0.7), 0.10) == pytest.approx(0.3)


def test_a_loss_that_is_never_reached_has_no_strength() -> None:
    assert strength_at_loss((0, 10), (0.9, 0.85), 0.10) is None


def test_a_curve_has_wilsons_interval_at_every_strength() -> None:
    curve = Curve(name="noise", strengths=(0, 1), correct=(99, 50), n=100)
    assert curve.intervals() == (wilson_interval(99, 100), wilson_interval(50, 100))


def test_without_distortion_the_curve_starts_at_the_networks_own_accuracy(
    subject: Subject,
) -> None:
    for distortion in DISTORTIONS:
        curve = measure_curve(
            subject.model,
            subject.digits.test,
            lambda x: (x - subject.mean) / subject.std,
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
    section = robustness(subject, lambda done, of: steps.append((done, of)))
    assert set(section.numbers) == {one.name for one in DISTORTIONS}
    assert steps[-1] == (len(DISTORTIONS), len(DISTORTIONS))
    for numbers in section.numbers.values():
        assert all(
            low <= a <= high
            for a, (low, high) in zip(numbers["accuracy"], numbers["interval_95"], strict=True)
        )
