"""Precision and recall of every class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from taller_cnn.figures.axes import draw_intervals, plain_axes, value_axis
from taller_cnn.figures.style import BLUE, LABEL, VERMILION, new_figure, set_title
from taller_cnn.messages import Messages

if TYPE_CHECKING:
    from taller_cnn.explain.classes import ClassScores, Ratio


def classes_figure(
    scores: Sequence[ClassScores], names: Sequence[str], messages: Messages
) -> Figure:
    """Precision and recall with their intervals, a pair of marks per class.

    Args:
        scores: of each class.
        names: of the classes.
        messages: the reader's language.
    """
    figure, axes = new_figure(13.333, 6.8)
    places = np.arange(len(names))
    for shift, kind, colour, marker in (
        (-0.13, "precision", BLUE, "o"),
        (0.13, "recall", VERMILION, "s"),
    ):
        ratios = [getattr(score, kind) for score in scores]
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


def _draw_ratios(axes: Axes, ratios: Sequence[Ratio], shift: float, **style: Any) -> None:
    """Values with their intervals; a class without a value is left out."""
    known = [(k, r.value, r.low, r.high) for k, r in enumerate(ratios) if r.value is not None]
    places, values, low, high = np.array(known, dtype=float).reshape(-1, 4).T
    draw_intervals(axes, places + shift, values, low, high, **style)
