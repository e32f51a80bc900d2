"""What the workshop claims about filters, layers and dropout, held against a study."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from taller_cnn.messages import Messages
from taller_cnn.study.conclusions import (
    HELD_VARIANT,
    VERDICTS,
    Kind,
    bend_of,
    bend_text,
    levels_along,
)
from taller_cnn.study.labels import (
    baseline_words,
    estimate_label,
    level_label,
    training_label,
    training_of,
)
from taller_cnn.study.results import Estimate, QuestionAnalysis, StudyAnalysis, Trend


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Something that the workshop claims, and what the study says about it."""

    claim: str
    kind: Kind
    answer: str
    """The verdict, the training that it holds for, and what was measured."""


def check_claims(study: StudyAnalysis, messages: Messages) -> tuple[Claim, ...]:
    """The workshop's claims about filters, layers and dropout, each with the study's verdict.

    A claim is checked in every training in which a question can speak of it.
    """
    claims = []
    for factor in ("filters", "filters-fc1", "layers", "layers-fc1"):
        for question in _questions_about(factor, study):
            trend = next(t for t in question.trends if t.factor == factor)
            claims.append(_trend_claim(trend, question, messages))
    for question in study.questions:
        if question.factors == ("dropout",):
            claims += _dropout_claims(question, messages)
    return tuple(claims)


def _questions_about(factor: str, study: StudyAnalysis) -> list[QuestionAnalysis]:
    """The questions with a trend of the factor; those that vary it alone, where they do."""
    able = [q for q in study.questions if any(t.factor == factor for t in q.trends)]
    alone = [training_of(q) for q in able if len(q.factors) == 1]
    return [q for q in able if len(q.factors) == 1 or training_of(q) not in alone]


def _trend_claim(trend: Trend, question: QuestionAnalysis, messages: Messages) -> Claim:
    """The mean change, where in the range it lies as far as that was tested, and every level."""
    per = messages(f"study_report.per.{trend.per}")
    mean = estimate_label(trend.error, messages)
    parts = [messages("study_report.claim.slope", per=per, value=mean)]
    parts += filter(None, [bend_text(trend, question, messages)])
    along = {effect.levels: effect.error for effect in levels_along(trend.factor, question)}
    baseline = baseline_words(question.factors, messages)["baseline"]
    parts += _by_verdict(question, along, baseline, messages)
    if trend.factor in HELD_VARIANT:
        parts.append(messages("study_report.claim.not_alone"))
    bend = bend_of(trend.factor, question)
    above = levels_along(trend.factor, question, above=True)
    is_better_above = any(effect.error.verdict == "better" for effect in above)
    verdict = f"mean_{trend.error.verdict}"
    if verdict == "mean_better" and bend and bend.verdict == "worse" and not is_better_above:
        verdict = "mostly_below"
    return _claim(trend.factor, question, trend.error.verdict, verdict, parts, messages)


def _dropout_claims(question: QuestionAnalysis, messages: Messages) -> Iterator[Claim]:
    """More dropout against none, of whichever the workshop's network has."""
    none = next((level for level in question.levels if level.values == (0.0,)), None)
    reference = question.reference
    if none is None or reference is None:
        return
    baseline = level_label(question.factors, none.levels, messages)
    for response in ("error", "gap"):
        estimates = {e.levels: e.error if response == "error" else e.gap for e in question.effects}
        against = {
            levels: estimate
            for levels, estimate in estimates.items()
            if estimate and not math.isnan(estimate.value)
        }
        if not none.is_reference:
            estimate = against.get(none.levels)
            against = {reference.levels: _reversed(estimate)} if estimate else {}
        if against:
            verdicts = {estimate.verdict for estimate in against.values()}
            # The strongest that any dropout bears; what the others do stands beside it.
            verdict = next(verdict for verdict in VERDICTS if verdict in verdicts)
            measured = messages(f"study_report.claim.of_{response}")
            parts = [measured, *_by_verdict(question, against, baseline, messages)]
            yield _claim(f"dropout_{response}", question, verdict, verdict, parts, messages)


def _reversed(estimate: Estimate) -> Estimate:
    """The reference less the level, instead of the level less the reference."""
    return replace(estimate, value=-estimate.value, low=-estimate.high, high=-estimate.low)


def _by_verdict(
    question: QuestionAnalysis,
    estimates: Mapping[tuple[str, ...], Estimate],
    baseline: str,
    messages: Messages,
) -> Iterator[str]:
    """A sentence for each verdict that occurs, with the levels that it holds for."""
    for verdict in VERDICTS:
        items = [
            f"{level_label(question.factors, levels, messages)} {estimate_label(effect, messages)}"
            for levels, effect in estimates.items()
            if effect.verdict == verdict and not math.isnan(effect.value)
        ]
        if items:
            key = f"study_report.claim.levels_{verdict}"
            yield messages(key, baseline=baseline, levels="; ".join(items))


def _claim(
    name: str,
    question: QuestionAnalysis,
    kind: Kind,
    verdict: str,
    measured: list[str],
    messages: Messages,
) -> Claim:
    training = training_label(question, messages)
    if training_of(question).is_short:
        training = messages("study_report.claim.short", training=training)
    words = baseline_words(question.factors, messages)
    sentences = (messages(f"study_report.claim.{verdict}", **words), training)
    answer = " ".join([*(f"{sentence}." for sentence in sentences), *measured])
    return Claim(claim=messages(f"study_report.claim.{name}"), kind=kind, answer=answer)
