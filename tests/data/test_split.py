from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from taller_cnn.data.digits import stratified_mask

label_lists = st.lists(st.integers(0, 9), min_size=1, max_size=300)


@given(labels=label_lists, fraction=st.floats(0, 1))
def test_classes_keep_their_proportion_to_less_than_one_digit(
    labels: list[int], fraction: float
) -> None:
    array = np.array(labels)
    count = int(fraction * len(labels))
    mask = stratified_mask(array, count)
    assert mask.sum() == count
    for label in range(10):
        share = count * (array == label).sum() / len(labels)
        assert abs((array[mask] == label).sum() - share) < 1


def test_the_choice_is_fixed() -> None:
    labels = np.arange(1000) % 10
    chosen = np.flatnonzero(stratified_mask(labels, 20))
    # Written down, so that a new version of numpy or of this code cannot change every result.
    assert chosen.tolist() == [
        *(45, 65, 96, 137, 149, 294, 296, 344, 350, 393),
        *(452, 521, 547, 549, 550, 898, 902, 908, 971, 993),
    ]


def test_the_choice_leaves_the_global_generator_alone() -> None:
    before = np.random.get_state()[1].copy()  # type: ignore[index]
    stratified_mask(np.arange(100) % 10, 10)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # type: ignore[index]


def test_uneven_classes_get_the_largest_remainders() -> None:
    labels = np.array([0] * 5 + [1] * 3 + [2] * 2)
    mask = stratified_mask(labels, 5)
    assert np.bincount(labels[mask]).tolist() == [3, 1, 1]  # 2.5, 1.5 and 1; the first tie wins


def test_a_smaller_hold_out_is_part_of_a_larger_one() -> None:
    labels = np.arange(1000) % 10
    small, large = stratified_mask(labels, 100), stratified_mask(labels, 300)
    assert not (small & ~large).any()
