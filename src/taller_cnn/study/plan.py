"""What a study is to find out, as words and numbers that can be kept, sent and read from TOML.

name = "kernels"

[[questions]]
factors = ["kernel"]                    # one factor, or two to cross them
levels = { kernel = ["1", "3", "5"] }   # all of them if left out
regime = "short"                        # that of the factor if left out
seeds = 5                               # those of the regime if left out

[regimes.short]                         # changes a regime, or makes one of a new name
train_n = 5000
folds = 5                               # judged by cross-validation, not by the held-out digits

[factors.head]                          # a factor of one's own
explanation = "What the hidden layer buys."
reference = "one"
[[factors.head.levels]]
name = "one"
value = 128
model = { hidden = 128 }
[[factors.head.levels]]
name = "small"
value = 16
model = { hidden = 16, dropout = 0.0 }
rates = [1, 3]                          # of the learning rate; those of the factor if left out
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from taller_cnn.errors import InputError, Phrase, TallerError, UsageError
from taller_cnn.reasons import os_reason
from taller_cnn.study.factors import FACTORS, Factor, factor_named, parse_factor
from taller_cnn.study.plan_file import Section, read_factor, read_regime
from taller_cnn.study.regimes import DEFAULT_REGIMES, THOROUGH_REGIMES, Regime

MOST_SEEDS = 1000


@dataclass(frozen=True, kw_only=True)
class QuestionPlan:
    """One family of comparisons, which is answered together."""

    factors: tuple[str, ...]
    """One factor, or two that are crossed."""
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Names of the levels of a factor; a factor that is not here has all of its levels."""
    regime: str = ""
    """Empty: that of the factors."""
    seeds: int = 0
    """0: as many as the regime has."""

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types."""
        levels = {name: list(names) for name, names in self.levels.items()}
        return {**vars(self), "factors": list(self.factors), "levels": levels}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The questions of a study, and all that their answers depend on but the digits."""

    name: str
    questions: tuple[QuestionPlan, ...]
    regimes: Mapping[str, Regime] = field(default_factory=lambda: DEFAULT_REGIMES)
    factors: Mapping[str, Factor] = field(default_factory=lambda: FACTORS)
    """The factors there are, by name."""

    def with_seeds(self, seeds: int | None) -> Plan:
        """The same questions with `seeds` trials of each level; None leaves them alone.

        Raises:
            UsageError: there is less than one seed, or more than are of use.
        """
        if seeds is None:
            return self
        if not 1 <= seeds <= MOST_SEEDS:
            raise UsageError("study_seeds", value=seeds, most=MOST_SEEDS)
        questions = tuple(dataclasses.replace(q, seeds=seeds) for q in self.questions)
        return dataclasses.replace(self, questions=questions)

    def to_dict(self) -> dict[str, Any]:
        """The plan as a JSON object that `from_dict` reads; standard factors go by name."""
        own = {name: f for name, f in self.factors.items() if name not in FACTORS}
        return {
            "name": self.name,
            "questions": [question.to_dict() for question in self.questions],
            "regimes": {name: regime.to_dict() for name, regime in self.regimes.items()},
            "factors": {name: _factor_dict(factor) for name, factor in own.items()},
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any], name: str = "study") -> Plan:
        """Read a plan and check all of it.

        Raises:
            UsageError: a key is unknown, missing or has a wrong value; the message names it.
        """
        top = Section(raw, "")
        top.only("name", "questions", "regimes", "factors")
        regimes = dict(DEFAULT_REGIMES)
        for regime, section in top.sections("regimes").items():
            regimes[regime] = read_regime(section, regimes.get(regime))
        factors = dict(FACTORS)
        for factor, section in top.sections("factors").items():
            if factor in FACTORS:
                raise top.wrong(f"factors.{factor}", Phrase("study_factor_taken"))
            factors[factor] = read_factor(section, factor, regimes)
        questions = tuple(_read_question(s, factors, regimes) for s in top.tables("questions"))
        if not questions:
            raise top.wrong("questions", Phrase("study_design_empty"))
        plan_name = top.text("name", name)
        return cls(name=plan_name, questions=questions, regimes=regimes, factors=factors)


