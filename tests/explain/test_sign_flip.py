from __future__ import annotations

import numpy as np
import pytest

from taller_cnn.explain.sign_flip import SHOWN, sign_flip_p


@pytest.mark.parametrize("n", [3, 5, 8])
def test_the_p_of_equal_signs_is_a_count_of_the_signs(n: int) -> None:
    # Only all plus and all minus, of 2**n ways to set the signs, are as far from 0.
    assert sign_flip_p(np.linspace(1, 2, n)) == pytest.approx(2 / 2**n, abs=0.015)


def test_five_differences_or_fewer_show_nothing() -> None:
    assert all(sign_flip_p(np.ones(n)) > SHOWN for n in range(1, 6))
    assert sign_flip_p(np.ones(7)) < SHOWN


def test_without_a_difference_or_a_digit_nothing_is_shown() -> None:
    assert sign_flip_p(np.zeros(30)) == sign_flip_p(np.empty(0)) == 1.0
    assert sign_flip_p(np.array([1.0, -1.0] * 20)) == 1.0


def test_luck_is_told_for_a_difference_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    found = [sign_flip_p(random.normal(size=20), seed) < SHOWN for seed in range(100)]
    assert sum(found) <= 11
