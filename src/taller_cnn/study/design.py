"""From the questions of a plan to the trials that answer them."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.errors import Phrase, UsageError
from taller_cnn.model import describe
from taller_cnn.study.crossing import refuse_same_trials, refuse_undoing
from taller_cnn.study.factors import RATE_CHANGE, SIZE_CHANGE, Factor, Level, model_of, train_of
from taller_cnn.study.plan import Plan, QuestionPlan
from taller_cnn.study.regimes import Regime

if TYPE_CHECKING:
    import pandas as pd

    from taller_cnn.study.trial import TrialResult

TRAINING_REVISION = 2
"""Goes up when training, network or subset come to other numbers, and only then: results of
another revision are not compared with new ones. A test pins the numbers of a tiny training."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training inside a study."""

    model: ModelConfig
    train: TrainConfig
    train_n: int
    """Digits trained on, drawn by the trial's seed; the first n of the same order for every n."""
    folds: int = 0
    """Parts of all training digits of which one judges the trial; 0: the validation digits do."""

    @property
    def fold(self) -> int:
        """The part that judges the trial, the same for every level; only with `folds`."""
        return self.train.seed % self.folds

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types."""
        return {
            "model": self.model.to_dict(),
            "train": self.train.to_dict(),
            "train_n": self.train_n,
            **self._folds(),
        }

    def _folds(self) -> dict[str, int]:
        """The folds where there are any: trials without keep the form and the key they had."""
        return {"folds": self.folds} if self.folds else {}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Trial:
        """Back from `to_dict`."""
        return cls(
            model=ModelConfig.from_dict(value["model"]),
            train=TrainConfig.from_dict(value["train"]),
            train_n=int(value["train_n"]),
            folds=int(value.get("folds", 0)),
        )

    def key(self, data_checksum: str) -> str:
        """SHA-256 in hexadecimal of all that the trial's numbers depend on.

        Fields that have their default are left out, so that a new field whose default changes
        no number leaves the keys as they are. A test pins the defaults.
        """
        content = {
            "model": _changed(self.model),
            "train": _changed(self.train),
            "train_n": self.train_n,
            **self._folds(),
            "data": data_checksum,
            "revision": TRAINING_REVISION,
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    @cached_property
    def parameters(self) -> int:
        """Trainable parameters of the network."""
        return sum(row.parameters for row in describe(self.model))

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of the network for one image."""
        return sum(row.macs for row in describe(self.model))

    @property
    def steps(self) -> int:
        """Training steps."""
        return max(1, round(self.train.epochs * self.steps_per_epoch))

    @property
    def steps_per_epoch(self) -> int:
        """Training steps of one pass over the trial's digits."""
        return math.ceil(self.train_n / self.train.batch_size)

    @property
    def images(self) -> int:
        """Images trained on, each as often as it was seen."""
        return self.images_after(self.steps)

    @property
    def has_gap(self) -> bool:
        """Whether the error on seen digits is measured too.

        Only where digits are trained on more than once: otherwise there is nothing to overfit.
        Folds are for differences in the error that are small; the gap would take half of the
        probability that the intervals may be wrong.
        """
        return self.images > self.train_n and not self.folds

    def images_after(self, step: int) -> int:
        """Images trained on in the first `step` steps."""
        epochs, rest = divmod(step, self.steps_per_epoch)
        return epochs * self.train_n + rest * self.train.batch_size


@cache
def _defaults() -> Mapping[type, Mapping[str, Any]]:
    return {kind: kind().to_dict() for kind in (ModelConfig, TrainConfig)}


