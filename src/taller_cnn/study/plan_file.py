"""Reading a plan's tables so that whatever is wrong is told with the key it stands at."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.errors import Phrase, TallerError, UsageError
from taller_cnn.study.factors import (
    LEAST_DIGITS,
    RATES,
    SIZE_CHANGE,
    SPECIAL_CHANGES,
    Factor,
    Level,
    at_odds,
    model_of,
    train_of,
)
from taller_cnn.study.regimes import MOST_FOLDS, Regime

FIXED = ("recipe", "seed", "device", "precision", "holdout")
"""Fields of a training that the design sets, so that all levels are compared alike."""


MOST_LETTERS = 40
_FILE_WORD = re.compile(rf"[\w-]{{1,{MOST_LETTERS}}}")
"""What a picture can be called after on every system. A letter with an accent is one; a letter and
a sign that make one together are not, so that no two names look the same."""


@dataclass(frozen=True)
class Section:
    """A table of the file, and where it stands."""

    raw: Mapping[str, Any]
    where: str

    def at(self, key: str) -> str:
        """The full name of one of its keys, e.g. ``questions[1].seeds``."""
        return f"{self.where}.{key}" if self.where else key

    def wrong(self, key: str, reason: Phrase) -> UsageError:
        """The error that names the key and says what is wrong with it."""
        return UsageError("study_design_key", key=self.at(key), reason=reason)

    @contextmanager
    def blamed(self, key: str = "") -> Iterator[None]:
        """Name the key in errors that know nothing of the file."""
        try:
            yield
        except TallerError as error:
            if error.key == "study_design_key":
                raise
            where = self.at(key) if key else self.where
            reason = Phrase(error.key, error.values)
            raise UsageError("study_design_key", key=where, reason=reason) from error

    def only(self, *allowed: str) -> None:
        """Refuse keys that mean nothing here."""
        for key in self.raw:
            if key not in allowed:
                values = {"allowed": ", ".join(allowed)}
                raise self.wrong(key, Phrase("study_design_unknown", values))

    def get(self, key: str, kind: type | tuple[type, ...], default: Any = None) -> Any:
        """The value of `key`, of the type it must have; a key without default must be there."""
        if key not in self.raw:
            if default is None:
                raise self.wrong(key, Phrase("study_design_missing"))
            return default
        value = self.raw[key]
        # In Python, True is a number.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.wrong(key, Phrase("study_design_type", {"value": value}))
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """A text."""
        return str(self.get(key, str, default))

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; numbers in it count as written."""
        values = self.get(key, list)
        for value in values:
            if not isinstance(value, str | int | float) or isinstance(value, bool):
                raise self.wrong(key, Phrase("study_design_type", {"value": value}))
        return tuple(value if isinstance(value, str) else f"{value:.12g}" for value in values)

    def whole(self, key: str, default: int | None, *, least: int, most: int) -> int:
        """A whole number within a range."""
        value = int(self.get(key, int, default))
        if not least <= value <= most:
            values = {"field": key, "value": value, "least": least, "most": most}
            raise self.wrong(key, Phrase("config_range", values))
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """A number."""
        return float(self.get(key, (int, float), default))

    def section(self, key: str) -> Section:
        """A table in the table; empty where there is none."""
        return Section(self.get(key, Mapping, {}), self.at(key))

    def sections(self, key: str) -> dict[str, Section]:
        """The tables of a table, by name: names that can be part of a file's name."""
        outer = self.section(key)
        for name in outer.raw:
            if not _FILE_WORD.fullmatch(name):
                raise outer.wrong(name, Phrase("study_design_name", {"most": MOST_LETTERS}))
        return {name: Section(outer.get(name, Mapping), outer.at(name)) for name in outer.raw}

    def tables(self, key: str) -> list[Section]:
        """A list of tables, counted from 1."""
        values = self.get(key, list, [])
        found = []
        for index, value in enumerate(values, start=1):
            if not isinstance(value, Mapping):
                raise self.wrong(key, Phrase("study_design_type", {"value": value}))
            found.append(Section(value, f"{self.at(key)}[{index}]"))
        return found


