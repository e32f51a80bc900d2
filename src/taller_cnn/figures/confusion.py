"""The confusion matrix."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import PowerNorm, to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from taller_cnn.figures.style import (
    LINES,
    NEUTRAL,
    TICK,
    ink_on,
    new_figure,
    set_title,
    with_note,
)
from taller_cnn.messages import Messages


def confusion_figure(
    matrix: npt.ArrayLike,
    class_names: Sequence[str],
    messages: Messages,
    dataset: str,
    note: str | None = None,
) -> Figure:
    """Counts of true against predicted classes, coloured so that the errors stand out.

    The colours span the errors only (their square root, so that one error is not white beside
    forty); the diagonal, a hundred times larger, is grey.

    Args:
        matrix: counts ``int [K, K]``, rows are the true classes.
        class_names: K names for the reader.
        messages: the reader's language.
        dataset: name of the data set as it is to be read.
        note: what the reader must know about the data; it becomes part of the title.
    """
    counts = np.asarray(matrix)
    wrong = counts * (1 - np.eye(len(counts), dtype=counts.dtype))
    norm = PowerNorm(0.5, vmin=0, vmax=max(int(wrong.max(initial=0)), 5))
    colours = _cell_colours(wrong, norm)
    figure, axes = new_figure(12, 9)
    # Cells, not an image, whose hundred pixels would be scaled up to a million.
    axes.pcolormesh(colours)
    _write_counts(axes, counts, colours, messages)
    _set_class_axes(axes, counts, class_names, messages)
    bar = figure.colorbar(ScalarMappable(norm, colormaps["Oranges"]), ax=axes, fraction=0.04)
    bar.locator = MaxNLocator(nbins=6, integer=True)
    bar.formatter = FuncFormatter(lambda count, _: messages.number(count, 0))
    bar.update_ticks()
    bar.set_label(messages("figures.confusion.scale"))
    title = messages("figures.confusion.title", dataset=dataset)
    errors = messages("figures.confusion.errors", n=int(wrong.sum()), total=int(counts.sum()))
    set_title(figure, with_note(f"{title}\n{errors}", note, messages))
    return figure


def _cell_colours(wrong: npt.NDArray[Any], norm: PowerNorm) -> npt.NDArray[Any]:
    """RGBA of each cell ``[K, K, 4]``: white without errors, grey on the diagonal."""
    colours: npt.NDArray[Any] = colormaps["Oranges"](norm(wrong))
    colours[wrong == 0] = to_rgba("white")
    colours[np.diag_indices(len(wrong))] = to_rgba(NEUTRAL)
    return colours


def _write_counts(
    axes: Axes, counts: npt.NDArray[Any], colours: npt.NDArray[Any], messages: Messages
) -> None:
    size = TICK if counts.max(initial=0) < 1000 else TICK - 1.5  # four digits and a separator
    for row, column in itertools.product(range(len(counts)), repeat=2):
        if counts[row, column]:
            axes.text(
                column + 0.5,
                row + 0.5,
                messages.number(int(counts[row, column]), 0),
                horizontalalignment="center",
                verticalalignment="center_baseline",
                fontsize=size,
                fontweight="normal" if row == column else "bold",
                color=ink_on(colours[row, column]),
                in_layout=False,  # a hundred numbers to measure, none outside the matrix
            )


def _set_class_axes(
    axes: Axes, counts: npt.NDArray[Any], class_names: Sequence[str], messages: Messages
) -> None:
    n = len(class_names)
    middles = np.arange(n) + 0.5
    axes.set(xlim=(0, n), ylim=(n, 0), aspect="equal")
    axes.set_xticks(middles, class_names)
    if max(map(len, class_names)) > 3:
        axes.tick_params("x", rotation=40)
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    axes.set_yticks(middles, class_names)
    axes.tick_params(length=0)
    axes.set_xlabel(messages("figures.confusion.predicted"))
    axes.set_ylabel(messages("figures.confusion.true"))
    axes.hlines(range(1, n), 0, n, color=LINES, linewidth=0.8)
    axes.vlines(range(1, n), 0, n, color=LINES, linewidth=0.8)
    totals = counts.sum(axis=1)
    for k, total in enumerate(totals):
        values = {"share": counts[k, k] / max(total, 1), "total": int(total)}
        text = messages("figures.confusion.row", **values) if total else "–"
        axes.annotate(
            text,
            xy=(1, middles[k]),
            xycoords=axes.get_yaxis_transform(),
            xytext=(6, 0),
            textcoords="offset points",
            verticalalignment="center_baseline",
            fontsize=TICK - 1,
        )
    axes.annotate(
        messages("figures.confusion.recall"),
        xy=(1, 1),
        xycoords="axes fraction",
        xytext=(4, 6),
        textcoords="offset points",
        fontsize=TICK,
    )
