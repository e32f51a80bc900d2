"""What may be said, from rules; never more than the simultaneous intervals bear.

A difference is an effect or a harm if its interval leaves out zero. Otherwise there is no
evidence of one, and the far ends of the interval say how large it could still be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from taller_cnn.messages import Messages
from taller_cnn.study.analysis import (
    Effect,
    Estimate,
    Level,
    QuestionAnalysis,
    StudyAnalysis,
    Term,
    Trend,
    variance_terms,
)
from taller_cnn.study.labels import (
    estimate_label,
    factor_label,
    interval_label,
    level_label,
    points,
    ratio,
    reference_label,
    words_for,
)

HELD_VARIANT = {"filters": "filters-fc1", "layers": "layers-fc1"}
"""Factors that change the input of fc1, and the variant that holds it."""
FC1_HELD = tuple(HELD_VARIANT.values())
NOTABLE_P = 0.05

Kind = Literal["better", "worse", "unclear", "unknown", "caution", "note"]


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """One thing that the study says, in the reader's language."""

    kind: Kind
    text: str
    items: tuple[str, ...] = ()
    """The levels that it holds for, each with its figures."""


def conclude(
    question: QuestionAnalysis, study: StudyAnalysis, messages: Messages
) -> tuple[Conclusion, ...]:
    """What a question's results say, strongest first, then the cautions.

    Args:
        question: the question.
        study: the study it belongs to, whose other questions may separate what this one cannot.
        messages: the reader's language.
    """
    if question.reference is None or not question.reference.validation_error.n:
        return (_say("caution", "no_reference", messages, **words_for([question], messages)),)
    parts: tuple[Iterator[Conclusion], ...] = (
        _trends(question, messages),
        _levels(question, "error", lambda effect: effect.error, messages),
        _levels(question, "gap", lambda effect: effect.gap, messages),
        _confounding(question, study, messages),
        _interaction(question, messages),
        _precision(question, messages),
        _rates(question, messages),
        _gaps_in_data(question, messages),
    )
    return tuple(conclusion for part in parts for conclusion in part)


def _say(kind: Kind, key: str, messages: Messages, **values: object) -> Conclusion:
    return Conclusion(kind=kind, text=messages(f"study_report.conclusion.{key}", **values))


def _trends(question: QuestionAnalysis, messages: Messages) -> Iterator[Conclusion]:
    for trend in question.trends:
        text = _trend_text(trend, question, messages)
        yield Conclusion(kind=trend.error.verdict, text=text)
        beyond = beyond_reference(trend, question, messages)
        if beyond:
            yield _say("caution", "trend_ends", messages, levels="; ".join(beyond))


def beyond_reference(
    trend: Trend, question: QuestionAnalysis, messages: Messages
) -> tuple[str, ...]:
    """The levels beyond the workshop's network, if the mean improvement does not reach them.

    A mean over the whole range may come from its lower part alone. Empty if the trend is no
    improvement, if nothing beyond was measured, or if something there is demonstrably better.
    """
    reference = question.reference
    if trend.error.verdict != "better" or reference is None:
        return ()
    at = question.factors.index(trend.factor)
    values = {level.levels: level.values[at] or 0.0 for level in question.levels}
    found = [
        effect
        for effect in question.effects
        if values[effect.levels] > values[reference.levels]
        and all(name == reference.levels[i] for i, name in enumerate(effect.levels) if i != at)
    ]
    if any(effect.error.verdict == "better" for effect in found):
        return ()
    return tuple(
        messages(
            "study_report.item.told",
            level=level_label(question.factors, effect.levels, messages),
            **sizes(effect.error, messages),
        )
        for effect in found
    )


def _trend_text(trend: Trend, question: QuestionAnalysis, messages: Messages) -> str:
    step = messages(f"study_report.step.{trend.factor}")
    values = {**sizes(trend.error, messages), **words_for([question], messages)}
    return messages(f"study_report.trend.{trend.error.verdict}", step=step, **values)


