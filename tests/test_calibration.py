from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from taller_cnn.calibration import (
    apply_temperature,
    coverage_curve,
    error_by_luck,
    error_interval,
    expected_calibration_error,
    fit_temperature,
    loss_fall_interval,
    reliability,
    threshold_for_precision,
)
from taller_cnn.errors import InputError

SURE = [0.95, 0.95, 0.95, 0.95, 0.55, 0.55]
RIGHT = [True, True, True, False, True, False]


def test_the_calibration_error_is_that_of_a_count_by_hand() -> None:
    # (0.5, 0.6]: 2 with 55% confidence and 50% right; (0.9, 1]: 4 with 95% and 75% right.
    by_hand = 2 / 6 * abs(0.50 - 0.55) + 4 / 6 * abs(0.75 - 0.95)

    assert expected_calibration_error(SURE, RIGHT, bins=10) == pytest.approx(by_hand)


def test_opposite_errors_in_different_bins_do_not_cancel() -> None:
    assert expected_calibration_error([0.25, 0.75], [1, 0], bins=2) == pytest.approx(0.75)
    assert expected_calibration_error([0.25, 0.75], [1, 0], bins=1) == pytest.approx(0.0)


def test_a_bin_holds_its_upper_end_and_the_first_one_zero() -> None:
    bins = reliability([0.0, 0.5, 0.5000001, 1.0], [0, 1, 1, 1], bins=2)

    assert [(b.low, b.high, b.n) for b in bins] == [(0.0, 0.5, 2), (0.5, 1.0, 2)]


def test_reliability_bins_hold_what_a_count_by_hand_gives() -> None:
    low, high = reliability(SURE, RIGHT, bins=10)

    assert (low.n, low.accuracy, high.n, high.accuracy) == (2, 0.5, 4, 0.75)
    assert low.confidence == pytest.approx(0.55)
    # Wilson's interval of 1 in 2: (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n).
    z = 1.959963985
    half = z * math.sqrt(0.25 / 2 + z**2 / 16) / (1 + z**2 / 2)
    assert low.interval == pytest.approx((0.5 - half, 0.5 + half))


def test_the_temperature_of_a_two_class_case_is_the_logarithm_by_hand() -> None:
    # All say class 0 with a logit 4 ahead; 3 of 4 are right, so the best logit is log(3).
    logits = torch.tensor([[4.0, 0.0]]).repeat(4, 1)
    labels = torch.tensor([0, 0, 0, 1])

    temperature = fit_temperature(logits, labels)

    assert temperature == pytest.approx(4 / math.log(3), rel=1e-5)
    chances = apply_temperature(logits, temperature).exp()
    assert chances[0].tolist() == pytest.approx([0.75, 0.25])


def test_a_known_temperature_is_found_again() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(20_000, 10, generator=generator)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]

    assert fit_temperature((2.5 * logits).log_softmax(1), labels) == pytest.approx(2.5, rel=0.03)
    assert fit_temperature(0.4 * logits, labels) == pytest.approx(0.4, rel=0.03)


def test_the_temperature_changes_no_prediction_and_lowers_the_loss() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2000, 10, generator=generator)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    before = (5 * logits).log_softmax(1)

    after = apply_temperature(before, fit_temperature(before, labels))

    assert torch.equal(after.argmax(1), before.argmax(1))
    loss = torch.nn.functional.nll_loss
    assert loss(after, labels) < 0.5 * loss(before, labels)


def test_chance_predictions_get_the_largest_temperature() -> None:
    logits = torch.tensor([[3.0, 0.0], [3.0, 0.0]])

    assert fit_temperature(logits, torch.tensor([1, 1])) == 100


def test_a_probability_of_zero_is_survived() -> None:
    log_probabilities = torch.tensor([[0.0, -math.inf], [-0.1, -2.4], [-0.1, -2.4]])

    assert math.isfinite(fit_temperature(log_probabilities, torch.tensor([0, 0, 1])))


def test_without_a_mistake_no_temperature_is_fitted() -> None:
    with pytest.raises(InputError, match=r"All validation digits \(2\) are right"):
        fit_temperature(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1]))


def test_without_digits_the_refusal_says_why() -> None:
    with pytest.raises(InputError, match="--holdout 0"):
        fit_temperature(torch.empty(0, 10), torch.empty(0, dtype=torch.int64))
    for measure in (expected_calibration_error, reliability, coverage_curve):
        with pytest.raises(InputError, match="--holdout 0"):
            measure([], [])


