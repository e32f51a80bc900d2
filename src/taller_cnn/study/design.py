"""From the questions of a plan to the trials that answer them.

A design is adaptive: each level first looks for its learning rate with pilots, judged by the
validation digits, and is then compared at that rate alone, with other seeds and by other digits.
Which trials come next follows from the results so far and from nothing else, so that a study that
is stopped and goes on comes to the same trials.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from taller_cnn.errors import Phrase, UsageError
from taller_cnn.study.factors import (
    RATE_CHANGE,
    SIZE_CHANGE,
    Factor,
    Level,
    model_of,
    train_of,
)
from taller_cnn.study.plan import Plan, QuestionPlan, Regime, refuse_undoing
from taller_cnn.study.trial import (
    TRAINING_REVISION,
    Cell,
    StudyDigits,
    Trial,
    TrialResult,
    with_rate,
)

PILOT_SEEDS = (1000, 1001)
"""Seeds of pilots; none of the trials that are compared has one of them."""
RATE_GRID = tuple(float(Fraction(3) ** power) for power in range(-3, 4))
"""Multiples of the recipe's learning rate at which pilots may run, from low to high."""
FIRST_RATES = RATE_GRID[3:5]
"""x1 and x3, where most networks have their best. Every level that looks for its learning rate
begins with them; the better one is at an edge, so that a third follows."""

Results = Mapping[str, TrialResult]
"""What was run, by the trial's key."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One family of comparisons that is answered together."""

    name: str
    factors: tuple[str, ...]
    regime: Regime
    """With the numbers of digits and the arithmetic that it comes to with these digits."""
    regime_name: str
    reference: tuple[str, ...]
    """Levels of the workshop's network."""
    cells: tuple[Cell, ...]
    seeds: tuple[int, ...]
    """Of the trials that are compared."""
    pilot_seeds: tuple[int, ...]
    """Of the pilots; empty where no cell has a learning rate to choose."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """All trials of a study, by the question they help to answer."""

    name: str
    questions: tuple[Question, ...]
    digits: StudyDigits
    plan: Plan = field(repr=False)
    notices: tuple[Phrase, ...] = ()
    """What is not as it was asked for."""

    @cached_property
    def hash(self) -> str:
        """What stands for the plan and the digits: 16 hexadecimal digits."""
        facts = [self.plan.to_dict(), vars(self.digits), TRAINING_REVISION]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def seeds(self) -> int:
        """Most trials that any level is compared by."""
        return max(len(question.seeds) for question in self.questions)

    def key(self, trial: Trial) -> str:
        """The key under which results have the trial."""
        if trial not in self._keys:
            self._keys[trial] = trial.key(self.digits.checksum)
        return self._keys[trial]

    @cached_property
    def _keys(self) -> dict[Trial, str]:
        """Keys that were asked for; they are asked for after every result."""
        return {}

    def tried_rates(self, cell: Cell, results: Results) -> tuple[float, ...]:
        """Multiples of the learning rate that a cell's pilots run at, from low to high.

        More follow as long as the best one is at an edge and `RATE_GRID` goes on.
        """
        rates = cell.rates
        while cell.extends:
            best = self._best_rate(cell, rates, results)
            if best == rates[0] != RATE_GRID[0]:
                rates = (RATE_GRID[RATE_GRID.index(best) - 1], *rates)
            elif best == rates[-1] != RATE_GRID[-1]:
                rates = (*rates, RATE_GRID[RATE_GRID.index(best) + 1])
            else:
                break
        return rates

    def chosen_rate(self, cell: Cell, results: Results) -> float | None:
        """The multiple of the learning rate at which a cell is compared.

        Of those that were tried, the one with the fewest failures and then the fewest mistakes;
        None as long as a pilot is missing.
        """
        if not cell.has_pilots:
            return cell.rates[0]
        return self._best_rate(cell, self.tried_rates(cell, results), results)

    def _best_rate(self, cell: Cell, rates: Sequence[float], results: Results) -> float | None:
        scores = []
        for rate in rates:
            pilots = [results.get(self.key(cell.pilot(rate, seed))) for seed in PILOT_SEEDS]
            ran = [pilot for pilot in pilots if pilot is not None]
            if len(ran) < len(pilots):
                return None
            errors = [pilot.pilot_errors for pilot in ran if pilot.pilot_errors is not None]
            mean = sum(errors) / len(errors) if errors else math.inf
            scores.append((len(ran) - len(errors), mean, rate))
        return min(scores)[2]

    def trials(self, results: Results) -> tuple[Trial, ...]:
        """Each trial that the results so far call for, once, in the order of the questions."""
        return tuple(dict.fromkeys(self._trials(results, is_guessing=False)))

    def next_trials(self, results: Results) -> list[Trial]:
        """The trials that can be run now and have no result yet."""
        return [trial for trial in self.trials(results) if self.key(trial) not in results]

    def expected_trials(self, results: Results) -> tuple[Trial, ...]:
        """As `trials`, and stand-ins for those that follow once the learning rates are chosen.

        Their number is a forecast: pilots at further rates may come, and cells that have the same
        trials in one question may have others in another.
        """
        return tuple(dict.fromkeys(self._trials(results, is_guessing=True)))

    def _trials(self, results: Results, *, is_guessing: bool) -> Iterator[Trial]:
        for question in self.questions:
            for cell in question.cells:
                for _, trial in self.cell_trials(question, cell, results):
                    yield trial
                if is_guessing and self.chosen_rate(cell, results) is None:
                    yield from self._stand_ins(question, cell, results)

    def _stand_ins(self, question: Question, cell: Cell, results: Results) -> Iterator[Trial]:
        """Trials in place of those that follow when a cell has chosen its learning rate."""
        if cell.extends and self.tried_rates(cell, results) == cell.rates:
            # The better one of two rates is at an edge.
            third = RATE_GRID[RATE_GRID.index(cell.rates[0]) - 1]
            for seed in question.pilot_seeds:
                yield cell.pilot(third, seed)
        middle = min(cell.rates, key=lambda rate: abs(math.log(rate)))
        for seed in question.seeds:
            yield cell.fresh(middle, seed)

    def cell_trials(
        self, question: Question, cell: Cell, results: Results
    ) -> Iterator[tuple[float, Trial]]:
        """A cell's trials that the results so far call for, each with its multiple of the rate."""
        if cell.has_pilots:
            for rate in self.tried_rates(cell, results):
                for seed in question.pilot_seeds:
                    yield rate, cell.pilot(rate, seed)
        chosen = self.chosen_rate(cell, results)
        if chosen is not None:
            for seed in question.seeds:
                yield chosen, cell.fresh(chosen, seed)