def sizes(estimate: Estimate, messages: Messages) -> dict[str, object]:
    """An estimate's figures, as sentences use them."""
    return {
        "value": points(estimate.value, messages),
        "size": points(estimate.value, messages, signed=False),
        "interval": interval_label(estimate.low, estimate.high, messages),
        "fall": points(max(0.0, -estimate.low), messages, signed=False),
        "rise": points(max(0.0, estimate.high), messages, signed=False),
    }


def _levels(
    question: QuestionAnalysis,
    response: str,
    pick: Callable[[Effect], Estimate | None],
    messages: Messages,
) -> Iterator[Conclusion]:
    """The levels by verdict, one conclusion for each verdict that occurs."""
    verdicts: tuple[Literal["better", "worse", "unclear", "unknown"], ...]
    verdicts = ("better", "worse", "unclear", "unknown")
    for verdict in verdicts:
        found = [(e, pick(e)) for e in question.effects]
        items = [
            _item(question, effect, estimate, response, messages)
            for effect, estimate in found
            if estimate and estimate.verdict == verdict and not math.isnan(estimate.value)
        ]
        if items:
            key = f"study_report.{response}.{verdict}"
            reference = reference_label(question, messages)
            words = words_for([question], messages)
            text = messages(key, n=len(items), reference=reference, **words)
            yield Conclusion(kind=verdict, text=text, items=tuple(items))


def _item(
    question: QuestionAnalysis,
    effect: Effect,
    estimate: Estimate,
    response: str,
    messages: Messages,
) -> str:
    level = level_label(question.factors, effect.levels, messages)
    key = "unclear" if estimate.verdict == "unclear" else "told"
    text = messages(f"study_report.item.{key}", level=level, **sizes(estimate, messages))
    if estimate.verdict == "unknown":
        text = messages(
            "study_report.item.unknown", level=level, value=estimate_label(estimate, messages)
        )
    same_cost = abs(effect.macs_ratio - 1) < 0.005 and abs(effect.parameters_ratio - 1) < 0.005
    if response == "gap" or same_cost or math.isnan(effect.macs_ratio):
        return text
    return messages(
        "study_report.item.cost",
        text=text,
        parameters=ratio(effect.parameters_ratio, messages),
        macs=ratio(effect.macs_ratio, messages),
    )


def _confounding(
    question: QuestionAnalysis, study: StudyAnalysis, messages: Messages
) -> Iterator[Conclusion]:
    """What changed together with the factor, so that nobody says "because of"."""
    for factor in question.factors:
        label = factor_label(factor, messages)
        if factor in HELD_VARIANT:
            held = _trend_of(HELD_VARIANT[factor], question.regime, study)
            text = messages(f"study_report.conclusion.fc1_changes_{factor}")
            if held is None:
                text += " " + messages(
                    "study_report.conclusion.fc1_not_separated",
                    variant=factor_label(HELD_VARIANT[factor], messages),
                )
            else:
                found = _trend_text(held, question, messages)
                text += " " + messages("study_report.conclusion.fc1_separated", found=found)
            yield Conclusion(kind="caution", text=text)
        elif factor in FC1_HELD:
            yield _say("note", "fc1_held", messages)
        elif any(abs(effect.parameters_ratio - 1) > 0.01 for effect in question.effects):
            yield _say("caution", "parameters_change", messages, factor=label)


def _trend_of(factor: str, regime: str, study: StudyAnalysis) -> Trend | None:
    """The trend of a factor in the question that varies it alone in that regime."""
    trends = (t for q in study.questions if q.regime == regime for t in q.trends)
    return next((trend for trend in trends if trend.factor == factor), None)