@pytest.mark.parametrize("sharpness", [1.0, 1.6])
def test_the_interval_covers_the_true_error_about_as_often_as_it_says(sharpness: float) -> None:
    generator = np.random.default_rng(0)
    # Two levels of confidence, each inside its bin, so that the true error is known.
    stated = np.array([0.7, 0.9])
    odds = (stated / (1 - stated)) ** (1 / sharpness)
    true_chance = odds / (1 + odds)
    truth = float(np.mean(np.abs(stated - true_chance)))
    covered = 0
    for seed in range(100):
        level = generator.integers(2, size=600)
        right = generator.random(600) < true_chance[level]
        low, high = error_interval(stated[level], right, bins=10, seed=seed, repeats=100)
        covered += low <= truth <= high

    assert covered >= 85


def losses(logits: np.ndarray, right: np.ndarray, sharpness: float) -> np.ndarray:
    """Cross-entropy of answers whose logit against all other classes is stretched."""
    return np.asarray(np.logaddexp(0, np.where(right, -1, 1) * sharpness * logits))


def test_a_fall_of_the_loss_is_that_of_the_mean_and_reverses_with_its_sides() -> None:
    random = np.random.default_rng(0)
    logits = np.abs(random.normal(4, 2, 1000))
    right = random.random(1000) < 1 / (1 + np.exp(-logits))
    before, after = losses(logits, right, 2), losses(logits, right, 1)
    low, high = loss_fall_interval(before, after)

    assert 0 < low < float((before - after).mean()) < high
    assert loss_fall_interval(after, before) == pytest.approx((-high, -low))
    assert loss_fall_interval(before, before) == (0.0, 0.0)
    assert loss_fall_interval(before[:1], after[:1]) == (-math.inf, math.inf)


def test_without_skewness_the_interval_is_students() -> None:
    falls = np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) + 0.5
    reach = 2.776445 * math.sqrt(2.5 / 5)
    assert loss_fall_interval(falls, np.zeros(5)) == pytest.approx((0.5 - reach, 0.5 + reach))


@pytest.mark.parametrize(("size", "n"), [(4, 100), (4, 1000), (7, 1000)])
def test_the_same_loss_is_seldom_taken_for_a_better_or_a_worse_one(size: float, n: int) -> None:
    # Too sharp and too flat by amounts that cost a calibrated network the same.
    random = np.random.default_rng(1)
    many = np.abs(random.normal(size, size / 2, 200_000))
    chance = 1 / (1 + np.exp(-many))

    def expected(sharpness: float) -> float:
        hit, miss = (losses(many, np.full(len(many), r), sharpness) for r in (True, False))
        return float((chance * hit + (1 - chance) * miss).mean())

    flat = brentq(lambda k: expected(k) - expected(1.4), 0.1, 1.0)
    fell = rose = 0
    for _ in range(1000):
        logits = np.abs(random.normal(size, size / 2, n))
        right = random.random(n) < 1 / (1 + np.exp(-logits))
        low, high = loss_fall_interval(losses(logits, right, 1.4), losses(logits, right, flat))
        fell, rose = fell + (low > 0), rose + (high < 0)
    # 2.5% each; Student's own interval calls 9 in 100 worse at a hundred digits.
    assert max(fell, rose) <= 55


def test_a_calibrated_network_is_within_luck_and_an_overconfident_one_is_not() -> None:
    generator = np.random.default_rng(0)
    sure = generator.uniform(0.5, 1, size=2000)
    luck = error_by_luck(sure, repeats=200)
    honest = generator.random(2000) < sure
    boastful = generator.random(2000) < sure - 0.1

    assert expected_calibration_error(sure, honest) < luck
    assert expected_calibration_error(sure, boastful) > 2 * luck


def test_the_coverage_curve_is_that_of_a_count_by_hand() -> None:
    curve = coverage_curve([0.9, 0.6, 0.8, 0.6], [True, False, False, True])

    assert curve.threshold.tolist() == [0.9, 0.8, 0.6]
    assert curve.coverage.tolist() == [0.25, 0.5, 1.0]
    assert curve.accuracy.tolist() == [1.0, 0.5, 0.5]
    assert [curve.accuracy_at(c) for c in (0.1, 0.25, 0.3, 1.0)] == [1.0, 1.0, 0.5, 0.5]


def test_the_threshold_is_the_one_that_answers_most() -> None:
    sure = [0.9, 0.8, 0.7, 0.6, 0.5]
    found = threshold_for_precision(sure, [1, 0, 1, 1, 0], precision=0.75)

    assert found.threshold == 0.6
    assert (found.precision, found.coverage, found.n) == (0.75, 0.8, 5)


def test_a_precision_that_no_threshold_gives_is_refused() -> None:
    with pytest.raises(InputError, match=r"99\.0%"):
        threshold_for_precision([0.9, 0.8], [False, True], precision=0.99)


def test_arrays_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="not \\(N,\\) twice"):
        reliability([0.5, 0.5], [True])
