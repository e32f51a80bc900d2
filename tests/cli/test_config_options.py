from __future__ import annotations

import dataclasses
import re

import click
import pytest

from taller_cnn.cli.app import build
from taller_cnn.cli.config_options import configs, network
from taller_cnn.config import RECIPES, ModelConfig, TrainConfig, recipe
from taller_cnn.errors import ConfigError
from taller_cnn.messages import LANGUAGES, Messages

MODEL_FIELDS = {field.name for field in dataclasses.fields(ModelConfig)}
TRAIN_FIELDS = {field.name for field in dataclasses.fields(TrainConfig)}


def option_names(name: str) -> set[str]:
    root = build()
    command = root.get_command(click.Context(root), name)
    assert command is not None
    return {parameter.name for parameter in command.params}


def test_train_has_an_option_for_every_field_of_both_configurations() -> None:
    assert option_names("train") >= MODEL_FIELDS | TRAIN_FIELDS


@pytest.mark.parametrize("name", ["evaluate", "describe"])
def test_other_commands_have_the_networks_options(name: str) -> None:
    names = option_names(name)
    assert names >= MODEL_FIELDS
    assert not names & (TRAIN_FIELDS - {"device"})


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_field_is_explained_in_both_languages(language: str) -> None:
    messages = Messages(language)
    assert all(messages.has(f"config.{name}") for name in MODEL_FIELDS | TRAIN_FIELDS)


def test_without_options_it_is_the_workshops_recipe() -> None:
    assert configs(dict.fromkeys(MODEL_FIELDS | TRAIN_FIELDS)) == recipe("workshop")


@pytest.mark.parametrize("name", RECIPES)
def test_given_options_change_the_recipe(name: str) -> None:
    model, train = configs({"recipe": name, "filters": (8,), "seed": 7, "epochs": None})
    expected_model, expected_train = recipe(name)
    assert model == expected_model.replace(filters=(8,))
    assert train == expected_train.replace(seed=7)


def test_given_options_change_what_is_resumed() -> None:
    base = recipe("fast", train={"seed": 3})
    model, train = configs({"epochs": 2.0, "filters": None}, base)
    assert (model, train) == (base[0], base[1].replace(epochs=2.0))


def test_an_unknown_recipe_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"workshop, .*fast"):
        configs({"recipe": "slow"})


def test_a_network_is_described_only_if_an_option_is_given() -> None:
    assert network(dict.fromkeys(MODEL_FIELDS)) is None
    assert network({"hidden": 64, "filters": None}) == ModelConfig(hidden=64)


def test_help_shows_the_recipes_default_and_where_another_differs(cli) -> None:
    text = cli("train", "--help").sentences
    usual, fast = recipe("workshop")[1], recipe("fast")[1]
    for one, other in ((usual.batch_size, fast.batch_size), (usual.epochs, fast.epochs)):
        assert re.search(rf"\[por defecto: {one:g}; [^]]*fast[^]:]*: {other:g}[];]", text)
    assert re.search(r"\[por defecto: 16,32; best: 16,16,[\d,]+\]", text)
    assert "[por defecto: relu]" in text
    assert "[por defecto: --no-batch-norm; best: --batch-norm]" in text


@pytest.mark.parametrize("language", ["es", "en"])
def test_the_help_names_every_recipe(language: str) -> None:
    told = re.findall(r"\w+", Messages(language)("config.recipe"))
    assert set(RECIPES) <= set(told)
