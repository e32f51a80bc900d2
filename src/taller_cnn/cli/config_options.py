"""Options made from the fields of the configurations: one source for flag, help and value."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, get_type_hints

from taller_cnn.cli import values
from taller_cnn.cli.options import extended, panel
from taller_cnn.config import RECIPES, ModelConfig, TrainConfig, choices, recipe

__all__ = ["as_flag", "configs", "flags", "network", "network_options", "training_options"]

DEFAULT_RECIPE = "workshop"

_KINDS: Mapping[Any, tuple[str, Callable[[str], object]]] = {
    int: ("cli.metavar.integer", values.whole_number),
    float: ("cli.metavar.number", values.number),
    tuple[int, ...]: ("cli.metavar.integers", values.whole_numbers),
}


def training_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for every field of both configurations; None means not given."""
    fields = _options("training", TrainConfig, _recipe_default)
    return extended(
        function, fields | _options("network", ModelConfig, _recipe_default), passed=True
    )


def network_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for every field of `ModelConfig`; None means not given."""
    return extended(function, _options("network", ModelConfig, _plain_default), passed=True)


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
    given = _given(fields)
    return ModelConfig.from_dict(given) if given else None


def as_flag(name: str) -> str:
    """The option of a configuration's field (``--batch-size``); other names stay as they are."""
    return _flag(name) if name in (*_names(ModelConfig), *_names(TrainConfig)) else name


def flags(fields: Mapping[str, Any]) -> list[str]:
    """The given options as they are typed."""
    words: list[str] = []
    for name, value in _given(fields).items():
        typed = _as_typed(name, list(value) if isinstance(value, tuple) else value)
        words += [typed] if isinstance(value, bool) else [_flag(name), typed]
    return words


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _names(config: type[ModelConfig] | type[TrainConfig]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(config))


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _options(
    panel_name: str,
    config: type[ModelConfig] | type[TrainConfig],
    default_text: Callable[[str], str],
) -> dict[str, tuple[Any, None]]:
    """Type and default of an option for each field."""
    hints = get_type_hints(config)
    return {
        name: (_option(panel_name, name, hints[name], default_text(name)), None)
        for name in _names(config)
    }


def _option(panel_name: str, name: str, hint: Any, default_text: str) -> Any:
    """The typed option of one field."""
    flag, settings = _flag(name), {"help": f"config.{name}", "show_default": default_text}
    if hint is bool:
        flag = f"{flag}/--no-{flag.removeprefix('--')}"
        return Annotated[bool | None, panel(panel_name, flag, **settings)]
    # A word is not checked here: the configuration says which words it takes.
    # Nor listed, if it is a recipe's: all their names in a row would leave the texts no width.
    words = choices(hint)
    metavar, parser = _KINDS.get(hint, ("|".join(words) or "cli.metavar.text", str))
    return Annotated[
        str | None, panel(panel_name, flag, metavar=metavar, parser=parser, **settings)
    ]


def _plain_default(name: str) -> str:
    """What a field of a network is if it is not given."""
    return _as_typed(name, ModelConfig().to_dict()[name])


def _recipe_default(name: str) -> str:
    """What a field is if it is not given, and where another recipe has something else."""
    if name == "recipe":
        return DEFAULT_RECIPE
    names_by_text: dict[str, list[str]] = {}
    for recipe_name, fields in _recipe_fields().items():
        names_by_text.setdefault(_as_typed(name, fields[name]), []).append(recipe_name)
    parts = []
    for text, names in names_by_text.items():
        parts.append(text if DEFAULT_RECIPE in names else f"{', '.join(names)}: {text}")
    return "; ".join(parts)


@cache
def _recipe_fields() -> dict[str, dict[str, Any]]:
    """All fields of each recipe, by its name."""
    both = {name: recipe(name) for name in RECIPES}
    return {name: model.to_dict() | train.to_dict() for name, (model, train) in both.items()}


def _as_typed(name: str, value: object) -> str:
    """A field's value as one types it on the command line."""
    if isinstance(value, bool):
        return _flag(name if value else f"no_{name}")
    if isinstance(value, list):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
