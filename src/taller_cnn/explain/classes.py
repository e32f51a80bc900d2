"""How well each class is recognised, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from taller_cnn.data import display_class_names
from taller_cnn.evaluation import Evaluation, wilson_interval
from taller_cnn.explain.section import Cell, Picture, Section, Subject, Table, Text, Tick, texts_of
from taller_cnn.messages import Messages

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CATALOGUE = "explain_classes"
_text = texts_of(CATALOGUE)
DRAWS = 9999
UNLIKELY = 0.05


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """A fraction with its 95% interval; without anything to count, 0 to 1 around no value."""

    value: float | None
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class ClassScores:
    """Precision, recall and F1 of one class."""

    precision: Ratio
    recall: Ratio
    f1: Ratio
    support: int
    """Images of the class."""
    predicted: int
    """Images that the network takes for the class."""


def class_scores(evaluation: Evaluation) -> tuple[ClassScores, ...]:
    """Precision, recall and F1 of every class with their 95% intervals.

    Precision and recall have Wilson's interval. F1 is ``2J / (1 + J)`` of the share J that the
    hits have in all images that are of the class or taken for it. Given their number, the hits
    are binomial, so Wilson's interval of J, carried over, is one of F1; unlike a bootstrap it
    does not shrink to nothing where a class has no mistakes.
    """
    confusion = evaluation.confusion
    hits = confusion.diagonal().tolist()
    support, predicted = confusion.sum(dim=1).tolist(), confusion.sum(dim=0).tolist()
    return tuple(
        ClassScores(
            precision=_ratio(hit, said),
            recall=_ratio(hit, of),
            f1=_f1(_ratio(hit, of + said - hit)),
            support=of,
            predicted=said,
        )
        for hit, of, said in zip(hits, support, predicted, strict=True)
    )


def _ratio(part: int, whole: int) -> Ratio:
    if whole == 0:
        return Ratio(value=None, low=0.0, high=1.0)
    low, high = wilson_interval(part, whole)
    return Ratio(value=part / whole, low=low, high=high)


def _f1(share: Ratio) -> Ratio:
    value = None if share.value is None else 2 * share.value / (1 + share.value)
    return Ratio(
        value=value, low=2 * share.low / (1 + share.low), high=2 * share.high / (1 + share.high)
    )


def chance_of_differences(evaluation: Evaluation, *, seed: int = 0, draws: int = DRAWS) -> float:
    """How often classes would differ as much in their errors, were all equally hard.

    A permutation test of the chi-squared statistic: the errors are dealt out to the images at
    random. It holds for few errors too, and looks at all classes at once, so that the best and
    the worst are not compared because they are.
    """
    support = evaluation.confusion.sum(dim=1).numpy()
    wrong = support - evaluation.confusion.diagonal().numpy()
    support, wrong = support[support > 0], wrong[support > 0]
    expected = wrong.sum() * support / support.sum()
    if not 0 < wrong.sum() < support.sum():
        return 1.0
    generator = np.random.default_rng(seed)
    dealt = generator.multivariate_hypergeometric(support, int(wrong.sum()), size=draws)
    distance = ((dealt - expected) ** 2 / expected).sum(axis=1)
    seen = float(((wrong - expected) ** 2 / expected).sum())
    return float((1 + (distance >= seen * (1 - 1e-12)).sum()) / (1 + draws))


def classes(subject: Subject, tick: Tick) -> Section:
    """The report per class, and whether the best and the worst class can be told apart."""
    scores = class_scores(subject.evaluation)
    chance = chance_of_differences(subject.evaluation, seed=subject.seed)
    tick(1, 1)
    picture = Picture(
        name="classes",
        draw=lambda messages: _figure(subject, scores, messages),
        alt=_text("alt"),
    )
    header = ("class", "precision", "recall", "f1", "support", "predicted")
    table = Table(
        header=tuple(_text(f"column.{name}") for name in header),
        rows=tuple((subject.class_name(k), *_cells(score)) for k, score in enumerate(scores)),
        caption=_text("table"),
    )
    numbers = [
        {
            "class": subject.digits.class_names[k],
            "support": score.support,
            "predicted": score.predicted,
            **{name: vars(getattr(score, name)) for name in ("precision", "recall", "f1")},
        }
        for k, score in enumerate(scores)
    ]
    return Section(
        name="classes",
        title=_text("title"),
        blocks=(*_said(subject, scores, chance), picture, table),
        numbers={"classes": numbers, "chance_of_differences": chance},
    )


def _said(subject: Subject, scores: tuple[ClassScores, ...], chance: float) -> list[Text]:
    known = [k for k, score in enumerate(scores) if score.recall.value is not None]
    worst = min(known, key=lambda k: scores[k].recall.value or 0)
    best = max(known, key=lambda k: scores[k].recall.value or 0)
    low, high = scores[worst].recall, scores[best].recall
    said = [
        _text("lead"),
        _text(
            "apart" if chance < UNLIKELY else "alike",
            chance=chance,
            worst=subject.class_name(worst),
            worst_recall=low.value,
            worst_low=low.low,
            worst_high=low.high,
            best=subject.class_name(best),
            best_recall=high.value,
            best_low=high.low,
            best_high=high.high,
        ),
    ]
    never = tuple(subject.class_name(k) for k in known if scores[k].predicted == 0)
    if never:
        said.append(_text("never", n=len(never), names=never))
    return said


def _cells(score: ClassScores) -> tuple[Cell, ...]:
    ratios = (score.precision, score.recall, score.f1)
    return (*map(_ratio_text, ratios), score.support, score.predicted)


def _ratio_text(ratio: Ratio) -> Cell:
    if ratio.value is None:
        return _text("no_value")
    return _text("ratio", **vars(ratio))


def _figure(subject: Subject, scores: tuple[ClassScores, ...], messages: Messages) -> Figure:
    from taller_cnn.explain.draw.classes import classes_figure

    return classes_figure(scores, display_class_names(subject.digits.name, messages), messages)
