"""What a study varies: factors, their levels, and what each level changes in the network's recipe.

A level is a set of changes. Those of two crossed factors are put together before the network is
built, which is why the number of convolutions and their width are changes of their own
(``layers``, ``filter_factor``) and not lists of filters.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.errors import ConfigError, Phrase, UsageError
from taller_cnn.study.tables import MOST_MULTIPLE, Number, Rates, Table, blamed, refused

LAYER_FILTERS = (16, 32, 32, 32, 32, 32)
"""Filters of the convolutions in order; the first two are the workshop's network."""
REFERENCE_LAYERS = 2
HELD_FILTERS = 32
"""Filters of the last convolution where fc1's input is held at 32 x 7 x 7 = 1,568."""
FIXED = ("recipe", "seed", "device", "precision", "holdout")
"""Fields of a training that the design sets, so that all levels are compared alike."""

LEAST_DIGITS = 10
MOST_COUNT = 60_000

SIZE_CHANGE = "train_n"
RATE_CHANGE = "learning_rate_factor"
_SHAPE_CHANGES = ("filter_factor", "layers", "last_filters")
SPECIAL_CHANGES = (*_SHAPE_CHANGES, RATE_CHANGE)
_WORKED_OUT = {**dict.fromkeys(_SHAPE_CHANGES, ("filters",)), SIZE_CHANGE: ("epochs", "batch_size")}
"""What these changes work out themselves, or hold, whatever else is asked for beside them."""
_MODEL_FIELDS = tuple(f.name for f in dataclasses.fields(ModelConfig))
_TRAIN_FIELDS = tuple(f.name for f in dataclasses.fields(TrainConfig))


class Level(Table):
    """One setting of a factor."""

    name: str
    value: Number | None = None
    """Where it stands on the factor's scale; None where there is no scale."""
    model: Mapping[str, Any] = {}
    """Fields of `ModelConfig`."""
    train: Mapping[str, Any] = {}
    """Fields of `TrainConfig`."""
    train_n: Annotated[int, Field(strict=True, ge=LEAST_DIGITS, le=MOST_COUNT)] | None = None
    """Digits trained on, in as many steps as the regime has."""
    changes: Mapping[str, Any] = {}
    """Changes in `SPECIAL_CHANGES`, which are put together with those of a crossed factor."""
    rates: Rates = ()
    """Multiples of the learning rate at which it runs; none: those of its factor."""

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        with blamed("model"):
            ModelConfig.from_dict(dict(self.model))
        with blamed("train"):
            TrainConfig.from_dict(dict(self.train))
        for key in self.train:
            if key in FIXED:
                raise refused(Phrase("study_design_fixed"), f"train.{key}")
        for key in self.changes:
            if key not in SPECIAL_CHANGES:
                allowed = ", ".join(SPECIAL_CHANGES)
                raise refused(Phrase("study_design_unknown", {"allowed": allowed}), key)
        with blamed("changes"):
            ModelConfig.from_dict(model_of(self.changes))
        undone = at_odds(self.settings, self.settings)
        if undone:
            values = {"change": undone[0], "undone": undone[1]}
            raise refused(Phrase("study_design_undone", values))
        return self

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """All that the level changes, by name: fields of configurations and special changes."""
        size = {} if self.train_n is None else {SIZE_CHANGE: self.train_n}
        return MappingProxyType({**self.model, **self.train, **size, **self.changes})


