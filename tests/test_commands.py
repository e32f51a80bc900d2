from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taller_cnn.commands import command_line, typed


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_comes_back_with_all_its_digits(x: float) -> None:
    line = command_line("train", options={"learning_rate": x})
    assert float(shlex.split(line)[-1]) == x


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00123456789, "0.00123456789"),
        (30.0, "30"),
        (1e-5, "1e-05"),
        ((16, 32), "16,32"),
        ([3], "3"),
        (Path("a/b"), "a/b"),
        (True, "--batch-norm"),
        (False, "--no-batch-norm"),
    ],
)
def test_a_value_as_one_types_it(value: object, text: str) -> None:
    assert typed("batch_norm", value) == text


def test_what_is_not_given_or_usual_is_left_out() -> None:
    options = {"resume": True, "seed": None, "epochs": 2.0, "batch_size": 64, "middle": False}
    line = command_line("train", "a b", options=options, defaults={"batch_size": 64, "seed": 0})
    assert line == "taller-cnn train 'a b' --resume --epochs 2 --no-middle"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1)))
def test_the_shell_gives_the_words_back(words: list[str]) -> None:
    assert shlex.split(command_line("study", *words, options={}))[2:] == words
