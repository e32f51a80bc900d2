"""Which pixels are ink."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from taller_cnn.reader.ink import ink_mask, noise_of, otsu


def paper(deviation: float, seed: int = 0) -> NDArray[np.float32]:
    noise = np.random.default_rng(seed).normal(0, deviation, (200, 300))
    return noise.astype(np.float32)


def test_noise_is_measured_whatever_is_written() -> None:
    page = paper(0.02)
    assert noise_of(page) == pytest.approx(0.02, rel=0.05)
    page[50:150, 50:250] += 0.7
    assert noise_of(page) == pytest.approx(0.02, rel=0.1)


def test_a_clean_drawing_has_no_noise_even_if_half_of_it_is_ink() -> None:
    page = np.zeros((100, 100), dtype=np.float32)
    page[:, 20:80] = np.linspace(0.1, 1, 60, dtype=np.float32)
    assert noise_of(page) == 0


@pytest.mark.parametrize("deviation", [0.0, 0.01, 0.05])
def test_a_blank_page_has_no_ink(deviation: float) -> None:
    assert not ink_mask(paper(deviation), deviation).any()


def test_faint_ink_counts_where_it_goes_on_from_full_ink_and_nowhere_else() -> None:
    page = paper(0.005)
    page[50:60, 50:130] = 0.8
    page[50:60, 130:150] = 0.4
    page[120:130, 50:60] = 0.2
    mask = ink_mask(page, 0.005)
    assert mask[51:59, 51:149].all()
    assert not mask[110:140].any()


def test_two_inks_are_told_apart_wherever_they_lie() -> None:
    for scale in (1, 1e-2):
        values = np.repeat(np.array([0.2, 0.8], np.float32) * scale, 50)
        assert 0.2 * scale <= otsu(values) < 0.8 * scale


@pytest.mark.parametrize("values", [[0.05504176], [0.05504176, 0.05504177, 0.0550418], [-24, -24]])
def test_ink_that_is_all_the_same_is_not_told_apart(values: list[float]) -> None:
    strengths = np.array(values, np.float32)
    assert otsu(strengths) == strengths.min()


def test_nearly_constant_strength_has_one_level() -> None:
    page = np.full((12, 12), 0.05504176, np.float32)
    page[4:8, 4:8] = np.nextafter(page[0, 0], np.float32(1))
    assert ink_mask(page, 0.0).all()
