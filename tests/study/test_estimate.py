"""How long trials are said to take."""

from __future__ import annotations

import pytest

from taller_cnn.study import Trial, build, default_plan
from taller_cnn.study.estimate import Clock, Evaluated, calibration_trials

EVALUATED = Evaluated(validation=5000, test=10_000)
TRIALS = build(default_plan(), available=55_000, checksum="digits").trials()


def true_seconds(trial: Trial) -> float:
    return EVALUATED.work(trial) * (5e-5 + 8e-11 * trial.macs)


def test_the_calibration_takes_a_small_and_a_large_network_of_the_quicker_regime() -> None:
    small, large = calibration_trials(TRIALS, EVALUATED)
    assert small.macs == min(trial.macs for trial in TRIALS)
    assert large.macs == max(trial.macs for trial in TRIALS)
    assert large.train.recipe == "quick"


def test_networks_that_are_all_alike_need_one_trial() -> None:
    dropout = [trial for trial in TRIALS if trial.train.recipe == "workshop"]
    assert len(calibration_trials(dropout, EVALUATED)) == 1
    assert calibration_trials([], EVALUATED) == ()


def test_two_trials_tell_how_long_all_of_them_take() -> None:
    clock = Clock(EVALUATED)
    clock.calibrate([(t, true_seconds(t)) for t in calibration_trials(TRIALS, EVALUATED)])
    for trial in TRIALS:
        assert clock.seconds(trial) == pytest.approx(true_seconds(trial))
    assert clock.left(TRIALS, 2) == pytest.approx(sum(map(true_seconds, TRIALS)) / 2)


def test_a_trial_that_took_no_longer_than_a_smaller_one_gives_no_negative_time() -> None:
    clock = Clock(EVALUATED)
    small, large = calibration_trials(TRIALS, EVALUATED)
    clock.calibrate([(small, 10.0), (large, 5.0)])
    assert min(map(clock.seconds, TRIALS)) > 0


def test_the_estimate_learns_from_what_trials_take() -> None:
    clock = Clock(EVALUATED)
    small, large = calibration_trials(TRIALS, EVALUATED)
    clock.calibrate([(small, true_seconds(small)), (large, true_seconds(large))])
    for trial in TRIALS[:5]:
        clock.learn(trial, 2 * true_seconds(trial))
    assert clock.seconds(TRIALS[-1]) == pytest.approx(2 * true_seconds(TRIALS[-1]))


def test_many_workers_are_not_faster_than_the_longest_trial() -> None:
    clock = Clock(EVALUATED)
    longest = max(map(clock.seconds, TRIALS))
    assert clock.left(TRIALS, 10_000) == pytest.approx(longest)
    assert clock.left([], 2) == 0
