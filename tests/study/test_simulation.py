"""Thousands of made studies: how often does the analysis say what is not so, or miss what is?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from taller_cnn.study.analysis import QuestionAnalysis, analyse

pytestmark = pytest.mark.slow

STUDIES = 2000
SD = 0.002
Table = pd.DataFrame


@dataclass(frozen=True)
class Simulation:
    """The default study's design, whose results are drawn again for each study."""

    table: Table

    def studies(
        self,
        count: int,
        *,
        expected: Callable[[Table], Any] = lambda table: 0.0,
        sd: Callable[[Table], Any] = lambda table: 1.0,
        seed: int = 0,
    ) -> Iterator[dict[str, QuestionAnalysis]]:
        """The analyses of `count` studies, by the name of the question.

        Args:
            count: studies.
            expected: what each trial's validation error is expected to be above 3%.
            sd: how its spread compares with 0.2 points.
            seed: of the draws.
        """
        random = np.random.default_rng(seed)
        table = self.table
        mean, spread = 0.03 + expected(table), SD * sd(table)
        trial = pd.factorize(table["question"] + "/" + table["seed"].astype(str))[0]
        for _ in range(count):
            block = random.normal(0, SD, trial.max() + 1)[trial]
            error = mean + block + spread * random.standard_normal(len(table))
            gap = 0.5 * error + SD * random.standard_normal(len(table))
            made = analyse(table.assign(validation_error=error, gap=gap))
            yield {question.name: question for question in made.questions}


@pytest.fixture(scope="module")
def simulation(maker: Any) -> Simulation:
    return Simulation(maker.default().assign(validation_wrong=None))


def says_something(question: QuestionAnalysis) -> bool:
    """Whether any of its verdicts claims an effect."""
    estimates = [x.error for x in (*question.effects, *question.trends)]
    estimates += [x.gap for x in (*question.effects, *question.trends) if x.gap]
    return any(estimate.verdict in ("better", "worse") for estimate in estimates)


@dataclass
class Tally:
    """What studies said, by the name of the question."""

    claims: dict[str, int]
    """How many claimed something."""
    detectable: dict[str, float]
    """The effect that they said they could detect, a fraction; the middle one."""


def tally(simulation: Simulation, null: str, count: int) -> Tally:
    """What `count` studies without any effect say."""
    expected, sd = NULLS[null]
    claims: dict[str, int] = {}
    detectable: dict[str, list[float]] = {}
    for study in simulation.studies(count, expected=expected, sd=sd):
        for name, question in study.items():
            claims[name] = claims.get(name, 0) + says_something(question)
            detectable.setdefault(name, []).append(question.detectable / 100)
    return Tally(claims, {name: float(np.median(sizes)) for name, sizes in detectable.items()})


@pytest.fixture(scope="module")
def plain(simulation: Simulation) -> Tally:
    """Studies whose learning rate is clear and whose levels are all alike."""
    return tally(simulation, "best", STUDIES)


def most_allowed(studies: int) -> int:
    """False verdicts at 5% that a one-sided binomial test at 1% lets pass."""
    return int(stats.binom.isf(0.01, studies, 0.05))


def rates_alike(table: Table) -> Any:
    return 0.0


def one_rate_best(table: Table) -> Any:
    return 0.02 * (table["rate"] != 1).to_numpy()


def reference_needs_its_rate(table: Table) -> Any:
    """The choice of the rate flatters every level but the reference."""
    return 0.02 * ((table["rate"] != 1) & table["is_reference"].astype(bool)).to_numpy()


def reference_takes_any_rate(table: Table) -> Any:
    """The choice of the rate flatters the reference alone."""
    return 0.02 * ((table["rate"] != 1) & ~table["is_reference"].astype(bool)).to_numpy()


def equal(table: Table) -> Any:
    return 1.0


def one_level_spreads_more(table: Table) -> Any:
    odd = table["level_a"].isin(["x1/4", "1", "0"]) & table["level_b"].isin(["1", None])
    return np.where(odd, 3.0, 1.0)


def reference_spreads_more(table: Table) -> Any:
    return np.where(table["is_reference"].astype(bool), 2.0, 1.0)


def spread_grows(table: Table) -> Any:
    """Six times as much at one end as at the other."""
    rank = table.groupby("question")["value_a"].rank("dense")
    return 0.4 * 6 ** ((rank - 1) / (rank.groupby(table["question"]).transform("max") - 1))


NULLS = {
    "alike": (rates_alike, equal),
    "best": (one_rate_best, equal),
    "flattered": (reference_needs_its_rate, equal),
    "harmed": (reference_takes_any_rate, equal),
    "odd": (one_rate_best, one_level_spreads_more),
    "reference": (one_rate_best, reference_spreads_more),
    "grows": (one_rate_best, spread_grows),
}


def test_without_any_effect_at_most_one_question_in_twenty_claims_one(plain: Tally) -> None:
    assert len(plain.claims) == 4
    assert max(plain.claims.values()) <= most_allowed(STUDIES), plain.claims


@pytest.mark.parametrize("null", ["alike", "flattered", "harmed"])
def test_choosing_the_learning_rate_on_the_same_seeds_makes_no_effects(
    null: str, simulation: Simulation
) -> None:
    count = STUDIES // 5
    claims = tally(simulation, null, count).claims
    assert max(claims.values()) <= most_allowed(count), claims


@pytest.mark.parametrize("null", ["odd", "reference", "grows"])
def test_levels_that_spread_unequally_do_not_make_false_verdicts_common(
    null: str, simulation: Simulation
) -> None:
    # Pooled errors alone come to 12% to 25% here; nothing keeps 5% with four seeds and any spread.
    count = STUDIES // 8
    claims = tally(simulation, null, count).claims
    assert max(claims.values()) <= stats.binom.isf(0.01, count, 0.07), claims


def test_an_effect_of_the_size_said_to_be_detectable_is_found_in_three_of_four_studies(
    simulation: Simulation, plain: Tally
) -> None:
    better = {
        "filters-x-layers": ("x2", "3"),
        "filters-fc1": ("x2",),
        "layers-fc1": ("3",),
        "dropout": ("0.5",),
    }

    def one_level_better(table: Table) -> Any:
        effect = np.zeros(len(table))
        for name, levels in better.items():
            own = (table["question"] == name) & (table["level_a"] == levels[0])
            own &= table["level_b"].isin([levels[1] if len(levels) > 1 else None])
            effect[own] = plain.detectable[name]
        return one_rate_best(table) - effect

    count = STUDIES // 2
    found = dict.fromkeys(better, 0)
    for study in simulation.studies(count, expected=one_level_better, seed=1):
        for name, levels in better.items():
            effect = next(e for e in study[name].effects if e.levels == levels)
            found[name] += effect.error.verdict == "better"
    assert min(found.values()) >= 0.75 * count, found