def _interaction(question: QuestionAnalysis, messages: Messages) -> Iterator[Conclusion]:
    term: Term | None = next((t for t in variance_terms(question) if len(t.factors) == 2), None)
    if term is None:
        return
    key = "interaction" if term.p < NOTABLE_P else "no_interaction"
    one, other = (factor_label(factor, messages) for factor in term.factors)
    yield _say(
        "note",
        key,
        messages,
        one=one,
        other=other,
        f=term.f,
        df=term.df,
        df_residual=term.df_residual,
        p=_p_text(term.p, messages),
        omega2=term.partial_omega2,
    )


def _p_text(p: float, messages: Messages) -> str:
    if p < 0.001:
        return "p < " + messages.number(0.001, 3)
    return "p = " + messages.number(p, 3)


def _precision(question: QuestionAnalysis, messages: Messages) -> Iterator[Conclusion]:
    """What could have been found, and what hangs on the seeds and on the images."""
    if question.seeds < 2:
        yield _say("caution", "one_seed", messages)
    elif not question.df:
        yield _say("caution", "no_spread", messages)
    else:
        sizes = [e.error.detectable for e in question.effects if not math.isnan(e.error.detectable)]
        if sizes:
            values = {"least": min(sizes), "most": max(sizes), "middle": question.detectable}
            key = "detectable" if max(sizes) - min(sizes) < 0.005 else "detectable_range"
            said = {name: points(size, messages, signed=False) for name, size in values.items()}
            yield _say("note", key, messages, seeds=question.seeds, **said)
        if question.unequal_spread_p < NOTABLE_P:
            p = _p_text(question.unequal_spread_p, messages)
            yield _say("note", "unequal_spread", messages, p=p)
    if question.folds:
        yield _say("note", "folds", messages)
        return
    half = [(e.images_high - e.images_low) / 2 for e in question.effects]
    known = [width for width in half if not math.isnan(width)]
    if known:
        yield _say("note", "images", messages, most=points(max(known), messages, signed=False))


def _rates(question: QuestionAnalysis, messages: Messages) -> Iterator[Conclusion]:
    """How much hung on the learning rate, and whether all had the same chances with it."""
    yield from _uneven_rates(question, messages)
    tried = [level for level in question.levels if _rate_span(level) is not None]
    if not tried:
        return
    worst = max(tried, key=lambda level: _rate_span(level) or 0.0)
    span = points(100 * (_rate_span(worst) or 0.0), messages, signed=False)
    name = level_label(question.factors, worst.levels, messages)
    yield _say("note", "rates", messages, level=name, span=span)
    edge = [level for level in tried if level.rate_at_edge]
    if edge:
        names = "; ".join(level_label(question.factors, e.levels, messages) for e in edge)
        yield _say("caution", "rate_at_edge", messages, levels=names, n=len(edge))


def _uneven_rates(question: QuestionAnalysis, messages: Messages) -> Iterator[Conclusion]:
    """The best of several rates is a little too good; of one it is not."""
    counts = [len(level.rates) for level in question.levels]
    if min(counts) == max(counts):
        return
    favoured = [level for level in question.levels if len(level.rates) > min(counts)]
    names = "; ".join(level_label(question.factors, f.levels, messages) for f in favoured)
    values = {"least": min(counts), "most": max(counts), "levels": names}
    yield _say("caution", "rates_differ", messages, **values)


def _rate_span(level: Level) -> float | None:
    """Worst less best mean error over the learning rates, as a fraction."""
    means = [r.validation_error.mean for r in level.rates if r.validation_error.n]
    return max(means) - min(means) if len(means) > 1 else None


def _gaps_in_data(question: QuestionAnalysis, messages: Messages) -> Iterator[Conclusion]:
    failed = sum(rate.failed for level in question.levels for rate in level.rates)
    missing = sum(level.missing for level in question.levels)
    absent = [level for level in question.levels if not level.validation_error.n]
    if failed:
        yield _say("caution", "failed", messages, n=failed)
    if missing:
        yield _say("caution", "missing", messages, n=missing)
    if absent:
        names = "; ".join(level_label(question.factors, a.levels, messages) for a in absent)
        yield _say("caution", "absent", messages, levels=names, n=len(absent))
