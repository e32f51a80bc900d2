"""Accuracy against what it costs."""

from __future__ import annotations

import numpy as np
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
    with_note,
)
from taller_cnn.messages import Messages
from taller_cnn.study.analysis import Level, QuestionAnalysis
from taller_cnn.study.labels import capital, level_label, question_label, words_for

SERIES = ((BLUE, "o"), (VERMILION, "s"), (GREEN, "D"), (INK, "P"), (GREY, "X"), ("#CC79A7", "h"))

Point = tuple[Level, QuestionAnalysis]


def pareto_front(points: list[tuple[float, float]]) -> list[int]:
    """Which points no other beats in both: lower cost and higher accuracy; from cheap to dear."""
    order = sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1]))
    front: list[int] = []
    for index in order:
        if not front or points[index][1] > points[front[-1]][1]:
            front.append(index)
    return front


def cost_figure(
    questions: tuple[QuestionAnalysis, ...], messages: Messages, note: str | None = None
) -> Figure:
    """Mean validation accuracy over seeds against the operations for one digit.

    Args:
        questions: questions of one regime, whose accuracies can be compared.
        messages: the reader's language.
        note: what the reader must know about the data; it becomes part of the title.
    """
    words = words_for(questions, messages)
    figure, axes = new_figure(15, 8.2)
    points: list[Point] = [
        (level, question)
        for question in questions
        for level in question.levels
        if level.validation_error.n
    ]
    for (colour, marker), question in zip(SERIES * 3, questions, strict=False):
        levels = [level for level, of in points if of is question]
        _draw_levels(axes, levels, colour, marker, question_label(question, messages))
    _draw_front(axes, points, messages)
    reference = next((level for level, _ in points if level.is_reference), None)
    if reference:
        place = reference.macs, _accuracy(reference)
        draw_star(axes, *place, capital(words["baseline_name"]))
    macs = [level.macs for level, _ in points]
    axes.set_xscale("log")
    axes.set_xlim(min(macs) / 1.3, max(macs) * 1.7)
    log_axis(axes.xaxis, min(macs) / 1.3, max(macs) * 1.7, messages)
    plain_axes(axes)
    value_axis(axes.yaxis, messages)
    axes.set_xlabel(messages("study_report.figure.macs_axis"))
    label = capital(messages("study_report.figure.accuracy_axis", **words))
    axes.set_ylabel(label)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    set_title(figure, with_note(messages("study_report.figure.cost"), note, messages))
    return figure


def _draw_levels(axes: Axes, levels: list[Level], colour: str, marker: str, label: str) -> None:
    if not levels:
        return
    accuracy = np.array([_accuracy(level) for level in levels])
    spread = np.array([100 * level.validation_error.sd for level in levels])
    draw_intervals(
        axes,
        [level.macs for level in levels],
        accuracy,
        accuracy - spread,
        accuracy + spread,
        color=colour,
        marker=marker,
        elinewidth=1.2,
        capsize=0,
        alpha=0.85,
        label=label,
    )


def _accuracy(level: Level) -> float:
    return 100 * (1 - level.validation_error.mean)


def _draw_front(axes: Axes, points: list[Point], messages: Messages) -> None:
    """The front, its points numbered: their names would cover each other."""
    chosen = [points[i] for i in pareto_front([(p.macs, _accuracy(p)) for p, _ in points])]
    x = [level.macs for level, _ in chosen]
    y = [_accuracy(level) for level, _ in chosen]
    label = messages("study_report.figure.pareto")
    axes.plot(x, y, color=INK, linewidth=2, linestyle="--", zorder=1, label=label)
    names = [label]
    for number, (level, question) in enumerate(chosen, start=1):
        axes.annotate(
            str(number),
            xy=(level.macs, _accuracy(level)),
            xytext=(-7, 6),
            textcoords="offset points",
            horizontalalignment="right",
            fontsize=TICK,
            fontweight="bold",
            color=INK,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5},
        )
        names.append(f"{number}  {level_label(question.factors, level.levels, messages)}")
    axes.annotate(
        "\n".join(names),
        xy=(1.02, 1),
        xycoords="axes fraction",
        verticalalignment="top",
        fontsize=TICK,
        linespacing=1.35,
        color=INK,
    )
