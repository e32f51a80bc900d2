"""Made studies by cross-validation: how often do the intervals say what is not so?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from taller_cnn.study.analysis import QuestionAnalysis
from taller_cnn.study.analysis.analyse import analyse_question

pytestmark = pytest.mark.slow

STUDIES = 1000
LEVELS, FOLDS = 9, 5
DIGITS = 600
Errors = np.ndarray
"""Fractions wrong, ``[levels, seeds]``."""


def most_allowed(studies: int, rate: float = 0.05) -> int:
    """False verdicts at a rate that a one-sided binomial test at 1% lets pass."""
    return int(stats.binom.isf(0.01, studies, rate))


def analysed(errors: Errors, folds: int) -> QuestionAnalysis:
    """The analysis of a question of one factor with these errors."""
    levels, seeds = errors.shape
    count = levels * seeds
    level = np.repeat(np.arange(levels), seeds)
    constant = {
        "value_a": np.nan,
        "value_b": np.nan,
        "level_b": None,
        "regime": "own",
        "rate": 1.0,
        "status": "ok",
        "parameters": 1.0,
        "macs": 1.0,
        "epochs": 2.0,
        "folds": folds,
        "test_error": np.nan,
        "seen_error": np.nan,
        "gap": np.nan,
        "train_seconds": 1.0,
        "peak_memory_mb": 1.0,
        "validation_wrong": None,
    }
    table = pd.DataFrame(
        {
            "level_a": [str(number) for number in level],
            "is_reference": level == 0,
            "seed": np.tile(np.arange(seeds), levels),
            "validation_error": errors.ravel(),
            **{name: [value] * count for name, value in constant.items()},
        }
    )
    return analyse_question("own", ("own",), table)


def by_digits(random: np.random.Generator, rise: float = 0.0, repeats: int = 1) -> Errors:
    """Networks judged by folds of digits of very unequal difficulty.

    Each level finds other digits of a fold hard, in all its trainings; each training is a little
    better or worse than the next. The second level's error is higher by the share `rise`.
    """
    common = random.gamma(0.1, 10, (1, FOLDS, 1, DIGITS))
    own = random.gamma(0.3, 1 / 0.3, (LEVELS, FOLDS, 1, DIGITS))
    luck = np.exp(random.normal(0, 0.1, (LEVELS, FOLDS, repeats, 1)))
    worse = 1 + rise * (np.arange(LEVELS) == 1)[:, None, None, None]
    chance = np.minimum(0.01 * common * own * luck * worse, 1)
    errors = (random.random(chance.shape) < chance).mean(axis=-1)
    return errors.transpose(0, 2, 1).reshape(LEVELS, repeats * FOLDS)


def by_learners(random: np.random.Generator, digits: int, inputs: int, shared: int = 0) -> Errors:
    """Linear classifiers that are really trained on the other folds.

    Each level sees inputs of its own besides the shared ones; all inputs say equally much, so that
    no level is better than another over all data that there could be.
    """
    classes = random.choice([-1.0, 1.0], digits)
    signal = 1 / np.sqrt(inputs + shared)
    fold = np.arange(digits) % FOLDS
    drawn = signal * classes[:, None] + random.standard_normal((4, digits, inputs + shared))
    drawn[:, :, :shared] = drawn[0, :, :shared]
    errors = np.empty((4, FOLDS))
    for level, part in np.ndindex(errors.shape):
        inside, outside = fold != part, fold == part
        x = drawn[level, inside]
        gram = x.T @ x + 1e-3 * np.eye(x.shape[1])
        weights = np.linalg.solve(gram, x.T @ classes[inside])
        errors[level, part] = (drawn[level, outside] @ weights * classes[outside] < 0).mean()
    return errors


def false_verdicts(make: Callable[[np.random.Generator], Errors], studies: int) -> int:
    """How many of the studies claim an effect where there is none."""
    random = np.random.default_rng(0)
    claims = 0
    for _ in range(studies):
        effects = analysed(make(random), FOLDS).effects
        claims += any(effect.error.verdict in ("better", "worse") for effect in effects)
    return claims


@pytest.mark.parametrize("repeats", [1, 2])
def test_without_any_effect_at_most_one_study_in_twenty_claims_one(repeats: int) -> None:
    def make(random: np.random.Generator) -> Errors:
        return by_digits(random, repeats=repeats)

    assert false_verdicts(make, STUDIES) <= most_allowed(STUDIES)


@pytest.mark.parametrize(
    ("digits", "inputs", "shared", "rate"),
    [
        (500, 10, 0, 0.05),
        (500, 10, 10, 0.05),
        # 60 weights from 96 digits: what is learned hangs on the very digits, so does the error.
        (120, 60, 0, 0.1),
    ],
)
def test_folds_that_share_what_they_train_on_make_few_effects(
    digits: int, inputs: int, shared: int, rate: float
) -> None:
    def make(random: np.random.Generator) -> Errors:
        return by_learners(random, digits, inputs, shared)

    claims = false_verdicts(make, STUDIES)
    assert claims <= most_allowed(STUDIES, rate), claims


def test_the_intervals_contain_all_true_differences_in_nineteen_of_twenty_studies() -> None:
    rise = 0.5
    large = [
        by_digits(np.random.default_rng(seed), rise).mean(axis=1) for seed in range(1000, 3000)
    ]
    levels = np.mean(large, axis=0)
    true = 100 * np.append(levels[1] - levels[[0, *range(2, LEVELS)]].mean(), np.zeros(LEVELS - 2))
    random = np.random.default_rng(1)
    missed = 0
    for _ in range(STUDIES):
        errors = [effect.error for effect in analysed(by_digits(random, rise), FOLDS).effects]
        missed += any(not e.low <= t <= e.high for e, t in zip(errors, true, strict=True))
    assert missed <= most_allowed(STUDIES)
