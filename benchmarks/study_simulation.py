"""Thousands of made studies: how often do a study's verdicts and intervals say what is not so?

    python benchmarks/study_simulation.py [--studies 2000] [--digits 4000] [--only tied ...]

Each study crosses filters and layers, 12 levels with 12 seeds. Its trials are answers to digits
that are drawn anew for each study, as its seeds are: whether the network of level l and seed s gets
digit i wrong is drawn from a probit model with effects of the level, the seed, the level's seed,
the digit and the level's digit. (The crossed random effects of studies with many readers and many
cases: Dorfman, Berbaum and Metz 1992, *Investigative Radiology* 27.) Expected errors over all
seeds and digits follow exactly, so that it is known what an interval should hold. Learning rates
are chosen by two pilots on digits of their own.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.study.analysis import analyse_question
from taller_cnn.study.analysis.contrasts import bend_contrasts, effect_weights, trend_contrasts
from taller_cnn.study.plan import DEFAULT_REGIMES
from taller_cnn.study.results import QuestionAnalysis, QuestionResults
from taller_cnn.study.trial import Trial

Floats = npt.NDArray[np.float64]

FILTERS = {"x1/4": 0.25, "x1/2": 0.5, "x1": 1.0, "x2": 2.0}
LAYERS = {"1": 1.0, "2": 2.0, "3": 3.0}
CELLS = tuple(itertools.product(FILTERS, LAYERS))
REFERENCE = ("x1", "2")
RATES = np.array([1 / 3, 1.0, 3.0])
PILOTS = 2
VALIDATION = 5000
ERROR = 0.03

DIGIT, LEVEL_DIGIT, SEED, LEVEL_SEED = 3.0, 0.5, 0.1, 0.1
"""Standard deviations of the probit model, whose chance of one answer is 1. Two seeds of a level
disagree on 2% of the digits, and errors spread by 0.2 points from seed to seed."""


@dataclass(frozen=True, kw_only=True)
class World:
    """What is true of the 12 levels of a study."""

    errors: Floats = field(default_factory=lambda: np.full((len(CELLS), 1), ERROR))
    """Expected error of each level at each rate, ``[L, R]``; one column: there are no pilots."""
    spreads: Floats = field(default_factory=lambda: np.ones(len(CELLS)))
    """How the spread of a level's seeds compares with the others', ``[L]``."""


def answers(
    errors: Floats, spreads: Floats, seeds: int, digits: int, random: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Which digits are wrong, ``[C, seeds, digits]``, of C cells with these expected errors."""
    from scipy import stats

    def normal(*shape: int) -> npt.NDArray[np.float32]:
        return random.standard_normal(shape, dtype=np.float32)

    own = (LEVEL_SEED * spreads).astype(np.float32)
    total = np.sqrt(1 + DIGIT**2 + LEVEL_DIGIT**2 + SEED**2 + own**2)
    level = (total * stats.norm.ppf(errors)).astype(np.float32)
    trained = level[:, None] + SEED * normal(1, seeds) + own[:, None] * normal(len(errors), seeds)
    judged = DIGIT * normal(1, digits) + LEVEL_DIGIT * normal(len(errors), digits)
    latent = normal(len(errors), seeds, digits)
    latent += trained[:, :, None]
    latent += judged[:, None, :]
    return np.asarray(latent > 0)


def pilots(world: World, random: np.random.Generator) -> Floats:
    """Errors of the pilots on the validation digits, ``[L, R, P]``."""
    shape = world.errors.shape
    spreads = np.repeat(world.spreads, shape[1])
    wrong = answers(world.errors.ravel(), spreads, PILOTS, VALIDATION, random)
    return np.asarray(wrong.mean(axis=2).reshape(*shape, PILOTS))


def made_study(
    world: World, seeds: int, digits: int, random: np.random.Generator
) -> tuple[QuestionResults, Floats]:
    """A study's results, and the expected error of each level at the rate that it chose, ``[L]``."""
    tuned = world.errors.shape[1] > 1
    tried = pilots(world, random) if tuned else np.empty((len(CELLS), 0, 0))
    choice = tried.mean(axis=2).argmin(axis=1) if tuned else np.zeros(len(CELLS), dtype=int)
    true = world.errors[np.arange(len(CELLS)), choice]
    wrong = answers(true, world.spreads, seeds, digits, random)
    errors = wrong.mean(axis=2)
    nothing = np.zeros(errors.shape, dtype=bool)
    unknown = np.full(errors.shape, math.nan)
    results = QuestionResults(
        name="filters-x-layers",
        factors=("filters", "layers"),
        regime_name="short",
        regime=DEFAULT_REGIMES["short"],
        training=Trial(model=ModelConfig(), train=TrainConfig(), train_n=10_000, judges=digits),
        reference=REFERENCE,
        levels=CELLS,
        values=tuple((FILTERS[filters], LAYERS[layers]) for filters, layers in CELLS),
        parameters=np.ones(len(CELLS), dtype=int),
        macs=np.ones(len(CELLS), dtype=int),
        seeds=tuple(range(seeds)),
        rates=RATES if tuned else np.empty(0),
        pilot_errors=tried,
        pilot_failed=np.zeros(tried.shape, dtype=bool),
        pilot_missing=np.zeros(tried.shape, dtype=bool),
        chosen=RATES[choice] if tuned else np.ones(len(CELLS)),
        errors=errors,
        seen_errors=unknown,
        failed=nothing,
        missing=nothing,
        wrong=np.packbits(wrong, axis=2),
        judged_n=digits,
        pilot_n=VALIDATION if tuned else 0,
        train_seconds=unknown,
        peak_memory_mb=unknown,
        curves=((None,) * seeds,) * len(CELLS),
    )
    return results, true


def studies(
    world: World, count: int, *, seeds: int = 12, digits: int = 4000, start: int = 0
) -> Iterator[tuple[QuestionAnalysis, Floats]]:
    """Analyses of made studies, each with the expected error of its levels, ``[L]``."""
    random = np.random.default_rng(start)
    for _ in range(count):
        results, true = made_study(world, seeds, digits, random)
        yield analyse_question(results), true
