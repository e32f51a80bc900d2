"""Pictures of filters: their weights, what excites them, and what each one is worth."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from taller_cnn.figures.axes import value_axis
from taller_cnn.figures.forest import ForestMark, ForestRow, draw_forest, forest_legend
from taller_cnn.figures.gallery import draw_ink, draw_signed
from taller_cnn.figures.style import (
    GREY,
    LINES,
    TICK,
    VERMILION,
    new_figure,
    new_panels,
    new_sheet,
    set_title,
)
from taller_cnn.messages import Messages

COLUMNS = 8


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
    figure, grid = new_panels(width, 1.0 + 1.95 * rows, rows, columns)
    for axes in grid.flat[len(kernels) :]:
        axes.set_axis_off()
    reach = float(np.abs(kernels).max())
    for axes, kernel, caption in zip(grid.flat, kernels, captions, strict=False):
        shown = draw_signed(axes, kernel, reach)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_color(LINES)
        axes.set_xlabel(caption, fontsize=TICK - 1, linespacing=1.1)
    bar = figure.colorbar(shown, ax=grid, shrink=0.8, aspect=25, pad=0.02)
    value_axis(bar.ax.yaxis, messages, bins=5)
    bar.set_label(messages("explain_filters.figure.weight"))
    set_title(figure, title)
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
    figure, axes = new_sheet(width, height)
    for place in range(n):
        row, column = divmod(place, columns)
        x, y = left + column * (side + 0.12), 0.85 + row * (side + 0.5)
        block = _block(patches[place])
        draw_ink(axes, block, (x, x + side, y + side, y))
        axes.text(
            x + side / 2,
            y + side + 0.08,
            captions[place],
            fontsize=TICK - 1,
            horizontalalignment="center",
            verticalalignment="top",
        )
    set_title(figure, title)
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
    costs = ForestMark(messages("explain_filters.figure.costs"), VERMILION, "D")
    unclear = ForestMark(messages("explain_filters.figure.unclear"), GREY, "o")
    rows = []
    for place in np.argsort(-losses[:, 0], kind="stable"):
        value, low, high = (float(x) for x in 100 * losses[place])
        mark = costs if low > 0 or high < 0 else unclear
        rows.append(ForestRow(name=names[place], value=value, low=low, high=high, mark=mark))
    figure, axes = new_figure(10, max(3.6, 1.6 + 0.36 * len(rows)))
    draw_forest(axes, rows, messages, "plain")
    axes.set_xlabel(messages("explain_filters.figure.loss"))
    present = dict.fromkeys(row.mark for row in rows)
    axes.legend(handles=forest_legend(present), loc="lower right")
    set_title(figure, title)
    return figure
