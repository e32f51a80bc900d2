"""How each level learns, as small multiples."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from taller_cnn.figures.axes import log_axis, plain_axes, value_axis
from taller_cnn.figures.style import (
    BLUE,
    TICK,
    VERMILION,
    new_panels,
    set_title,
    shrink_to,
    with_note,
)
from taller_cnn.messages import Messages
from taller_cnn.study.analysis import Level, QuestionAnalysis
from taller_cnn.study.labels import capital, level_label, question_label, words_for

MOST_COLUMNS = 4

Curve = list[tuple[float, float]]


def has_curves(question: QuestionAnalysis, table: pd.DataFrame) -> bool:
    """Whether a curve of the question's trials has two points."""
    records = _records_by_level(question, table).values()
    return _drawable(records, "error") or _drawable(records, "loss")


def learning_curves_figure(
    question: QuestionAnalysis, table: pd.DataFrame, messages: Messages, note: str | None = None
) -> Figure:
    """A panel for each level: thin lines are seeds, the thick one their mean.

    The validation error is drawn, or the training loss where the error was measured only once.
    The mean of the workshop's network is repeated in every panel.

    Args:
        question: one that `has_curves`.
        table: the study's trials.
        messages: the reader's language.
        note: what the reader must know about the data; it becomes part of the title.
    """
    records = _records_by_level(question, table)
    which = "error" if _drawable(records.values(), "error") else "loss"
    curves = {names: [_points(r, which) for r in of_level] for names, of_level in records.items()}
    figure, grid = _panels(question)
    reference = question.reference
    usual = mean_curve(curves[reference.levels]) if reference else []
    panels = grid.T.flat if _crossed(question) else grid.flat
    for axes, level in zip(panels, question.levels, strict=False):
        _draw_level(axes, curves[level.levels], usual, level)
        name = level_label(question.factors, level.levels, messages)
        weight = "bold" if level.is_reference else "normal"
        shrink_to(axes.set_title(name, fontsize=TICK, fontweight=weight), 3.4)
    _set_scales(grid, curves, which, messages)
    _draw_legend(figure, question, messages)
    # Below each column: a label of the figure would lie under the legend.
    for panel in grid[-1]:
        panel.set_xlabel(messages("study_report.figure.images_axis"), fontsize=TICK)
    words = words_for([question], messages)
    label = capital(messages(f"study_report.figure.{which}_axis", **words))
    figure.supylabel(label)
    heading = messages("study_report.figure.curves", question=question_label(question, messages))
    set_title(figure, with_note(heading, note, messages))
    return figure


def _panels(question: QuestionAnalysis) -> tuple[Figure, Any]:
    """A figure with axes for each level, ``[rows, columns]``; those left over are hidden."""
    columns = _columns(question)
    rows = math.ceil(len(question.levels) / columns)
    width, height = 3.7 * columns + 1.2, 2.9 * rows + 2.2
    figure, grid = new_panels(width, height, rows, columns, sharex=True, sharey=True)
    for axes in grid.flat[len(question.levels) :]:
        axes.set_axis_off()
    return figure, grid


def mean_curve(curves: list[Curve]) -> Curve:
    """The mean over trials at the points that all of them have."""
    values: dict[float, list[float]] = defaultdict(list)
    for curve in curves:
        for x, y in curve:
            values[x].append(y)
    return sorted((x, float(np.mean(ys))) for x, ys in values.items() if len(ys) == len(curves))


def _records_by_level(
    question: QuestionAnalysis, table: pd.DataFrame
) -> dict[tuple[str, ...], list[Any]]:
    trials = table[(table["question"] == question.name) & (table["status"] == "ok")]
    return {level.levels: _records(trials, level) for level in question.levels}


def _records(trials: pd.DataFrame, level: Level) -> list[Any]:
    """The curves of the level's trials at its learning rate."""
    own = trials[(trials["level_a"] == level.levels[0]) & (trials["rate"] == level.rate)]
    if len(level.levels) > 1:
        own = own[own["level_b"] == level.levels[1]]
    return [curve for curve in own["curve"] if curve]


def _points(record: Iterable[tuple[float, float, float | None]], which: str) -> Curve:
    """Images seen and the training loss, or the validation error in per cent where measured."""
    if which == "loss":
        return [(x, loss) for x, loss, _ in record if math.isfinite(loss)]
    return [(x, 100 * e) for x, _, e in record if e is not None and math.isfinite(e)]


def _drawable(records: Iterable[list[Any]], which: str) -> bool:
    return any(len(_points(record, which)) > 1 for own in records for record in own)


def _crossed(question: QuestionAnalysis) -> bool:
    """Whether the panels are the grid of two factors, the first across."""
    return len(question.factors) == 2


def _columns(question: QuestionAnalysis) -> int:
    if _crossed(question):
        return len({level.levels[0] for level in question.levels})
    return min(MOST_COLUMNS, len(question.levels))


def _draw_level(axes: Axes, curves: list[Curve], usual: Curve, level: Level) -> None:
    for curve in curves:
        if curve:
            axes.plot(*zip(*curve, strict=True), color=BLUE, linewidth=0.9, alpha=0.45)
    if usual and not level.is_reference:
        axes.plot(*zip(*usual, strict=True), color=VERMILION, linewidth=2, linestyle="--")
    mean = mean_curve(curves)
    if mean:
        axes.plot(*zip(*mean, strict=True), color=BLUE, linewidth=3)
    plain_axes(axes)
    axes.tick_params(labelsize=TICK - 2)


def _set_scales(
    grid: Any, curves: dict[tuple[str, ...], list[Curve]], which: str, messages: Messages
) -> None:
    points = [point for own in curves.values() for curve in own for point in curve]
    x, y = [p[0] for p in points], [p[1] for p in points if p[1] > 0]
    axes = grid.flat[0]
    axes.set_xlim(0, 1.04 * max(x))
    if which == "error" and max(y) > 4 * min(y):
        axes.set_yscale("log")
        low, high = min(y) / 1.15, max(y) * 1.15
        axes.set_ylim(low, high)
        for panel in grid[:, 0]:
            log_axis(panel.yaxis, low, high, messages)
    else:
        axes.set_ylim(0, 1.05 * max(y))
        for panel in grid[:, 0]:
            value_axis(panel.yaxis, messages, bins=4)
    for panel in grid[-1]:
        value_axis(panel.xaxis, messages, bins=2)


def _draw_legend(figure: Figure, question: QuestionAnalysis, messages: Messages) -> None:
    lines = [
        Line2D([], [], color=BLUE, linewidth=3, label=messages("study_report.figure.mean")),
        Line2D([], [], color=BLUE, linewidth=1, label=messages("study_report.figure.seed")),
        Line2D(
            [],
            [],
            color=VERMILION,
            linewidth=2,
            linestyle="--",
            label=capital(words_for([question], messages)["baseline_name"]),
        ),
    ]
    shown = lines if question.reference else lines[:2]
    figure.legend(handles=shown, loc="outside lower center", ncols=len(shown), frameon=False)
