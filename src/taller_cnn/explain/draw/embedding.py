"""The map of the last hidden layer: by class, and as the digits themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from taller_cnn.figures.gallery import draw_ink
from taller_cnn.figures.style import HEADING, INK, LABEL, LINES, VERMILION, new_figure, set_title
from taller_cnn.messages import Messages

CELLS = 26
"""Thumbnails along a side of the map."""

Array = npt.NDArray[np.float64]


def _empty_axes(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(LINES)
    axes.set_aspect("equal")


def _name_class(axes: Axes, place: Array, name: str, colour: Array) -> None:
    axes.text(
        float(place[0]),
        float(place[1]),
        name,
        fontsize=HEADING + 2,
        fontweight="bold",
        horizontalalignment="center",
        verticalalignment="center",
        bbox={
            "boxstyle": "round,pad=0.2",
            "facecolor": "white",
            "alpha": 0.85,
            "edgecolor": colour,
        },
    )


def classes_figure(
    places: Array,
    labels: npt.NDArray[np.int64],
    wrong: npt.NDArray[np.bool_],
    names: Sequence[str],
    messages: Messages,
) -> Figure:
    """A point per digit; a class has a colour and its name in the middle, a mistake a cross.

    Args:
        places: ``[N, 2]``.
        labels: true classes ``[N]``.
        wrong: which are mistakes ``[N]``.
        names: of the classes.
        messages: the reader's language.
    """
    figure, axes = new_figure(11, 10)
    colours = colormaps["tab10"](np.arange(10))
    axes.scatter(places[:, 0], places[:, 1], s=7, c=colours[labels % 10], alpha=0.55, linewidths=0)
    axes.scatter(
        places[wrong, 0],
        places[wrong, 1],
        s=95,
        marker="X",
        c=colours[labels[wrong] % 10],
        edgecolors=INK,
        linewidths=1.3,
        label=messages("explain_embedding.figure.mistake"),
    )
    for label, name in enumerate(names):
        of_class = places[labels == label]
        if len(of_class):
            _name_class(axes, np.median(of_class, axis=0), name, colours[label % 10])
    _empty_axes(axes)
    if wrong.any():
        axes.legend(fontsize=LABEL, loc="best")
    set_title(figure, messages("explain_embedding.figure.classes"))
    return figure


def digits_figure(
    places: Array,
    images: npt.NDArray[np.uint8],
    wrong: npt.NDArray[np.bool_],
    messages: Messages,
) -> Figure:
    """The map with one digit per cell of a grid, mistakes before others and framed.

    Args:
        places: ``[N, 2]``.
        images: ``[N, H, W]``.
        wrong: which are mistakes ``[N]``.
        messages: the reader's language.
    """
    figure, axes = new_figure(11, 10)
    low, span = places.min(axis=0), float(np.ptp(places, axis=0).max()) or 1.0
    cells = np.minimum((places - low) / span * CELLS, CELLS - 1e-6).astype(int)
    order = np.argsort(~wrong, kind="stable")
    _, first = np.unique(cells[order] @ np.array([CELLS, 1]), return_index=True)
    height, width = images.shape[1:]
    sheet = np.zeros((CELLS * height, CELLS * width), dtype=np.uint8)
    for index in order[first]:
        column, row = cells[index]
        top, left = (CELLS - 1 - row) * height, column * width
        sheet[top : top + height, left : left + width] = images[index]
        if wrong[index]:
            frame = Rectangle(
                (left, top), width, height, fill=False, edgecolor=VERMILION, linewidth=2.2
            )
            axes.add_patch(frame)
    draw_ink(axes, sheet)
    _empty_axes(axes)
    set_title(figure, messages("explain_embedding.figure.digits"))
    return figure
