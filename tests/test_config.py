from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import math
from typing import Any, get_type_hints

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taller_cnn.config import RECIPES, ModelConfig, TrainConfig, choices, recipe
from taller_cnn.errors import ConfigError
from taller_cnn.messages import Messages

Config = type[ModelConfig] | type[TrainConfig]
FIELDS = [(c, f.name) for c in (ModelConfig, TrainConfig) for f in dataclasses.fields(c)]

INSIDE: list[tuple[Config, str, Any]] = [
    (ModelConfig, "filters", (1,)),
    (ModelConfig, "filters", (1024, 1, 2, 3, 4, 5)),
    (ModelConfig, "kernel_size", 1),
    (ModelConfig, "kernel_size", 7),
    (ModelConfig, "pooling", "none"),
    (ModelConfig, "convs_per_pool", 1),
    (ModelConfig, "convs_per_pool", 3),
    (ModelConfig, "hidden", 0),
    (ModelConfig, "hidden", 4096),
    (ModelConfig, "dropout", 0.0),
    (ModelConfig, "dropout", 0.999),
    (ModelConfig, "batch_norm", True),
    (ModelConfig, "activation", "tanh"),
    (ModelConfig, "final_size", 28),
    (TrainConfig, "recipe", "fast"),
    (TrainConfig, "epochs", 1e-6),
    (TrainConfig, "epochs", 10_000.0),
    (TrainConfig, "batch_size", 1),
    (TrainConfig, "batch_size", 60_000),
    (TrainConfig, "learning_rate", 1e-12),
    (TrainConfig, "learning_rate", 100.0),
    (TrainConfig, "optimizer", "adamw"),
    (TrainConfig, "beta1", 0.0),
    (TrainConfig, "beta2", 0.9999),
    (TrainConfig, "muon_learning_rate", 1e-12),
    (TrainConfig, "muon_learning_rate", 100.0),
    (TrainConfig, "schedule", "one-cycle"),
    (TrainConfig, "warmup", 0.0),
    (TrainConfig, "label_smoothing", 0.5),
    (TrainConfig, "first_layer", "patches"),
    (TrainConfig, "middle", True),
    (TrainConfig, "augmentation", "handwriting"),
    (TrainConfig, "augmentation", "affine"),
    (TrainConfig, "holdout", 0),
    (TrainConfig, "holdout", 60_000),
    (TrainConfig, "seed", 2**31 - 1),
    (TrainConfig, "device", "cuda:1"),
    (TrainConfig, "precision", "bfloat16"),
]

BEYOND: list[tuple[Config, str, Any, str]] = [
    (ModelConfig, "filters", (), "0"),
    (ModelConfig, "filters", (1, 2, 3, 4, 5, 6, 7), "7"),
    (ModelConfig, "filters", (16, 0), "0"),
    (ModelConfig, "filters", (9999, 16), "9999"),
    (ModelConfig, "filters", (-3,), "-3"),
    (ModelConfig, "kernel_size", 2, "2"),
    (ModelConfig, "kernel_size", 9, "9"),
    (ModelConfig, "pooling", "median", "median"),
    (ModelConfig, "convs_per_pool", 0, "0"),
    (ModelConfig, "convs_per_pool", 4, "4"),
    (ModelConfig, "hidden", -1, "-1"),
    (ModelConfig, "hidden", 4097, "4097"),
    (ModelConfig, "dropout", 1.0, "1"),
    (ModelConfig, "dropout", -0.1, "-0.1"),
    (ModelConfig, "dropout", math.nan, "nan"),
    (ModelConfig, "activation", "sigmoid", "sigmoid"),
    (ModelConfig, "activation", ["relu"], "relu"),
    (ModelConfig, "final_size", 29, "29"),
    (ModelConfig, "final_size", -1, "-1"),
    (TrainConfig, "epochs", 0.0, "0"),
    (TrainConfig, "epochs", 10_001.0, "10001"),
    (TrainConfig, "epochs", math.inf, "inf"),
    (TrainConfig, "batch_size", 0, "0"),
    (TrainConfig, "batch_size", 60_001, "60001"),
    (TrainConfig, "learning_rate", 0.0, "0"),
    (TrainConfig, "learning_rate", -0.001, "-0.001"),
    (TrainConfig, "learning_rate", math.nan, "nan"),
    (TrainConfig, "learning_rate", math.inf, "inf"),
    (TrainConfig, "learning_rate", 101.0, "101"),
    (TrainConfig, "optimizer", "sgd", "sgd"),
    (TrainConfig, "beta1", 1.0, "1"),
    (TrainConfig, "beta2", 1.5, "1.5"),
    (TrainConfig, "muon_learning_rate", 0.0, "0"),
    (TrainConfig, "muon_learning_rate", math.nan, "nan"),
    (TrainConfig, "muon_learning_rate", 101.0, "101"),
    (TrainConfig, "schedule", "cosine", "cosine"),
    (TrainConfig, "warmup", 1.0, "1"),
    (TrainConfig, "label_smoothing", -1.0, "-1"),
    (TrainConfig, "first_layer", "frozen", "frozen"),
    (TrainConfig, "augmentation", "mirrored", "mirrored"),
    (TrainConfig, "holdout", -1, "-1"),
    (TrainConfig, "holdout", 60_001, "60001"),
    (TrainConfig, "seed", -1, "-1"),
    (TrainConfig, "seed", 2**31, "2147483648"),
    (TrainConfig, "precision", "float16", "float16"),
]

