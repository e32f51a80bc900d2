"""Thousands of made studies: how often do a study's verdicts and intervals say what is not so?

    python benchmarks/study_simulation.py [--studies 2000] [--seeds 12] [--digits 4000]

It takes about ten minutes on one core.

Each study crosses filters and layers, 12 levels with 12 seeds. Its trials are answers to digits
that are drawn anew for each study, as its seeds are: whether the network of level l and seed s gets
digit i wrong is drawn from a probit model with effects of the level, the seed, the level's seed,
the digit and the level's digit. (The crossed random effects of studies with many readers and many
cases: Dorfman, Berbaum and Metz 1992, *Investigative Radiology* 27.) Expected errors over all
seeds and digits follow exactly, so that it is known what an interval should hold. Learning rates
are chosen by two pilots on digits of their own. An interval should hold the difference of levels at
the rates that were chosen; a verdict is false if the levels do not differ at their best rates.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.study.analysis import analyse_question
from taller_cnn.study.analysis.contrasts import bend_contrasts, effect_weights, trend_contrasts
from taller_cnn.study.plan import DEFAULT_REGIMES
from taller_cnn.study.results import Estimate, QuestionAnalysis, QuestionResults
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
    """A study's results, and each level's expected error at the rate that it chose, ``[L]``."""
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


@dataclass
class Tally:
    """What the studies of one world came to."""

    studies: int = 0
    false: int = 0
    """Studies that claimed an effect where there is none, each level at its best rate."""
    covered: int = 0
    """Studies all of whose intervals hold what is true."""
    intervals: list[float] = field(default_factory=list)
    """Of each study, the part of its intervals that hold what is true."""
    detected: int = 0
    """Studies that found the effect that was said to be detectable."""
    interactions: int = 0
    log_odds_interactions: int = 0
    detectable: list[float] = field(default_factory=list)
    digits_share: list[float] = field(default_factory=list)
    """Of each study, the part of the effects' variance that is due to the digits."""


def estimates_and_weights(question: QuestionAnalysis) -> tuple[list[Estimate], Floats]:
    """A question's estimates ``[M]`` and the contrasts that they are of, ``[M, L]``."""
    trends = trend_contrasts(question.factors, question.levels)
    bends = bend_contrasts(question.factors, question.levels)
    estimates = [effect.error for effect in question.effects]
    estimates += [trend.error for trend in question.trends]
    estimates += [bend.error for bend in question.bends]
    weights = [effect_weights(question.levels), *(trend.weights for trend in trends)]
    return estimates, np.vstack([*weights, *(bend.above - bend.below for bend in bends)])


def tally(world: World, count: int, *, better: int | None = None, **size: int) -> Tally:
    """What `count` studies of a world say.

    Args:
        world: what is true.
        count: studies.
        better: number of a level that is truly better, which is to be found.
        size: of each study; see `studies`.
    """
    total = Tally(studies=count)
    for question, true in studies(world, count, **size):
        estimates, weights = estimates_and_weights(question)
        truth = weights @ (100 * true)
        has_effect = ~np.isclose(weights @ world.errors.min(axis=1), 0)
        low = np.array([estimate.low for estimate in estimates])
        high = np.array([estimate.high for estimate in estimates])
        inside = (low <= truth) & (truth <= high)
        claimed = (low > 0) | (high < 0)
        total.false += bool((claimed & ~has_effect).any())
        total.covered += bool(inside.all())
        total.intervals.append(float(inside.mean()))
        total.detectable.append(question.detectable)
        shares = [e.error.digits_error**2 / e.error.standard_error**2 for e in question.effects]
        total.digits_share.append(float(np.mean(shares)))
        if better is not None:
            names = CELLS[better]
            effect = next(effect for effect in question.effects if effect.levels == names)
            total.detected += effect.error.verdict == "better"
        if question.interaction is not None:
            total.interactions += question.interaction.points.notable
            total.log_odds_interactions += question.interaction.log_odds.notable
    return total


