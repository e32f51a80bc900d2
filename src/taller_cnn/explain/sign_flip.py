"""Whether a difference is more than the luck of the few digits that it was measured on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

SHOWN = 0.05
"""A difference with a smaller p is told as one."""
FLIPS = 5000


def sign_flip_p(differences: npt.NDArray[Any], seed: int = 0) -> float:
    """How often luck alone gives a mean as far from 0: a sign-flip test (Fisher 1935).

    Without a difference each one is as likely with the other sign. With five or fewer there are too
    few signs to tell anything: p is at least 2 in 2⁵.

    Args:
        differences: one per digit, of two things measured on it, shape ``(N,)``.
        seed: of the signs.

    Returns:
        A two-sided p; 1 without digits.
    """
    values = np.asarray(differences, dtype=np.float64)
    distance = abs(values.sum())
    if not distance:
        return 1.0
    generator = np.random.default_rng(seed)
    signs = (generator.integers(0, 2, size=len(values)) * 2 - 1 for _ in range(FLIPS))
    # Sums in another order differ in their last digits.
    as_far = sum(abs(float(values @ sign)) >= distance * (1 - 1e-9) for sign in signs)
    return float((1 + as_far) / (1 + FLIPS))
