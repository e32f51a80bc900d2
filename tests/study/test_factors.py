"""Factors: the levels they have, and what each changes."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taller_cnn.config import ModelConfig
from taller_cnn.errors import UsageError
from taller_cnn.model import describe
from taller_cnn.study.factors import FACTORS, factor_named, model_of, parse_factor, train_of


def model(factor: str, level: str) -> ModelConfig:
    return ModelConfig(**model_of(FACTORS[factor].level(level).settings))


def fc1_inputs(config: ModelConfig) -> int:
    (row,) = (row for row in describe(config) if row.name == "fc1")
    return row.parameters // config.hidden - 1


def test_the_reference_level_of_every_factor_is_the_workshops_network() -> None:
    for name, factor in FACTORS.items():
        assert model(name, factor.reference) == ModelConfig(), name


@pytest.mark.parametrize(
    ("level", "filters"),
    [("x1/4", (4, 8)), ("x1/2", (8, 16)), ("x1", (16, 32)), ("x2", (32, 64)), ("x4", (64, 128))],
)
def test_filters_multiply_every_convolution(level: str, filters: tuple[int, ...]) -> None:
    assert model("filters", level).filters == filters


def test_layer_k_has_16_32_32_32_filters() -> None:
    found = [model("layers", str(k)).filters for k in (1, 2, 3, 4)]
    assert found == [(16,), (16, 32), (16, 32, 32), (16, 32, 32, 32)]


def test_crossed_filters_and_layers_multiply_each_layer() -> None:
    changes = FACTORS["filters"].level("x1/2").settings | FACTORS["layers"].level("3").settings
    assert model_of(changes)["filters"] == [8, 16, 16]


@pytest.mark.parametrize(
    ("factor", "level", "options"),
    [
        ("convs-per-pool", "2", {"convs_per_pool": 2}),
        ("final-size", "1", {"final_size": 1}),
        ("hidden", "0", {"hidden": 0}),
    ],
)
def test_the_switches_of_the_family_are_factors(
    factor: str, level: str, options: dict[str, int]
) -> None:
    assert model(factor, level) == ModelConfig.from_dict(options)


@pytest.mark.parametrize(
    ("factor", "level", "options"),
    [
        ("augmentation", "affine", {"augmentation": "affine"}),
    ],
)
def test_the_switches_of_the_training_are_factors(
    factor: str, level: str, options: dict[str, object]
) -> None:
    assert train_of(FACTORS[factor].level(level).settings) == options
    assert model(factor, level) == ModelConfig()


@pytest.mark.parametrize("factor", ["filters-fc1", "layers-fc1"])
def test_the_held_variants_leave_fc1_with_1568_inputs(factor: str) -> None:
    for level in FACTORS[factor].levels:
        assert fc1_inputs(model(factor, level.name)) == 1568, level.name


def test_fc1_grows_with_one_layer_unless_it_is_held() -> None:
    assert fc1_inputs(model("layers", "1")) == 16 * 14 * 14
    assert model("layers-fc1", "1").filters == (32,)


def test_levels_of_the_held_layers_from_two_on_are_those_of_layers() -> None:
    for level in ("2", "3", "4"):
        assert model("layers-fc1", level) == model("layers", level)


@given(st.integers(1, 16), st.integers(1, 16))
def test_any_multiple_can_be_a_level_and_has_one_name(numerator: int, denominator: int) -> None:
    level = FACTORS["filters"].level(f"x{numerator}/{denominator}")
    assert level.value == pytest.approx(numerator / denominator)
    assert level.name == f"x{Fraction(numerator, denominator)}"
    assert FACTORS["filters"].level(level.name) == level


def test_a_name_written_another_way_is_the_same_level() -> None:
    assert FACTORS["dropout"].level(".5") is FACTORS["dropout"].level("0.5")
    assert FACTORS["filters"].level("x2/4") is FACTORS["filters"].level("x1/2")


@pytest.mark.parametrize(
    ("factor", "level"),
    [
        ("filters", "wide"),
        ("filters", "x0"),
        ("filters", "x1/0"),
        ("layers", "2.5"),
        ("layers", "1000000000"),
        ("size", "0"),
        ("pooling", "median"),
    ],
)
def test_an_unknown_level_is_refused_with_the_levels_there_are(factor: str, level: str) -> None:
    with pytest.raises(UsageError, match=FACTORS[factor].reference) as caught:
        FACTORS[factor].level(level)
    assert caught.value.values["value"] == level


def test_an_unknown_factor_is_refused_with_the_factors_there_are() -> None:
    with pytest.raises(UsageError, match="filters, layers, filters-fc1"):
        factor_named("depth")


def test_the_reference_is_always_among_the_chosen_levels_in_order() -> None:
    assert parse_factor("filters=x2,x1/2") == ("filters", ("x1/2", "x1", "x2"))
    assert parse_factor("pooling=none,avg") == ("pooling", ("max", "avg", "none"))
    assert parse_factor("kernel") == ("kernel", None)
    with pytest.raises(UsageError, match=r"dropout cannot have the level .* 25.*as in 0\.25"):
        parse_factor("dropout=0,25")
