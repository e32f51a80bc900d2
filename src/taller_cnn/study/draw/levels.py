"""Dropout against the gap, and the error against the size of the training set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from taller_cnn.figures.axes import log_axis, plain_axes, value_axis
from taller_cnn.figures.style import (
    BLUE,
    INK,
    VERMILION,
    YELLOW,
    new_figure,
    new_panels,
    set_title,
)
from taller_cnn.messages import Messages

ERRORS = npt.NDArray[np.float64]
"""Errors or gaps in per cent, ``[levels, seeds]``, NaN where a trial is missing."""

GAP = {"color": INK, "marker": "D", "linestyle": "-"}
SEEN = {"color": BLUE, "marker": "o", "linestyle": "-"}
JUDGED = {"color": VERMILION, "marker": "s", "linestyle": "--"}


@dataclass(frozen=True, kw_only=True)
class LevelAxis:
    """The levels of a factor with numbers."""

    label: str
    values: tuple[float, ...]
    names: tuple[str, ...]
    reference: int | None
    """Which of them is the reference."""
    reference_name: str


def gap_figure(
    levels: LevelAxis, seen: ERRORS, judged: ERRORS, title: str, messages: Messages
) -> Figure:
    """The gap of every level, and beside it the two errors that it lies between.

    Points are trials, lines go through their means.

    Args:
        levels: of the factor.
        seen: error on digits that were trained on.
        judged: error on the digits that judge.
        title: of the picture.
        messages: the reader's language.
    """
    figure, panels = new_panels(14, 6.5, 1, 2)
    left, right = panels[0]
    _draw_series(left, levels, judged - seen, GAP)
    left.axhline(0, color=INK, linewidth=1)
    left.set_ylabel(messages("study_report.figure.gap_axis"))
    seen_label = messages("study_report.figure.seen_error")
    _draw_series(right, levels, seen, SEEN, seen_label)
    judged_label = messages("study_report.figure.judged_error")
    _draw_series(right, levels, judged, JUDGED, judged_label)
    right.set_ylabel(messages("study_report.figure.both_axis"))
    right.set_ylim(bottom=0)
    right.legend()
    for axes in (left, right):
        _set_level_axis(axes, levels)
        plain_axes(axes)
        value_axis(axes.yaxis, messages)
    set_title(figure, title)
    return figure


def size_figure(levels: LevelAxis, judged: ERRORS, title: str, messages: Messages) -> Figure:
    """Error against the number of digits trained on, both on logarithmic axes.

    Args:
        levels: numbers of digits.
        judged: error on the digits that judge.
        title: of the picture.
        messages: the reader's language.
    """
    figure, axes = new_figure(11, 7)
    axes.set_xscale("log")
    axes.set_yscale("log")
    _draw_series(axes, levels, judged, SEEN)
    _set_level_axis(axes, levels)
    log_axis(axes.yaxis, *axes.get_ylim(), messages)
    plain_axes(axes)
    axes.set_ylabel(messages("study_report.figure.error_axis"))
    set_title(figure, title)
    return figure


def _draw_series(
    axes: Axes, levels: LevelAxis, values: ERRORS, style: Mapping[str, str], label: str = ""
) -> None:
    """A point for every trial, and a line through the means of the levels that have any."""
    means = []
    for x, row in zip(levels.values, values, strict=True):
        known = row[~np.isnan(row)]
        axes.plot(
            [x] * len(known),
            known,
            linestyle="none",
            marker=style["marker"],
            color=style["color"],
            markersize=5,
            alpha=0.4,
        )
        if len(known):
            means.append((x, known.mean()))
    if means:
        x_means, y_means = zip(*means, strict=True)
        axes.plot(
            x_means,
            y_means,
            linewidth=3,
            markersize=10,
            label=label or None,
            color=style["color"],
            marker=style["marker"],
            linestyle=style["linestyle"],
        )


def _set_level_axis(axes: Axes, levels: LevelAxis) -> None:
    """A tick for each level; that of the reference says so and has a band."""
    names = list(levels.names)
    if levels.reference is not None:
        place = levels.values[levels.reference]
        axes.axvline(place, color=YELLOW, linewidth=10, alpha=0.5, zorder=0)
        names[levels.reference] += "\n" + levels.reference_name
    axes.set_xticks(levels.values, names)
    axes.set_xticks([], minor=True)
    axes.set_xlabel(levels.label)
