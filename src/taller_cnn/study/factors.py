"""What a study varies: factors, their levels, and what each level changes in the network's recipe.

A level is a set of changes. Those of two crossed factors are put together before the network is
built, which is why the number of convolutions and their width are changes of their own
(``layers``, ``filter_factor``) and not lists of filters.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.errors import ConfigError, Phrase, UsageError

LAYER_FILTERS = (16, 32, 32, 32, 32, 32)
"""Filters of the convolutions in order; the first two are the workshop's network."""
REFERENCE_LAYERS = 2
HELD_FILTERS = 32
"""Filters of the last convolution where fc1's input is held at 32 x 7 x 7 = 1,568."""
RATES = (1 / 3, 1.0, 3.0)
"""Multiples of the recipe's learning rate at which every other architecture gets its chance."""

LEAST_DIGITS = 10
MOST_COUNT = 60_000
MOST_MULTIPLE = 1024

SIZE_CHANGE = "train_n"
RATE_CHANGE = "learning_rate_factor"
_SHAPE_CHANGES = ("filter_factor", "layers", "last_filters")
SPECIAL_CHANGES = (*_SHAPE_CHANGES, RATE_CHANGE, SIZE_CHANGE)
_WORKED_OUT = {**dict.fromkeys(_SHAPE_CHANGES, ("filters",)), SIZE_CHANGE: ("epochs", "batch_size")}
"""What these changes work out themselves, or hold, whatever else is asked for beside them."""
_MODEL_FIELDS = tuple(f.name for f in dataclasses.fields(ModelConfig))
_TRAIN_FIELDS = tuple(f.name for f in dataclasses.fields(TrainConfig))


@dataclass(frozen=True)
class Level:
    """One setting of a factor."""

    name: str
    value: float | None
    """Where it stands on the factor's scale; None where there is no scale."""
    changes: Mapping[str, Any]
    """Fields of the configurations, and the changes in `SPECIAL_CHANGES`."""
    rates: tuple[float, ...] = ()
    """Multiples of the learning rate at which it runs; none: those of its factor."""


@dataclass(frozen=True, kw_only=True)
class Factor:
    """What a study varies."""

    name: str
    levels: tuple[Level, ...]
    reference: str
    """The level that the workshop's network has."""
    regime: str = "short"
    """Where the question makes sense; see `taller_cnn.study.regimes`."""
    rates: tuple[float, ...] = (1.0,)
    """Multiples of the learning rate at which each level runs."""
    make: Callable[[str], Level] | None = field(default=None, repr=False)
    """Makes a level that is not among `levels`; raises ValueError for what it cannot read."""
    explanation: str = ""
    """One sentence, for a factor of the reader's own; the others have a message."""

    def level(self, name: str) -> Level:
        """The level called `name`.

        Raises:
            UsageError: there is none.
        """
        for level in self.levels:
            if level.name == name:
                return level
        try:
            if self.make is not None:
                made = self.make(name)
                return next((own for own in self.levels if own.name == made.name), made)
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
        found = {level.name: level for level in map(self.level, (*names, self.reference))}
        order = [level.name for level in self.levels]
        if all(level.value is not None for level in found.values()):
            return tuple(sorted(found.values(), key=lambda level: level.value or 0))
        return tuple(sorted(found.values(), key=lambda level: order.index(level.name)))


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


def _maker(
    read: Callable[[str], float], change: str, held: Mapping[str, Any] | None = None
) -> Callable[[str], Level]:
    """Makes levels whose change is a number that is read from their name."""

    def make(text: str) -> Level:
        value = read(text)
        name = f"x{Fraction(text.removeprefix('x'))}" if read is _multiple else f"{value:.12g}"
        return Level(name, float(value), MappingProxyType({change: value, **(held or {})}))

    return make


def _scale(
    name: str,
    names: str,
    reference: str,
    make: Callable[[str], Level],
    *,
    regime: str = "short",
    rates: tuple[float, ...] = RATES,
) -> Factor:
    """A factor whose levels are numbers."""
    levels = tuple(map(make, names.split()))
    return Factor(
        name=name, levels=levels, reference=reference, regime=regime, rates=rates, make=make
    )


def _choice(name: str, change: str, values: Mapping[str, Any], regime: str = "short") -> Factor:
    """A factor whose levels have no scale; the first is the reference."""
    levels = tuple(Level(key, None, MappingProxyType({change: values[key]})) for key in values)
    return Factor(name=name, levels=levels, reference=levels[0].name, regime=regime, rates=RATES)


def _layers_fc1(text: str) -> Level:
    layers = _count(text)
    changes: dict[str, Any] = {"layers": layers}
    if layers == 1:
        # One convolution leaves 14 x 14; 32 x 7 x 7 is what two of them leave.
        changes |= {"last_filters": HELD_FILTERS, "final_size": 7}
    return Level(str(layers), float(layers), MappingProxyType(changes))


_ALL = (
    _scale("filters", "x1/4 x1/2 x1 x2 x4", "x1", _maker(_multiple, "filter_factor")),
    _scale("layers", "1 2 3 4", "2", _maker(_count, "layers")),
    _scale(
        "filters-fc1",
        "x1/4 x1/2 x1 x2 x4",
        "x1",
        _maker(_multiple, "filter_factor", {"last_filters": HELD_FILTERS}),
    ),
    _scale("layers-fc1", "1 2 3 4", "2", _layers_fc1),
    _scale("kernel", "1 3 5 7", "3", _maker(_count, "kernel_size")),
    _choice("pooling", "pooling", {key: key for key in ("max", "avg", "stride", "none")}),
    _scale("convs-per-pool", "1 2 3", "1", _maker(_count, "convs_per_pool")),
    _choice("final-size", "final_size", {"0": 0, "3": 3, "1": 1}),
    _scale("hidden", "32 64 128 256", "128", _maker(_count, "hidden"), regime="overfit"),
    _scale(
        "dropout",
        "0 0.25 0.5 0.75",
        "0.25",
        _maker(float, "dropout"),
        regime="overfit",
        rates=(1.0,),
    ),
    _choice("batch-norm", "batch_norm", {"no": False, "yes": True}),
    _choice("activation", "activation", {key: key for key in ("relu", "gelu", "tanh")}),
    _choice(
        "augmentation",
        "augmentation",
        {key: key for key in ("none", "affine", "handwriting")},
        regime="overfit",
    ),
    _scale(
        "learning-rate",
        "x1/9 x1/3 x1 x3 x9",
        "x1",
        _maker(_multiple, RATE_CHANGE),
        rates=(1.0,),
    ),
    _scale(
        "size",
        "500 1000 2000 5000 10000 20000 55000",
        "2000",
        _maker(_size, SIZE_CHANGE),
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
            ModelConfig.from_dict(model_of(level.changes))
            TrainConfig.from_dict(train_of(level.changes))
        except ConfigError as error:
            if "," not in listed:
                raise
            # It may be 25, of somebody who writes 0.25 with a comma.
            reason = Phrase(error.key, error.values)
            raise UsageError(
                "study_level_wrong", factor=name, value=level.name, reason=reason
            ) from error
    return name, tuple(level.name for level in levels)
