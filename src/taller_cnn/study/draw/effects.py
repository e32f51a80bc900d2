"""Every level against the reference, with simultaneous intervals."""

from __future__ import annotations

from matplotlib.figure import Figure

from taller_cnn.figures.forest import ForestMark, ForestRow, draw_forest, forest_legend
from taller_cnn.figures.style import BLUE, GREY, INK, VERMILION, new_panels, set_title, with_note
from taller_cnn.messages import Messages
from taller_cnn.study.analysis import QuestionAnalysis
from taller_cnn.study.labels import estimate_label, level_label, question_label, words_for

VERDICTS = {
    "better": (BLUE, "v"),
    "worse": (VERMILION, "^"),
    "unclear": (GREY, "o"),
    "unknown": (INK, "x"),
}
"""Colour and marker of each."""

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
    ratios = [len(question.effects) * ROW + HEAD for question in questions]
    height = _height(questions)
    figure, grid = new_panels(14, height, len(ratios), 1, height_ratios=ratios)
    marks = {
        verdict: ForestMark(messages(f"study_report.mark.{verdict}"), *look, verdict != "unclear")
        for verdict, look in VERDICTS.items()
    }
    for axes, question in zip(grid[:, 0], questions, strict=True):
        draw_forest(axes, _rows(question, marks, messages), messages)
        axes.set_title(question_label(question, messages), loc="left")
    words = words_for(questions, messages)
    grid[-1, 0].set_xlabel(messages("study_report.figure.difference", **words))
    present = {effect.error.verdict for question in questions for effect in question.effects}
    handles = forest_legend(mark for verdict, mark in marks.items() if verdict in present)
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    set_title(figure, with_note(messages("study_report.figure.effects", **words), note, messages))
    return figure


def _rows(
    question: QuestionAnalysis, marks: dict[str, ForestMark], messages: Messages
) -> list[ForestRow]:
    return [
        ForestRow(
            name=level_label(question.factors, effect.levels, messages),
            value=effect.error.value,
            low=effect.error.low,
            high=effect.error.high,
            mark=marks[effect.error.verdict],
            words=estimate_label(effect.error, messages),
        )
        for effect in question.effects
    ]


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
