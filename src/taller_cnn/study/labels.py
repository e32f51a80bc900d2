"""How factors, levels, trainings and differences are called in pictures and reports."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from taller_cnn.messages import Messages
from taller_cnn.study.factors import FACTORS
from taller_cnn.study.results import Estimate, Level, QuestionAnalysis

TRAINING_FACTORS = ("size", "learning-rate", "augmentation")
"""Factors whose levels all are the workshop's network, trained in different ways."""
SHORT_STEPS = 300
"""A training of fewer steps, or of one pass over its digits, is far from where it would end."""


# ------------------------------------------------------------------ factors and levels


def factor_label(factor: str, messages: Messages) -> str:
    """The factor's name in a sentence; one of the reader's own keeps its name."""
    key = f"study_report.factor.{factor}"
    return messages(key) if messages.has(key) else factor


def question_label(question: QuestionAnalysis, messages: Messages) -> str:
    """What a question varies, as a heading."""
    return capital(" × ".join(factor_label(factor, messages) for factor in question.factors))


def baseline_words(factors: Sequence[str], messages: Messages) -> dict[str, str]:
    """How texts call the level that the others are compared with.

    ``baseline`` is the workshop's network or, where the levels do not vary the network or a factor
    is the reader's own, the reference; ``baseline_name`` the same without an article.
    """
    is_network = all(factor in FACTORS and factor not in TRAINING_FACTORS for factor in factors)
    key = f"study_report.baseline.{'workshop' if is_network else 'reference'}"
    return {"baseline": messages(f"{key}.the"), "baseline_name": messages(f"{key}.name")}


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


def level_label(factors: Sequence[str], levels: Sequence[str], messages: Messages) -> str:
    """A level or a combination of levels, e.g. ``filtros ×2, 3 capas``."""
    parts = []
    for factor, level in zip(factors, levels, strict=True):
        text = short_level(factor, level, messages)
        key = f"study_report.level.{factor}"
        if messages.has(f"{key}.only") and level == "1":
            parts.append(messages(f"{key}.only", level=text))
        elif messages.has(f"{key}.text"):
            parts.append(messages(f"{key}.text", level=text))
        else:
            parts.append(f"{factor} {text}")
    return ", ".join(parts)


def level_labels(
    question: QuestionAnalysis, levels: Sequence[Level], messages: Messages
) -> Iterator[str]:
    """Several levels of a question."""
    return (level_label(question.factors, level.levels, messages) for level in levels)


def reference_label(question: QuestionAnalysis, messages: Messages) -> str:
    """The level that the others are compared with."""
    reference = question.reference
    return level_label(question.factors, reference.levels, messages) if reference else "–"


# ---------------------------------------------------------------------------- trainings


@dataclass(frozen=True, kw_only=True)
class Training:
    """What an answer holds for: how the reference of a question was trained."""

    recipe: str
    digits: int
    epochs: float
    steps: int
    precision: str
    varies: bool
    """Whether levels of the question are trained on other numbers of digits."""

    @property
    def is_short(self) -> bool:
        """Whether it tells how fast a network learns, and not how far it comes."""
        return self.epochs <= 1 or self.steps < SHORT_STEPS


def training_of(question: QuestionAnalysis) -> Training:
    """The training that a question's answer holds for, from what was trained."""
    trial = question.results.training
    return Training(
        recipe=trial.train.recipe,
        digits=trial.train_n,
        epochs=trial.train.epochs,
        steps=trial.steps,
        precision=trial.train.precision,
        varies="size" in question.factors,
    )


def training_label(question: QuestionAnalysis, messages: Messages) -> str:
    """The training in a few words, e.g. ``10.000 dígitos, 1 época (79 pasos)``."""
    training = training_of(question)
    key = "steps_alone" if training.varies else "brief"
    return messages(f"study_report.training.{key}", n=training.epochs, **vars(training))


def training_text(question: QuestionAnalysis, messages: Messages) -> str:
    """The training in sentences, and what it can and cannot tell."""
    training = training_of(question)
    keys = ["varied"]
    if not training.varies:
        keys = ["whole", "seen_again" if training.epochs > 1 else "seen_once"]
    if training.is_short:
        keys.append("short")
    values = {"n": training.epochs, **vars(training)}
    return " ".join(messages(f"study_report.training.{key}", **values) for key in keys)


def context_label(question: QuestionAnalysis, messages: Messages) -> str:
    """Training, seeds and digits that judged, as titles of pictures and tables carry them."""
    seeds = messages("study_report.seeds", n=question.seeds)
    digits = messages("study_report.judged", n=question.judged_n)
    return " · ".join((training_label(question, messages), seeds, digits))


# ------------------------------------------------------------------------------ numbers


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


def estimate_label(estimate: Estimate, messages: Messages) -> str:
    """A difference with its interval, e.g. ``−0,35 (−0,60 a −0,10)``, in points."""
    value = points(estimate.value, messages)
    if math.isnan(estimate.low):
        return value
    return f"{value} ({interval_label(estimate.low, estimate.high, messages)})"


def ratio(value: float, messages: Messages) -> str:
    """How many times as much, e.g. ``×2,04``."""
    if math.isnan(value):
        return "–"
    return "×" + messages.number(value, 2 if value < 9.995 else 1)


def rate_label(rate: float, messages: Messages) -> str:
    """A multiple of the recipe's learning rate; those below one as fractions."""
    if math.isnan(rate):
        return "–"
    if rate < 1 and math.isclose(1 / rate, round(1 / rate)):
        return f"×1/{round(1 / rate)}"
    return "×" + messages.significant(rate, 3)


def p_label(p: float, messages: Messages) -> str:
    """A p-value with three decimals, e.g. ``0,012`` or ``< 0,001``."""
    if math.isnan(p):
        return "–"
    return "< " + messages.number(0.001, 3) if p < 0.001 else messages.number(p, 3)
