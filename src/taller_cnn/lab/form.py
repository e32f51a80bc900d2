"""The form that a training starts from: its fields, their ranges and every recipe's values."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, get_type_hints

from taller_cnn.config import RECIPES, ModelConfig, Range, TrainConfig, choices, recipe
from taller_cnn.lab.schemas import FormField, FormGroup, RecipeValues, TrainForm, TrainingForm

DEFAULT_RECIPE = str(TrainForm.model_fields["recipe"].default)
NETWORK_FIELDS = (
    "filters", "kernel_size", "pooling", "convs_per_pool", "activation", "hidden", "dropout",
    "batch_norm",
)  # fmt: skip
"""In the order of the page; the request takes all the others too."""


def training_form() -> TrainingForm:
    """What the page asks for, with the ranges of `ModelConfig` and `TrainConfig`."""
    asked = [name for name in TrainForm.model_fields if name != "recipe"]
    network = [_field("config", ModelConfig, name) for name in NETWORK_FIELDS]
    return TrainingForm(
        recipe=DEFAULT_RECIPE,
        recipes={name: _values(name) for name in RECIPES},
        fields=[*network, *(_field("train", TrainConfig, name) for name in asked)],
    )


def _values(name: str) -> RecipeValues:
    model, train = recipe(name)
    return RecipeValues(config=model, train=train)


def _field(group: FormGroup, config: type[ModelConfig | TrainConfig], name: str) -> FormField:
    hint = get_type_hints(config)[name]
    metadata = next(f.metadata for f in dataclasses.fields(config) if f.name == name)
    bounds: Range | None = metadata.get("range")
    options: list[Any] = list(choices(hint) or (bounds.among if bounds else ()))
    if options:
        return FormField(group=group, name=name, kind="choice", options=options)
    if hint is bool:
        return FormField(group=group, name=name, kind="switch")
    limits = {f.name: getattr(bounds, f.name) for f in dataclasses.fields(Range)[:4]}
    return FormField(
        group=group,
        name=name,
        kind="list" if hint == tuple[int, ...] else "number",
        whole=hint is not float,
        **{key: value for key, value in limits.items() if math.isfinite(value)},
    )
