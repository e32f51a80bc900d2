"""Hundreds of made studies: how often does the analysis say what is not so, or miss what is?

`benchmarks/study_simulation.py` has the worlds, and does the same with thousands.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import stats

from taller_cnn.study.analysis.inference import compare
from taller_cnn.study.analysis.model import BlockModel, digits_covariance

pytestmark = pytest.mark.slow

STUDIES = 300
SIZE = {"seeds": 12, "digits": 2000}


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "study_simulation.py"
    spec = importlib.util.spec_from_file_location("study_simulation", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["study_simulation"] = module
    spec.loader.exec_module(module)
    return module


def most_allowed(studies: int, rate: float = 0.05) -> int:
    """What happens at a rate that a one-sided binomial test at 1% lets pass."""
    return int(stats.binom.isf(0.01, studies, rate))


@pytest.mark.parametrize(
    "world",
    [
        "one rate",
        "rates tie",
        "one rate dominates",
        "one level spreads x3",
        "reference spreads x3",
        "spreads grow x6",
    ],
)
def test_without_any_effect_at_most_one_study_in_twenty_claims_one(
    world: str, simulation: ModuleType
) -> None:
    total = simulation.tally(simulation.WORLDS[world], STUDIES, **SIZE)
    assert total.false <= most_allowed(STUDIES)
    assert total.covered >= STUDIES - most_allowed(STUDIES)
    assert total.interactions <= most_allowed(STUDIES)
    assert total.log_odds_interactions <= most_allowed(STUDIES)
    # Intervals that always held would be too wide.
    assert total.covered < STUDIES


def test_intervals_hold_where_levels_and_rates_differ(simulation: ModuleType) -> None:
    for world in ("levels differ", "rates differ by 0.3 points"):
        total = simulation.tally(simulation.WORLDS[world], STUDIES // 2, **SIZE)
        assert total.covered >= STUDIES // 2 - most_allowed(STUDIES // 2), world


def test_an_effect_of_the_size_said_to_be_detectable_is_found_in_three_of_four_studies(
    simulation: ModuleType,
) -> None:
    without = simulation.tally(simulation.WORLDS["one rate dominates"], 20, **SIZE)
    world = simulation.with_effect(float(np.median(without.detectable)))
    total = simulation.tally(world, STUDIES, better=simulation.BETTER, start=1, **SIZE)
    assert total.detected >= 0.75 * STUDIES


def test_intervals_over_seeds_alone_would_not_hold_for_other_digits(
    simulation: ModuleType,
) -> None:
    # What the part of the digits is there for: without it the same studies are often wrong.
    wrong = 0
    for question, true in simulation.studies(simulation.World(), 60, seeds=12, digits=1000):
        estimates, weights = simulation.estimates_and_weights(question)
        off = [
            abs(e.value - t) > question.critical * e.seeds_error
            for e, t in zip(estimates, weights @ (100 * true), strict=True)
        ]
        wrong += any(off)
    assert wrong > most_allowed(60)


def test_counted_twice_one_seed_s_chance_on_one_digit_would_add_a_quarter_to_the_variance(
    simulation: ModuleType,
) -> None:
    more = []
    for question, _ in simulation.studies(simulation.World(), 20, seeds=12, digits=4000):
        results = question.results
        covariance = digits_covariance(results.wrong, results.judged_n)
        model = BlockModel.of(100 * results.errors, covariance)
        assert model is not None
        weights = simulation.estimates_and_weights(question)[1][:11]
        on_measurements = model.measurement_weights(weights)
        twice = on_measurements @ (model.digits - model.shared_digits) @ on_measurements.T
        errors = np.array([effect.error.standard_error for effect in question.effects])
        more.append(np.mean(np.diag(twice) / errors**2))
    assert 0.2 < np.mean(more) < 0.3


@pytest.mark.parametrize(
    ("spreads", "rate"),
    [([1.0] * 12, 0.05), ([3.0, *[1.0] * 11], 0.07), ([*[1.0] * 11, 3.0], 0.05)],
    ids=["equal", "reference x3", "one level x3"],
)
def test_four_seeds_are_enough_for_levels_that_spread_unequally(
    spreads: list[float], rate: float
) -> None:
    # The table of `inference`: pooled errors alone come to 13% and 25% here. Digits are given.
    against_first = np.column_stack([-np.ones(11), np.eye(11)])
    random = np.random.default_rng(0)
    wrong = 0
    for _ in range(2 * STUDIES):
        y = random.normal(size=4) + np.array(spreads)[:, None] * random.normal(size=(12, 4))
        estimates = compare(BlockModel.of(y), against_first, 0.05).estimates
        wrong += any(e is not None and e.verdict != "unclear" for e in estimates)
    assert wrong <= most_allowed(2 * STUDIES, rate)
