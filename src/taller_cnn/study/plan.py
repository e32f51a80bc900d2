"""What a study is to find out, as tables that can be kept, sent and read from TOML.

name = "kernels"

[[questions]]
factors = ["kernel"]                    # one factor, or two to cross them
levels = { kernel = ["1", "3", "5"] }   # all of them if left out
regime = "short"                        # that of the factor if left out
seeds = 5                               # those of the regime if left out

[regimes.short]                         # changes a regime, or makes one of a new name
train_n = 5000
judges = 10000                          # digits that judge, kept from all training

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

import itertools
import math
import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from taller_cnn.config import ModelConfig, TrainConfig, recipe
from taller_cnn.errors import InputError, Phrase, TallerError, UsageError
from taller_cnn.reasons import os_reason
from taller_cnn.study.factors import (
    FACTORS,
    LEAST_DIGITS,
    MOST_COUNT,
    Factor,
    Level,
    at_odds,
    factor_named,
    parse_factor,
)
from taller_cnn.study.tables import Name, Number, Table, blamed, key_error, refused

MOST_SEEDS = 1000
JUDGES = 20_000
"""Digits that judge, unless a regime has its own number."""

MOST_LETTERS = 40
_FILE_WORD = re.compile(rf"[\w-]{{1,{MOST_LETTERS}}}")
"""What a picture can be called after on every system. A letter with an accent is one; a letter and
a sign that make one together are not, so that no two names look the same."""


class Regime(Table):
    """How long and on how many digits a trial trains, unless a level says otherwise.

    An answer holds only in its regime.
    """

    recipe: str
    train_n: Annotated[int, Field(strict=True, ge=0, le=MOST_COUNT)] = 0
    """Digits trained on; 0: all that teach."""
    epochs: Number
    learning_rate: Number | None = None
    """x1 of the rates that are tried; None: the recipe's."""
    seeds: Annotated[int, Field(strict=True, ge=1, le=MOST_SEEDS)]
    """Trials that each level is compared by, unless the reader says how many."""
    judges: Annotated[int, Field(strict=True, ge=LEAST_DIGITS, le=MOST_COUNT)] = JUDGES
    """Digits that judge the trials, the same for all, and that none trains on; at most two fifths
    of the training digits."""
    precision: str = "float32"
    """Arithmetic of training; named, because what a machine would choose differs. With bfloat16 a
    training of this size takes 1.4 times as long on a processor with AVX-512 and without AMX."""

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        if 0 < self.train_n < LEAST_DIGITS:
            limits = {"least": LEAST_DIGITS, "most": MOST_COUNT}
            values = {"field": "train_n", "value": self.train_n, **limits}
            raise refused(Phrase("config_range", values), "train_n")
        if self.precision == "auto":
            values = {"field": "precision", "value": "auto", "allowed": "float32, bfloat16"}
            raise refused(Phrase("config_choice", values), "precision")
        with blamed():
            self.configs()
        return self

    def configs(self) -> tuple[ModelConfig, TrainConfig]:
        """The workshop's network in this regime, on a device that every worker has."""
        train: dict[str, Any] = {
            "epochs": self.epochs,
            "device": "cpu",
            "precision": self.precision,
        }
        if self.learning_rate is not None:
            train["learning_rate"] = self.learning_rate
        return recipe(self.recipe, train=train)

    @property
    def steps(self) -> int:
        """Training steps of the reference; of a regime whose number of digits is known."""
        return max(1, round(self.epochs * self._steps_per_epoch))

    @property
    def sees_digits_again(self) -> bool:
        """Whether a digit is trained on more than once, so that there is something to overfit."""
        return self.steps > self._steps_per_epoch

    @property
    def batch_size(self) -> int:
        """Digits per training step."""
        return self.configs()[1].batch_size

    @property
    def _steps_per_epoch(self) -> int:
        return math.ceil(self.train_n / self.batch_size)


