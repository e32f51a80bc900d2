"""What was learned from, by what, how, and with what result: data, network, learning, accuracy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import torch

from taller_cnn.data import LabelledImages, display_title
from taller_cnn.evaluation import Evaluation, wilson_interval
from taller_cnn.explain.draw.overview import cost_figure
from taller_cnn.explain.parts import Numbers, Part, inside_of
from taller_cnn.explain.subject import Subject, Tick
from taller_cnn.figures import confusion_figure, curve_figure, digits_figure
from taller_cnn.messages import Messages
from taller_cnn.model import LayerRow, describe
from taller_cnn.page import Paragraph, Picture, Table
from taller_cnn.training import EpochResult, History

LEARNED = 0.5
"""Accuracy from which on a network is said to have learned; by luck, initial ones reach 20%."""
EXAMPLES = 1000
"""Training images that examples are taken from: ten of every class in each of the data sets."""


def data(subject: Subject, say: Messages, tick: Tick) -> Part:
    """The digits: how many, how they are split, how even the classes are, what they look like."""
    digits, names = subject.digits, subject.names(say)
    splits = {"train": digits.train, "validation": digits.validation, "test": digits.test}
    counts = {name: _class_counts(split, digits.n_classes) for name, split in splits.items()}
    train = counts["train"]
    least, most = train.index(min(train)), train.index(max(train))
    ink = int(digits.train.images.count_nonzero()) / max(digits.train.images.numel(), 1)
    sizes = {name: len(split) for name, split in splits.items()}
    title = display_title(digits.name, say)
    yield Paragraph(say("explain_overview.data.split", name=title, **sizes))
    even = min(train) == max(train)
    balance = say(
        f"explain_overview.data.{'balanced' if even else 'balance'}",
        least=names[least],
        least_n=train[least],
        most=names[most],
        most_n=train[most],
        share=max(train) / max(sum(train), 1),
    )
    yield Paragraph(balance)
    yield Paragraph(say("explain_overview.data.pixels", ink=ink, mean=digits.scale.mean))
    if digits.source == "sample":
        yield Paragraph(say("explain_overview.data.sample", n=sum(sizes.values())))
    images, labels = digits.train.images[:EXAMPLES], digits.train.labels[:EXAMPLES]
    yield Picture(
        name="data_examples",
        draw=partial(digits_figure, images, labels, names, say),
        alt=say("explain_overview.data.alt"),
    )
    yield _counts_table(counts, names, say)
    about = {"name": digits.name, "source": digits.source, "checksum": digits.checksum}
    yield Numbers({**about, "class_counts": counts, "ink": ink})
    tick(1, 1)


def _class_counts(split: LabelledImages, classes: int) -> list[int]:
    counts: list[int] = torch.bincount(split.labels, minlength=classes).tolist()
    return counts


def _counts_table(counts: dict[str, list[int]], names: Sequence[str], say: Messages) -> Table:
    """How many images each class has in each split."""
    rows = zip(names, *counts.values(), strict=True)
    return Table(
        header=tuple(say(f"explain_overview.data.column.{c}") for c in ("class", *counts)),
        rows=tuple((name, *(say.number(n, 0) for n in row)) for name, *row in rows),
        caption=say("explain_overview.data.table"),
    )


def network(subject: Subject, say: Messages, tick: Tick) -> Part:
    """The layers with their shapes and what they cost."""
    config = subject.network.config
    rows = describe(config, subject.network.n_classes)
    total, macs = sum(r.parameters for r in rows), sum(r.macs for r in rows)
    heavy = max(rows, key=lambda r: r.parameters)
    slow = max(rows, key=lambda r: r.macs)
    layers = {"heavy": heavy.name, "slow": slow.name}
    yield from inside_of(subject, say)
    lead = "lead" if config.hidden else "lead_direct"
    yield Paragraph(say(f"explain_overview.network.{lead}", n=config.layers))
    cost = say(
        "explain_overview.network.cost",
        parameters=total,
        macs=macs,
        heavy_share=heavy.parameters / total,
        slow_share=slow.macs / macs,
        **layers,
    )
    yield Paragraph(cost)
    # Only a convolution uses its weights again, and only a dense layer each of them once.
    key = "apart" if (slow.kind, heavy.kind) == ("conv", "fc") else "differ"
    key = "same" if heavy.name == slow.name else key
    yield Paragraph(say(f"explain_overview.network.{key}", **layers))
    weighted = [r for r in rows if r.parameters]
    costs = [r.parameters for r in weighted], [r.macs for r in weighted]
    yield Picture(
        name="network_cost",
        draw=partial(cost_figure, [r.name for r in weighted], *costs, say),
        alt=say("explain_overview.network.alt", **layers),
    )
    yield _layers_table(rows, say)
    sums = {"parameters": total, "macs": macs, "layers": [vars(row) for row in rows]}
    yield Numbers({"config": config.to_dict(), **sums})
    tick(1, 1)


def _layers_table(rows: Sequence[LayerRow], say: Messages) -> Table:
    header = ("layer", "kind", "output", "arithmetic", "parameters", "macs")
    cells = (
        (
            row.name,
            say(f"explain_overview.network.kind.{row.kind}"),
            " × ".join(map(str, row.output_shape)),
            row.arithmetic or "–",
            say.number(row.parameters, 0),
            say.number(row.macs, 0),
        )
        for row in rows
    )
    return Table(
        header=tuple(say(f"explain_overview.network.column.{name}") for name in header),
        rows=tuple(cells),
        caption=say("explain_overview.network.table"),
    )


def learning(subject: Subject, say: Messages, tick: Tick) -> Part:
    """The curves of the training, where the run left them."""
    tick(1, 1)
    history = subject.history
    if history is None or not history.epochs:
        yield Paragraph(say("explain_overview.learning.unknown"))
        return
    for sentence in (*_course(history, say), *_gap(subject, history.epochs[-1], say)):
        yield Paragraph(sentence)
    epochs, best = history.epochs, history.best_validation
    for kind in ("accuracy", "loss"):
        yield Picture(
            name=f"learning_{kind}",
            draw=partial(
                curve_figure,
                kind,
                [(result.epoch, getattr(result, f"train_{kind}")) for result in epochs],
                [(result.epoch, getattr(result.test, kind, None)) for result in epochs],
                [(result.epoch, getattr(result.validation, kind, None)) for result in epochs],
                best.epoch if best else None,
                say,
            ),
            alt=say(f"explain_overview.learning.alt_{kind}"),
        )
    yield Numbers({"epochs": [result.to_dict() for result in epochs]})


def _course(history: History, say: Messages) -> Iterator[str]:
    """How the accuracy rose, and which epoch was best."""
    first, last = history.epochs[0], history.epochs[-1]
    course = "course" if len(history.epochs) > 1 else "course_once"
    yield say(
        f"explain_overview.learning.{course}",
        epochs=say.number(last.epoch, 0 if last.epoch == int(last.epoch) else 1),
        seconds=last.train_seconds,
        first=first.train_accuracy,
        last=last.train_accuracy,
    )
    best = history.best_validation
    if best is not None and best.validation is not None and last.validation is not None:
        key = "best_last" if best is last else "best_earlier"
        values = {"best": best.validation.accuracy, "last": last.validation.accuracy}
        yield say(f"explain_overview.learning.{key}", epoch=best.epoch, **values)


def _gap(subject: Subject, last: EpochResult, say: Messages) -> Iterator[str]:
    """How much more it gets right in training than in the test, and whether that is overfitting."""
    if last.test is None:
        return
    gap, n = last.train_accuracy - last.test.accuracy, len(subject.digits.test)
    low, high = wilson_interval(round(last.test.accuracy * n), n)
    key = "gap" if last.train_accuracy > high else "gap_unclear" if gap > 0 else "no_gap"
    # The training digits are many more, so the spread is that of the test.
    points = {"gap": abs(gap), "low": last.train_accuracy - high, "high": last.train_accuracy - low}
    words = {name: say.number(100 * value, 2) for name, value in points.items()}
    yield say(f"explain_overview.learning.{key}", **words)
    if gap <= 0:
        kind = "dropout" if subject.network.dropout.p else "running"
        yield say(f"explain_overview.learning.{kind}")


def accuracy(subject: Subject, say: Messages, tick: Tick) -> Part:
    """Accuracy with its interval, against guessing; the confusion matrix."""
    result, held, names = subject.evaluation, subject.validation, subject.names(say)
    guess = int(result.confusion.sum(dim=1).max()) / result.n
    values = _with_interval(result)
    yield Paragraph(say("explain_overview.accuracy.result", errors=result.errors, **values))
    yield Paragraph(say("explain_overview.accuracy.interval"))
    yield Paragraph(say(f"explain_overview.accuracy.{_against_guessing(result)}", guess=guess))
    if held is not None:
        yield Paragraph(say("explain_overview.accuracy.validation", **_with_interval(held)))
    yield Picture(
        name="accuracy_confusion",
        draw=partial(confusion_figure, result.confusion, names, say, subject.digits.name),
        alt=say("explain_overview.accuracy.alt", errors=result.errors, n=result.n),
    )
    if result.errors:
        yield _confusions_table(result, names, say)
    classes = subject.digits.class_names
    json = {"test": result.to_json(classes), "validation": held and held.to_json(classes)}
    yield Numbers({**json, "always_commonest_class": guess})
    tick(1, 1)


def _with_interval(result: Evaluation) -> dict[str, object]:
    low, high = result.interval()
    return {"accuracy": result.accuracy, "n": result.n, "low": low, "high": high}


def _against_guessing(result: Evaluation) -> str:
    """Whether the network does better than always naming the commonest class."""
    if result.is_guessing:
        return "untrained"
    return "better" if result.accuracy >= LEARNED else "hardly"


def _confusions_table(result: Evaluation, names: Sequence[str], say: Messages) -> Table:
    support = result.confusion.sum(dim=1).tolist()
    rows = (
        (names[true], names[said], say.number(n, 0), say.percent(n / support[true], 2))
        for true, said, n in result.top_confusions(5)
    )
    columns = ("true", "said", "n", "share")
    return Table(
        header=tuple(say(f"explain_overview.accuracy.column.{name}") for name in columns),
        rows=tuple(rows),
        caption=say("explain_overview.accuracy.table"),
    )
