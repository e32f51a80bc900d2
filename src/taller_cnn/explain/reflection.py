"""What the workshop's document concludes, beside the numbers of this network.

The document ends with five reflections. Each is one or two claims, and a rule says of each whether
the numbers of this one network bear it: only where an interval or a test says so. Several claims
compare networks, and one network cannot tell them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from taller_cnn.data import LabelledImages
from taller_cnn.evaluation import Evaluation, Score, evaluate, wilson_interval
from taller_cnn.explain.ablation import DIGITS, Loss, paired_loss
from taller_cnn.explain.classes import UNLIKELY, chance_of_differences
from taller_cnn.explain.forward import BATCH, from_stage, quick_copy
from taller_cnn.explain.kernels import SIGNIFICANT, EdgeTest, first_layer_fits
from taller_cnn.explain.parts import Numbers, Part, inside_of
from taller_cnn.explain.subject import Subject, Tick, first_of_each_class
from taller_cnn.messages import Messages
from taller_cnn.model import SimpleCNN, describe
from taller_cnn.page import Bullet, Bullets, Heading, Mark, Paragraph, Table

SEEN = 5000
"""Training digits that the network is asked about again."""
ESSENTIAL = 0.01
"""Accuracy that must be lost without something for it to be called essential."""

Verdict = Literal["bears", "contradicts", "open"]
MARKS: Mapping[Verdict, Mark] = {"bears": "better", "contradicts": "worse", "open": "open"}
Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """Whether the numbers bear a claim, and which numbers."""

    claim: str
    verdict: Verdict
    reason: str
    """Key of the sentence."""
    values: Mapping[str, object] = field(default_factory=dict)
    """What the sentence names."""


def difference_interval(correct: int, n: int, others_correct: int, others_n: int) -> Interval:
    """95% interval of the difference of two independent proportions, the first minus the second.

    Newcombe's (1998) score interval, method 10.
    """
    (low, high), (others_low, others_high) = (
        wilson_interval(correct, n),
        wilson_interval(others_correct, others_n),
    )
    share, others = correct / n, others_correct / others_n
    difference = share - others
    return (
        difference - math.hypot(share - low, others_high - others),
        difference + math.hypot(high - share, others - others_low),
    )


def judge_edges(test: EdgeTest, *, is_learned_layer: bool) -> Judgement:
    """More edge detectors than by chance and than before training bear it; fewer contradict it."""
    verdict: Verdict = "open"
    if not is_learned_layer:
        reason = "fixed"
    elif test.learned:
        verdict, reason = "bears", "learned"
    elif test.more_than_chance:
        reason = "kept"
    elif test.p_fewer < SIGNIFICANT:
        verdict, reason = "contradicts", "fewer"
    else:
        reason = "luck"
    return Judgement(claim="edges", verdict=verdict, reason=reason, values=vars(test))


def judge_needed(edges: int, loss: Loss | None, *, is_guessing: bool) -> Judgement:
    """Whether switching off all edge detectors at once costs more than `ESSENTIAL` for certain."""
    if is_guessing or loss is None:
        reason = "guessing" if is_guessing else "no_edges"
        return Judgement(claim="needed", verdict="open", reason=reason)
    verdict: Verdict = "open"
    if loss.low > ESSENTIAL:
        verdict = "bears"
    elif loss.high < ESSENTIAL:
        verdict = "contradicts"
    reason = {"bears": "costs", "contradicts": "spared", "open": "unclear"}[verdict]
    points = {"points": loss.value, "low": loss.low, "high": loss.high, "least": ESSENTIAL}
    values = {name: 100 * value for name, value in points.items()}
    return Judgement(
        claim="needed",
        verdict=verdict,
        reason=reason,
        values={**values, "n": edges, "digits": loss.n},
    )


def judge_smaller(shapes: Sequence[tuple[str, tuple[int, ...]]]) -> Judgement:
    """Sizes before and after the first pooling layer.

    Args:
        shapes: kind and output shape of every layer, in order.
    """
    for (_, before), (kind, after) in pairwise(shapes):
        if kind == "pool":
            values = {"before": math.prod(before), "after": math.prod(after)}
            return Judgement(claim="smaller", verdict="bears", reason="pooled", values=values)
    return Judgement(claim="smaller", verdict="open", reason="no_pooling")


def judge_accuracy(tested: Evaluation) -> Judgement:
    """One network cannot tell what made it better; its digits say how small a step they see."""
    low, high = tested.interval()
    _, step = difference_interval(tested.correct, tested.n, tested.correct, tested.n)
    numbers = {"accuracy": tested.accuracy, "low": low, "high": high, "n": tested.n}
    values = {**numbers, "points": 100 * step}
    return Judgement(claim="accuracy", verdict="open", reason="alone", values=values)


def judge_overfitting(seen: Evaluation | None, tested: Evaluation, dropout: float) -> Judgement:
    """Whether there is a gap is told; whether it would be larger otherwise, no network can tell.

    Args:
        seen: of training digits, without dropout; None if it is not known what was trained on.
        tested: of the test digits.
        dropout: the network's.
    """
    if seen is None:
        return Judgement(claim="overfitting", verdict="open", reason="unknown")
    low, high = difference_interval(seen.correct, seen.n, tested.correct, tested.n)
    gap = seen.accuracy - tested.accuracy
    points = {"gap": gap, "low": low, "high": high}
    values = {name: 100 * value for name, value in points.items()}
    return Judgement(
        claim="overfitting",
        verdict="open",
        reason=("gap" if low > 0 else "no_gap") + ("" if dropout else "_no_dropout"),
        values={**values, "seen": seen.accuracy, "unseen": tested.accuracy},
    )


def judge_curves(scores: Sequence[tuple[float, Score]]) -> Judgement:
    """Whether epochs differ beyond their intervals.

    Args:
        scores: epoch, and what was scored after it on digits that were not trained on.
    """
    if len(scores) < 2:
        return Judgement(claim="curves", verdict="open", reason="no_course")
    (first, first_score), (last, last_score) = scores[0], scores[-1]
    best, best_score = max(scores, key=lambda scored: scored[1].accuracy)
    values = {
        "first": first,
        "last": last,
        "best": best,
        "first_accuracy": first_score.accuracy,
        "last_accuracy": last_score.accuracy,
        "best_accuracy": best_score.accuracy,
        "settled": _settled(scores),
        "n": last_score.n,
    }
    verdict: Verdict = "bears"
    if _is_above(best_score, last_score):
        reason = "falls"
    elif _is_above(last_score, first_score):
        reason = "rises"
    else:
        verdict, reason = "open", "flat"
    return Judgement(claim="curves", verdict=verdict, reason=reason, values=values)


def _settled(scores: Sequence[tuple[float, Score]]) -> float:
    """The epoch from which on none differs from the last beyond intervals."""
    last = scores[-1][1]
    settled = scores[-1][0]
    for epoch, score in reversed(scores):
        if _is_above(last, score) or _is_above(score, last):
            break
        settled = epoch
    return settled


def _is_above(score: Score, other: Score) -> bool:
    """Whether Wilson's 95% intervals lie apart."""
    low, _ = wilson_interval(round(score.accuracy * score.n), score.n)
    _, high = wilson_interval(round(other.accuracy * other.n), other.n)
    return low > high


