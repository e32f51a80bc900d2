"""A digit's ink as MNIST would have it: its strokes' width, 28 by 28, as in LeCun's preparation.

"The original black and white images from NIST were size normalized to fit in a 20x20 pixel box
while preserving their aspect ratio. The resulting images contain grey levels as a result of the
anti-aliasing technique used by the normalization algorithm. The images were centered in a 28x28
image by computing the center of mass of the pixels." (LeCun, Cortes and Burges, the MNIST page.)
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Grey = NDArray[np.float32]

SIDE = 28
"""Side of MNIST's images, in pixels."""
BOX = 20
"""Longest side of the digit in them, in pixels."""
FAINT = 0.1
"""Less ink than this does not count for a digit's extent."""
FINE = 4 * BOX
"""Longest side that strokes are worked on with: four pixels for each of MNIST's."""
HAIRLINE = 0.6
"""Strokes that are no darker than this where they are worked on, of 1, are thinner than a pixel
there: they are widened before they are reduced."""
USUAL = (1.75, 3.4)
"""Stroke widths, in MNIST's pixels, that are left as they are: of 90% of its digits."""


def extent(ink: Grey) -> tuple[slice, slice] | None:
    """Rows and columns of the box of a digit's ink; None if there is none."""
    rows, columns = (np.flatnonzero((ink > FAINT).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def resized(ink: Grey, longest: int) -> Grey:
    """The ink with a longest side of so many pixels, its aspect kept."""
    height, width = ink.shape
    scale = longest / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # The mean over each new pixel's area; enlarged, there is nothing to take a mean of.
    resampling = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    image = Image.fromarray(np.ascontiguousarray(ink, dtype=np.float32)).resize(size, resampling)
    levels: Grey = np.clip(np.asarray(image), 0, 1)
    return levels


def prepare(ink: Grey) -> NDArray[np.uint8]:
    """One digit the way MNIST prepared its own.

    Args:
        ink: ``float32 [H, W]``, 0 = paper, 1 = full ink; the digit and nothing else.

    Returns:
        ``uint8 [28, 28]``, 0 = paper, 255 = full ink: aspect kept, longest side 20 pixels,
        antialiased, centre of mass in the middle. All zero if there is no ink.
    """
    box = extent(ink)
    image = np.zeros((SIDE, SIDE), dtype=np.uint8)
    if box is None:
        return image
    small = resized(ink[box], BOX)
    height, width = small.shape
    top, left = _corner(small)
    image[top : top + height, left : left + width] = np.round(small * 255)
    return image


def _corner(small: Grey) -> tuple[int, int]:
    """Where the digit's top left pixel goes, so that its centre of mass is in the middle."""
    # In double precision: the centre of symmetric ink lies between two pixels, and rounding errors
    # must not choose between them.
    total = float(small.sum(dtype=np.float64))
    corner = []
    for axis, length in enumerate(small.shape):
        centre = float(small.sum(axis=1 - axis, dtype=np.float64) @ np.arange(length)) / total
        place = round(SIDE / 2 - centre)
        corner.append(min(max(place, 0), SIDE - length))
    return corner[0], corner[1]


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

    fine = resized(ink, FINE)
    reduction = max(ink.shape) / FINE
    if reduction > 1 and float(np.percentile(fine[fine > FAINT], 75)) < HAIRLINE:
        fine = resized(maximum_filter(ink, math.ceil(reduction)), FINE)
    return fine


def _grown(fine: Grey, distance: float) -> Grey:
    """Strokes wider by `distance` on each side, or narrower; their edges one pixel soft."""
    from scipy.ndimage import distance_transform_edt

    inside = np.pad(fine, int(max(distance, 0)) + 2) > min(0.5, 0.5 * float(fine.max()))
    out = distance_transform_edt(~inside) - distance_transform_edt(inside)
    # The border lies half a pixel from the middles of the pixels beside it.
    edge = np.where(inside, out + 0.5, out - 0.5)
    grown: Grey = np.clip(0.5 + distance - edge, 0, 1).astype(np.float32)
    return grown
