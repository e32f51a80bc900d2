"""Attribution maps beside their digits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from taller_cnn.figures.gallery import draw_ink, draw_signed
from taller_cnn.figures.style import INK, TICK, new_sheet, set_title, shrink_to
from taller_cnn.messages import Messages

SIDE, GAP, LABEL_WIDTH, TOP = 1.75, 0.15, 1.9, 1.75
"""Inches."""
SATURATED = 0.995
"""Share of a map's pixels whose values the scale tells apart."""
OUTLINE = 127
"""Grey level at which a digit's outline is drawn."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Column:
    """One method's maps for all digits."""

    maps: npt.NDArray[np.float32]
    """``[N, 28, 28]``."""
    heading: str
    signed: bool
    """Whether values below zero speak against the class; else there are none."""


def attribution_figure(
    images: npt.NDArray[np.uint8],
    labels: Sequence[str],
    columns: Sequence[Column],
    title: str,
    messages: Messages,
) -> Figure:
    """A digit in a row with its maps, each on a scale of its own that is white at zero.

    Args:
        images: ``[N, 28, 28]``.
        labels: what stands at the left of each row.
        columns: the maps.
        title: of the figure.
        messages: the reader's language.
    """
    width = LABEL_WIDTH + (1 + len(columns)) * (SIDE + GAP) + 0.1
    height = TOP + len(images) * (SIDE + GAP)
    figure, axes = new_sheet(width, height)
    for column, content in enumerate(columns, start=1):
        x = LABEL_WIDTH + column * (SIDE + GAP) + SIDE / 2
        written = axes.text(
            x, TOP - 0.08, content.heading, fontsize=TICK, ha="center", va="bottom", color=INK
        )
        shrink_to(written, SIDE)
    for row, (image, label) in enumerate(zip(images, labels, strict=True)):
        y = TOP + row * (SIDE + GAP)
        written = axes.text(0.15, y + SIDE / 2, label, fontsize=TICK, va="center", linespacing=1.3)
        shrink_to(written, LABEL_WIDTH - 0.2)
        draw_ink(axes, image, (LABEL_WIDTH, LABEL_WIDTH + SIDE, y + SIDE, y))
        for column, content in enumerate(columns, start=1):
            x = LABEL_WIDTH + column * (SIDE + GAP)
            _draw_map(axes, content.maps[row], image, x, y)
    set_title(figure, title)
    return figure


def _draw_map(
    axes: Axes, values: npt.NDArray[np.float32], image: npt.NDArray[np.uint8], x: float, y: float
) -> None:
    """One map at that place, and the outline of its digit, which says where on it the map lies."""
    # A single pixel of extreme value would leave all the others white.
    reach = float(np.quantile(np.abs(values), SATURATED)) or float(np.abs(values).max())
    draw_signed(axes, values, reach, (x, x + SIDE, y + SIDE, y))
    if image.max() > OUTLINE:
        across, down = np.linspace(x, x + SIDE, 28), np.linspace(y, y + SIDE, 28)
        axes.contour(across, down, image, levels=[OUTLINE], colors=[INK], linewidths=0.8)