class Factor(Table):
    """What a study varies."""

    name: Annotated[str, Field(exclude=True)]
    """Its key in the plan."""
    levels: tuple[Level, ...]
    reference: str = ""
    """The level that the others are compared with, the workshop's network; empty: the first."""
    regime: str = "short"
    """Where the question makes sense."""
    rates: Rates = ()
    """Multiples of the learning rate that each level is tried at, and no others; none: where a
    level is another architecture or augmentation, each looks for its own, else the recipe's."""
    explanation: str = ""
    """One sentence, for a factor of the reader's own; the others have a message."""

    @model_validator(mode="before")
    @classmethod
    def _with_reference(cls, raw: Any) -> Any:
        """The first level is the reference unless another one is named."""
        levels = raw.get("levels") if isinstance(raw, Mapping) else None
        if not isinstance(levels, list | tuple) or not levels or raw.get("reference"):
            return raw
        first = levels[0]
        name = first.get("name") if isinstance(first, Mapping) else getattr(first, "name", None)
        return {**raw, "reference": name} if isinstance(name, str) else raw

    @model_validator(mode="after")
    def _has_levels(self) -> Self:
        names = [level.name for level in self.levels]
        if len(names) < 2 or len(set(names)) < len(names):
            raise refused(Phrase("study_design_levels", {"n": len(set(names))}), "levels")
        if self.reference not in names:
            allowed = ", ".join(names)
            values = {"factor": self.name, "value": self.reference, "allowed": allowed}
            raise refused(Phrase("study_level", values), "reference")
        return self

    @property
    def chooses_rates(self) -> bool:
        """Whether its levels look for the learning rate that suits them, as far as need be."""
        settings = [level.settings for level in self.levels]
        return not self.rates and any(model_of(s) or "augmentation" in s for s in settings)

    def level(self, name: str) -> Level:
        """The level called `name`.

        Raises:
            UsageError: there is none.
        """
        for level in self.levels:
            if level.name == name:
                return level
        try:
            if self.name in _MAKERS:
                made = _MAKERS[self.name](name)
                return next((known for known in self.levels if known.name == made.name), made)
        except (ValueError, ZeroDivisionError, OverflowError):
            pass
        allowed = ", ".join(level.name for level in self.levels)
        raise UsageError("study_level", factor=self.name, value=name, allowed=allowed)

    def chosen(self, names: Iterable[str] | None) -> tuple[Level, ...]:
        """The named levels in the factor's order, with the reference; all for None.

        Raises:
            UsageError: a level does not exist.
        """
        if names is None:
            return self.levels
        chosen = {level.name: level for level in map(self.level, (*names, self.reference))}
        order = [level.name for level in self.levels]
        if all(level.value is not None for level in chosen.values()):
            return tuple(sorted(chosen.values(), key=lambda level: level.value or 0))
        return tuple(sorted(chosen.values(), key=lambda level: order.index(level.name)))