def read_plan(path: Path) -> Plan:
    """The plan in a TOML file.

    Raises:
        InputError: the file cannot be read, is not TOML, or has something wrong in it; the
            message names the key.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError("study_design_unreadable", path=path, reason=os_reason(error)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("study_design_unreadable", path=path, reason=str(error)) from error
    try:
        return Plan.from_dict(raw, path.stem)
    except TallerError as error:
        found = Phrase(error.key, error.values)
        raise InputError("study_design_wrong", path=path, reason=found) from error


def plan_of(words: Sequence[str], *, cross: bool) -> Plan:
    """The plan that names of factors ask for, e.g. ``filters=x1/2,x1 layers``.

    Args:
        words: factors, each with some of its levels if not all are wanted.
        cross: vary two factors together instead of each alone.

    Raises:
        UsageError: an unknown factor or level, a factor twice, or not two factors to cross.
    """
    pairs = [parse_factor(word) for word in words]
    parsed = dict(pairs)
    levels = {name: names for name, names in parsed.items() if names is not None}
    groups = [tuple(parsed)] if cross else [(name,) for name in parsed]
    if cross and len(parsed) != 2:
        raise UsageError("study_cross", n=len(parsed))
    for name, times in Counter(name for name, _ in pairs).items():
        if times > 1:
            raise UsageError("study_factor_twice", value=name, n=times)
    questions = tuple(
        QuestionPlan(factors=group, levels={k: v for k, v in levels.items() if k in group})
        for group in groups
    )
    return Plan(name=("*" if cross else "+").join(parsed), questions=questions)


def default_plan() -> Plan:
    """What filters, layers and dropout do, in about 12 minutes on two cores."""
    held = tuple(n for n in _names("filters") if n != "x4")
    questions = (
        QuestionPlan(factors=("filters", "layers"), levels={"filters": held}),
        QuestionPlan(factors=("filters-fc1",), levels={"filters-fc1": held}),
        QuestionPlan(factors=("layers-fc1",)),
        QuestionPlan(factors=("dropout",)),
    )
    return Plan(name="default", questions=questions)


def thorough_plan() -> Plan:
    """The default questions in longer regimes too, then every factor with all its levels."""
    first = default_plan().questions
    asked = {factor for question in first for factor in question.factors}
    questions = (
        *first,
        QuestionPlan(factors=("filters",)),
        *(
            QuestionPlan(factors=(name,), levels={name: levels}, regime="long")
            for name, levels in _LONG_LEVELS.items()
        ),
        QuestionPlan(factors=("dropout",), levels=_FULL_LEVELS, regime="full"),
        *(QuestionPlan(factors=(name,)) for name in FACTORS if name not in asked),
    )
    return Plan(name="thorough", questions=questions, regimes=THOROUGH_REGIMES)


_LONG_LEVELS: Mapping[str, tuple[str, ...]] = {
    "filters": ("x1/2", "x1", "x2"),
    "layers": ("1", "2", "3"),
    "filters-fc1": ("x1/2", "x1", "x2"),
    "layers-fc1": ("1", "2", "3"),
}
_FULL_LEVELS: Mapping[str, tuple[str, ...]] = {"dropout": ("0", "0.25")}


def _names(factor: str) -> tuple[str, ...]:
    return tuple(level.name for level in FACTORS[factor].levels)


def _read_question(
    section: Section, factors: Mapping[str, Factor], regimes: Mapping[str, Regime]
) -> QuestionPlan:
    section.only("factors", "levels", "regime", "seeds")
    names = section.texts("factors")
    if not 1 <= len(set(names)) <= 2 or len(set(names)) < len(names):
        raise section.wrong("factors", Phrase("study_design_factors", {"n": len(names)}))
    with section.blamed("factors"):
        for name in names:
            factor_named(name, factors)
    given = section.section("levels")
    given.only(*names)
    levels = {name: given.texts(name) for name in given.raw}
    for name, wanted in levels.items():
        with given.blamed(name):
            levels[name] = tuple(level.name for level in factors[name].chosen(wanted))
    regime = section.text("regime", "")
    if regime and regime not in regimes:
        allowed = ", ".join(regimes)
        raise section.wrong("regime", Phrase("study_regime", {"value": regime, "allowed": allowed}))
    seeds = section.whole("seeds", 0, least=0, most=MOST_SEEDS)
    return QuestionPlan(factors=names, levels=levels, regime=regime, seeds=seeds)


def _factor_dict(factor: Factor) -> dict[str, Any]:
    """An own factor as `read_factor` reads it."""
    return {
        "explanation": factor.explanation,
        "regime": factor.regime,
        "reference": factor.reference,
        "rates": list(factor.rates),
        "levels": [
            {"name": level.name, "changes": dict(level.changes)}
            | ({} if level.value is None else {"value": level.value})
            | ({"rates": list(level.rates)} if level.rates else {})
            for level in factor.levels
        ],
    }
