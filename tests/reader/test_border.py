"""Ink at the picture's border: shadows and edges go, digits that reach the border stay."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from taller_cnn.reader.border import without_border

Grey = NDArray[np.float32]


def ring(page: Grey, x: int, y: int, level: float, radius: float = 38, width: float = 8) -> None:
    rows, columns = np.mgrid[: page.shape[0], : page.shape[1]]
    page[np.abs(np.hypot(rows - y, columns - x) - radius) < width / 2] = level


def page() -> Grey:
    return np.zeros((300, 500), np.float32)


def reasons(rejected: list[object]) -> set[str]:
    return {each.reason.key for each in rejected}  # type: ignore[attr-defined]


def test_weak_writing_is_seen_whole_beside_a_strong_shadow_in_a_corner() -> None:
    strength = page()
    ring(strength, 120, 150, 0.25)
    rows, columns = np.mgrid[:300, :500]
    strength[rows + columns > 640] = 0.9
    cleaned, mask, rejected = without_border(strength, 0.0)
    assert mask[:, :170].sum() == pytest.approx((strength[:, :170] > 0).sum(), rel=0.1)
    assert not mask[:, 300:].any()
    assert cleaned[299, 499] == 0
    assert reasons(rejected) == {"reader_edge"}


@pytest.mark.parametrize("side", ["frame", "strip", "vignette"])
def test_what_follows_the_border_is_left_out(side: str) -> None:
    strength = page()
    ring(strength, 250, 150, 0.8)
    written = strength > 0
    if side == "frame":
        strength[:12] = strength[:, :9] = 0.8
    elif side == "strip":
        strength[270:] = 0.6
    else:
        y, x = np.meshgrid(np.linspace(-1, 1, 300), np.linspace(-1, 1, 500), indexing="ij")
        strength[np.hypot(x, y) > 1.15] = 0.7
    _, mask, rejected = without_border(strength, 0.0)
    assert mask[~written].mean() < 0.01
    assert mask[written].mean() > 0.95
    assert reasons(rejected) == {"reader_edge"}


@pytest.mark.parametrize("digit", [0, 7])
def test_a_digit_cut_out_at_its_own_box_is_no_edge(digit: int) -> None:
    tight = np.zeros((140, 100), np.float32)
    if digit == 0:
        y, x = np.meshgrid(np.linspace(-1, 1, 140), np.linspace(-1, 1, 100), indexing="ij")
        tight[(np.hypot(x, y) < 1) & (np.hypot(x, y) > 0.75)] = 0.9
    else:
        tight[:12] = 0.9
        for row in range(12, 140):
            tight[row, 88 - row // 2 : 100 - row // 2] = 0.9
    _, mask, rejected = without_border(tight, 0.0)
    assert not rejected
    assert mask[tight > 0].all()


def test_digits_of_a_strip_that_reach_its_upper_and_lower_edge_stay() -> None:
    strip = np.zeros((80, 600), np.float32)
    for x in (60, 200, 340, 480):
        strip[:, x : x + 9] = 0.9
        ring(strip, x + 60, 40, 0.9, radius=36)
    _, mask, rejected = without_border(strip, 0.0)
    assert not rejected
    assert (mask == (strip > 0)).mean() > 0.98
