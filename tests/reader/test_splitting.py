"""Where marks that may be several digits can be cut, and which cuts are taken."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from taller_cnn.reader.splitting import (
    MOST_CUTS,
    WIDEST,
    Part,
    best_parts,
    cut_paths,
    part_of,
    runs,
    stands_apart,
)


def rings(n: int) -> NDArray[np.float32]:
    """`n` rings 80 pixels across, the strokes between them 10 long."""
    rows, columns = np.mgrid[:84, : 90 * n - 6]
    ink = np.zeros(rows.shape, dtype=np.float32)
    for index in range(n):
        ink[np.abs(np.hypot(rows - 42, columns - 42 - 90 * index) - 38) < 4] = 1
    for index in range(1, n):
        ink[60:68, 90 * index - 20 : 90 * index + 14] = 1
    return ink


def test_touching_rings_can_be_cut_where_they_touch() -> None:
    ink = rings(2)
    touching = [path for path in cut_paths(ink, 84, 8)[1:-1] if abs(path[42] - 87) <= 5]
    assert touching
    for path in touching:
        # Through the bridge between them, 8 pixels thick, and nothing else.
        assert ink[np.arange(84), path].sum() <= 10


def test_cuts_go_from_left_to_right_and_by_a_pixel_from_row_to_row() -> None:
    paths = cut_paths(rings(3), 84, 8)
    assert (paths[0] == 0).all()
    assert (paths[-1] == rings(3).shape[1]).all()
    for before, path in itertools.pairwise(paths):
        assert (before <= path).all()
    for path in paths[1:-1]:
        assert np.abs(np.diff(path)).max() <= 1


def test_a_long_mark_has_few_cuts_at_most() -> None:
    assert len(cut_paths(np.ones((20, 4000), np.float32), 20, 8)) <= MOST_CUTS + 2


def test_cuts_at_the_very_end_of_a_mark_stay_in_it() -> None:
    assert np.max(cut_paths(np.ones((9, 8), np.float32), 30, 8)[:-1]) < 8


def test_the_parts_of_a_mark_are_all_of_its_ink() -> None:
    ink = rings(2)
    paths = cut_paths(ink, 84, 8)
    parts = [part_of(ink, left, right) for left, right in itertools.pairwise(paths)]
    np.testing.assert_array_equal(np.sum(parts, axis=0), ink)


def test_runs_are_as_wide_as_digits_or_the_whole() -> None:
    ink = rings(3)
    paths = cut_paths(ink, 84, 8)
    parts = runs(ink, paths, 84, 8)
    assert (0, len(paths) - 1) in {(part.start, part.stop) for part in parts}
    others = [part for part in parts if part.stop - part.start < len(paths) - 1]
    assert others
    assert max(part.width for part in others) <= WIDEST
    touching = min(parts, key=lambda part: abs(int(paths[part.stop][42]) - 87))
    # The bridge between the rings is 8 pixels thick.
    assert touching.ink == pytest.approx(1, abs=0.3)


def part(start: int, stop: int, width: float = 0.8, ink: float = 1.0) -> Part:
    return Part(start=start, stop=stop, width=width, height=1.0, ink=ink)


def said(*answers: tuple[int, float]) -> NDArray[np.float32]:
    rows = np.zeros((len(answers), 10), np.float32)
    for row, (digit, probability) in zip(rows, answers, strict=True):
        row[:] = (1 - probability) / 9
        row[digit] = probability
    return rows


def test_the_parts_that_the_network_is_surest_of_make_up_the_mark() -> None:
    parts = (part(0, 3, 1.7), part(0, 1), part(1, 3), part(0, 2), part(2, 3))
    rows = said((8, 0.7), (3, 0.99), (7, 0.99), (3, 0.5), (7, 0.9))
    assert best_parts(parts, rows) == [1, 2]


def test_a_sure_whole_is_not_cut_through_its_strokes() -> None:
    parts = (part(0, 2, 0.9), part(0, 1, 0.4, ink=2), part(1, 2, 0.4))
    assert best_parts(parts, said((0, 0.99), (6, 0.97), (3, 0.97))) == [0]


def test_a_gap_costs_nothing_and_only_a_one_may_be_a_line() -> None:
    parts = (part(0, 2, 0.6), part(0, 1, 0.1, ink=0), part(1, 2, 0.1))
    assert best_parts(parts, said((4, 0.9), (1, 0.98), (1, 0.98))) == [1, 2]
    assert best_parts(parts, said((4, 0.9), (7, 0.98), (7, 0.98))) == [0]


def test_digits_beside_each_other_stand_apart_and_the_halves_of_one_do_not() -> None:
    ink = np.zeros((60, 80), np.float32)
    ink[:, 5:12] = ink[:, 40:47] = 1
    assert stands_apart(ink)
    ink[20:26, 5:47] = 1
    assert not stands_apart(ink)
    halves = np.zeros((60, 40), np.float32)
    halves[:28, 5:12] = halves[32:, 5:12] = 1
    assert not stands_apart(halves)


def test_cuts_through_more_ink_than_those_beside_them_are_left_out() -> None:
    ink = np.ones((40, 120), np.float32)
    ink[:, 58:62] = 0.1
    thick, thin = (cut_paths(ink, 40, stroke) for stroke in (400, 4))
    assert len(thin) < len(thick)
    assert any(path.min() >= 58 and path.max() <= 62 for path in thin[1:-1])
