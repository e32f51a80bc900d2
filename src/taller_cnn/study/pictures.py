"""Which pictures a study has data for, and the arrays and words that each is drawn from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from taller_cnn.figures.forest import ForestRow
from taller_cnn.figures.style import with_note
from taller_cnn.messages import Messages
from taller_cnn.page import Picture
from taller_cnn.study.draw.cost import CostSeries, cost_figure
from taller_cnn.study.draw.curves import CurvePanel, curves_figure, drawable
from taller_cnn.study.draw.forest import ForestPanel, forest_figure, pages, verdict_mark
from taller_cnn.study.draw.heatmap import HeatCell, heatmap_figure
from taller_cnn.study.draw.levels import LevelAxis, gap_figure, size_figure
from taller_cnn.study.labels import (
    baseline_words,
    capital,
    context_label,
    estimate_label,
    factor_label,
    interval_label,
    level_label,
    points,
    question_label,
    short_level,
    training_of,
)
from taller_cnn.study.results import Curve, Level, QuestionAnalysis, StudyAnalysis

GLYPHS = {"better": "▼ ", "worse": "▲ ", "unclear": "", "unknown": ""}


def study_pictures(study: StudyAnalysis, say: Messages, note: str | None) -> Iterator[Picture]:
    """The pictures of the whole study: every effect, and accuracy against cost.

    Args:
        study: the answers.
        say: the reader's language.
        note: what the reader must know about the data; it becomes part of the titles.
    """
    panels = [
        _forest_panel(question, say)
        for question in study.questions
        if any(not math.isnan(effect.error.value) for effect in question.effects)
    ]
    title = with_note(say("study_report.figure.effects"), note, say)
    axis = say("study_report.figure.difference")
    for number, page in enumerate(pages(panels), start=1):
        context = "; ".join(f"{panel.heading}: {panel.context}" for panel in page)
        yield Picture(
            name=f"effects_{number}",
            draw=partial(forest_figure, page, title, axis, say),
            alt=say("study_report.alt.effects", context=context),
        )
    for number, questions in enumerate(_of_each_training(study), start=1):
        yield _cost_picture(questions, f"cost_{number}", say, note)


def question_pictures(
    question: QuestionAnalysis, say: Messages, note: str | None
) -> Iterator[Picture]:
    """The pictures of one question; arguments as `study_pictures`."""
    if not _measured(question):
        return
    if len(question.factors) == 2:
        yield _heatmap_picture(question, say, note)
    if question.factors == ("dropout",) and not np.isnan(question.results.seen_errors).all():
        yield _gap_picture(question, say, note)
    if question.factors == ("size",):
        yield _size_picture(question, say, note)
    yield from _curves_picture(question, say, note)


def _picture(
    kind: str, question: QuestionAnalysis, draw: partial[Figure], say: Messages
) -> Picture:
    alt = say(f"study_report.alt.{kind}", context=context_label(question, say))
    return Picture(name=f"{kind}_{question.name}", draw=draw, alt=alt)


def _title(heading: str, question: QuestionAnalysis, say: Messages, note: str | None) -> str:
    return with_note(f"{capital(heading)}\n{context_label(question, say)}", note, say)


# ---------------------------------------------------------------------- the whole study


def _forest_panel(question: QuestionAnalysis, say: Messages) -> ForestPanel:
    rows = tuple(
        ForestRow(
            name=level_label(question.factors, effect.levels, say),
            value=effect.error.value,
            low=effect.error.low,
            high=effect.error.high,
            mark=verdict_mark(effect.error.verdict, say),
            words=estimate_label(effect.error, say),
        )
        for effect in question.effects
    )
    heading, context = question_label(question, say), context_label(question, say)
    return ForestPanel(heading=heading, context=context, rows=rows)


def _of_each_training(study: StudyAnalysis) -> list[list[QuestionAnalysis]]:
    """The questions whose levels differ in cost, those of one training together."""
    together: dict[object, list[QuestionAnalysis]] = {}
    for question in study.questions:
        if len({level.macs for level in _measured(question)}) > 1:
            together.setdefault(training_of(question), []).append(question)
    return list(together.values())


def _measured(question: QuestionAnalysis) -> list[Level]:
    return [level for level in question.levels if level.error.n]


def _accuracy(level: Level) -> float:
    return 100 * (1 - level.error.mean)


def _cost_picture(
    questions: Sequence[QuestionAnalysis], name: str, say: Messages, note: str | None
) -> Picture:
    series = [
        CostSeries(
            label=question_label(question, say),
            names=tuple(level_label(question.factors, x.levels, say) for x in measured),
            macs=np.array([level.macs for level in measured]),
            accuracy=np.array([_accuracy(level) for level in measured]),
            spread=np.array([100 * level.error.sd for level in measured]),
        )
        for question in questions
        if (measured := _measured(question))
    ]
    reference = next((q.reference for q in questions if q.reference and q.reference.error.n), None)
    words = baseline_words([factor for q in questions for factor in q.factors], say)
    star = None
    if reference:
        star = (reference.macs, _accuracy(reference), capital(words["baseline_name"]))
    title = _title(say("study_report.figure.cost"), questions[0], say, note)
    context = context_label(questions[0], say)
    return Picture(
        name=name,
        draw=partial(cost_figure, series, star, title, say),
        alt=say("study_report.alt.cost", context=context),
    )


# ------------------------------------------------------------------------- one question


def _heatmap_picture(question: QuestionAnalysis, say: Messages, note: str | None) -> Picture:
    across = tuple(dict.fromkeys(level.levels[0] for level in question.levels))
    down = tuple(dict.fromkeys(level.levels[1] for level in question.levels))
    cells = {
        (across.index(level.levels[0]), down.index(level.levels[1])): _heat_cell(
            question, level, say
        )
        for level in question.levels
    }
    first, second = question.factors
    words = baseline_words(question.factors, say)
    draw = partial(
        heatmap_figure,
        cells,
        [short_level(first, name, say) for name in across],
        [short_level(second, name, say) for name in down],
        (capital(factor_label(first, say)), capital(factor_label(second, say))),
        _title(say("study_report.figure.heatmap", **words), question, say, note),
        say("study_report.figure.error_axis"),
        say,
    )
    return _picture("heatmap", question, draw, say)


def _heat_cell(question: QuestionAnalysis, level: Level, say: Messages) -> HeatCell:
    if not level.error.n:
        return HeatCell(error=math.nan, heading=say("study_report.figure.not_measured"))
    heading = say("study_report.percent", x=level.error.mean)
    error = 100 * level.error.mean
    if level.is_reference:
        name = baseline_words(question.factors, say)["baseline_name"]
        return HeatCell(error=error, heading=heading, lines=(name,), is_reference=True)
    lines = []
    for effect in question.effects:
        if effect.levels == level.levels:
            lines.append(GLYPHS[effect.error.verdict] + points(effect.error.value, say))
            if not math.isnan(effect.error.low):
                lines.append(f"({interval_label(effect.error.low, effect.error.high, say)})")
    return HeatCell(error=error, heading=heading, lines=tuple(lines))


def _level_axis(question: QuestionAnalysis, label: str, say: Messages) -> LevelAxis:
    factor = question.factors[0]
    reference = [i for i, level in enumerate(question.levels) if level.is_reference]
    return LevelAxis(
        label=label,
        values=tuple(level.values[0] or 0.0 for level in question.levels),
        names=tuple(short_level(factor, level.levels[0], say) for level in question.levels),
        reference=reference[0] if reference else None,
        reference_name=baseline_words(question.factors, say)["baseline_name"],
    )


def _gap_picture(question: QuestionAnalysis, say: Messages, note: str | None) -> Picture:
    factor = factor_label(question.factors[0], say)
    heading = say("study_report.figure.gap", factor=factor)
    draw = partial(
        gap_figure,
        _level_axis(question, capital(factor), say),
        100 * question.results.seen_errors,
        100 * question.results.errors,
        _title(heading, question, say, note),
        say,
    )
    return _picture("gap", question, draw, say)


def _size_picture(question: QuestionAnalysis, say: Messages, note: str | None) -> Picture:
    axis = _level_axis(question, say("study_report.figure.size_axis"), say)
    title = _title(say("study_report.figure.size"), question, say, note)
    draw = partial(size_figure, axis, 100 * question.results.errors, title, say)
    return _picture("size", question, draw, say)


def _curves_picture(
    question: QuestionAnalysis, say: Messages, note: str | None
) -> Iterator[Picture]:
    """The error as networks learn, or the training loss where the error was measured only once."""
    axis, curves = "both_axis", [_error_curves(records) for records in question.results.curves]
    if not any(map(drawable, curves)):
        axis, curves = "loss_axis", [_loss_curves(records) for records in question.results.curves]
    if not any(map(drawable, curves)):
        return
    panels = [
        CurvePanel(
            name=level_label(question.factors, level.levels, say),
            curves=drawn,
            is_reference=level.is_reference,
        )
        for level, drawn in zip(question.levels, curves, strict=True)
    ]
    columns = None
    if len(question.factors) == 2:
        # The first factor across: its levels are the slower ones of the list.
        rows = len({level.levels[1] for level in question.levels})
        columns = len(panels) // rows
        panels = [panel for row in range(rows) for panel in panels[row::rows]]
    upwards = say(f"study_report.figure.{axis}")
    name = capital(baseline_words(question.factors, say)["baseline_name"])
    heading = say("study_report.figure.curves", question=question_label(question, say))
    title = _title(heading, question, say, note)
    draw = partial(curves_figure, panels, columns, (upwards, name), title, say)
    yield _picture("curves", question, draw, say)


Records = Sequence[Curve | None]
"""Of every trial, as `QuestionResults` has them; None of one that has not run."""


def _error_curves(records: Records) -> tuple[list[tuple[float, float]], ...]:
    return tuple(
        [(x, 100 * e) for x, _, e in record if e is not None and math.isfinite(e)]
        for record in records
        if record
    )


def _loss_curves(records: Records) -> tuple[list[tuple[float, float]], ...]:
    return tuple(
        [(x, loss) for x, loss, _ in record if math.isfinite(loss)] for record in records if record
    )
