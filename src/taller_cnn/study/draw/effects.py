"""Every level against the reference, with simultaneous intervals."""

from __future__ import annotations

import math
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from taller_cnn.figures.axes import plain_axes, signed_axis
from taller_cnn.figures.style import BLUE, GREY, HEADING, INK, LABEL, TICK, VERMILION, set_title
from taller_cnn.messages import Messages
from taller_cnn.study.analysis import Estimate, QuestionAnalysis
from taller_cnn.study.labels import estimate_label, level_label, question_label, words_for

__all__ = ["VERDICT_MARKS", "effects_figure", "pages"]

VERDICT_MARKS: dict[str, dict[str, Any]] = {
    "better": {"color": BLUE, "marker": "v"},
    "worse": {"color": VERMILION, "marker": "^"},
    "unclear": {"color": GREY, "marker": "o"},
    "unknown": {"color": INK, "marker": "x"},
}
"""Shape and colour say the same, so that neither is needed."""

ROW = 0.42  # inches: a line of text and air
HEAD = 1.3  # inches for a panel's heading and axis
SCREEN = 10.0  # inches; beside a width of 14, about what a projector shows


def effects_figure(
    questions: tuple[QuestionAnalysis, ...], messages: Messages, note: str | None = None
) -> Figure:
    """A forest plot: a panel for each question, each with a scale of its own.

    Args:
        questions: those with at least one effect.
        messages: the reader's language.
        note: what the reader must know about the data; it becomes part of the title.
    """
    rows = [len(question.effects) for question in questions]
    figure = Figure(
        figsize=(14, _height(questions)),
        layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12, hspace=0.04),
    )
    ratios = [count * ROW + HEAD for count in rows]
    grid = figure.subplots(len(rows), 1, squeeze=False, height_ratios=ratios)
    for axes, question in zip(grid[:, 0], questions, strict=True):
        _draw_question(axes, question, messages)
    words = words_for(questions, messages)
    grid[-1, 0].set_xlabel(messages("study_report.figure.difference", **words), fontsize=LABEL)
    _draw_legend(figure, questions, messages)
    set_title(figure, messages("study_report.figure.effects", **words), note, messages)
    return figure


def pages(
    questions: tuple[QuestionAnalysis, ...],
) -> list[tuple[QuestionAnalysis, ...]]:
    """The questions in order, as many together as a screen shows; at least one to each page."""
    found: list[tuple[QuestionAnalysis, ...]] = []
    for question in questions:
        if found and _height((*found[-1], question)) <= SCREEN:
            found[-1] = (*found[-1], question)
        else:
            found.append((question,))
    return found


def _height(questions: tuple[QuestionAnalysis, ...]) -> float:
    rows = sum(len(question.effects) for question in questions)
    return rows * ROW + len(questions) * HEAD + 1.4


def _draw_question(axes: Axes, question: QuestionAnalysis, messages: Messages) -> None:
    names = [level_label(question.factors, e.levels, messages) for e in question.effects]
    for row, effect in enumerate(question.effects):
        _draw_estimate(axes, row, effect.error, messages)
    axes.axvline(0, color=INK, linewidth=1.5)
    axes.set_yticks(range(len(names)), names, fontsize=TICK)
    axes.set_ylim(len(names) - 0.4, -0.6)
    plain_axes(axes, grid="x")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    signed_axis(axes.xaxis, messages)
    axes.set_title(question_label(question, messages), fontsize=HEADING, loc="left")


def _draw_estimate(axes: Axes, row: int, estimate: Estimate, messages: Messages) -> None:
    if math.isnan(estimate.value):
        return
    mark = VERDICT_MARKS[estimate.verdict]
    if not math.isnan(estimate.low):
        axes.plot([estimate.low, estimate.high], [row, row], color=mark["color"], linewidth=3)
    axes.plot([estimate.value], [row], linestyle="none", markersize=11, **mark)
    axes.annotate(
        estimate_label(estimate, messages),
        xy=(1, row),
        xycoords=axes.get_yaxis_transform(),
        xytext=(8, 0),
        textcoords="offset points",
        verticalalignment="center",
        fontsize=TICK,
        color=mark["color"] if estimate.verdict != "unclear" else INK,
    )


def _draw_legend(
    figure: Figure, questions: tuple[QuestionAnalysis, ...], messages: Messages
) -> None:
    present = {effect.error.verdict for question in questions for effect in question.effects}
    marks = [
        Line2D([], [], linewidth=3, markersize=11, label=messages(f"study_report.mark.{v}"), **mark)
        for v, mark in VERDICT_MARKS.items()
        if v in present
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=2, fontsize=TICK, frameon=False)
