"""How much of a difference hangs on which digits the validation set happens to have."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from taller_cnn.study.analysis.folds import fold_of
from taller_cnn.study.analysis.results import Columns


def wrong_digits(packed: bytes, count: int) -> npt.NDArray[np.uint8]:
    """1 for each of `count` validation digits that a trial got wrong, ``[count]``."""
    return np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=count)


def image_interval(level: Columns, reference: Columns) -> tuple[float, float]:
    """95% interval of the difference in error over other digits to judge by, in points.

    Paired over images: each counts with its mean over the seeds that both levels have, so what
    is left is the choice of digits, not the training. Not adjusted for several comparisons. With
    folds, over the digits of all of them. NaN, NaN where images were not recorded.

    Args:
        level, reference: the trials to compare, one per seed.
    """
    from scipy import stats

    pairs = _pairs(level, reference)
    counts = {fold: _fold_size(fold, level, reference) for fold in pairs}
    if sum(counts.values()) < 2:
        return math.nan, math.nan
    difference = np.concatenate([_difference(pairs[fold], counts[fold]) for fold in pairs])
    if not difference.any():
        return 0.0, 0.0
    interval = stats.ttest_1samp(difference, 0).confidence_interval(0.95)
    return float(interval.low), float(interval.high)


def judged_digits(*levels: Columns) -> int:
    """Different digits that judged the trials; 0 where images were not recorded."""
    folds = sorted({int(fold) for trials in levels for fold in fold_of(trials)})
    return sum(_fold_size(fold, *levels) for fold in folds)


def _difference(pairs: Sequence[tuple[bytes, bytes]], count: int) -> npt.NDArray[np.float64]:
    """Mean difference in error of each of a fold's digits, in points, ``[count]``."""
    difference = np.zeros(count)
    for packed, packed_reference in pairs:
        difference += wrong_digits(packed, count).astype(float)
        difference -= wrong_digits(packed_reference, count)
    return difference * (100 / len(pairs))


def _pairs(level: Columns, reference: Columns) -> dict[int, list[tuple[bytes, bytes]]]:
    """What both got wrong with the same seed, by the fold that judged them."""
    known = dict(zip(reference["seed"], reference["validation_wrong"], strict=True))
    found: dict[int, list[tuple[bytes, bytes]]] = {}
    own = zip(fold_of(level), level["seed"], level["validation_wrong"], strict=True)
    for fold, seed, packed in own:
        if packed is not None and known.get(seed) is not None:
            found.setdefault(int(fold), []).append((packed, known[seed]))
    return found


def _fold_size(fold: int, *levels: Columns) -> int:
    """Digits of a fold: errors divided by their fraction, as bytes round it up."""
    longest = 0
    for trials in levels:
        rows = zip(
            fold_of(trials), trials["validation_wrong"], trials["validation_error"], strict=True
        )
        for own, packed, fraction in rows:
            if own != fold or packed is None:
                continue
            if fraction > 0:
                return round(_errors(packed) / float(fraction))
            longest = max(longest, 8 * len(packed))
    return longest


def _errors(packed: bytes) -> int:
    return int.from_bytes(packed).bit_count()