def _changed(config: ModelConfig | TrainConfig) -> dict[str, Any]:
    """The fields that do not have their default, without the name of the recipe."""
    default = _defaults()[type(config)]
    values = config.to_dict()
    return {k: v for k, v in values.items() if v != default[k] and k != "recipe"}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One level, or one pair of crossed levels, with its trials."""

    levels: tuple[str, ...]
    values: tuple[float | None, ...]
    rates: tuple[float, ...]
    """Multiples of the learning rate at which the cell runs."""
    trials: Mapping[tuple[float, int], Trial] = field(hash=False)
    """By learning-rate multiple and seed."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One family of comparisons that is answered together."""

    name: str
    factors: tuple[str, ...]
    regime: str
    reference: tuple[str, ...]
    """Levels of the workshop's network."""
    cells: tuple[Cell, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Design:
    """All trials of a study, by the question they help to answer."""

    name: str
    questions: tuple[Question, ...]
    seeds: tuple[int, ...]
    checksum: str
    """Of the digits."""
    hash: str
    """Stands for the plan and the digits: 16 hexadecimal digits."""
    plan: Plan = field(repr=False)
    notices: tuple[Phrase, ...] = ()
    """What is not as it was asked for."""

    def trials(self) -> tuple[Trial, ...]:
        """Each trial once, in the order of the questions."""
        cells = (cell for question in self.questions for cell in question.cells)
        return tuple(dict.fromkeys(trial for cell in cells for trial in cell.trials.values()))

    def key(self, trial: Trial) -> str:
        """The key under which the store has the trial."""
        if trial not in self._keys:
            self._keys[trial] = trial.key(self.checksum)
        return self._keys[trial]

    @cached_property
    def _keys(self) -> dict[Trial, str]:
        """Keys that were asked for; a table asks for each of them many times."""
        return {}

    @cached_property
    def regimes(self) -> Mapping[str, Regime]:
        """The regimes that the questions use, by name."""
        return {q.regime: self.plan.regimes[q.regime] for q in self.questions}

    def table(self, results: Mapping[str, TrialResult]) -> pd.DataFrame:
        """One row per question, cell, learning rate and seed; see `taller_cnn.study.table`."""
        from taller_cnn.study.table import tabulate

        return tabulate(self, results)


def build(plan: Plan, *, available: int, checksum: str, held_out: int = 0) -> Design:
    """The trials that answer a plan's questions.

    Args:
        plan: what to find out.
        available: training digits that there are, without the held-out ones.
        checksum: of the data set.
        held_out: digits held out for validation, which regimes with folds share out too.

    Raises:
        UsageError: two crossed factors change the same thing, or one undoes what the other does, or
            too few digits for any level.
        ConfigError: a level is not a network or a training that there can be.
    """
    notices: list[Phrase] = []
    digits = (available, held_out)
    questions = tuple(_question(plan, part, digits, notices) for part in plan.questions)
    content = json.dumps([plan.to_dict(), available, checksum, TRAINING_REVISION], sort_keys=True)
    return Design(
        name=plan.name,
        questions=_named_apart(questions),
        seeds=tuple(range(max(len(question.seeds) for question in questions))),
        checksum=checksum,
        hash=hashlib.sha256(content.encode()).hexdigest()[:16],
        plan=plan,
        notices=tuple(notices),
    )


def _named_apart(questions: tuple[Question, ...]) -> tuple[Question, ...]:
    """The questions, with the regime in a name that would otherwise stand twice."""
    seen: dict[str, int] = {}
    named = []
    for question in questions:
        name = question.name
        if name in seen:
            name = f"{question.name}-{question.regime}"
        count = seen.get(name, 0)
        seen[name] = count + 1
        if count:
            name = f"{name}-{count + 1}"
            seen[name] = 1
        named.append(dataclasses.replace(question, name=name))
    return tuple(named)


def _question(
    plan: Plan, part: QuestionPlan, digits: tuple[int, int], notices: list[Phrase]
) -> Question:
    factors = [plan.factors[name] for name in part.factors]
    regime_name = part.regime or _regime_of(factors)
    regime = plan.regimes[regime_name]
    available = regime.available(*digits)
    levels = [
        _usable(factor, factor.chosen(part.levels.get(factor.name)), available, notices)
        for factor in factors
    ]
    refuse_undoing(factors, levels)
    seeds = tuple(range(part.seeds or regime.seeds))
    rates = _rates_of(factors)
    cells = [
        _cell(regime, combination, rates, seeds, available)
        for combination in itertools.product(*levels)
    ]
    refuse_same_trials(factors, {cell.levels: cell.trials.values() for cell in cells})
    return Question(
        name="-x-".join(part.factors),
        factors=part.factors,
        regime=regime_name,
        reference=tuple(factor.reference for factor in factors),
        cells=tuple(cells),
        seeds=seeds,
    )


def _regime_of(factors: Iterable[Factor]) -> str:
    """The regime in which all factors can be judged: one that can overfit, if any needs it."""
    names = [factor.regime for factor in factors]
    return next((name for name in names if name != "short"), "short")


def _rates_of(factors: Iterable[Factor]) -> tuple[float, ...]:
    """Learning rates of every cell; the recipe's alone where the rate itself is varied."""
    if any(RATE_CHANGE in level.changes for factor in factors for level in factor.levels):
        return (1.0,)
    return tuple(sorted({rate for factor in factors for rate in factor.rates}))


def _usable(
    factor: Factor, levels: tuple[Level, ...], available: int, notices: list[Phrase]
) -> tuple[Level, ...]:
    """The levels that there are enough digits for."""
    kept = tuple(level for level in levels if level.changes.get(SIZE_CHANGE, 0) <= available)
    left_out = [level.name for level in levels if level not in kept]
    if factor.reference in left_out:
        raise UsageError("study_few_digits", factor=factor.name, value=available)
    if left_out:
        values = {"factor": factor.name, "levels": ", ".join(left_out), "available": available}
        notice = Phrase("study_levels_left_out", values)
        if notice not in notices:
            notices.append(notice)
    return kept


def _cell(
    regime: Regime,
    levels: tuple[Level, ...],
    rates: tuple[float, ...],
    seeds: tuple[int, ...],
    available: int,
) -> Cell:
    changes = {key: value for level in levels for key, value in level.changes.items()}
    rates = tuple(sorted({rate for level in levels for rate in level.rates})) or rates
    trials = {
        (rate, seed): _trial(regime, changes, rate, seed, available)
        for rate in rates
        for seed in seeds
    }
    return Cell(
        levels=tuple(level.name for level in levels),
        values=tuple(level.value for level in levels),
        rates=rates,
        trials=trials,
    )


def _trial(
    regime: Regime, changes: Mapping[str, Any], rate: float, seed: int, available: int
) -> Trial:
    model, train = regime.configs()
    model = model.replace(**model_of(changes))
    train = train.replace(**train_of(changes), seed=seed)
    train = _with_rate(train, changes.get(RATE_CHANGE, 1) * rate)
    digits = regime.digits(available)
    if SIZE_CHANGE in changes:
        # The same number of steps, so that more digits are not also more training.
        digits = changes[SIZE_CHANGE]
        train = train.replace(epochs=regime.steps(available) / math.ceil(digits / train.batch_size))
    if train.epochs < 1:
        # Only digits that are seen are drawn, so that the gap is taken on seen ones.
        digits = max(1, math.ceil(train.epochs * digits))
        train = train.replace(epochs=1.0)
    return Trial(model=model, train=train, train_n=digits, folds=regime.folds)


def _with_rate(train: TrainConfig, multiple: float) -> TrainConfig:
    """The training with its learning rates multiplied; Muon has one of its own."""
    rates = {"learning_rate": train.learning_rate * multiple}
    if train.optimizer == "muon":
        rates["muon_learning_rate"] = train.muon_learning_rate * multiple
    return train.replace(**rates)
