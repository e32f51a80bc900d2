"""The tables of a study's report, as texts in the reader's language."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from taller_cnn.messages import Messages
from taller_cnn.page import Mark, Table
from taller_cnn.study.conclusions import cost_label
from taller_cnn.study.labels import (
    baseline_words,
    context_label,
    interval_label,
    level_label,
    p_label,
    points,
    rate_label,
    training_label,
)
from taller_cnn.study.results import Effect, Estimate, Level, QuestionAnalysis, RateResult, Spread

MARKS: dict[str, Mark] = {
    "better": "better",
    "worse": "worse",
    "unclear": "open",
    "unknown": "open",
}
"""How a verdict is marked on the page."""


def question_tables(question: QuestionAnalysis, say: Messages) -> Iterator[Table]:
    """Effects on error and gap, levels, and learning rates, as far as the question has them."""
    yield _effects_table("effects_table", question, lambda effect: effect.error, say)
    if any(effect.gap for effect in question.effects):
        yield _effects_table("gaps_table", question, lambda effect: effect.gap, say)
    yield _levels_table(question, say)
    if any(len(level.rates) > 1 for level in question.levels):
        yield _rates_table(question, say)


def _columns(names: str, say: Messages) -> tuple[str, ...]:
    return tuple(say(f"study_report.report.{name}") for name in names.split())


def _effects_table(
    caption: str,
    question: QuestionAnalysis,
    pick: Callable[[Effect], Estimate | None],
    say: Messages,
) -> Table:
    """Level, difference, interval, verdict, p, detectable and, of errors, the cost."""
    with_cost = caption == "effects_table"
    columns = "level difference interval verdict_column p_value detectable"
    rows = []
    marks = []
    for effect in question.effects:
        estimate = pick(effect)
        if estimate is None:
            continue
        row = (
            level_label(question.factors, effect.levels, say),
            points(estimate.value, say),
            interval_label(estimate.low, estimate.high, say),
            say(f"study_report.report.verdict_{estimate.verdict}"),
            p_label(estimate.p, say),
            points(estimate.detectable, say, signed=False),
        )
        cost = cost_label(effect, say, "report.cost_cell") or say("study_report.report.same_cost")
        rows.append((*row, cost) if with_cost else row)
        marks.append(MARKS[estimate.verdict])
    words = baseline_words(question.factors, say)
    context = context_label(question, say)
    return Table(
        caption=say(f"study_report.report.{caption}", context=context, **words),
        header=_columns(columns + (" cost" if with_cost else ""), say),
        rows=tuple(rows),
        marks=tuple(marks),
    )


def _levels_table(question: QuestionAnalysis, say: Messages) -> Table:
    with_gap = any(level.gap.n for level in question.levels)
    columns = (
        f"level rate seeds error {'seen_error gap' if with_gap else ''} parameters macs seconds"
    )
    rows = []
    for level in question.levels:
        gap = (_spread(level.seen_error, say), _gap(level.gap, say)) if with_gap else ()
        rows.append(
            (
                _level_name(question, level, say),
                rate_label(level.rate, say),
                say.number(level.error.n, 0),
                _spread(level.error, say),
                *gap,
                say.number(level.parameters, 0),
                say.number(level.macs, 0),
                "–" if math.isnan(level.train_seconds) else say.duration(level.train_seconds),
            )
        )
    context = context_label(question, say)
    return Table(
        caption=say("study_report.report.levels_table", context=context),
        header=_columns(columns, say),
        rows=tuple(rows),
    )


def _level_name(question: QuestionAnalysis, level: Level, say: Messages) -> str:
    name = level_label(question.factors, level.levels, say)
    if level.is_reference:
        words = baseline_words(question.factors, say)
        return say("study_report.report.reference_mark", level=name, **words)
    return name


def _spread(spread: Spread, say: Messages) -> str:
    """A mean in per cent and the standard deviation in points."""
    if not spread.n:
        return "–"
    if math.isnan(spread.sd):
        return say("study_report.percent", x=spread.mean)
    sd = say.number(100 * spread.sd, 2)
    return say("study_report.report.spread", mean=spread.mean, sd=sd)


def _gap(gap: Spread, say: Messages) -> str:
    """A gap in points, which may be below zero."""
    if not gap.n:
        return "–"
    mean = points(100 * gap.mean, say)
    return mean if math.isnan(gap.sd) else f"{mean} ± {say.number(100 * gap.sd, 2)}"


def _rates_table(question: QuestionAnalysis, say: Messages) -> Table:
    rates = sorted({tried.rate for level in question.levels for tried in level.rates})
    rows = []
    for level in question.levels:
        tried = {result.rate: result for result in level.rates}
        cells = [_pilot_cell(tried.get(rate), level, say) for rate in rates]
        rows.append((_level_name(question, level, say), *cells))
    return Table(
        caption=say(
            "study_report.report.rates_table",
            pilot_n=question.results.pilot_n,
            training=training_label(question, say),
        ),
        header=(*_columns("level", say), *(rate_label(rate, say) for rate in rates)),
        rows=tuple(rows),
    )


def _pilot_cell(tried: RateResult | None, level: Level, say: Messages) -> str:
    if tried is None:
        return "–"
    text = (
        say("study_report.percent", x=tried.validation_error.mean)
        if tried.validation_error.n
        else "–"
    )
    if tried.failed:
        text = say("study_report.report.failed_mark")
    return f"{text} ✓" if tried.rate == level.rate else text