def rates(*errors: float) -> Floats:
    """The same errors of the three learning rates at every level, ``[L, R]``."""
    return np.tile(errors, (len(CELLS), 1))


def odd(level: int, factor: float) -> Floats:
    """Spreads of which one is larger, ``[L]``."""
    spreads = np.ones(len(CELLS))
    spreads[level] = factor
    return spreads


def growing_spreads() -> Floats:
    """Spreads of which the largest is six times the smallest, ``[L]``."""
    return 0.4 * 6 ** np.linspace(0, 1, len(CELLS))


def unequal_errors() -> Floats:
    """Fewer filters and fewer layers each make more mistakes, and multiply; ``[L, 1]``."""
    errors = [0.03 * FILTERS[f] ** -0.3 * LAYERS[layers] ** -0.4 for f, layers in CELLS]
    return np.array(errors)[:, None]


WORLDS = {
    "one rate": World(),
    "rates tie": World(errors=rates(ERROR, ERROR, ERROR)),
    "one rate dominates": World(errors=rates(2 * ERROR, ERROR, 2 * ERROR)),
    "rates differ by 0.3 points": World(errors=rates(ERROR + 0.003, ERROR, ERROR + 0.006)),
    "one level spreads x3": World(spreads=odd(0, 3)),
    "reference spreads x3": World(spreads=odd(CELLS.index(REFERENCE), 3)),
    "spreads grow x6": World(spreads=growing_spreads()),
    "levels differ": World(errors=unequal_errors()),
}
BETTER = CELLS.index(("x2", "3"))


def with_effect(points: float) -> World:
    """One level is better by so many points, at its best learning rate."""
    errors = rates(2 * ERROR, ERROR, 2 * ERROR)
    errors[BETTER] -= points / 100
    return World(errors=errors)


def percent(count: int, of: int) -> str:
    return f"{100 * count / of:.1f}%"


def row(name: str, total: Tally) -> list[str]:
    nothing = name == "levels differ" or total.detected
    interactions = (total.interactions, total.log_odds_interactions)
    return [
        name,
        "–" if nothing else percent(total.false, total.studies),
        percent(total.covered, total.studies),
        f"{100 * float(np.mean(total.intervals)):.1f}%",
        *("–" if nothing else percent(number, total.studies) for number in interactions),
        f"{float(np.median(total.detectable)):.2f}",
        f"{100 * float(np.mean(total.digits_share)):.0f}%",
        percent(total.detected, total.studies) if total.detected else "–",
    ]


HEADER = (
    "world",
    "studies with a false verdict",
    "studies whose intervals all hold",
    "intervals that hold",
    "interaction, points",
    "interaction, log odds",
    "detectable, points",
    "digits' part of the variance",
    "detectable effect found",
)


def main() -> None:
    from reporting import table, write_results

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--digits", type=int, default=4000)
    chosen = parser.parse_args()
    size = {"seeds": chosen.seeds, "digits": chosen.digits}
    rows = []
    points = math.nan
    for number, (name, world) in enumerate(WORLDS.items()):
        total = tally(world, chosen.studies, start=number, **size)
        if name == "one rate dominates":
            points = round(float(np.median(total.detectable)), 2)
        rows.append(row(name, total))
        print(*rows[-1], sep=" | ", flush=True)
    total = tally(with_effect(points), chosen.studies, better=BETTER, start=len(WORLDS), **size)
    rows.append(row(f"one level better by {points} points", total))
    chance = 1.96 * math.sqrt(0.05 * 0.95 / chosen.studies)
    body = (
        f"{chosen.studies} studies of each world, {len(CELLS)} levels, {chosen.seeds} seeds, "
        f"{chosen.digits} judging digits, expected error {ERROR:.0%}. Chance alone moves 5% of so "
        f"many studies by {100 * chance:.1f} points.\n\n" + table(HEADER, rows)
    )
    figures = {name: dict(zip(HEADER[1:], cells, strict=True)) for name, *cells in rows}
    title = "Made studies: what verdicts and intervals are worth"
    write_results("study-simulation", title, body, figures)


if __name__ == "__main__":
    main()