def build(plan: Plan, digits: StudyDigits) -> Design:
    """The trials that answer a plan's questions.

    Args:
        plan: what to find out.
        digits: what is trained on.

    Raises:
        UsageError: two crossed factors change the same thing, or one undoes what the other does, or
            too few digits for any level.
        ConfigError: a level is not a network or a training that there can be.
    """
    notices: list[Phrase] = []
    questions = [_question(plan, part, digits, notices) for part in plan.questions]
    return Design(
        name=plan.name,
        questions=_named_apart(questions),
        digits=digits,
        plan=plan,
        notices=tuple(notices),
    )


def _named_apart(questions: Iterable[Question]) -> tuple[Question, ...]:
    """The questions, with the regime in a name that would otherwise stand twice."""
    seen: dict[str, int] = {}
    named = []
    for question in questions:
        name = question.name
        if name in seen:
            name = f"{question.name}-{question.regime_name}"
        count = seen.get(name, 0)
        seen[name] = count + 1
        if count:
            name = f"{name}-{count + 1}"
            seen[name] = 1
        named.append(dataclasses.replace(question, name=name))
    return tuple(named)


def _question(
    plan: Plan, part: QuestionPlan, digits: StudyDigits, notices: list[Phrase]
) -> Question:
    factors = [plan.factors[name] for name in part.factors]
    regime_name = part.regime_of(plan.factors)
    regime = _with_digits(plan.regimes[regime_name], digits)
    teaching = digits.train_n - regime.judges
    levels = [
        _usable(factor, factor.chosen(part.levels.get(factor.name)), regime, teaching, notices)
        for factor in factors
    ]
    refuse_undoing(factors, levels)
    rates, extends = _rates_of(factors)
    cells = [_cell(regime, cell, rates, extends) for cell in itertools.product(*levels)]
    _refuse_same_trials(factors, cells)
    return Question(
        name="-x-".join(part.factors),
        factors=part.factors,
        regime=regime,
        regime_name=regime_name,
        reference=tuple(factor.reference for factor in factors),
        cells=tuple(cells),
        seeds=tuple(range(part.seeds or regime.seeds)),
        pilot_seeds=PILOT_SEEDS if any(cell.has_pilots for cell in cells) else (),
    )