def read_regime(section: Section, base: Regime | None) -> Regime:
    """A regime of one's own, or `base` with changes."""
    section.only(*(field.name for field in dataclasses.fields(Regime)))
    values = vars(base) if base else {}
    regime = Regime(
        recipe=section.text("recipe", values.get("recipe")),
        train_n=section.whole("train_n", values.get("train_n", 0), least=0, most=60_000),
        epochs=section.number("epochs", values.get("epochs")),
        learning_rate=_learning_rate(section, values.get("learning_rate")),
        seeds=section.whole("seeds", values.get("seeds"), least=1, most=1000),
        folds=section.whole("folds", values.get("folds", 0), least=0, most=MOST_FOLDS),
        precision=section.text("precision", values.get("precision", "float32")),
    )
    if regime.folds == 1:
        limits = {"field": "folds", "value": 1, "least": 2, "most": MOST_FOLDS}
        raise section.wrong("folds", Phrase("config_range", limits))
    if regime.precision == "auto":
        values = {"field": "precision", "value": "auto", "allowed": "float32, bfloat16"}
        raise section.wrong("precision", Phrase("config_choice", values))
    if 0 < regime.train_n < LEAST_DIGITS:
        limits = {"field": "train_n", "value": regime.train_n, "least": LEAST_DIGITS}
        raise section.wrong("train_n", Phrase("config_range", {**limits, "most": 60_000}))
    with section.blamed():
        regime.configs()
    return regime


def _learning_rate(section: Section, base: float | None) -> float | None:
    return section.number("learning_rate", base) if "learning_rate" in section.raw else base


def read_factor(section: Section, name: str, regimes: Mapping[str, Regime]) -> Factor:
    """A factor of one's own."""
    section.only("explanation", "regime", "reference", "rates", "levels")
    regime = section.text("regime", "short")
    if regime not in regimes:
        values = {"value": regime, "allowed": ", ".join(regimes)}
        raise section.wrong("regime", Phrase("study_regime", values))
    levels = tuple(_read_level(part) for part in section.tables("levels"))
    names = [level.name for level in levels]
    if len(levels) < 2 or len(set(names)) < len(names):
        raise section.wrong("levels", Phrase("study_design_levels", {"n": len(set(names))}))
    reference = section.text("reference", names[0])
    if reference not in names:
        values = {"factor": name, "value": reference, "allowed": ", ".join(names)}
        raise section.wrong("reference", Phrase("study_level", values))
    return Factor(
        name=name,
        levels=levels,
        reference=reference,
        regime=regime,
        rates=_read_rates(section) or _usual_rates(levels),
        explanation=section.text("explanation", ""),
    )


def _usual_rates(levels: tuple[Level, ...]) -> tuple[float, ...]:
    """Another architecture gets three learning rates unless told otherwise."""
    return RATES if any(model_of(level.changes) for level in levels) else (1.0,)


def _read_rates(section: Section) -> tuple[float, ...]:
    """Multiples of the learning rate; empty where there are none."""
    if "rates" not in section.raw:
        return ()
    rates = section.get("rates", list)
    for rate in rates:
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= 1000:
            raise section.wrong("rates", Phrase("study_design_type", {"value": rate}))
    if not rates:
        raise section.wrong("rates", Phrase("study_design_missing"))
    return tuple(sorted({float(rate) for rate in rates}))


def _read_level(section: Section) -> Level:
    section.only("name", "value", "model", "train", SIZE_CHANGE, "changes", "rates")
    model, train = section.section("model"), section.section("train")
    with model.blamed():
        ModelConfig.from_dict(model.raw)
    with train.blamed():
        TrainConfig.from_dict(train.raw)
    for key in FIXED:
        if key in train.raw:
            raise train.wrong(key, Phrase("study_design_fixed"))
    changes = {**model.raw, **train.raw, **_read_changes(section.section("changes"))}
    if SIZE_CHANGE in section.raw:
        changes[SIZE_CHANGE] = section.whole(SIZE_CHANGE, None, least=LEAST_DIGITS, most=60_000)
    found = at_odds(changes, changes)
    if found:
        values = {"change": found[0], "undone": found[1]}
        raise UsageError(
            "study_design_key", key=section.where, reason=Phrase("study_design_undone", values)
        )
    value = section.number("value") if "value" in section.raw else None
    return Level(section.text("name"), value, MappingProxyType(changes), _read_rates(section))


def _read_changes(section: Section) -> dict[str, Any]:
    """Changes as a kept plan has them."""
    known = {f.name for config in (ModelConfig, TrainConfig) for f in dataclasses.fields(config)}
    section.only(*SPECIAL_CHANGES, *(known - set(FIXED)))
    with section.blamed():
        ModelConfig.from_dict(model_of(section.raw))
        TrainConfig.from_dict(train_of(section.raw))
    return dict(section.raw)
