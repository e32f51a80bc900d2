"""Where a mark that is too wide for one digit can be cut."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["cuts"]

Grey = NDArray[np.float32]

WIDE = 0.85
"""Width by height from which a mark may be two digits that touch."""
WIDE_ALONE = 1.25
"""The same for the only mark of a picture."""
MOST_PARTS = 5


def cuts(ink: Grey, size: float, *, alone: bool) -> list[list[NDArray[np.int_]]]:
    """Ways to cut a mark into digits side by side, the network to choose from.

    Args:
        ink: ``float32 [H, W]``, 0 to 1.
        size: height of a digit, in pixels.
        alone: whether there is no other mark, to know by how wide a digit is.

    Returns:
        for each way its cuts from left to right; a cut is a column for each row. A cut may bend,
        and goes where there is least ink.
    """
    height, width = ink.shape
    ratio = width / max(min(height, 1.3 * size), 1.0)
    if ratio < (WIDE_ALONE if alone else WIDE) or height < 0.4 * size:
        return []
    # Two digits that touch are as wide as 0.85 heights (11) or 2 (00).
    most = min(MOST_PARTS, int(ratio / 0.4))
    least = max(2, round(ratio / 1.1))
    return [_cut_into(ink, n) for n in range(least, most + 1)]


def _cut_into(ink: Grey, n: int) -> list[NDArray[np.int_]]:
    """`n - 1` cuts near the places that would give equal parts."""
    width = ink.shape[1]
    reach = 0.35 * width / n
    return [_path(ink, width * k / n, reach) for k in range(1, n)]


def _path(ink: Grey, place: float, reach: float) -> NDArray[np.int_]:
    """The way from top to bottom that meets least ink, within `reach` of `place`."""
    low = max(int(place - reach), 0)
    part = ink[:, low : int(place + reach) + 2].astype(float)
    middle = np.abs(np.arange(part.shape[1]) - (place - low)) / max(reach, 1)
    cost = part + 0.002 * middle
    total = np.zeros_like(cost)
    total[0] = cost[0]
    for row in range(1, len(cost)):
        before = np.pad(total[row - 1], 1, constant_values=np.inf)
        # To the side costs a little, so that cuts are straight where it does not matter.
        best = np.minimum(before[1:-1], np.minimum(before[:-2], before[2:]) + 0.02)
        total[row] = cost[row] + best
    return _followed(total) + low


def _followed(total: NDArray[np.float64]) -> NDArray[np.int_]:
    """The cheapest way, found from its end."""
    path = np.zeros(len(total), dtype=int)
    path[-1] = int(total[-1].argmin())
    for row in range(len(total) - 2, -1, -1):
        start = max(path[row + 1] - 1, 0)
        path[row] = start + int(total[row, start : path[row + 1] + 2].argmin())
    return path
