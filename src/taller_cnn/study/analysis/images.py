"""How much of a difference hangs on which digits the validation set happens to have."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from taller_cnn.study.analysis.results import Columns

__all__ = ["image_interval", "wrong_digits"]


def wrong_digits(packed: bytes, count: int) -> npt.NDArray[np.uint8]:
    """1 for each of `count` validation digits that a trial got wrong, ``[count]``."""
    return np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=count)


def image_interval(level: Columns, reference: Columns) -> tuple[float, float]:
    """95% interval of the difference in error over other validation digits, in points.

    Paired over images: each counts with its mean over the seeds that both levels have, so what
    is left is the choice of digits, not the training. Not adjusted for several comparisons.
    NaN, NaN where images were not recorded.

    Args:
        level, reference: the trials to compare, one per seed.
    """
    from scipy import stats

    pairs = _pairs(level, reference)
    count = _validation_size(level, reference)
    if not pairs or count < 2:
        return math.nan, math.nan
    difference = np.zeros(count)
    for packed, packed_reference in pairs:
        difference += wrong_digits(packed, count).astype(float)
        difference -= wrong_digits(packed_reference, count)
    difference *= 100 / len(pairs)
    if not difference.any():
        return 0.0, 0.0
    interval = stats.ttest_1samp(difference, 0).confidence_interval(0.95)
    return float(interval.low), float(interval.high)


def _pairs(level: Columns, reference: Columns) -> list[tuple[bytes, bytes]]:
    """What both got wrong with the same seed."""
    known = dict(zip(reference["seed"], reference["validation_wrong"], strict=True))
    own = zip(level["seed"], level["validation_wrong"], strict=True)
    return [(w, known[s]) for s, w in own if w is not None and known.get(s) is not None]


def _validation_size(*levels: Columns) -> int:
    """Number of validation digits: errors divided by their fraction, as bytes round it up."""
    for trials in levels:
        rows = zip(trials["validation_wrong"], trials["validation_error"], strict=True)
        for packed, fraction in rows:
            if packed is not None and fraction > 0:
                return round(_errors(packed) / float(fraction))
    packed = next((p for t in levels for p in t["validation_wrong"] if p is not None), b"")
    return 8 * len(packed)


def _errors(packed: bytes) -> int:
    return int.from_bytes(packed).bit_count()