def judge_confusion(tested: Evaluation, chance: float, names: Sequence[str]) -> Judgement:
    """Whether the errors point anywhere: classes that differ more than by chance.

    Args:
        tested: of the test digits.
        chance: of differences as large, were all classes equally hard.
        names: of the classes.
    """
    if not tested.errors:
        values: dict[str, object] = {"n": tested.n}
        return Judgement(claim="confusion", verdict="open", reason="no_errors", values=values)
    [(true, predicted, times)] = tested.top_confusions(1)
    recall = {k: report.recall for k, report in enumerate(tested.per_class()) if report.support}
    worst = min(recall, key=lambda k: recall[k])
    values = {
        "n": tested.errors,
        "chance": chance,
        "worst": names[worst],
        "recall": recall[worst],
        "true": names[true],
        "predicted": names[predicted],
        "times": times,
    }
    verdict: Verdict = "bears" if chance < UNLIKELY else "open"
    reason = "apart" if chance < UNLIKELY else "alike"
    return Judgement(claim="confusion", verdict=verdict, reason=reason, values=values)


def reflection(subject: Subject, say: Messages, tick: Tick) -> Part:
    """The document's claims with their verdicts, and beginnings of the reader's own reflection."""
    judgements = tuple(_judgements(subject, subject.names(say)))
    tick(1, 1)
    yield from inside_of(subject, say)
    yield Paragraph(say("explain_reflection.lead"))
    yield Table(
        header=tuple(say(f"explain_reflection.column.{c}") for c in ("claim", "verdict", "reason")),
        rows=tuple(_row(judgement, say) for judgement in judgements),
        caption=say("explain_reflection.table"),
        is_prose=True,
        marks=tuple(MARKS[judgement.verdict] for judgement in judgements),
    )
    yield Heading(say("explain_reflection.own"))
    yield Paragraph(say("explain_reflection.own_lead"))
    yield Bullets(tuple(Bullet(text) for text in _beginnings(subject, say)))
    told = {j.claim: {"verdict": j.verdict, "reason": j.reason, **j.values} for j in judgements}
    yield Numbers({"claims": told})


