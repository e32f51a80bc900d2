"""Options made from the fields of the configurations: one source for flag, help and value."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, get_type_hints

from taller_cnn.cli import values
from taller_cnn.cli.command import Option
from taller_cnn.cli.values import Value
from taller_cnn.commands import flag_of, typed
from taller_cnn.config import RECIPES, ModelConfig, TrainConfig, choices, recipe

DEFAULT_RECIPE = "workshop"

_KINDS: Mapping[Any, Value] = {
    int: values.INTEGER,
    float: values.NUMBER,
    tuple[int, ...]: values.INTEGERS,
}


def training_options() -> list[Option]:
    """An option for every field of both configurations; None means not given."""
    return [
        *_options("training", TrainConfig, _recipe_default),
        *_options("network", ModelConfig, _recipe_default),
    ]


def network_options() -> list[Option]:
    """An option for every field of `ModelConfig`; None means not given."""
    usual = ModelConfig().to_dict()
    return _options("network", ModelConfig, lambda name: typed(name, usual[name]))


def configs(
    fields: Mapping[str, Any], base: tuple[ModelConfig, TrainConfig] | None = None
) -> tuple[ModelConfig, TrainConfig]:
    """The configurations that the given options make of a recipe, or of `base`.

    Raises:
        ConfigError: no such recipe, or an option has a value it cannot have.
    """
    given = _given(fields)
    model = {key: given[key] for key in _names(ModelConfig) if key in given}
    train = {key: given[key] for key in _names(TrainConfig) if key in given}
    if base is not None:
        return base[0].replace(**model), base[1].replace(**train)
    return recipe(train.pop("recipe", DEFAULT_RECIPE), model=model, train=train)


def network(fields: Mapping[str, Any]) -> ModelConfig | None:
    """The network that the given options describe, or None if none was given.

    Raises:
        ConfigError: an option has a value it cannot have.
    """
    known = _names(ModelConfig)
    given = {name: value for name, value in _given(fields).items() if name in known}
    return ModelConfig.from_dict(given) if given else None


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _names(config: type[ModelConfig] | type[TrainConfig]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(config))


def _options(
    panel: str, config: type[ModelConfig] | type[TrainConfig], default_text: Callable[[str], str]
) -> list[Option]:
    hints = get_type_hints(config)
    return [_option(panel, name, hints[name], default_text(name)) for name in _names(config)]


def _option(panel: str, name: str, hint: Any, default_text: str) -> Option:
    """The option of one field."""
    flag = flag_of(name)
    settings: dict[str, Any] = {"help": f"config.{name}", "show_default": default_text}
    if hint is bool:
        return Option(f"{flag}/{flag_of(f'no_{name}')}", panel=panel, **settings)
    # A word is not checked here: the configuration says which words it takes.
    # Nor listed, if it is a recipe's: all their names in a row would leave the texts no width.
    words = Value(str, "|".join(choices(hint))) if choices(hint) else values.TEXT
    return Option(flag, panel=panel, type=_KINDS.get(hint, words), **settings)


def _recipe_default(name: str) -> str:
    """What a field is if it is not given, and where another recipe has something else."""
    if name == "recipe":
        return DEFAULT_RECIPE
    names_by_text: dict[str, list[str]] = {}
    for recipe_name, fields in _recipe_fields().items():
        names_by_text.setdefault(typed(name, fields[name]), []).append(recipe_name)
    parts = []
    for text, names in names_by_text.items():
        parts.append(text if DEFAULT_RECIPE in names else f"{', '.join(names)}: {text}")
    return "; ".join(parts)


@cache
def _recipe_fields() -> dict[str, dict[str, Any]]:
    """All fields of each recipe, by its name."""
    both = {name: recipe(name) for name in RECIPES}
    return {name: model.to_dict() | train.to_dict() for name, (model, train) in both.items()}
