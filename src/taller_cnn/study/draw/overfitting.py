"""Dropout against the gap, and the error against the size of the training set."""

from __future__ import annotations

import pandas as pd
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
    with_note,
)
from taller_cnn.messages import Messages
from taller_cnn.study.analysis import QuestionAnalysis
from taller_cnn.study.labels import capital, factor_label, short_level, words_for

SERIES = {
    "seen_error": {"color": BLUE, "marker": "o", "linestyle": "-"},
    "validation_error": {"color": VERMILION, "marker": "s", "linestyle": "--"},
}


def gap_figure(
    question: QuestionAnalysis, table: pd.DataFrame, messages: Messages, note: str | None = None
) -> Figure:
    """The gap of every level, and beside it the two errors that it lies between.

    Points are trials, lines go through their means.

    Args:
        question: a question of one factor with numbers, in a regime that can overfit.
        table: the study's trials.
        messages: the reader's language.
        note: what the reader must know about the data; it becomes part of the title.
    """
    figure, panels = new_panels(14, 6.5, 1, 2)
    left, right = panels[0]
    gap = {"color": INK, "marker": "D", "linestyle": "-"}
    _draw_series(left, question, table, "gap", gap)
    left.axhline(0, color=INK, linewidth=1)
    left.set_ylabel(messages("study_report.figure.gap_axis"))
    for name, style in SERIES.items():
        label = messages(f"study_report.figure.{name}")
        _draw_series(right, question, table, name, {**style, "label": label})
    right.set_ylabel(messages("study_report.figure.both_axis"))
    right.set_ylim(bottom=0)
    right.legend()
    factor = question.factors[0]
    for axes in (left, right):
        _set_level_axis(axes, question, messages)
        plain_axes(axes)
        value_axis(axes.yaxis, messages)
        axes.set_xlabel(factor_label(factor, messages).capitalize())
    heading = messages("study_report.figure.gap", factor=factor_label(factor, messages))
    set_title(figure, with_note(heading, note, messages))
    return figure


def size_figure(
    question: QuestionAnalysis, table: pd.DataFrame, messages: Messages, note: str | None = None
) -> Figure:
    """Validation error against the number of digits trained on, both on logarithmic axes.

    Args:
        question: the question of the training-set size.
        table: the study's trials.
        messages: the reader's language.
        note: what the reader must know about the data; it becomes part of the title.
    """
    figure, axes = new_figure(11, 7)
    axes.set_xscale("log")
    axes.set_yscale("log")
    style = {"color": BLUE, "marker": "o", "linestyle": "-"}
    _draw_series(axes, question, table, "validation_error", style)
    _set_level_axis(axes, question, messages)
    low, high = axes.get_ylim()
    log_axis(axes.yaxis, low, high, messages)
    plain_axes(axes)
    axes.set_xlabel(messages("study_report.figure.size_axis"))
    words = words_for([question], messages)
    axes.set_ylabel(capital(messages("study_report.figure.error_axis", **words)))
    set_title(figure, with_note(messages("study_report.figure.size"), note, messages))
    return figure


def _draw_series(
    axes: Axes, question: QuestionAnalysis, table: pd.DataFrame, name: str, style: dict[str, str]
) -> None:
    """A point for every trial, and a line through the means of the levels."""
    trials = table[(table["question"] == question.name) & (table["status"] == "ok")]
    means = []
    for level in question.levels:
        own = trials[(trials["level_a"] == level.levels[0]) & (trials["rate"] == level.rate)]
        x = level.values[0] or 0.0
        axes.plot(
            [x] * len(own),
            100 * own[name].astype(float),
            linestyle="none",
            marker=style["marker"],
            color=style["color"],
            markersize=5,
            alpha=0.4,
        )
        if getattr(level, name).n:
            means.append((x, 100 * getattr(level, name).mean))
    if means:
        axes.plot(*zip(*means, strict=True), linewidth=3, markersize=10, **style)  # type: ignore[arg-type]


def _set_level_axis(axes: Axes, question: QuestionAnalysis, messages: Messages) -> None:
    """A tick for each level; that of the workshop's network says so and has a band."""
    places, names = [], []
    for level in question.levels:
        place = level.values[0] or 0.0
        name = short_level(question.factors[0], level.levels[0], messages)
        if level.is_reference:
            axes.axvline(place, color=YELLOW, linewidth=10, alpha=0.5, zorder=0)
            name += "\n" + words_for([question], messages)["baseline_name"]
        places.append(place)
        names.append(name)
    axes.set_xticks(places, names)
    axes.set_xticks([], minor=True)