def _with_digits(regime: Regime, digits: StudyDigits) -> Regime:
    """The regime with the numbers of digits that it comes to."""
    judges = digits.judging(regime.judges)
    teaching = digits.train_n - judges
    train_n = min(regime.train_n or teaching, teaching)
    return regime.model_copy(update={"judges": judges, "train_n": train_n})


def _rates_of(factors: Sequence[Factor]) -> tuple[tuple[float, ...], bool]:
    """The learning rates that every cell begins with, and whether more may follow.

    The recipe's alone where the rate itself is varied.
    """
    if any(RATE_CHANGE in level.settings for factor in factors for level in factor.levels):
        return (1.0,), False
    if any(factor.chooses_rates for factor in factors):
        return FIRST_RATES, True
    return tuple(sorted({rate for factor in factors for rate in factor.rates})) or (1.0,), False


def _usable(
    factor: Factor,
    levels: tuple[Level, ...],
    regime: Regime,
    teaching: int,
    notices: list[Phrase],
) -> tuple[Level, ...]:
    """The levels that there are enough digits for, and enough steps to see them all.

    A level that trained on fewer digits than its name says would be drawn in the wrong place.
    """
    most_seen = regime.steps * regime.batch_size
    reasons = (
        ("study_levels_left_out", "study_few_digits", teaching),
        ("study_levels_not_seen", "study_few_images", most_seen),
    )
    for notice, error, most in reasons:
        left_out = [level.name for level in levels if (level.train_n or 0) > most]
        if factor.reference in left_out:
            raise UsageError(error, factor=factor.name, value=most)
        if left_out:
            values = {"factor": factor.name, "levels": ", ".join(left_out), "available": most}
            phrase = Phrase(notice, values)
            notices += [phrase] if phrase not in notices else []
        levels = tuple(level for level in levels if level.name not in left_out)
    return levels


def _cell(regime: Regime, levels: Sequence[Level], rates: tuple[float, ...], extends: bool) -> Cell:
    settings = {key: value for level in levels for key, value in level.settings.items()}
    given = tuple(sorted({rate for level in levels for rate in level.rates}))
    return Cell(
        levels=tuple(level.name for level in levels),
        values=tuple(level.value for level in levels),
        base=_base_trial(regime, settings),
        rates=given or rates,
        extends=extends and not given,
    )


def _base_trial(regime: Regime, settings: Mapping[str, Any]) -> Trial:
    """The trial of these settings at x1 of the learning rate, with seed 0."""
    model, train = regime.configs()
    model = model.replace(**model_of(settings))
    train = with_rate(train.replace(**train_of(settings), seed=0), settings.get(RATE_CHANGE, 1))
    digits = regime.train_n
    if SIZE_CHANGE in settings:
        # The same number of steps, so that more digits are not also more training.
        digits = settings[SIZE_CHANGE]
        train = train.replace(epochs=regime.steps / math.ceil(digits / train.batch_size))
    if train.epochs < 1:
        # Only digits that are seen are drawn, so that the gap is taken on seen ones.
        digits = max(1, math.ceil(train.epochs * digits))
        train = train.replace(epochs=1.0)
    return Trial(model=model, train=train, train_n=digits, judges=regime.judges)


def _refuse_same_trials(factors: Sequence[Factor], cells: Sequence[Cell]) -> None:
    """Refuse crossed levels that come to the same trials: they would be compared as different.

    It happens where a change has nothing left to change, as that of the filters with one
    convolution whose filters are held.
    """
    if len(factors) < 2:
        return
    seen: dict[Trial, Cell] = {}
    for cell in cells:
        twin = seen.setdefault(cell.base, cell)
        if twin is not cell:
            raise UsageError(
                "study_same_trials",
                one=factors[0].name,
                other=factors[1].name,
                first=" + ".join(twin.levels),
                second=" + ".join(cell.levels),
            )