def model_of(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `ModelConfig` that `changes` come to."""
    fields = {name: changes[name] for name in changes if name in _MODEL_FIELDS}
    if any(name in changes for name in _SHAPE_CHANGES):
        factor = changes.get("filter_factor", 1)
        layers = changes.get("layers", REFERENCE_LAYERS)
        # ModelConfig refuses more convolutions than it has, and it counts them for its message.
        base = LAYER_FILTERS[:layers] + LAYER_FILTERS[-1:] * (layers - len(LAYER_FILTERS))
        filters = [max(1, round(count * factor)) for count in base]
        if "last_filters" in changes and filters:
            filters[-1] = changes["last_filters"]
        fields["filters"] = filters
    return fields


def at_odds(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, str] | None:
    """A change of `one` and a change of `other` of which one undoes the other, if there are any."""
    for mine, theirs in itertools.product(one, other):
        same = mine == theirs and one[mine] != other[theirs]
        undone = theirs in _WORKED_OUT.get(mine, ()) or mine in _WORKED_OUT.get(theirs, ())
        if same or undone:
            return mine, theirs
    return None


def train_of(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `TrainConfig` that `changes` set as they are."""
    return {name: changes[name] for name in changes if name in _TRAIN_FIELDS}


def _multiple(text: str) -> float:
    """``x1/4`` as a number."""
    value = float(Fraction(text.removeprefix("x")))
    if not 0 < value <= MOST_MULTIPLE:
        raise ValueError(text)
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 0 <= value <= MOST_COUNT:
        raise ValueError(text)
    return value


def _size(text: str) -> int:
    value = _count(text)
    # 0 would mean all digits, and fewer than one of each class is no training set.
    if value < LEAST_DIGITS:
        raise ValueError(text)
    return value


def _level(name: str, value: float | None, settings: Mapping[str, Any]) -> Level:
    """A level of the program's own; what no network can have is told when it is designed."""

    def some(names: Iterable[str]) -> dict[str, Any]:
        return {key: settings[key] for key in settings if key in names}

    return Level.model_construct(
        name=name,
        value=value,
        model=some(_MODEL_FIELDS),
        train=some(_TRAIN_FIELDS),
        train_n=settings.get(SIZE_CHANGE),
        changes=some(SPECIAL_CHANGES),
    )


def _maker(
    read: Callable[[str], float], change: str, held: Mapping[str, Any] | None = None
) -> Callable[[str], Level]:
    """Makes levels whose change is a number that is read from their name."""

    def make(text: str) -> Level:
        value = read(text)
        name = f"x{Fraction(text.removeprefix('x'))}" if read is _multiple else f"{value:.12g}"
        return _level(name, float(value), {change: value, **(held or {})})

    return make


def _layers_fc1(text: str) -> Level:
    layers = _count(text)
    settings: dict[str, Any] = {"layers": layers}
    if layers == 1:
        # One convolution leaves 14 x 14; 32 x 7 x 7 is what two of them leave.
        settings |= {"last_filters": HELD_FILTERS, "final_size": 7}
    return _level(str(layers), float(layers), settings)


_MAKERS: Mapping[str, Callable[[str], Level]] = MappingProxyType(
    {
        "filters": _maker(_multiple, "filter_factor"),
        "layers": _maker(_count, "layers"),
        "filters-fc1": _maker(_multiple, "filter_factor", {"last_filters": HELD_FILTERS}),
        "layers-fc1": _layers_fc1,
        "kernel": _maker(_count, "kernel_size"),
        "convs-per-pool": _maker(_count, "convs_per_pool"),
        "hidden": _maker(_count, "hidden"),
        "dropout": _maker(float, "dropout"),
        "learning-rate": _maker(_multiple, RATE_CHANGE),
        "size": _maker(_size, SIZE_CHANGE),
    }
)
"""Make levels of the factors that are numbers, also others than those that they have.

Raise ValueError, ZeroDivisionError or OverflowError for what they cannot read."""


def _scale(name: str, names: str, reference: str, **values: Any) -> Factor:
    """A factor whose levels are numbers."""
    levels = tuple(map(_MAKERS[name], names.split()))
    return Factor.model_construct(name=name, levels=levels, reference=reference, **values)


def _choice(name: str, field: str, values: Mapping[str, Any], regime: str = "short") -> Factor:
    """A factor whose levels have no scale; the first is the reference."""
    levels = tuple(_level(key, None, {field: value}) for key, value in values.items())
    return Factor.model_construct(name=name, levels=levels, reference=levels[0].name, regime=regime)


_ALL = (
    _scale("filters", "x1/4 x1/2 x1 x2 x4", "x1"),
    _scale("layers", "1 2 3 4", "2"),
    _scale("filters-fc1", "x1/4 x1/2 x1 x2 x4", "x1"),
    _scale("layers-fc1", "1 2 3 4", "2"),
    _scale("kernel", "1 3 5 7", "3"),
    _choice("pooling", "pooling", {key: key for key in ("max", "avg", "stride", "none")}),
    _scale("convs-per-pool", "1 2 3", "1"),
    _choice("final-size", "final_size", {"0": 0, "3": 3, "1": 1}),
    _scale("hidden", "32 64 128 256", "128", regime="overfit"),
    _scale("dropout", "0 0.25 0.5 0.75", "0.25", regime="overfit", rates=(1.0,)),
    _choice("batch-norm", "batch_norm", {"no": False, "yes": True}),
    _choice("activation", "activation", {key: key for key in ("relu", "gelu", "tanh")}),
    _choice("first-layer", "first_layer", {key: key for key in ("learned", "random", "patches")}),
    _choice(
        "augmentation",
        "augmentation",
        {key: key for key in ("none", "affine", "handwriting")},
        regime="overfit",
    ),
    _scale("learning-rate", "x1/9 x1/3 x1 x3 x9", "x1", rates=(1.0,)),
    _scale(
        "size",
        "500 1000 2000 5000 10000 20000 35000",
        "2000",
        regime="overfit",
        rates=(1.0,),
    ),
)

FACTORS: Mapping[str, Factor] = MappingProxyType({factor.name: factor for factor in _ALL})


def factor_named(name: str, factors: Mapping[str, Factor] = FACTORS) -> Factor:
    """The factor called `name`.

    Raises:
        UsageError: there is none.
    """
    if name not in factors:
        raise UsageError("study_factor", value=name, allowed=", ".join(factors))
    return factors[name]


def parse_factor(text: str) -> tuple[str, tuple[str, ...] | None]:
    """``filters`` or ``filters=x1/2,x2`` as a factor's name and those of its levels, if given.

    Raises:
        UsageError: there is no such factor or level, or no network can have one of several.
        ConfigError: no network can have the only one.
    """
    name, given, listed = text.partition("=")
    factor = factor_named(name)
    if not given:
        return name, None
    levels = factor.chosen(part.strip() for part in listed.split(","))
    for level in levels:
        try:
            ModelConfig.from_dict(model_of(level.settings))
            TrainConfig.from_dict(train_of(level.settings))
        except ConfigError as error:
            if "," not in listed:
                raise
            # It may be 25, of somebody who writes 0.25 with a comma.
            reason = Phrase(error.key, error.values)
            raise UsageError(
                "study_level_wrong", factor=name, value=level.name, reason=reason
            ) from error
    return name, tuple(level.name for level in levels)
