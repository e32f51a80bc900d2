"""Captioned digits in rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from taller_cnn.figures.style import GREY, HEADING, TITLE, shrink_to

__all__ = ["Tile", "gallery_figure"]

WIDTH, MARGIN = 13.333, 0.35  # inches
CAPTION_SIZE = 14  # points
LINE = 0.25  # inches that a line of a caption takes


@dataclass(frozen=True, kw_only=True, eq=False)
class Tile:
    """One digit with its words."""

    image: npt.NDArray[np.uint8]
    """``[28, 28]``, 255 = full ink."""
    caption: str = ""
    colour: str = GREY
    """Of the frame."""
    thick: bool = False
    """A thick frame; colour alone says nothing to who cannot tell colours apart."""


def gallery_figure(
    rows: Sequence[Sequence[Tile]], title: str, *, labels: Sequence[str] = ()
) -> Figure:
    """Digits in rows, all of a size; the longest row fills the width.

    Args:
        rows: at least one row with at least one digit.
        title: of the figure.
        labels: what stands to the left of each row; none, or one per row.
    """
    columns = max(map(len, rows))
    start = MARGIN + (2.3 if labels else 0.0)
    pitch = (WIDTH - MARGIN - start) / max(columns, 8)
    side = min(1.3, pitch - 0.2)
    lines = max(tile.caption.count("\n") + 1 for row in rows for tile in row)
    step = side + lines * LINE + 0.25
    height = 0.95 + len(rows) * step
    figure, axes = _sheet(height, title)
    for number, row in enumerate(rows):
        top = 0.85 + number * step
        if labels:
            words = axes.text(MARGIN, top + side / 2, labels[number], fontsize=HEADING, va="center")
            shrink_to(words, start - MARGIN - 0.15)
        for place, tile in enumerate(row):
            _draw_tile(axes, tile, start + place * pitch, top, side, pitch)
    return figure


def _sheet(height: float, title: str) -> tuple[Figure, Axes]:
    """A figure with one axes whose units are inches from the top left."""
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    written = axes.text(MARGIN, 0.5, title, fontsize=TITLE, va="center")
    shrink_to(written, WIDTH - 2 * MARGIN)
    return figure, axes


def _draw_tile(axes: Axes, tile: Tile, left: float, top: float, side: float, pitch: float) -> None:
    box: Any = (left, left + side, top + side, top)
    axes.imshow(tile.image, cmap="gray_r", vmin=0, vmax=255, extent=box)
    width = 5 if tile.thick else 1.5
    frame = Rectangle((left, top), side, side, fill=False, edgecolor=tile.colour, linewidth=width)
    axes.add_patch(frame)
    if tile.caption:
        written = axes.text(
            left + side / 2,
            top + side + 0.08,
            tile.caption,
            fontsize=CAPTION_SIZE,
            ha="center",
            va="top",
            linespacing=1.1,
        )
        shrink_to(written, pitch - 0.12)
