from __future__ import annotations

import pytest

from taller_cnn.lab.schemas import is_name


@pytest.mark.parametrize("text", ["a", "mi-red", "3_capas", "x" * 40, "console"])
def test_small_letters_digits_and_hyphens_make_a_name(text: str) -> None:
    assert is_name(text)


@pytest.mark.parametrize(
    "text",
    ["", "..", ".", "a/b", "a\\b", "-a", "A", "á", "a b", "a\n", "a.pt", "x" * 41, "\ud800", "٣"],
)
def test_nothing_that_could_be_a_path_is_a_name(text: str) -> None:
    assert not is_name(text)


@pytest.mark.parametrize("text", ["main", "robust", "con", "nul", "com1", "lpt9"])
def test_names_that_mean_something_else_are_refused(text: str) -> None:
    assert not is_name(text)
