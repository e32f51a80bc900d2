"""Pictures of filters: their weights, what excites them, and what each one is worth."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from taller_cnn.figures.axes import plain_axes, value_axis
from taller_cnn.figures.style import (
    GREY,
    INK,
    LABEL,
    LINES,
    TICK,
    VERMILION,
    new_figure,
    set_title,
)
from taller_cnn.messages import Messages

__all__ = ["kernels_figure", "losses_figure", "patches_figure"]

COLUMNS = 8
DIVERGING = "RdBu"
"""Red below zero, white at zero, blue above."""


def kernels_figure(
    kernels: npt.NDArray[np.float64], captions: Sequence[str], title: str, messages: Messages
) -> Figure:
    """Kernels on one scale that is white at zero.

    Args:
        kernels: ``[n, k, k]``.
        captions: n, of one or two lines.
        title: of the figure.
        messages: the reader's language.
    """
    columns = min(COLUMNS, len(kernels))
    rows = math.ceil(len(kernels) / columns)
    width = max(9.0, 1.55 * columns + 1.4)
    figure = Figure(
        figsize=(width, 1.0 + 1.95 * rows), layout=ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.08)
    )
    grid = figure.subplots(rows, columns, squeeze=False)
    reach = float(np.abs(kernels).max()) or 1.0
    norm = TwoSlopeNorm(vmin=-reach, vcenter=0, vmax=reach)
    shown = None
    for place, axes in enumerate(grid.flat):
        if place >= len(kernels):
            axes.set_axis_off()
            continue
        shown = axes.imshow(kernels[place], cmap=DIVERGING, norm=norm)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_color(LINES)
        axes.set_xlabel(captions[place], fontsize=TICK - 1, linespacing=1.1)
    assert shown is not None
    bar = figure.colorbar(shown, ax=grid, shrink=0.8, aspect=25, pad=0.02)
    bar.ax.tick_params(labelsize=TICK)
    value_axis(bar.ax.yaxis, messages, bins=5)
    bar.set_label(messages("explain_filters.figure.weight"), fontsize=LABEL)
    set_title(figure, title, None, messages)
    return figure


def patches_figure(
    patches: npt.NDArray[np.uint8], captions: Sequence[str], title: str, messages: Messages
) -> Figure:
    """The patches that excite each filter most, in a block of three by three per filter.

    Args:
        patches: ``[n, most, size, size]``.
        captions: n.
        title: of the figure.
        messages: the reader's language.
    """
    n = len(patches)
    columns = min(COLUMNS, n)
    rows = math.ceil(n / columns)
    side = 1.5
    width = max(8.0, columns * (side + 0.12) + 0.3)
    left = (width - columns * (side + 0.12)) / 2
    height = 0.85 + rows * (side + 0.5)
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, width), ylim=(height, 0))
    for place in range(n):
        row, column = divmod(place, columns)
        x, y = left + column * (side + 0.12), 0.85 + row * (side + 0.5)
        block = _block(patches[place])
        axes.imshow(block, cmap="gray_r", vmin=0, vmax=255, extent=(x, x + side, y + side, y))
        axes.text(
            x + side / 2,
            y + side + 0.08,
            captions[place],
            fontsize=TICK - 1,
            horizontalalignment="center",
            verticalalignment="top",
        )
    set_title(figure, title, None, messages)
    return figure


def _block(patches: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Nine patches as one image with blue-grey lines between; places without a patch are empty."""
    most, size = patches.shape[0], patches.shape[-1]
    gap = max(1, round(size / 10))
    block = np.full((3 * size + 4 * gap, 3 * size + 4 * gap), 90.0)
    for place in range(min(most, 9)):
        row, column = divmod(place, 3)
        top, left = gap + row * (size + gap), gap + column * (size + gap)
        block[top : top + size, left : left + size] = patches[place]
    return block


def losses_figure(
    losses: npt.NDArray[np.float64], names: Sequence[str], title: str, messages: Messages
) -> Figure:
    """Accuracy lost when each filter is off, in points, with intervals; the largest on top.

    Args:
        losses: ``[n, 3]``: loss, low and high, as fractions.
        names: n.
        title: of the figure.
        messages: the reader's language.
    """
    order = np.argsort(losses[:, 0], kind="stable")
    points = 100 * losses[order]
    figure, axes = new_figure(10, max(3.6, 1.6 + 0.36 * len(order)))
    rows = np.arange(len(order))
    for sure, colour, marker, key in (
        (True, VERMILION, "D", "figure.costs"),
        (False, GREY, "o", "figure.unclear"),
    ):
        chosen = ((points[:, 1] > 0) | (points[:, 2] < 0)) == sure
        if not chosen.any():
            continue
        reach = np.abs(points[chosen, 1:].T - points[chosen, 0])
        axes.errorbar(
            points[chosen, 0],
            rows[chosen],
            xerr=reach,
            fmt=marker,
            color=colour,
            markersize=8,
            capsize=4,
            linewidth=1.8,
            label=messages(f"explain_filters.{key}"),
        )
    axes.axvline(0, color=INK, linewidth=1.2)
    axes.set_yticks(rows, [names[int(i)] for i in order])
    axes.set_ylim(-0.7, len(order) - 0.3)
    plain_axes(axes, grid="x")
    value_axis(axes.xaxis, messages)
    axes.set_xlabel(messages("explain_filters.figure.loss"), fontsize=LABEL)
    axes.legend(fontsize=TICK, loc="lower right")
    set_title(figure, title, None, messages)
    return figure