class QuestionPlan(Table):
    """One family of comparisons, which is answered together."""

    factors: tuple[Name, ...]
    """One factor, or two that are crossed."""
    levels: Mapping[str, tuple[Name, ...]] = {}
    """Names of the levels of a factor; a factor that is not here has all of its levels."""
    regime: str = ""
    """Empty: that of the factors."""
    seeds: Annotated[int, Field(strict=True, ge=0, le=MOST_SEEDS)] = 0
    """0: as many as the regime has."""

    @model_validator(mode="after")
    def _has_one_or_two(self) -> Self:
        if not 1 <= len(set(self.factors)) <= 2 or len(set(self.factors)) < len(self.factors):
            raise refused(Phrase("study_design_factors", {"n": len(self.factors)}), "factors")
        for name in self.levels:
            if name not in self.factors:
                values = {"allowed": ", ".join(self.factors)}
                raise refused(Phrase("study_design_unknown", values), f"levels.{name}")
        return self

    def regime_of(self, factors: Mapping[str, Factor]) -> str:
        """Its regime, or that in which all its factors can be judged: a long one, if any needs it.

        Args:
            factors: all that there are.
        """
        names = [factors[name].regime for name in self.factors]
        return self.regime or next((name for name in names if name != "short"), "short")


class Plan(Table):
    """The questions of a study, and all that their answers depend on but the digits."""

    name: str
    questions: tuple[QuestionPlan, ...] = ()
    regimes: Mapping[str, Regime]
    factors: Mapping[str, Factor] = FACTORS
    """The factors there are, by name."""

    @model_validator(mode="before")
    @classmethod
    def _with_standard(cls, raw: Any) -> Any:
        """Add the program's regimes and factors to those of a file, which may change the former."""
        if not isinstance(raw, Mapping):
            return raw
        tables = {name: raw.get(name, {}) for name in ("regimes", "factors")}
        if not all(isinstance(table, Mapping) for table in tables.values()):
            return raw
        for table, named in tables.items():
            for name in named:
                if not _FILE_WORD.fullmatch(name):
                    values = {"most": MOST_LETTERS}
                    raise refused(Phrase("study_design_name", values), f"{table}.{name}")
        regimes: dict[str, Any] = dict(REGIMES)
        for name, regime in tables["regimes"].items():
            changes = name in regimes and isinstance(regime, Mapping)
            regimes[name] = {**REGIMES[name].model_dump(), **regime} if changes else regime
        factors: dict[str, Any] = dict(FACTORS)
        for name, factor in tables["factors"].items():
            if name in FACTORS and factor is not FACTORS[name]:
                raise refused(Phrase("study_factor_taken"), f"factors.{name}")
            own = isinstance(factor, Mapping)
            factors[name] = {**factor, "name": name} if own else factor
        return {**raw, "regimes": regimes, "factors": factors}

    @model_validator(mode="after")
    def _knows_all_names(self) -> Self:
        if not self.questions:
            raise refused(Phrase("study_design_empty"), "questions")
        for name, factor in self.factors.items():
            self._check_regime(factor.regime, f"factors.{name}.regime")
        for number, question in enumerate(self.questions, start=1):
            where = f"questions[{number}]"
            with blamed(f"{where}.factors"):
                for name in question.factors:
                    factor_named(name, self.factors)
            for name, levels in question.levels.items():
                with blamed(f"{where}.levels.{name}"):
                    self.factors[name].chosen(levels)
            if question.regime:
                self._check_regime(question.regime, f"{where}.regime")
        return self

    def _check_regime(self, name: str, at: str) -> None:
        if name not in self.regimes:
            values = {"value": name, "allowed": ", ".join(self.regimes)}
            raise refused(Phrase("study_regime", values), at)

    def with_seeds(self, seeds: int | None) -> Plan:
        """The same questions with `seeds` trials of each level; None leaves them alone.

        Raises:
            UsageError: there is less than one seed, or more than are of use.
        """
        if seeds is None:
            return self
        if not 1 <= seeds <= MOST_SEEDS:
            raise UsageError("study_seeds", value=seeds, most=MOST_SEEDS)
        questions = tuple(q.model_copy(update={"seeds": seeds}) for q in self.questions)
        return self.model_copy(update={"questions": questions})

    def to_dict(self) -> dict[str, Any]:
        """The plan as a JSON object that `from_dict` reads; standard factors go by name."""
        own = {name: factor for name, factor in self.factors.items() if name not in FACTORS}
        kept = self.model_copy(update={"factors": own})
        return kept.model_dump(mode="json")

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any], name: str = "study") -> Plan:
        """Read a plan and check all of it.

        Raises:
            UsageError: a key is unknown, missing or has a wrong value; the message names it.
        """
        try:
            return cls.model_validate({"name": name, **raw})
        except ValidationError as error:
            raise key_error(error, cls) from error


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
        reason = Phrase(error.key, error.values)
        raise InputError("study_design_wrong", path=path, reason=reason) from error


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
    return Plan(name=("*" if cross else "+").join(parsed), questions=questions, regimes={})


