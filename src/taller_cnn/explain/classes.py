"""How well each class is recognised, with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from taller_cnn.evaluation import Evaluation, wilson_interval
from taller_cnn.explain.draw.classes import classes_figure
from taller_cnn.explain.parts import Numbers, Part
from taller_cnn.explain.subject import Subject, Tick
from taller_cnn.messages import Messages
from taller_cnn.page import Paragraph, Picture, Table

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
            precision=_ratio(hit, named),
            recall=_ratio(hit, of),
            f1=_f1(_ratio(hit, of + named - hit)),
            support=of,
            predicted=named,
        )
        for hit, of, named in zip(hits, support, predicted, strict=True)
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


def classes(subject: Subject, say: Messages, tick: Tick) -> Part:
    """The report per class, and whether the best and the worst class can be told apart."""
    scores, names = class_scores(subject.evaluation), subject.names(say)
    chance = chance_of_differences(subject.evaluation, seed=subject.seed)
    yield Paragraph(say("explain_classes.lead"))
    for sentence in _compared(scores, names, chance, say):
        yield Paragraph(sentence)
    precision, recall = (_intervals(scores, kind) for kind in ("precision", "recall"))
    yield Picture(
        name="classes",
        draw=partial(classes_figure, precision, recall, names, say),
        alt=say("explain_classes.alt"),
    )
    header = ("class", "precision", "recall", "f1", "support", "predicted")
    yield Table(
        header=tuple(say(f"explain_classes.column.{name}") for name in header),
        rows=tuple(_cells(*pair, say) for pair in zip(names, scores, strict=True)),
        caption=say("explain_classes.table"),
    )
    numbers = [
        {
            "class": name,
            "support": score.support,
            "predicted": score.predicted,
            **{kind: vars(getattr(score, kind)) for kind in ("precision", "recall", "f1")},
        }
        for name, score in zip(subject.digits.class_names, scores, strict=True)
    ]
    yield Numbers({"classes": numbers, "chance_of_differences": chance})
    tick(1, 1)


def _compared(
    scores: tuple[ClassScores, ...], names: Sequence[str], chance: float, say: Messages
) -> Iterator[str]:
    """The worst and the best class, and those that are never named."""
    known = [k for k, score in enumerate(scores) if score.recall.value is not None]
    worst = min(known, key=lambda k: scores[k].recall.value or 0)
    best = max(known, key=lambda k: scores[k].recall.value or 0)
    low, high = scores[worst].recall, scores[best].recall
    yield say(
        f"explain_classes.{'apart' if chance < UNLIKELY else 'alike'}",
        chance=chance,
        worst=names[worst],
        worst_recall=low.value,
        worst_low=low.low,
        worst_high=low.high,
        best=names[best],
        best_recall=high.value,
        best_low=high.low,
        best_high=high.high,
    )
    never = [names[k] for k in known if scores[k].predicted == 0]
    if never:
        yield say("explain_classes.never", n=len(never), names=", ".join(never))


def _intervals(scores: tuple[ClassScores, ...], kind: str) -> npt.NDArray[np.float64]:
    """Value, low and high of each class ``[K, 3]``; NaN for a value that there is none of."""
    ratios = [getattr(score, kind) for score in scores]
    return np.array([(r.value, r.low, r.high) for r in ratios], dtype=float)


def _cells(name: str, score: ClassScores, say: Messages) -> tuple[str, ...]:
    ratios = [
        say("explain_classes.no_value")
        if ratio.value is None
        else say("explain_classes.ratio", **vars(ratio))
        for ratio in (score.precision, score.recall, score.f1)
    ]
    return (name, *ratios, say.number(score.support, 0), say.number(score.predicted, 0))
