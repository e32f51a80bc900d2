"""A digit's maps, a layer in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from taller_cnn.figures.gallery import draw_ink, draw_signed
from taller_cnn.figures.style import BLUE, INK, LINES, TICK, new_sheet, set_title
from taller_cnn.messages import Messages

COLUMNS, SIDE, GAP, LABEL_WIDTH, TOP = 16, 0.72, 0.06, 1.75, 0.85
"""Maps in a line; inches."""
STRIP = 0.45
BARS = 1.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """One layer."""

    label: str
    values: npt.NDArray[np.float32]
    """``[C, H, W]`` or ``[units]``."""
    is_image: bool = False
    """The digit itself, which is drawn as ink."""


def feature_maps_figure(
    rows: Sequence[Row],
    chances: npt.NDArray[np.float32],
    classes: Sequence[str],
    title: str,
    messages: Messages,
) -> Figure:
    """Every layer's maps (at most 32 of one), the hidden units as a strip, and the chances.

    A layer has one scale: white is zero, dark blue its largest value, red below zero.

    Args:
        rows: the layers, input first.
        chances: of the classes.
        classes: their names.
        title: of the figure.
        messages: the reader's language.
    """
    width = LABEL_WIDTH + COLUMNS * (SIDE + GAP) + 0.15
    heights = [_height(row.values) for row in rows]
    height = TOP + sum(heights) + BARS + 0.7
    figure, axes = new_sheet(width, height)
    y = TOP
    for row, taken in zip(rows, heights, strict=True):
        _draw_row(axes, row, y)
        axes.text(0.15, y + (taken - 0.2) / 2, row.label, fontsize=TICK - 1, va="center")
        y += taken
    _draw_chances(figure, axes, chances, classes, messages)
    set_title(figure, title)
    return figure


def _height(values: npt.NDArray[np.float32]) -> float:
    if values.ndim == 1:
        return STRIP + 0.2
    lines = -(-min(len(values), 2 * COLUMNS) // COLUMNS)
    return lines * (SIDE + GAP) + 0.2


def _draw_row(axes: Axes, row: Row, y: float) -> None:
    reach = float(np.abs(row.values).max())
    if row.values.ndim == 1:
        box = (LABEL_WIDTH, LABEL_WIDTH + COLUMNS * (SIDE + GAP) - GAP, y + STRIP, y)
        draw_signed(axes, row.values[None, :], reach, box)
        return
    for place, values in enumerate(row.values[: 2 * COLUMNS]):
        line, column = divmod(place, COLUMNS)
        left, top = LABEL_WIDTH + column * (SIDE + GAP), y + line * (SIDE + GAP)
        box = (left, left + SIDE, top + SIDE, top)
        if row.is_image:
            draw_ink(axes, values, box, reach)
        else:
            draw_signed(axes, values, reach, box)
        frame = Rectangle((left, top), SIDE, SIDE, fill=False, edgecolor=LINES, linewidth=0.7)
        axes.add_artist(frame)


def _draw_chances(
    figure: Figure,
    axes: Axes,
    chances: npt.NDArray[np.float32],
    classes: Sequence[str],
    messages: Messages,
) -> None:
    width, height = figure.get_size_inches()
    label = messages("explain_feature_maps.chances")
    axes.text(0.15, height - 0.5 - BARS / 2, f"fc2\n{label}", fontsize=TICK - 1, va="center")
    box = (LABEL_WIDTH / width, 0.5 / height, 1 - (LABEL_WIDTH + 0.2) / width, BARS / height)
    bars = figure.add_axes(box)
    x = np.arange(len(chances))
    bars.bar(x, chances, color=BLUE)
    bars.set_ylim(0, 1.25)
    bars.set_yticks([])
    bars.set_xticks(x, classes, fontsize=TICK if max(map(len, classes)) < 4 else TICK - 4)
    bars.spines[["top", "right", "left"]].set_visible(False)
    for place, chance in enumerate(chances.tolist()):
        text = messages.percent(chance, 1)
        bars.text(place, chance + 0.03, text, ha="center", fontsize=TICK - 2, color=INK)
