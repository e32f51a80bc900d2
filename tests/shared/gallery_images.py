"""What a gallery shows in each of its frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle


def image_in(figure: Figure, frame: Rectangle) -> npt.NDArray[Any]:
    """The pixels that lie in a frame, from the one image that all of them are drawn in."""
    [sheet] = figure.axes[0].get_images()
    pixels = np.asarray(sheet.get_array())
    left, right, bottom, top = sheet.get_extent()
    size = (right - left) / pixels.shape[1], (bottom - top) / pixels.shape[0]
    column, row = round((frame.get_x() - left) / size[0]), round((frame.get_y() - top) / size[1])
    width, height = round(frame.get_width() / size[0]), round(frame.get_height() / size[1])
    return pixels[row : row + height, column : column + width]
