"""A digit's ink as MNIST would have it: 28 by 28, as in LeCun's own preparation.

"The original black and white images from NIST were size normalized to fit in a 20x20 pixel box
while preserving their aspect ratio. The resulting images contain grey levels as a result of the
anti-aliasing technique used by the normalization algorithm. The images were centered in a 28x28
image by computing the center of mass of the pixels." (LeCun, Cortes and Burges, the MNIST page.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 28
"""Side of MNIST's images, in pixels."""
BOX = 20
"""Longest side of the digit in them, in pixels."""
FAINT = 0.1
"""Less ink than this does not count for a digit's extent."""


def prepare(ink: NDArray[np.float32]) -> NDArray[np.uint8]:
    """One digit the way MNIST prepared its own.

    Args:
        ink: ``float32 [H, W]``, 0 = paper, 1 = full ink; the digit and nothing else.

    Returns:
        ``uint8 [28, 28]``, 0 = paper, 255 = full ink: aspect kept, longest side 20 pixels,
        antialiased, centre of mass in the middle. All zero if there is no ink.
    """
    rows, columns = (np.flatnonzero((ink > FAINT).any(axis=axis)) for axis in (1, 0))
    image = np.zeros((SIDE, SIDE), dtype=np.uint8)
    if not len(rows):
        return image
    digit = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    small = _fitted(digit)
    height, width = small.shape
    top, left = _corner(small)
    image[top : top + height, left : left + width] = np.round(small * 255)
    return image


def _fitted(digit: NDArray[np.float32]) -> NDArray[np.float32]:
    """`digit` with its longest side of 20 pixels."""
    height, width = digit.shape
    scale = BOX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # The mean over each new pixel's area; enlarged, there is nothing to take a mean of.
    resampling = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    small = Image.fromarray(np.ascontiguousarray(digit, dtype=np.float32)).resize(size, resampling)
    fitted: NDArray[np.float32] = np.clip(np.asarray(small), 0, 1)
    return fitted


def _corner(small: NDArray[np.float32]) -> tuple[int, int]:
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
