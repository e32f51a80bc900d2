"""What may be said, from rules; never more than the simultaneous intervals bear.

A difference is said to be better or worse if its interval leaves out zero. Otherwise there is no
evidence of one, and the far ends of the interval say how large it could still be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from taller_cnn.messages import Messages
from taller_cnn.study.labels import (
    baseline_words,
    factor_label,
    interval_label,
    level_label,
    level_labels,
    p_label,
    points,
    ratio,
    reference_label,
    training_of,
)
from taller_cnn.study.results import Effect, Estimate, QuestionAnalysis, StudyAnalysis, Trend

HELD_VARIANT = {"filters": "filters-fc1", "layers": "layers-fc1"}
"""Factors that change the input of fc1, and the variant that holds it."""
VERDICTS: tuple[Literal["better", "worse", "unclear", "unknown"], ...]
VERDICTS = ("better", "worse", "unclear", "unknown")
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
    if question.reference is None or not question.reference.error.n:
        missing = _say("caution", "no_reference", messages, **_baseline(question, messages))
        return (missing, *_gaps_in_data(question, messages))
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


def _baseline(question: QuestionAnalysis, messages: Messages) -> dict[str, str]:
    return baseline_words(question.factors, messages)


def sizes(estimate: Estimate, messages: Messages) -> dict[str, object]:
    """An estimate's figures, as sentences use them."""
    return {
        "value": points(estimate.value, messages),
        "size": points(estimate.value, messages, signed=False),
        "interval": interval_label(estimate.low, estimate.high, messages),
        "fall": points(max(0.0, -estimate.low), messages, signed=False),
        "rise": points(max(0.0, estimate.high), messages, signed=False),
    }


# ------------------------------------------------------------------------------- trends


def _trends(question: QuestionAnalysis, messages: Messages) -> Iterator[Conclusion]:
    for trend in question.trends:
        yield Conclusion(kind=trend.error.verdict, text=_trend_text(trend, messages))
        where = trend_shape(trend, question, messages)
        if where:
            yield Conclusion(kind="caution", text=where)


def _trend_text(trend: Trend, messages: Messages) -> str:
    step = messages(f"study_report.step.{trend.factor}")
    return messages(
        f"study_report.trend.{trend.error.verdict}", step=step, **sizes(trend.error, messages)
    )


def trend_shape(trend: Trend, question: QuestionAnalysis, messages: Messages) -> str | None:
    """Where in the range the mean change comes from, as far as a contrast tells it.

    Where the contrast does not tell the two sides of the reference apart, and no level above the
    reference is better by itself, that is all there is to say.
    """
    above = levels_along(trend.factor, question, above=True)
    is_better_above = any(effect.error.verdict == "better" for effect in above)
    text = bend_text(trend, question, messages)
    if text or not above or is_better_above or trend.error.verdict != "better":
        return text
    bend = bend_of(trend.factor, question)
    return messages(
        f"study_report.shape.{'open_tested' if bend and bend.verdict == 'unclear' else 'open'}",
        levels="; ".join(_item(question, effect, effect.error, messages) for effect in above),
        per=messages(f"study_report.per.{trend.per}"),
        **_baseline(question, messages),
    )


def bend_text(trend: Trend, question: QuestionAnalysis, messages: Messages) -> str | None:
    """That the change is another one above the reference than below; None if that is not told."""
    bend = bend_of(trend.factor, question)
    if bend is None or bend.verdict not in ("better", "worse"):
        return None
    return messages(
        f"study_report.shape.{bend.verdict}",
        per=messages(f"study_report.per.{trend.per}"),
        **_baseline(question, messages),
        **sizes(bend, messages),
    )


def bend_of(factor: str, question: QuestionAnalysis) -> Estimate | None:
    """The slope above the reference less the slope below it, where both could be measured."""
    return next((bend.error for bend in question.bends if bend.factor == factor), None)


def levels_along(
    factor: str, question: QuestionAnalysis, *, above: bool = False
) -> tuple[Effect, ...]:
    """The effects of levels that differ from the reference in this factor alone.

    Args:
        factor: of the question.
        question: with the effects.
        above: only levels whose value is above that of the reference.
    """
    reference = question.reference
    if reference is None:
        return ()
    at = question.factors.index(factor)
    values = {level.levels: level.values[at] or 0.0 for level in question.levels}
    return tuple(
        effect
        for effect in question.effects
        if all(name == reference.levels[i] for i, name in enumerate(effect.levels) if i != at)
        and (not above or values[effect.levels] > values[reference.levels])
    )


# ------------------------------------------------------------------------------- levels


def _levels(
    question: QuestionAnalysis,
    response: str,
    pick: Callable[[Effect], Estimate | None],
    messages: Messages,
) -> Iterator[Conclusion]:
    """The levels by verdict, one conclusion for each verdict that occurs."""
    known = [
        (effect, estimate)
        for effect in question.effects
        if (estimate := pick(effect)) and not math.isnan(estimate.value)
    ]
    words = {"reference": reference_label(question, messages), **_baseline(question, messages)}
    for verdict in VERDICTS:
        items = tuple(
            _item(question, effect, estimate, messages, with_cost=response == "error")
            for effect, estimate in known
            if estimate.verdict == verdict
        )
        if items:
            text = messages(f"study_report.{response}.{verdict}", n=len(items), **words)
            yield Conclusion(kind=verdict, text=text, items=items)