WRONG_TYPE: list[tuple[Config, str, Any]] = [
    (ModelConfig, "filters", "16,32"),
    (ModelConfig, "filters", 16),
    (ModelConfig, "filters", (16, 2.5)),
    (ModelConfig, "filters", [True]),
    (ModelConfig, "kernel_size", 3.0),
    (ModelConfig, "hidden", True),
    (ModelConfig, "hidden", None),
    (ModelConfig, "dropout", "0.25"),
    (ModelConfig, "batch_norm", 1),
    (TrainConfig, "epochs", False),
    (TrainConfig, "epochs", 10**400),
    (TrainConfig, "batch_size", 64.0),
    (TrainConfig, "device", 0),
    (TrainConfig, "recipe", None),
]


@pytest.mark.parametrize(("kind", "name", "value"), INSIDE)
def test_a_field_alone_takes_values_up_to_its_bounds(kind: Config, name: str, value: Any) -> None:
    assert getattr(kind(**{name: value}), name) == value


def test_every_field_is_tried_at_its_bounds_alone() -> None:
    assert {(kind, name) for kind, name, _ in INSIDE} == set(FIELDS)


@pytest.mark.parametrize(("kind", "name", "value", "shown"), BEYOND)
def test_a_value_beyond_the_bounds_is_refused_with_field_and_value(
    kind: Config, name: str, value: Any, shown: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        kind(**{name: value})
    for language, written in (("es", shown.replace(".", ",")), ("en", shown)):
        text = caught.value.text(Messages(language))
        assert name in text
        assert written in text


@pytest.mark.parametrize(("kind", "name", "value"), WRONG_TYPE)
def test_a_value_of_the_wrong_type_is_refused_however_it_is_given(
    kind: Config, name: str, value: Any
) -> None:
    for build in (lambda: kind(**{name: value}), lambda: kind.from_dict({name: value})):
        with pytest.raises(ConfigError) as caught:
            build()
        assert caught.value.key == "config_type"
        assert caught.value.values["field"] == name


def test_the_error_on_a_choice_lists_what_there_is() -> None:
    with pytest.raises(ConfigError, match="choose one of: max, avg, stride, none"):
        ModelConfig(pooling="median")  # type: ignore[arg-type]


def test_seven_convolutions_are_refused_with_an_example_of_the_right_way() -> None:
    with pytest.raises(ConfigError, match=r"filters lists 7 convolutions.*1 to 6.*16,32"):
        ModelConfig(filters=(8,) * 7)


def test_an_unknown_field_is_refused_with_the_list_of_fields() -> None:
    with pytest.raises(ConfigError, match=r"Unknown option depth.*filters, kernel_size") as caught:
        ModelConfig.from_dict({"depth": 3})
    assert caught.value.exit_code == 2


def test_a_wrong_change_is_refused_and_a_right_one_keeps_the_rest() -> None:
    base = ModelConfig(filters=(4,), dropout=0.5)
    assert base.replace(hidden=7) == ModelConfig(filters=(4,), dropout=0.5, hidden=7)
    with pytest.raises(ConfigError, match="hidden is -1"):
        base.replace(hidden=-1)


def test_lists_whole_floats_and_numpys_numbers_become_the_fields_type() -> None:
    given = ModelConfig(filters=[np.int64(8), 4], hidden=np.int32(5), dropout=0)  # type: ignore[arg-type]
    assert given == ModelConfig(filters=(8, 4), hidden=5, dropout=0.0)
    assert [type(n) for n in (*given.filters, given.hidden, given.dropout)] == [int] * 3 + [float]
    assert json.loads(json.dumps(given.to_dict()))["filters"] == [8, 4]
    assert type(TrainConfig(epochs=np.float32(2)).epochs) is float  # type: ignore[arg-type]


def test_configurations_cannot_be_changed_and_can_be_told_apart() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ModelConfig().hidden = 3  # type: ignore[misc]
    assert len({ModelConfig(), ModelConfig(hidden=128), ModelConfig(hidden=64)}) == 2


def test_the_number_of_layers_is_the_number_of_convolutions() -> None:
    assert [ModelConfig(filters=(4,) * n).layers for n in range(1, 7)] == [1, 2, 3, 4, 5, 6]


# -------------------------------------------------------------------- dictionary form


def _values(kind: Config) -> st.SearchStrategy[dict[str, Any]]:
    """Valid values of any choice of fields."""
    fraction = st.floats(0, 1, exclude_max=True)
    special = {
        "filters": st.lists(st.integers(1, 1024), min_size=1, max_size=6).map(tuple),
        "kernel_size": st.sampled_from([1, 3, 5, 7]),
        "convs_per_pool": st.integers(1, 3),
        "hidden": st.integers(0, 4096),
        "final_size": st.integers(0, 28),
        "epochs": st.floats(0, 10_000, exclude_min=True),
        "learning_rate": st.floats(0, 100, exclude_min=True),
        "muon_learning_rate": st.floats(0, 100, exclude_min=True),
        "batch_size": st.integers(1, 60_000),
        "holdout": st.integers(0, 60_000),
        "seed": st.integers(0, 2**31 - 1),
    }
    general = {bool: st.booleans(), str: st.text(max_size=9), float: fraction}
    fields = {}
    for name, hint in get_type_hints(kind).items():
        words = choices(hint)
        other = st.sampled_from(words) if words else general.get(hint)
        fields[name] = special.get(name, other)
    return st.fixed_dictionaries({}, optional=fields)


@given(st.one_of(*[st.tuples(st.just(k), _values(k)) for k in (ModelConfig, TrainConfig)]))
def test_a_configuration_survives_its_way_through_json(case: tuple[Config, dict[str, Any]]) -> None:
    kind, values = case
    built = kind(**values)
    assert kind.from_dict(json.loads(json.dumps(built.to_dict()))) == built
    assert all(getattr(built, name) == value for name, value in values.items())


def test_missing_fields_take_their_default() -> None:
    assert ModelConfig.from_dict({}) == ModelConfig()
    assert TrainConfig.from_dict({"seed": 4}) == TrainConfig(seed=4)


def test_the_dictionary_has_every_field_in_json_types() -> None:
    assert ModelConfig().to_dict() == {
        "filters": [16, 32],
        "kernel_size": 3,
        "pooling": "max",
        "convs_per_pool": 1,
        "hidden": 128,
        "dropout": 0.25,
        "batch_norm": False,
        "activation": "relu",
        "final_size": 0,
    }


# ------------------------------------------------------------------------ explanations


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_every_field_is_explained_to_the_reader_in_both_languages(kind: Config, name: str) -> None:
    texts = [Messages(language)(f"config.{name}") for language in ("es", "en")]
    assert all(text.endswith(".") for text in texts)
    assert texts[0] != texts[1]


@pytest.mark.parametrize("kind", [ModelConfig, TrainConfig])
def test_every_field_has_a_docstring_under_it(kind: Config) -> None:
    (body,) = [n for n in ast.parse(inspect.getsource(kind)).body if isinstance(n, ast.ClassDef)]
    documented = [
        field.target.id
        for field, text in zip(body.body, body.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
    ]
    assert documented == [field.name for field in dataclasses.fields(kind)]


def test_no_two_fields_share_a_name() -> None:
    names = [name for _, name in FIELDS]
    assert len(names) == len(set(names))


# ----------------------------------------------------------------------------- recipes


def test_the_workshop_recipe_is_the_seeds_network_and_training() -> None:
    model, train = recipe()
    assert (model, train) == (ModelConfig(), TrainConfig())
    assert (model.filters, model.hidden, model.dropout) == ((16, 32), 128, 0.25)
    assert (train.epochs, train.batch_size, train.learning_rate) == (10, 64, 1e-3)
    assert (train.optimizer, train.schedule, train.holdout) == ("adam", "constant", 5000)


def test_the_fast_recipe_trains_the_seeds_network_without_dropout_for_less_than_an_epoch() -> None:
    model, train = recipe("fast")
    assert model == ModelConfig(dropout=0.0)
    assert train.recipe == "fast"
    assert train.schedule == "one-cycle"
    assert train.epochs < 1


def test_the_handwriting_recipe_varies_the_digits_of_the_seeds_network_and_holds_some_out() -> None:
    model, train = recipe("handwriting")
    assert model == ModelConfig()
    assert train.augmentation == "handwriting"
    assert train.holdout == 5000
    others = {name for name in RECIPES if recipe(name)[1].augmentation == "handwriting"}
    assert others == {"handwriting"}


def test_the_best_recipe_is_six_convolutions_of_normalised_maps_without_a_hidden_layer() -> None:
    model, train = recipe("best")
    assert (model.layers, model.convs_per_pool, model.hidden, model.final_size) == (6, 2, 0, 1)
    assert model.batch_norm
    assert train.augmentation != "none"
    assert train.holdout == 5000


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_valid_and_carries_its_name(name: str) -> None:
    _, train = recipe(name)
    assert train.recipe == name


def test_recipes_are_as_long_as_when_they_were_measured() -> None:
    # Results and documents quote the names alone; a recipe that changes makes them untrue.
    trainings = {name: recipe(name)[1] for name in RECIPES}
    lengths = {name: (train.epochs, train.batch_size) for name, train in trainings.items()}
    assert lengths == {
        "workshop": (10, 64),
        "quick": (1, 128),
        "fast": (0.6, 128),
        "best": (15, 128),
        "handwriting": (12, 128),
        "few": (30, 64),
    }


def test_a_recipe_takes_changes_on_top_of_what_it_sets() -> None:
    model, train = recipe("fast", model={"filters": [4]}, train={"seed": 3, "batch_size": 32})
    assert model == ModelConfig(filters=(4,), dropout=0.0)
    assert train == recipe("fast")[1].replace(seed=3, batch_size=32)


def test_the_name_of_a_recipe_is_not_among_the_changes() -> None:
    assert recipe("fast", train={"recipe": "workshop"})[1].recipe == "fast"


def test_a_wrong_change_to_a_recipe_is_refused() -> None:
    with pytest.raises(ConfigError, match="batch_size is 0"):
        recipe("fast", train={"batch_size": 0})


def test_an_unknown_recipe_is_refused_with_the_list_of_recipes() -> None:
    with pytest.raises(ConfigError, match=r"recipe is slow; choose one of: workshop, .*fast"):
        recipe("slow")


def test_the_recipes_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        RECIPES["mine"] = RECIPES["fast"]  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        RECIPES["fast"].model = {}  # type: ignore[misc]


def test_the_choices_of_a_type_are_those_of_a_literal() -> None:
    hints = get_type_hints(ModelConfig)
    assert choices(hints["activation"]) == ("relu", "gelu", "tanh")
    assert choices(hints["hidden"]) == ()
