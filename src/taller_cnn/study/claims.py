"""What the workshop claims about filters, layers and dropout, held against a study."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from taller_cnn.messages import Messages
from taller_cnn.study.analysis import Estimate, Level, QuestionAnalysis, StudyAnalysis, Trend
from taller_cnn.study.conclusions import HELD_VARIANT, Kind, beyond_reference, sizes
from taller_cnn.study.labels import question_label


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Something that the workshop claims, and what the study says about it."""

    claim: str
    verdict: str
    kind: Kind


def check_claims(study: StudyAnalysis, messages: Messages) -> tuple[Claim, ...]:
    """The workshop's claims about filters, layers and dropout, each with the study's verdict.

    A claim is checked in every question that can speak of it.
    """
    claims = []
    for factor in ("filters", "filters-fc1", "layers", "layers-fc1"):
        for question in study.questions:
            trend = next((t for t in question.trends if t.factor == factor), None)
            if trend:
                claims.append(_trend_claim(trend, question, messages))
    for question in study.questions:
        if question.factors == ("dropout",):
            claims += _dropout_claims(question, messages)
    return tuple(claims)


def _trend_claim(trend: Trend, question: QuestionAnalysis, messages: Messages) -> Claim:
    step = messages(f"study_report.claim.per_{trend.per}")
    beyond = beyond_reference(trend, question, messages)
    kind: Kind = "unclear" if beyond else trend.error.verdict
    verdict = _claim_verdict(trend.error, question, messages, step)
    if beyond:
        where = question_label(question, messages)
        verdict = messages(
            "study_report.claim.partly",
            where=where,
            step=step,
            levels="; ".join(beyond),
            **sizes(trend.error, messages),
        )
    if trend.factor in HELD_VARIANT:
        verdict += " " + messages("study_report.claim.not_alone")
    claim = messages(f"study_report.claim.{trend.factor}")
    return Claim(claim=claim, verdict=verdict, kind=kind)


def _dropout_claims(question: QuestionAnalysis, messages: Messages) -> Iterator[Claim]:
    """More dropout against none, of whichever the workshop's network has."""
    none = next((level for level in question.levels if level.values == (0.0,)), None)
    if none is None or question.reference is None:
        return
    for response in ("error", "gap"):
        estimates = _with_dropout(question, none, response)
        if not estimates:
            continue
        # The strongest claim that any dropout bears: it helps, else it harms, else nothing.
        order = {"better": 0, "worse": 1, "unclear": 2, "unknown": 3}
        best = min(estimates, key=lambda e: (order[e.verdict], e.value))
        yield Claim(
            claim=messages(f"study_report.claim.dropout_{response}"),
            verdict=_claim_verdict(best, question, messages),
            kind=best.verdict,
        )


def _with_dropout(question: QuestionAnalysis, none: Level, response: str) -> list[Estimate]:
    """Estimates of levels with dropout less the one without."""
    estimates = {e.levels: e.error if response == "error" else e.gap for e in question.effects}
    if none.is_reference:
        return [estimate for estimate in estimates.values() if estimate]
    against = estimates.get(none.levels)
    return [_reversed(against)] if against else []


def _reversed(estimate: Estimate) -> Estimate:
    """The reference less the level, instead of the level less the reference."""
    return Estimate(
        value=-estimate.value,
        standard_error=estimate.standard_error,
        low=-estimate.high,
        high=-estimate.low,
        low_alone=-estimate.high_alone,
        high_alone=-estimate.low_alone,
        p=estimate.p,
        detectable=estimate.detectable,
    )


def _claim_verdict(
    estimate: Estimate, question: QuestionAnalysis, messages: Messages, step: str = ""
) -> str:
    return messages(
        f"study_report.claim.{estimate.verdict}",
        where=question_label(question, messages),
        step=step,
        **sizes(estimate, messages),
    )
