"""Precision and recall of every class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from taller_cnn.figures.axes import draw_intervals, plain_axes, value_axis
from taller_cnn.figures.style import BLUE, LABEL, VERMILION, new_figure, set_title
from taller_cnn.messages import Messages

Ratios = npt.NDArray[np.float64]
"""Value, low and high of each class ``[K, 3]``; a value of NaN is left out."""


def classes_figure(
    precision: Ratios, recall: Ratios, names: Sequence[str], messages: Messages
) -> Figure:
    """Precision and recall with their intervals, a pair of marks per class.

    Args:
        precision, recall: with their intervals.
        names: of the classes.
        messages: the reader's language.
    """
    figure, axes = new_figure(13.333, 6.8)
    places = np.arange(len(names))
    for shift, kind, ratios, colour, marker in (
        (-0.13, "precision", precision, BLUE, "o"),
        (0.13, "recall", recall, VERMILION, "s"),
    ):
        label = messages(f"explain_classes.column.{kind}")
        _draw_ratios(axes, ratios, shift, color=colour, marker=marker, label=label)
    if max(map(len, names)) > 3:
        axes.set_xticks(places, names, rotation=25, ha="right")
    else:
        axes.set_xticks(places, names, fontsize=LABEL)
    value_axis(axes.yaxis, messages, "percent")
    plain_axes(axes, grid="y")
    axes.set_xlabel(messages("explain_classes.column.class"))
    axes.legend(fontsize=LABEL, loc="lower left", ncols=2)
    set_title(figure, messages("explain_classes.figure"))
    return figure


def _draw_ratios(axes: Axes, ratios: Ratios, shift: float, **style: Any) -> None:
    """Values with their intervals; a class without a value is left out."""
    known = np.flatnonzero(~np.isnan(ratios[:, 0]))
    values, low, high = ratios[known].T
    draw_intervals(axes, known + shift, values, low, high, **style)
