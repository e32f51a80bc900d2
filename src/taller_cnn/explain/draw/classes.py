"""Precision and recall of every class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from taller_cnn.figures.style import (
    BLUE,
    LABEL,
    TICK,
    VERMILION,
    new_figure,
    set_title,
)
from taller_cnn.messages import Messages

if TYPE_CHECKING:
    from taller_cnn.explain.classes import ClassScores, Ratio

__all__ = ["classes_figure"]


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
        _draw_ratios(axes, ratios, shift, color=colour, fmt=marker, label=label)
    axes.set_xticks(places, names, fontsize=LABEL)
    if max(map(len, names)) > 3:
        axes.set_xticks(places, names, fontsize=TICK, rotation=25, ha="right")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda x, _: _share(x, axes.get_ylim(), messages)))
    axes.tick_params(labelsize=LABEL if max(map(len, names)) <= 3 else TICK)
    axes.grid(axis="y", color="#E2E2E2")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(messages("explain_classes.column.class"), fontsize=LABEL)
    axes.legend(fontsize=LABEL, loc="lower left", ncols=2)
    set_title(figure, messages("explain_classes.figure"), None, messages)
    return figure


def _draw_ratios(axes: Axes, ratios: Sequence[Ratio], shift: float, **style: Any) -> None:
    """Values with their intervals; a class without a value is left out."""
    known = [(k, r.value, r.low, r.high) for k, r in enumerate(ratios) if r.value is not None]
    places, values, low, high = np.array(known, dtype=float).reshape(-1, 4).T
    axes.errorbar(
        places + shift,
        values,
        # At 0 and 1 rounding may put an end of the interval beyond the value.
        yerr=np.maximum([values - low, high - values], 0),
        markersize=10,
        linewidth=2.5,
        capsize=5,
        **style,
    )


def _share(value: float, limits: tuple[float, float], messages: Messages) -> str:
    """A fraction as per cent, with decimals where the axis is short."""
    return messages.percent(value, 1 if limits[1] - limits[0] < 0.05 else 0)
