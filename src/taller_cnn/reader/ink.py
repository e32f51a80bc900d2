"""Which pixels are ink."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]

LEAST_STRENGTH = 0.05
"""Less than this part of the light taken away is no ink, but the paper's own marks."""
NOISE_STEPS = 5.0
"""Standard deviations of the paper's noise below which nothing is ink."""
SAME = 1e-3
"""Strengths that differ by less are one: a grey level of white paper is four times as much."""


def otsu(strengths: NDArray[np.floating]) -> float:
    """What tells weaker from stronger ink (Otsu 1979); the least of all where they are one.

    Args:
        strengths: any shape, not empty.
    """
    from skimage.filters import threshold_otsu

    low, high = float(strengths.min()), float(strengths.max())
    # A histogram of less is not defined: its bins would be finer than the numbers.
    return float(threshold_otsu(strengths)) if high - low >= SAME else low


def noise_of(strength: Grey) -> float:
    """Standard deviation of the paper's noise; `strength` is about 0 where there is only paper.

    From the middle half of all pixels, or, where that has ink in it, from the ones below 0: there
    is no ink there, and noise goes as far below as above.
    """
    sample = strength[::2, ::2]
    low, high = np.percentile(sample, (25, 75))
    below = sample[sample < 0]
    lower = 1.483 * float(np.median(-below)) if below.size else 0.0
    return min(float(high - low) / 1.349, lower)


def ink_mask(strength: Grey, noise: float) -> NDArray[np.bool_]:
    """The pixels that are ink, ``bool [H, W]``; none if nothing stands out of the noise.

    What stands out of the noise is told by Otsu's method in two, full ink and what is weaker;
    what is half as strong as full ink counts where it touches it (hysteresis): the lighter parts
    of a pencil's stroke do, the shadow of a fold does not.
    """
    from scipy.ndimage import gaussian_filter
    from skimage.filters import apply_hysteresis_threshold

    smooth = gaussian_filter(strength, 0.7)
    floor = max(NOISE_STEPS * noise, LEAST_STRENGTH)
    standing = smooth[smooth > floor]
    if standing.size < 4:
        return np.zeros(strength.shape, dtype=bool)
    cut = otsu(standing)
    full = float(np.median(standing[standing >= cut]))
    high = max(floor, min(cut, 0.6 * full))
    low = max(floor, 0.4 * full)
    return np.asarray(apply_hysteresis_threshold(smooth, min(low, high), high))
