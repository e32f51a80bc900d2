"""A forest plot: estimates with their intervals, one below the other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from taller_cnn.figures.axes import plain_axes, value_axis
from taller_cnn.figures.style import INK, TICK
from taller_cnn.messages import Messages

LINE_WIDTH, MARK_SIZE = 3, 11


@dataclass(frozen=True)
class ForestMark:
    """What kind of estimate it is: shape and colour say the same, so that neither is needed."""

    label: str
    """In the legend."""
    color: str
    marker: str
    is_coloured: bool = True
    """Whether the words beside it have its colour, too."""


@dataclass(frozen=True, kw_only=True)
class ForestRow:
    """One estimate."""

    name: str
    value: float
    """NaN for none, and the row is empty."""
    low: float
    high: float
    """Ends of the interval; NaN for none."""
    mark: ForestMark
    words: str = ""
    """What stands beside the row."""


def draw_forest(
    axes: Axes,
    rows: Sequence[ForestRow],
    messages: Messages,
    kind: Literal["plain", "signed"] = "signed",
) -> None:
    """Estimates with their intervals, the first on top, beside a line at zero.

    Args:
        axes: of the picture.
        rows: the estimates.
        messages: the reader's language.
        kind: how the numbers of the axis are written.
    """
    for place, row in enumerate(rows):
        if not math.isnan(row.value):
            _draw_row(axes, place, row)
    axes.axvline(0, color=INK, linewidth=1.5, zorder=1)
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    plain_axes(axes, grid="x")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    value_axis(axes.xaxis, messages, kind)


def _draw_row(axes: Axes, place: int, row: ForestRow) -> None:
    mark = row.mark
    if not math.isnan(row.low):
        axes.plot([row.low, row.high], [place] * 2, color=mark.color, linewidth=LINE_WIDTH)
    axes.plot(
        [row.value],
        [place],
        linestyle="none",
        marker=mark.marker,
        markersize=MARK_SIZE,
        color=mark.color,
    )
    axes.annotate(
        row.words,
        xy=(1, place),
        xycoords=axes.get_yaxis_transform(),
        xytext=(8, 0),
        textcoords="offset points",
        verticalalignment="center",
        fontsize=TICK,
        color=mark.color if mark.is_coloured else INK,
    )


def forest_legend(marks: Iterable[ForestMark]) -> list[Line2D]:
    """What a legend shows of the marks, for its `handles`."""
    return [
        Line2D(
            [],
            [],
            color=mark.color,
            marker=mark.marker,
            markersize=MARK_SIZE,
            linewidth=LINE_WIDTH,
            label=mark.label,
        )
        for mark in marks
    ]
