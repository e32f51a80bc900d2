import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from taller_cnn.study.analysis import analyse
from taller_cnn.study.analysis.images import image_interval, wrong_digits
from taller_cnn.study.analysis.levels import columns_of


def packed_trials(wrong: np.ndarray) -> pd.DataFrame:
    """Trials, one seed each, that get these digits wrong ``[seeds, digits]``."""
    columns = dict.fromkeys(
        ["value_a", "value_b", "parameters", "macs", "folds", "test_error", "seen_error", "gap"],
        0.0,
    )
    columns |= {"train_seconds": 0.0, "peak_memory_mb": 0.0, "rate": 1.0}
    rows = {
        **{name: [value] * len(wrong) for name, value in columns.items()},
        "level_a": ["a"] * len(wrong),
        "level_b": [None] * len(wrong),
        "is_reference": [False] * len(wrong),
        "seed": list(range(len(wrong))),
        "status": ["ok"] * len(wrong),
        "validation_error": wrong.mean(axis=1),
        "validation_wrong": [np.packbits(row).tobytes() for row in wrong],
    }
    return pd.DataFrame(rows)


def test_the_interval_over_images_is_the_paired_t_test_over_images() -> None:
    random = np.random.default_rng(0)
    one, other = random.random((3, 501)) < 0.1, random.random((3, 501)) < 0.05
    low, high = image_interval(columns_of(packed_trials(one)), columns_of(packed_trials(other)))
    expected = stats.ttest_rel(100 * one.mean(axis=0), 100 * other.mean(axis=0))
    assert (low, high) == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_networks_that_fail_on_the_same_digits_do_not_depend_on_the_digits() -> None:
    wrong = np.random.default_rng(0).random((2, 500)) < 0.1
    same = columns_of(packed_trials(wrong))
    assert image_interval(same, same) == (0.0, 0.0)


def test_the_padding_of_packed_bits_is_not_taken_for_digits() -> None:
    wrong = np.zeros(13, dtype=bool)
    wrong[[0, 12]] = True
    assert list(wrong_digits(np.packbits(wrong).tobytes(), 13)) == [int(w) for w in wrong]


def test_images_that_were_not_recorded_give_no_interval(maker: Any) -> None:
    table = maker.table(maker.dropout()).assign(validation_wrong=None)
    assert all(math.isnan(e.images_low) for e in analyse(table).questions[0].effects)
