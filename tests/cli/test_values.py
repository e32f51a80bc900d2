from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taller_cnn.cli.values import (
    WrongValue,
    count,
    number,
    one_of,
    path,
    whole_number,
    whole_numbers,
)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_with_a_point(x: float) -> None:
    assert number(repr(x)) == x


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0,001", 0.001),
        ("0,25", 0.25),
        ("2,5", 2.5),
        ("-0,5", -0.5),
        ("1e-3", 0.001),
        ("12,34", 12.34),
    ],
)
def test_a_decimal_comma_is_read_too(text: str, value: float) -> None:
    assert number(text) == value


@pytest.mark.parametrize("text", ["1,250", "10,000", "-1,500", "1,2,3", "", "x", "1.000,5"])
def test_a_number_that_can_be_read_in_two_ways_or_in_none_is_refused(text: str) -> None:
    with pytest.raises(WrongValue) as error:
        number(text)
    assert error.value.key == "cli_expected_number"
    assert error.value.values == {"value": text}


@given(st.lists(st.integers(), min_size=1))
def test_whole_numbers_are_separated_by_commas(numbers: list[int]) -> None:
    assert whole_numbers(",".join(map(str, numbers))) == tuple(numbers)
    assert whole_numbers(" , ".join(map(str, numbers))) == tuple(numbers)


@pytest.mark.parametrize("text", ["", "16,", "16;32", "1.5", "a"])
def test_other_lists_are_refused(text: str) -> None:
    with pytest.raises(WrongValue, match="cli_expected_integers"):
        whole_numbers(text)


def test_whole_numbers_and_counts() -> None:
    assert whole_number("-3") == -3
    assert count("1") == 1
    for text in ("1.0", "", "x"):
        with pytest.raises(WrongValue, match="cli_expected_integer"):
            whole_number(text)
    for text in ("0", "-1"):
        with pytest.raises(WrongValue, match="cli_expected_count"):
            count(text)


def test_the_home_folder_is_known_and_an_empty_path_is_refused() -> None:
    assert path("~/digits") == Path.home() / "digits"
    assert path("data") == Path("data")
    with pytest.raises(WrongValue, match="cli_expected_path"):
        path("")


def test_a_tilde_before_no_user_is_a_name_like_another() -> None:
    assert path("~nobody-here/foo") == Path("~nobody-here/foo")


def test_a_word_is_one_of_those_allowed() -> None:
    parse = one_of("full", "sample")
    assert parse("full") == "full"
    with pytest.raises(WrongValue) as error:
        parse("half")
    assert error.value.values == {"value": "half", "allowed": "full, sample"}
