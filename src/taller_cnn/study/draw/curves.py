"""How each level learns, as small multiples."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from taller_cnn.figures.axes import log_axis, plain_axes, value_axis
from taller_cnn.figures.style import BLUE, TICK, VERMILION, new_panels, set_title, shrink_to
from taller_cnn.messages import Messages

MOST_COLUMNS = 4

Curve = Sequence[tuple[float, float]]
"""Digits seen, and the error in per cent or the training loss."""


@dataclass(frozen=True, kw_only=True)
class CurvePanel:
    """One level: a curve of every seed."""

    name: str
    curves: tuple[Curve, ...]
    is_reference: bool = False


def drawable(curves: Iterable[Curve]) -> bool:
    """Whether a curve has two points."""
    return any(len(curve) > 1 for curve in curves)


def curves_figure(
    panels: Sequence[CurvePanel],
    columns: int | None,
    labels: tuple[str, str],
    title: str,
    messages: Messages,
) -> Figure:
    """A panel for each level: thin lines are seeds, the thick one their mean.

    The mean of the reference is repeated in every panel.

    Args:
        panels: of the levels, row by row, at least one with a `drawable` curve.
        columns: of the grid of two factors; None where there is one factor.
        labels: of the axis upwards, and of the reference in the legend.
        title: of the picture.
        messages: the reader's language.
    """
    across = columns or min(MOST_COLUMNS, len(panels))
    down = math.ceil(len(panels) / across)
    size = 3.7 * across + 1.2, 2.9 * down + 2.2
    figure, grid = new_panels(*size, down, across, sharex=True, sharey=True)
    usual = next((mean_curve(panel.curves) for panel in panels if panel.is_reference), [])
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for axes, panel in zip(grid.flat, panels, strict=False):
        _draw_panel(axes, panel, usual)
    _set_scales(grid, panels, messages)
    # Below each column: a label of the figure would lie under the legend.
    for axes in grid[-1]:
        axes.set_xlabel(messages("study_report.figure.images_axis"), fontsize=TICK)
    upwards, reference = labels
    figure.supylabel(upwards)
    _draw_legend(figure, reference if usual else None, messages)
    set_title(figure, title)
    return figure


def mean_curve(curves: Sequence[Curve]) -> list[tuple[float, float]]:
    """The mean over trials at the points that all of them have."""
    values: dict[float, list[float]] = defaultdict(list)
    for curve in curves:
        for x, y in curve:
            values[x].append(y)
    return sorted((x, float(np.mean(ys))) for x, ys in values.items() if len(ys) == len(curves))


def _draw_panel(axes: Axes, panel: CurvePanel, usual: Curve) -> None:
    for curve in panel.curves:
        if curve:
            axes.plot(*zip(*curve, strict=True), color=BLUE, linewidth=0.9, alpha=0.45)
    if usual and not panel.is_reference:
        axes.plot(*zip(*usual, strict=True), color=VERMILION, linewidth=2, linestyle="--")
    mean = mean_curve(panel.curves)
    if mean:
        axes.plot(*zip(*mean, strict=True), color=BLUE, linewidth=3)
    plain_axes(axes)
    axes.tick_params(labelsize=TICK - 2)
    weight = "bold" if panel.is_reference else "normal"
    shrink_to(axes.set_title(panel.name, fontsize=TICK, fontweight=weight), 3.4)


def _set_scales(grid: Any, panels: Sequence[CurvePanel], messages: Messages) -> None:
    points = [point for panel in panels for curve in panel.curves for point in curve]
    x, y = [p[0] for p in points], [p[1] for p in points if p[1] > 0]
    axes = grid.flat[0]
    axes.set_xlim(0, 1.04 * max(x))
    if y and max(y) > 4 * min(y):
        axes.set_yscale("log")
        low, high = min(y) / 1.15, max(y) * 1.15
        axes.set_ylim(low, high)
        for panel in grid[:, 0]:
            log_axis(panel.yaxis, low, high, messages)
    else:
        axes.set_ylim(0, 1.05 * max(y, default=1.0))
        for panel in grid[:, 0]:
            value_axis(panel.yaxis, messages, bins=4)
    for panel in grid[-1]:
        value_axis(panel.xaxis, messages, bins=2)


def _draw_legend(figure: Figure, reference: str | None, messages: Messages) -> None:
    lines = [
        Line2D([], [], color=BLUE, linewidth=3, label=messages("study_report.figure.mean")),
        Line2D([], [], color=BLUE, linewidth=1, label=messages("study_report.figure.seed")),
    ]
    if reference:
        style = {"color": VERMILION, "linewidth": 2, "linestyle": "--"}
        lines.append(Line2D([], [], label=reference, **style))  # type: ignore[arg-type]
    figure.legend(handles=lines, loc="outside lower center", ncols=len(lines), frameon=False)
