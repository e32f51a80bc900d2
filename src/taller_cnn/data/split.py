"""Which training digits are held out: the same ones for every run, whatever its seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["stratified_mask"]

SPLIT_SEED = 20250619


def stratified_mask(labels: NDArray[np.integer], count: int) -> NDArray[np.bool_]:
    """Choose `count` positions with the classes in the proportion they have in `labels`.

    The choice depends on the labels and the count alone, and uses no global generator.

    Args:
        labels: classes from 0, shape ``(n,)``.
        count: how many to choose, at most ``n``.

    Returns:
        Mask of the chosen positions, shape ``(n,)``.
    """
    # RandomState and not default_rng: numpy keeps its stream the same in every version.
    order = np.random.RandomState(SPLIT_SEED).permutation(len(labels))
    mask = np.zeros(len(labels), dtype=np.bool_)
    ordered = labels[order]
    for label, quota in enumerate(_quotas(np.bincount(labels), count)):
        mask[order[ordered == label][:quota]] = True
    return mask


def _quotas(counts: NDArray[np.intp], total: int) -> list[int]:
    """Share out `total` in the proportion of `counts`: largest remainder, first class on ties."""
    n = max(int(counts.sum()), 1)
    quotas = counts * total // n
    remainders = counts * total % n
    first = np.argsort(-remainders, kind="stable")[: total - int(quotas.sum())]
    quotas[first] += 1
    return [int(quota) for quota in quotas]