def refuse_undoing(factors: Sequence[Factor], levels: Sequence[tuple[Level, ...]]) -> None:
    """Refuse crossed factors of which one would undo what the other does.

    Args:
        factors: of a question.
        levels: of each factor, those that the question asks for.

    Raises:
        UsageError: two levels do.
    """
    for first, second in itertools.product(*levels) if len(factors) == 2 else ():
        undone = at_odds(first.settings, second.settings)
        if undone:
            raise UsageError(
                "study_same_change" if undone[0] == undone[1] else "study_undone",
                one=factors[0].name,
                other=factors[1].name,
                change=undone[0],
                undone=undone[1],
            )


# ------------------------------------------------------------- the program's own studies

# The sizes of the default study and of the thorough one are set here and in the two plans below,
# and nowhere else. The thorough one has the same trials and more, so that it goes on from the
# default one. Times are measured by ``benchmarks/study_throughput.py``.
REGIMES: Mapping[str, Regime] = MappingProxyType(
    {
        # No digit is seen twice. How fast a network learns; nothing to overfit.
        "short": Regime(recipe="quick", train_n=10_000, epochs=1, seeds=16),
        # Few digits, again and again, at a constant learning rate, to convergence.
        "overfit": Regime(recipe="workshop", train_n=2_000, epochs=27, seeds=10),
        # Two epochs of all digits that teach, to see whether the answers of `short` last.
        "long": Regime(recipe="quick", epochs=2, seeds=8),
        # The workshop's ten epochs of all digits that teach.
        "full": Regime(recipe="workshop", epochs=10, seeds=6),
    }
)
THOROUGH_SEEDS = 6
"""Of the factors that only the thorough study asks about."""


def default_plan() -> Plan:
    """What filters, layers and dropout do."""
    levels = ("x1/4", "x1/2", "x1", "x2")
    crossed = {"filters": levels[1:], "layers": ("1", "2", "3")}
    questions = (
        QuestionPlan(factors=("filters",), levels={"filters": levels}),
        QuestionPlan(factors=("layers",)),
        QuestionPlan(factors=("filters", "layers"), levels=crossed),
        QuestionPlan(factors=("filters-fc1",), levels={"filters-fc1": levels}),
        QuestionPlan(factors=("layers-fc1",)),
        QuestionPlan(factors=("dropout",)),
    )
    return Plan(name="default", questions=questions, regimes=REGIMES)


def thorough_plan() -> Plan:
    """The default questions, then in the long regime too, then every factor with all its levels."""
    default = default_plan().questions
    asked = {factor for question in default for factor in question.factors}
    alone = [question for question in default[:-1] if len(question.factors) == 1]
    others = [(name,) for name in FACTORS if name not in asked]
    questions = (
        *default,
        *(question.model_copy(update={"regime": "long"}) for question in alone),
        QuestionPlan(factors=("dropout",), levels={"dropout": ("0", "0.25")}, regime="full"),
        *(QuestionPlan(factors=factors, seeds=THOROUGH_SEEDS) for factors in others),
    )
    return Plan(name="thorough", questions=questions, regimes=REGIMES)
