"""How factors, levels and differences are called in pictures and reports."""

from __future__ import annotations

import math
from collections.abc import Sequence

from taller_cnn.messages import Messages
from taller_cnn.study.analysis import Estimate, Level, QuestionAnalysis
from taller_cnn.study.factors import FACTORS


def factor_label(factor: str, messages: Messages) -> str:
    """The factor's name in a sentence; one of the reader's own keeps its name."""
    key = f"study_report.factor.{factor}"
    return messages(key) if messages.has(key) else factor


def regime_label(regime: str, messages: Messages) -> str:
    """The regime's name in a sentence; one of the reader's own keeps its name."""
    key = f"study_report.regime.{regime}"
    return messages(key) if messages.has(key) else regime


def question_label(question: QuestionAnalysis, messages: Messages) -> str:
    """What a question varies, as a heading."""
    factors = " × ".join(factor_label(factor, messages) for factor in question.factors)
    heading = capital(factors)
    if question.regime == "short":
        return heading
    return messages(
        "study_report.heading_regime",
        heading=heading,
        regime=regime_label(question.regime, messages),
    )


def words_for(questions: Sequence[QuestionAnalysis], messages: Messages) -> dict[str, str]:
    """How texts call what judged the trials, and the level that the others are compared with.

    ``judged`` is validation or cross-validation; ``baseline`` the workshop's network or, where
    a factor is the reader's own, the reference; ``baseline_name`` the same without an article.
    """
    kinds = {"folds" if question.folds else "validation" for question in questions}
    own = any(factor not in FACTORS for question in questions for factor in question.factors)
    baseline = f"study_report.baseline.{'reference' if own else 'workshop'}"
    return {
        "judged": messages(f"study_report.judged.{kinds.pop() if len(kinds) == 1 else 'both'}"),
        "baseline": messages(f"{baseline}.the"),
        "baseline_name": messages(f"{baseline}.name"),
    }


def capital(text: str) -> str:
    """The text with a capital letter at its beginning."""
    return text[:1].upper() + text[1:]


def short_level(factor: str, level: str, messages: Messages) -> str:
    """A level beside its factor's name, e.g. ``×1/2``, ``0,25`` or ``10.000``."""
    key = f"study_report.level_name.{factor}.{level}"
    if messages.has(key):
        return messages(key)
    if level.startswith("x") and level[1:2].isdigit():
        return "×" + level[1:]
    try:
        number = float(level)
    except ValueError:
        return level
    return messages.number(number, 0) if number == int(number) else messages.significant(number, 6)


def level_label(
    factors: Sequence[str], levels: Sequence[str], messages: Messages, *, brief: bool = False
) -> str:
    """A level or a combination of levels, e.g. ``×2 filtros, 3 capas``; `brief` for pictures."""
    parts = []
    for factor, level in zip(factors, levels, strict=True):
        text = short_level(factor, level, messages)
        key = f"study_report.level.{factor}"
        if brief and len(factors) == 1:
            parts.append(text)
        elif messages.has(f"{key}.only") and level == "1":
            parts.append(messages(f"{key}.only", level=text))
        elif messages.has(f"{key}.text"):
            parts.append(messages(f"{key}.text", level=text))
        else:
            parts.append(f"{factor} {text}")
    return ", ".join(parts)


def points(value: float, messages: Messages, *, signed: bool = True, decimals: int = 2) -> str:
    """Percentage points with two decimals, e.g. ``−0,35``; ``–`` for what is not known."""
    if math.isnan(value):
        return "–"
    number = messages.number(abs(value), decimals)
    if not signed or not any(digit in number for digit in "123456789"):
        return number
    return ("−" if value < 0 else "+") + number


def interval_label(low: float, high: float, messages: Messages, decimals: int = 2) -> str:
    """An interval in percentage points, e.g. ``−0,60 a −0,10``."""
    if math.isnan(low):
        return "–"
    ends = [points(end, messages, decimals=decimals) for end in (low, high)]
    return messages("study_report.interval", low=ends[0], high=ends[1])


def estimate_label(
    estimate: Estimate, messages: Messages, *, scale: float = 1, decimals: int = 2
) -> str:
    """A difference with its interval, e.g. ``−0,35 (−0,60 a −0,10)``, in points or multiples."""
    value = points(scale * estimate.value, messages, decimals=decimals)
    if math.isnan(estimate.low):
        return value
    low, high = scale * estimate.low, scale * estimate.high
    return f"{value} ({interval_label(low, high, messages, decimals)})"


def ratio(value: float, messages: Messages) -> str:
    """How many times as much, e.g. ``×2,04``."""
    if math.isnan(value):
        return "–"
    return "×" + messages.number(value, 2 if value < 9.995 else 1)


def reference_label(question: QuestionAnalysis, messages: Messages) -> str:
    """The level that the others are compared with."""
    reference: Level | None = question.reference
    return level_label(question.factors, reference.levels, messages) if reference else "–"