def _judgements(subject: Subject, names: Sequence[str]) -> Iterator[Judgement]:
    """All claims in the document's order."""
    tested, network = subject.evaluation, subject.network
    fits, test = first_layer_fits(subject)
    info = subject.info
    learned = info is None or info.train.first_layer == "learned"
    yield judge_edges(test, is_learned_layer=learned)
    is_edge = torch.tensor([kind == "edge" for kind in fits["trained"].kinds])
    loss = _loss_without(subject, is_edge) if is_edge.any() else None
    yield judge_needed(test.edges, loss, is_guessing=tested.is_guessing)
    layers = describe(network.config, network.n_classes)
    yield judge_smaller([(row.kind, row.output_shape) for row in layers])
    yield Judgement(claim="general", verdict="open", reason="alone")
    yield judge_accuracy(tested)
    yield judge_overfitting(_seen(subject), tested, network.config.dropout)
    epochs = subject.history.epochs if subject.history else ()
    scored = [(epoch.epoch, epoch.validation or epoch.test) for epoch in epochs]
    yield judge_curves([(epoch, score) for epoch, score in scored if score is not None])
    chance = chance_of_differences(tested, seed=subject.seed)
    yield judge_confusion(tested, chance, names)


@torch.inference_mode()
def _loss_without(subject: Subject, filters: Tensor) -> Loss:
    """Accuracy lost with those filters of the first layer (bool ``[filters]``) off at once."""
    test = subject.digits.test
    chosen = first_of_each_class(test.labels, DIGITS)
    model: SimpleCNN = quick_copy(subject.network)
    answers = []
    for part in chosen.split(BATCH):  # type: ignore[no-untyped-call]
        images = subject.normalised(test.images[part]).to(memory_format=torch.channels_last)
        maps = model.stage(1, images)
        without = maps * ~filters[:, None, None]
        answers.append(
            torch.stack([from_stage(model, 1, m).argmax(dim=1) for m in (maps, without)])
        )
    before, after = torch.cat(answers, dim=1) == test.labels[chosen]
    return paired_loss(before, after)


def _seen(subject: Subject) -> Evaluation | None:
    """What the network says of training digits, without dropout; None if they may be others."""
    if subject.info is None or subject.info.data_checksum != subject.digits.checksum:
        return None
    train = subject.digits.train
    chosen = first_of_each_class(train.labels, SEEN)
    split = LabelledImages(images=train.images[chosen], labels=train.labels[chosen])
    return evaluate(subject.model, split, subject.scale)


def _row(judgement: Judgement, say: Messages) -> tuple[str, str, str]:
    claim = judgement.claim
    return (
        say(f"explain_reflection.claim.{claim}"),
        say(f"explain_reflection.verdict.{judgement.verdict}"),
        say(f"explain_reflection.{claim}.{judgement.reason}", **judgement.values),
    )


def _beginnings(subject: Subject, say: Messages) -> Iterator[str]:
    """Sentences with this network's numbers, for the reader to go on with."""
    tested, names = subject.evaluation, subject.names(say)
    low, high = tested.interval()
    values = {"accuracy": tested.accuracy, "low": low, "high": high, "n": tested.n}
    yield say("explain_reflection.begin.accuracy", **values)
    for true, predicted, times in tested.top_confusions(1):
        yield say(
            "explain_reflection.begin.errors",
            n=tested.errors,
            true=names[true],
            predicted=names[predicted],
            times=times,
        )
    yield say("explain_reflection.begin.next")
