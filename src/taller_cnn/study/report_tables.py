"""The tables of a study's report, as texts in the reader's language."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from taller_cnn.messages import Messages
from taller_cnn.study.analysis import (
    Effect,
    Estimate,
    Level,
    QuestionAnalysis,
    Spread,
    Term,
    variance_terms,
)
from taller_cnn.study.labels import (
    capital,
    estimate_label,
    factor_label,
    interval_label,
    level_label,
    points,
    ratio,
    words_for,
)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of texts."""

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def question_tables(question: QuestionAnalysis, messages: Messages) -> Iterator[Table]:
    """Effects, levels, learning rates and variance, as far as the question has them."""
    yield _effects_table(question, messages)
    yield _levels_table(question, messages)
    if max(len(level.rates) for level in question.levels) > 1:
        yield _rates_table(question, messages)
    terms = variance_terms(question)
    if terms:
        yield _terms_table(terms, messages)


def _table(
    heading: str,
    columns: str,
    rows: Iterable[Sequence[str]],
    messages: Messages,
    **words: str,
) -> Table:
    return Table(
        heading=messages(f"study_report.report.{heading}", **words),
        columns=tuple(messages(f"study_report.report.{name}", **words) for name in columns.split()),
        rows=tuple(tuple(row) for row in rows),
    )


def _effects_table(question: QuestionAnalysis, messages: Messages) -> Table:
    columns = "level difference simultaneous verdict_column"
    columns += " in_digits" if question.folds else ""
    columns += " p_value unadjusted other_images"
    columns += " detectable parameters macs"
    with_gap = any(effect.gap for effect in question.effects)
    if with_gap:
        columns += " gap_difference simultaneous verdict_column"
    rows = [_effect_row(question, effect, messages) for effect in question.effects]
    words = words_for([question], messages)
    return _table("effects_table", columns, rows, messages, **words)


def _effect_row(question: QuestionAnalysis, effect: Effect, messages: Messages) -> list[str]:
    error = effect.error
    row = [
        level_label(question.factors, effect.levels, messages),
        *_verdict_cells(error, messages),
        *_in_digits(question, error, messages),
        _p_value(error.p, messages),
        interval_label(error.low_alone, error.high_alone, messages),
        interval_label(effect.images_low, effect.images_high, messages),
        points(error.detectable, messages, signed=False),
        ratio(effect.parameters_ratio, messages),
        ratio(effect.macs_ratio, messages),
    ]
    return row + (_verdict_cells(effect.gap, messages) if effect.gap else [])


def _in_digits(question: QuestionAnalysis, error: Estimate, messages: Messages) -> list[str]:
    """The difference as a number of the digits that all folds have; empty without folds."""
    if not question.folds:
        return []
    scale = max(level.judged for level in question.levels) / 100
    return [estimate_label(error, messages, scale=scale, decimals=0)]


def _verdict_cells(estimate: Estimate, messages: Messages) -> list[str]:
    return [
        points(estimate.value, messages),
        interval_label(estimate.low, estimate.high, messages),
        messages(f"study_report.report.verdict_{estimate.verdict}"),
    ]


def _p_value(p: float, messages: Messages) -> str:
    if math.isnan(p):
        return "–"
    return "< " + messages.number(0.001, 3) if p < 0.001 else messages.number(p, 3)


def _levels_table(question: QuestionAnalysis, messages: Messages) -> Table:
    columns = "level rate seeds judged judged_error test gap parameters macs seconds memory"
    rows = [_level_row(question, level, messages) for level in question.levels]
    judged = capital(words_for([question], messages)["judged"])
    return _table("levels_table", columns, rows, messages, judged=judged)


def _level_row(question: QuestionAnalysis, level: Level, messages: Messages) -> list[str]:
    return [
        _level_name(question, level, messages),
        _rate(level.rate, messages),
        messages.number(level.validation_error.n, 0),
        messages.number(level.judged, 0) if level.judged else "–",
        _spread(level.validation_error, messages),
        _spread(level.test_error, messages),
        _gap(level.gap, messages),
        _known(level.parameters, lambda x: messages.number(x, 0)),
        _known(level.macs, lambda x: messages.number(x, 0)),
        _known(level.train_seconds, messages.duration),
        _known(level.peak_memory_mb, lambda x: messages("study_report.report.memory_mb", x=x)),
    ]


def _level_name(question: QuestionAnalysis, level: Level, messages: Messages) -> str:
    name = level_label(question.factors, level.levels, messages)
    if level.is_reference:
        words = words_for([question], messages)
        return messages("study_report.report.reference_mark", level=name, **words)
    return name


def _known(value: float, text: Callable[[float], str]) -> str:
    return "–" if math.isnan(value) else text(value)


def _rate(rate: float, messages: Messages) -> str:
    """A multiple of the recipe's learning rate; those below one as fractions."""
    if math.isnan(rate):
        return "–"
    if rate < 1 and math.isclose(1 / rate, round(1 / rate)):
        return f"×1/{round(1 / rate)}"
    return "×" + messages.significant(rate, 3)


def _spread(spread: Spread, messages: Messages) -> str:
    if not spread.n:
        return "–"
    if math.isnan(spread.sd):
        return messages("study_report.report.mean_only", mean=spread.mean)
    sd = messages.number(100 * spread.sd, 2)
    return messages("study_report.report.spread", mean=spread.mean, sd=sd)


def _gap(gap: Spread, messages: Messages) -> str:
    """A gap in points, which may be below zero."""
    if not gap.n:
        return "–"
    if math.isnan(gap.sd):
        return points(100 * gap.mean, messages)
    return f"{points(100 * gap.mean, messages)} ± {messages.number(100 * gap.sd, 2)}"


def _rates_table(question: QuestionAnalysis, messages: Messages) -> Table:
    rates = sorted({r.rate for level in question.levels for r in level.rates})
    rows = []
    for level in question.levels:
        found = {r.rate: r for r in level.rates}
        cells = [_level_name(question, level, messages)]
        for rate in rates:
            text = _spread(found[rate].validation_error, messages) if rate in found else "–"
            cells.append(f"{text} ✓" if rate == level.rate else text)
        rows.append(tuple(cells))
    columns = (messages("study_report.report.level"), *(_rate(r, messages) for r in rates))
    words = words_for([question], messages)
    heading = capital(messages("study_report.report.rates_table", **words))
    return Table(heading=heading, columns=columns, rows=tuple(rows))


def _terms_table(terms: tuple[Term, ...], messages: Messages) -> Table:
    rows = [
        (
            " × ".join(factor_label(factor, messages) for factor in term.factors),
            messages.number(term.f, 2),
            f"{term.df}; {term.df_residual}",
            _p_value(term.p, messages),
            messages.number(term.partial_eta2, 2),
            messages.number(term.partial_omega2, 2),
        )
        for term in terms
    ]
    return _table("terms_table", "term f df p eta2 omega2", rows, messages)
