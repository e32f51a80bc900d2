"""Where marks that are too wide for one digit can be cut."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from taller_cnn.reader.splitting import MOST_PARTS, cuts


def rings(n: int) -> NDArray[np.float32]:
    """`n` rings 80 pixels across, the strokes between them 10 long."""
    rows, columns = np.mgrid[:84, : 90 * n - 6]
    ink = np.zeros(rows.shape, dtype=np.float32)
    for index in range(n):
        ink[np.abs(np.hypot(rows - 42, columns - 42 - 90 * index) - 38) < 4] = 1
    for index in range(1, n):
        ink[60:68, 90 * index - 20 : 90 * index + 14] = 1
    return ink


def test_touching_rings_are_cut_where_they_touch() -> None:
    (cut,) = next(way for way in cuts(rings(2), 84, alone=True) if len(way) == 1)
    assert cut.shape == (84,)
    assert np.abs(cut - 87).max() < 12
    assert abs(cut[42] - 87) <= 5


def test_three_that_touch_can_be_cut_in_three_from_left_to_right() -> None:
    ways = cuts(rings(3), 84, alone=False)
    first, second = next(way for way in ways if len(way) == 2)
    assert (first < second).all()
    assert abs(first[42] - 87) <= 6
    assert abs(second[42] - 177) <= 6


def test_a_cut_goes_from_row_to_row_by_a_pixel_at_most() -> None:
    for way in cuts(rings(2), 84, alone=False):
        for cut in way:
            assert np.abs(np.diff(cut)).max() <= 1


def test_one_ring_is_not_cut_when_it_is_alone_and_never_when_narrow() -> None:
    assert cuts(rings(1), 84, alone=True) == []
    assert cuts(rings(1)[:, :60], 84, alone=False) == []


def test_a_long_mark_is_cut_in_few_parts_at_most() -> None:
    assert max(len(way) for way in cuts(rings(4), 84, alone=False)) <= MOST_PARTS - 1
