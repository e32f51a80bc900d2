"""Accuracy against what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from taller_cnn.figures.axes import draw_intervals, draw_star, log_axis, plain_axes, value_axis
from taller_cnn.figures.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    TICK,
    VERMILION,
    new_figure,
    set_title,
)
from taller_cnn.messages import Messages

STYLES = ((BLUE, "o"), (VERMILION, "s"), (GREEN, "D"), (INK, "P"), (GREY, "X"), ("#CC79A7", "h"))


@dataclass(frozen=True, kw_only=True, eq=False)
class CostSeries:
    """The levels of one question, ``[levels]`` each."""

    label: str
    names: tuple[str, ...]
    macs: npt.NDArray[np.float64]
    """Multiply-accumulates for one digit."""
    accuracy: npt.NDArray[np.float64]
    """Mean over seeds, in per cent."""
    spread: npt.NDArray[np.float64]
    """Standard deviation over seeds, in points; NaN with one seed."""


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Which points no other beats in both: lower cost and higher accuracy; from cheap to dear."""
    order = sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1]))
    front: list[int] = []
    for index in order:
        if not front or points[index][1] > points[front[-1]][1]:
            front.append(index)
    return front


def cost_figure(
    series: Sequence[CostSeries],
    star: tuple[float, float, str] | None,
    title: str,
    messages: Messages,
) -> Figure:
    """Mean accuracy over seeds against the operations for one digit.

    Args:
        series: at least one, all of the same training, so that their accuracies compare.
        star: operations, accuracy and name of the reference.
        title: of the picture.
        messages: the reader's language.
    """
    figure, axes = new_figure(15, 8.2)
    for (colour, marker), line in zip(STYLES * len(series), series, strict=False):
        draw_intervals(
            axes,
            line.macs,
            line.accuracy,
            line.accuracy - line.spread,
            line.accuracy + line.spread,
            color=colour,
            marker=marker,
            elinewidth=1.2,
            capsize=0,
            alpha=0.85,
            label=line.label,
        )
    _draw_front(axes, series, messages)
    if star:
        draw_star(axes, *star)
    macs = np.concatenate([line.macs for line in series])
    low, high = float(macs.min()) / 1.3, float(macs.max()) * 1.7
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    log_axis(axes.xaxis, low, high, messages)
    plain_axes(axes)
    value_axis(axes.yaxis, messages)
    axes.set_xlabel(messages("study_report.figure.macs_axis"))
    axes.set_ylabel(messages("study_report.figure.accuracy_axis"))
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    set_title(figure, title)
    return figure


def _draw_front(axes: Axes, series: Sequence[CostSeries], messages: Messages) -> None:
    """The front, its points numbered: their names would cover each other."""
    points = [p for line in series for p in zip(line.macs, line.accuracy, strict=True)]
    names = [name for line in series for name in line.names]
    front = pareto_front(points)
    x, y = [points[i][0] for i in front], [points[i][1] for i in front]
    label = messages("study_report.figure.pareto")
    axes.plot(x, y, color=INK, linewidth=2, linestyle="--", zorder=1, label=label)
    for number, index in enumerate(front, start=1):
        axes.annotate(
            str(number),
            xy=points[index],
            xytext=(-7, 6),
            textcoords="offset points",
            horizontalalignment="right",
            fontsize=TICK,
            fontweight="bold",
            color=INK,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5},
        )
    listed = [f"{number}  {names[index]}" for number, index in enumerate(front, start=1)]
    axes.annotate(
        "\n".join([label, *listed]),
        xy=(1.02, 1),
        xycoords="axes fraction",
        verticalalignment="top",
        fontsize=TICK,
        linespacing=1.35,
        color=INK,
    )
