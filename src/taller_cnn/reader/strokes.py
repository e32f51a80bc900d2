"""Strokes as wide as MNIST's, whatever they were written with."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from taller_cnn.reader.preparation import BOX, FAINT

Grey = NDArray[np.float32]

FINE = 4 * BOX
"""Longest side that strokes are worked on with: four pixels for each of MNIST's."""
HAIRLINE = 0.6
"""Strokes that are no darker than this where they are worked on, of 1, are thinner than a pixel
there: they are widened before they are reduced."""
USUAL = (1.75, 3.4)
"""Stroke widths, in MNIST's pixels, that are left as they are: of 90% of its digits."""


def with_usual_strokes(ink: Grey) -> Grey:
    """A digit's ink with strokes in MNIST's usual range, not changed where they are in it.

    Args:
        ink: ``float32 [H, W]``, 0 to 1, cut at the digit's box.

    Returns:
        the same ink, or another picture of it with a longest side of about `FINE`.
    """
    fine = _fine(ink)
    width = stroke_width(fine)
    low, high = (limit * FINE / BOX for limit in USUAL)
    if not width or low <= width <= high:
        return ink
    # The box shrinks by what strokes grow, and the digit is enlarged again: aim beyond.
    change = low - width if width < low else max(high - width, -0.6 * width)
    return _grown(fine, change / 2)


def stroke_width(ink: Grey) -> float:
    """Mean width of the strokes in pixels: their area by the length of their middles."""
    from skimage.morphology import skeletonize

    mask = np.pad(ink > 0.5, 1)
    length = np.count_nonzero(skeletonize(mask))
    return float(ink.sum()) / length if length else 0.0


def _fine(ink: Grey) -> Grey:
    from scipy.ndimage import maximum_filter

    fine = _resized(ink)
    reduction = max(ink.shape) / FINE
    if reduction > 1 and float(np.percentile(fine[fine > FAINT], 75)) < HAIRLINE:
        fine = _resized(maximum_filter(ink, math.ceil(reduction)))
    return fine


def _resized(ink: Grey) -> Grey:
    height, width = ink.shape
    scale = FINE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    resampling = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    resized: Grey = np.clip(np.asarray(Image.fromarray(ink).resize(size, resampling)), 0, 1)
    return resized


def _grown(fine: Grey, distance: float) -> Grey:
    """Strokes wider by `distance` on each side, or narrower; their edges one pixel soft."""
    from scipy.ndimage import distance_transform_edt

    inside = np.pad(fine, int(max(distance, 0)) + 2) > min(0.5, 0.5 * float(fine.max()))
    out = distance_transform_edt(~inside) - distance_transform_edt(inside)
    # The border lies half a pixel from the middles of the pixels beside it.
    edge = np.where(inside, out + 0.5, out - 0.5)
    grown: Grey = np.clip(0.5 + distance - edge, 0, 1).astype(np.float32)
    return grown