def _item(
    question: QuestionAnalysis,
    effect: Effect,
    estimate: Estimate,
    messages: Messages,
    *,
    with_cost: bool = False,
) -> str:
    level = level_label(question.factors, effect.levels, messages)
    key = estimate.verdict if estimate.verdict in ("unclear", "unknown") else "told"
    text = messages(f"study_report.item.{key}", level=level, **sizes(estimate, messages))
    cost = cost_label(effect, messages) if with_cost else ""
    return f"{text}; {cost}" if cost else text


def cost_label(effect: Effect, messages: Messages, key: str = "cost") -> str:
    """How many times the parameters and operations of the reference; empty if they are the same."""
    ratios = {"parameters": effect.parameters_ratio, "macs": effect.macs_ratio}
    if all(math.isnan(x) or abs(x - 1) < 0.005 for x in ratios.values()):
        return ""
    texts = {name: ratio(x, messages) for name, x in ratios.items()}
    return messages(f"study_report.{key}", **texts)


# --------------------------------------------------------- what changes with the factor


def _confounding(
    question: QuestionAnalysis, study: StudyAnalysis, messages: Messages
) -> Iterator[Conclusion]:
    """What changed together with the factor, so that nobody says "because of"."""
    for factor in question.factors:
        along = levels_along(factor, question)
        if factor in HELD_VARIANT and _changes_fc1(factor, question):
            yield Conclusion(kind="caution", text=_fc1_text(factor, question, study, messages))
        elif factor in HELD_VARIANT.values():
            yield _say("note", "fc1_held", messages)
        elif any(abs(effect.parameters_ratio - 1) > 0.01 for effect in along):
            label = factor_label(factor, messages)
            yield _say("caution", "parameters_change", messages, factor=label)


def _changes_fc1(factor: str, question: QuestionAnalysis) -> bool:
    """Whether levels differ in the input of fc1: of the numbers of layers, only a single one."""
    at = question.factors.index(factor)
    return factor == "filters" or any(level.values[at] == 1 for level in question.levels)


def _fc1_text(
    factor: str, question: QuestionAnalysis, study: StudyAnalysis, messages: Messages
) -> str:
    variant = HELD_VARIANT[factor]
    text = messages(f"study_report.conclusion.fc1_changes_{factor}")
    held = _held_trend(variant, question, study)
    if held is None:
        name = factor_label(variant, messages)
        return f"{text} " + messages("study_report.conclusion.fc1_not_separated", variant=name)
    return f"{text} " + messages(
        "study_report.conclusion.fc1_separated", result=_trend_text(held, messages)
    )


def _held_trend(variant: str, question: QuestionAnalysis, study: StudyAnalysis) -> Trend | None:
    """The trend of the variant in the question that varies it alone, in the same training."""
    training = training_of(question)
    alone = (q for q in study.questions if q.factors == (variant,) and training_of(q) == training)
    return next((trend for other in alone for trend in other.trends), None)


def _interaction(question: QuestionAnalysis, messages: Messages) -> Iterator[Conclusion]:
    """Whether two factors act together, on the scale of errors and on that of odds."""
    tested = question.interaction
    if tested is None:
        return
    key = "interaction" if tested.points.notable else "no_interaction"
    if tested.scales_disagree:
        key = "interaction_scales"
    first, second = (factor_label(factor, messages) for factor in tested.factors)
    values = {"p": tested.points.p, "p_log_odds": tested.log_odds.p}
    texts = {name: p_label(p, messages) for name, p in values.items()}
    yield _say("note", key, messages, first=first, second=second, **texts)


# --------------------------------------------------------------- how far the answers go


def _precision(question: QuestionAnalysis, messages: Messages) -> Iterator[Conclusion]:
    """What could have been detected, and whether the spread is the same everywhere."""
    if question.seeds < 2:
        yield _say("caution", "one_seed", messages)
        return
    if not question.df:
        yield _say("caution", "no_spread", messages)
        return
    known = [e.error.detectable for e in question.effects if not math.isnan(e.error.detectable)]
    if known:
        least, most = (points(end, messages, signed=False) for end in (min(known), max(known)))
        key = "detectable" if least == most else "detectable_range"
        values = {"seeds": question.seeds, "judged": question.judged_n}
        yield _say("note", key, messages, least=least, most=most, **values)
    if question.unequal_spread_p < NOTABLE_P:
        p = p_label(question.unequal_spread_p, messages)
        yield _say("note", "unequal_spread", messages, p=p)


def _rates(question: QuestionAnalysis, messages: Messages) -> Iterator[Conclusion]:
    """Whether all levels had the same chances with their learning rate."""
    fixed = [level for level in question.levels if len(level.rates) < 2]
    if 0 < len(fixed) < len(question.levels):
        names = "; ".join(level_labels(question, fixed, messages))
        yield _say("caution", "rates_fixed", messages, n=len(fixed), levels=names)
    edge = [level for level in question.levels if level.rate_at_edge]
    if edge:
        names = "; ".join(level_labels(question, edge, messages))
        values = {"n": len(edge), "of": len(question.levels), "levels": names}
        yield _say("caution", "rate_at_edge", messages, **values)


def _gaps_in_data(question: QuestionAnalysis, messages: Messages) -> Iterator[Conclusion]:
    failed = sum(level.failed for level in question.levels)
    missing = sum(level.missing for level in question.levels)
    absent = [level for level in question.levels if not level.error.n]
    if failed:
        yield _say("caution", "failed", messages, n=failed)
    if missing:
        yield _say("caution", "missing", messages, n=missing)
    if absent:
        names = "; ".join(level_labels(question, absent, messages))
        yield _say("caution", "absent", messages, levels=names, n=len(absent))
