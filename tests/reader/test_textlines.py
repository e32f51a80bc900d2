"""Marks in reading order, also where lines of writing slant."""

from __future__ import annotations

import numpy as np
import pytest

from taller_cnn.reader.marks import Mark
from taller_cnn.reader.textlines import lines_of, slope_of


def marks(*places: tuple[float, float]) -> list[Mark]:
    """Marks of 40 by 60 pixels with their middles there."""
    boxes = [(round(x) - 20, round(y) - 30, round(x) + 20, round(y) + 30) for x, y in places]
    return [Mark(box=box, pieces=(1,)) for box in boxes]


def two_lines(slope: float) -> list[Mark]:
    wobble = np.random.default_rng(0).normal(0, 3, 12)
    return marks(
        *((60 * i, 200 + line * 100 + slope * 60 * i + wobble[6 * line + i])
          for line in range(2) for i in range(6))
    )  # fmt: skip


@pytest.mark.parametrize("slope", [-0.25, -0.1, 0.0, 0.1, 0.25])
def test_the_slope_of_slanted_lines_is_found(slope: float) -> None:
    written = two_lines(slope)
    found = slope_of(written)
    assert found == pytest.approx(slope, abs=0.04)
    assert lines_of(written, found) == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]


def test_order_is_by_line_and_then_from_left_to_right() -> None:
    written = marks((200, 300), (300, 50), (100, 55), (50, 310), (200, 45))
    assert lines_of(written, 0.0) == [[2, 4, 1], [3, 0]]


def test_two_marks_have_no_slope_and_none_no_lines() -> None:
    assert slope_of(marks((0, 0), (60, 30))) == 0
    assert lines_of([], 0.0) == []
