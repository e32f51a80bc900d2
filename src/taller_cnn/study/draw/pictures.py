"""Which pictures a study has data for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from taller_cnn.messages import Messages
from taller_cnn.study.analysis import QuestionAnalysis, StudyAnalysis
from taller_cnn.study.draw.costs import cost_figure
from taller_cnn.study.draw.curves import has_curves, learning_curves_figure
from taller_cnn.study.draw.effects import effects_figure, pages
from taller_cnn.study.draw.heatmap import heatmap_figure
from taller_cnn.study.draw.overfitting import gap_figure, size_figure


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A picture of a study and its place in the report."""

    name: str
    """Of the file, without its ending."""
    kind: str
    """effects, heatmap, cost, curves, gap or size."""
    question: str | None
    """Name of the question that it belongs to; None for the whole study."""
    draw: Callable[[], Figure]


def draw_study(
    analysis: StudyAnalysis, table: pd.DataFrame, messages: Messages, note: str | None = None
) -> Iterator[Picture]:
    """The pictures that there are data for; each takes about a second to draw.

    Args:
        analysis: of the table.
        table: the study's trials.
        messages: the reader's language.
        note: what the reader must know about the data; it becomes part of the titles.
    """
    with_effects = tuple(q for q in analysis.questions if q.effects)
    for number, page in enumerate(pages(with_effects), start=1):
        yield Picture(
            name=f"effects_{number}",
            kind="effects",
            question=None,
            draw=partial(effects_figure, page, messages, note),
        )
    compared = _cost_questions(analysis)
    if compared:
        yield Picture(
            name="cost",
            kind="cost",
            question=None,
            draw=partial(cost_figure, compared, messages, note),
        )
    for question in analysis.questions:
        for kind, draw in _of_question(question, table, messages, note):
            name = f"{kind}_{question.name}"
            yield Picture(name=name, kind=kind, question=question.name, draw=draw)


def _of_question(
    question: QuestionAnalysis, table: pd.DataFrame, messages: Messages, note: str | None
) -> Iterator[tuple[str, Callable[[], Figure]]]:
    if len(question.factors) == 2:
        yield "heatmap", partial(heatmap_figure, question, messages, note)
    if question.factors == ("dropout",) and any(level.gap.n for level in question.levels):
        yield "gap", partial(gap_figure, question, table, messages, note)
    if question.factors == ("size",) and any(level.validation_error.n for level in question.levels):
        yield "size", partial(size_figure, question, table, messages, note)
    if has_curves(question, table):
        yield "curves", partial(learning_curves_figure, question, table, messages, note)


def _cost_questions(analysis: StudyAnalysis) -> tuple[QuestionAnalysis, ...]:
    """Questions of one regime whose levels differ in cost: of the regime with the most levels."""
    regimes: dict[str, list[QuestionAnalysis]] = {}
    for question in analysis.questions:
        measured = [level for level in question.levels if level.validation_error.n]
        if len({level.macs for level in measured}) > 1:
            regimes.setdefault(question.regime, []).append(question)
    most = max(regimes.values(), key=lambda q: sum(len(x.levels) for x in q), default=[])
    return tuple(most)
