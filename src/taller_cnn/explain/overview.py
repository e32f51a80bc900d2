"""What was learned from, by what, how, and with what result: data, network, learning, accuracy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import torch

from taller_cnn.data import LabelledImages, display_class_names
from taller_cnn.evaluation import Evaluation, wilson_interval
from taller_cnn.explain.section import (
    Block,
    Cell,
    Decimal,
    Percent,
    Picture,
    Section,
    Subject,
    Table,
    Text,
    Tick,
    inside_of,
    texts_of,
)
from taller_cnn.messages import Messages
from taller_cnn.model import LayerRow, describe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CATALOGUE = "explain_overview"
_text = texts_of(CATALOGUE)
LEARNED = 0.5
"""Accuracy from which on a network is said to have learned; by luck, initial ones reach 20%."""


def data(subject: Subject, tick: Tick) -> Section:
    """The digits: how many, how they are split, how even the classes are, what they look like."""
    digits = subject.digits
    splits = {"train": digits.train, "validation": digits.validation, "test": digits.test}
    counts = {name: _class_counts(split, digits.n_classes) for name, split in splits.items()}
    train = counts["train"]
    least, most = train.index(min(train)), train.index(max(train))
    ink = int(digits.train.images.count_nonzero()) / max(digits.train.images.numel(), 1)
    paragraphs = [
        _text("digits.split", name=Text(f"data.title.{digits.name}"), **_sizes(splits)),
        _text(
            "digits.balance" if min(train) < max(train) else "digits.balanced",
            least=subject.class_name(least),
            least_n=train[least],
            most=subject.class_name(most),
            most_n=train[most],
            share=max(train) / max(sum(train), 1),
        ),
        _text("digits.pixels", ink=ink, mean=digits.scale.mean),
    ]
    if digits.source == "sample":
        paragraphs.append(_text("digits.sample", n=sum(map(sum, counts.values()))))
    tick(1, 1)
    picture = Picture(
        name="data_examples",
        draw=lambda messages: _examples_figure(subject, messages),
        alt=_text("digits.alt"),
    )
    numbers = {"name": digits.name, "source": digits.source, "checksum": digits.checksum}
    return Section(
        name="data",
        title=_text("digits.title"),
        blocks=(*paragraphs, picture, _counts_table(subject, counts)),
        numbers={**numbers, "class_counts": counts, "ink": ink},
    )


def _sizes(splits: dict[str, LabelledImages]) -> dict[str, object]:
    return {name: len(split) for name, split in splits.items()}


def _class_counts(split: LabelledImages, classes: int) -> list[int]:
    counts: list[int] = torch.bincount(split.labels, minlength=classes).tolist()
    return counts


def _examples_figure(subject: Subject, messages: Messages) -> Figure:
    from taller_cnn.figures import digits_figure

    digits = subject.digits
    names = display_class_names(digits.name, messages)
    # The first thousand have ten of every class in each of the three data sets.
    images, labels = digits.train.images[:1000], digits.train.labels[:1000]
    return digits_figure(images, labels, names, messages)


def _counts_table(subject: Subject, counts: dict[str, list[int]]) -> Table:
    rows = tuple(
        (subject.class_name(k), *(column[k] for column in counts.values()))
        for k in range(subject.digits.n_classes)
    )
    header = tuple(_text(f"digits.column.{name}") for name in ("class", *counts))
    return Table(header=header, rows=rows, caption=_text("digits.table"))


def network(subject: Subject, tick: Tick) -> Section:
    """The layers with their shapes and what they cost."""
    rows = describe(subject.network.config, subject.network.n_classes)
    total, macs = sum(r.parameters for r in rows), sum(r.macs for r in rows)
    heavy = max(rows, key=lambda r: r.parameters)
    slow = max(rows, key=lambda r: r.macs)
    facts = _text(
        "network.cost",
        parameters=total,
        macs=macs,
        heavy=heavy.name,
        heavy_share=heavy.parameters / total,
        slow=slow.name,
        slow_share=slow.macs / macs,
    )
    hidden = bool(subject.network.config.hidden)
    lead = _text(
        "network.lead" if hidden else "network.lead_direct", n=subject.network.config.layers
    )
    # Only a convolution uses its weights again, and only a dense layer each of them once.
    reused = (slow.kind, heavy.kind) == ("conv", "fc")
    same = heavy.name == slow.name
    key = "same" if same else "apart" if reused else "differ"
    reason = _text(f"network.{key}", heavy=heavy.name, slow=slow.name)
    weighted = [r for r in rows if r.parameters]
    picture = Picture(
        name="network_cost",
        draw=lambda messages: _cost_figure(weighted, messages),
        alt=_text("network.alt", heavy=heavy.name, slow=slow.name),
    )
    tick(1, 1)
    numbers = {
        "config": subject.network.config.to_dict(),
        "parameters": total,
        "macs": macs,
        "layers": [vars(row) for row in rows],
    }
    return Section(
        name="network",
        title=_text("network.title"),
        blocks=(*inside_of(subject), lead, facts, reason, picture, _layers_table(rows)),
        numbers=numbers,
    )


def _layers_table(rows: Sequence[LayerRow]) -> Table:
    header = ("layer", "kind", "output", "arithmetic", "parameters", "macs")
    return Table(
        header=tuple(_text(f"network.column.{name}") for name in header),
        rows=tuple(_layer_cells(row) for row in rows),
        caption=_text("network.table"),
    )


def _cost_figure(rows: list[LayerRow], messages: Messages) -> Figure:
    from taller_cnn.explain.draw.overview import cost_figure

    names = [row.name for row in rows]
    return cost_figure(names, [r.parameters for r in rows], [r.macs for r in rows], messages)


def _layer_cells(row: LayerRow) -> tuple[Cell, ...]:
    shape = " × ".join(map(str, row.output_shape))
    kind = _text(f"network.kind.{row.kind}")
    return row.name, kind, shape, row.arithmetic or "–", row.parameters, row.macs


def learning(subject: Subject, tick: Tick) -> Section:
    """The curves of the training, where the run left them."""
    tick(1, 1)
    history = subject.history
    if history is None or not history.epochs:
        blocks: tuple[Block, ...] = (_text("learning.unknown"),)
        return Section(name="learning", title=_text("learning.title"), blocks=blocks)
    first, last = history.epochs[0], history.epochs[-1]
    said = [
        _text(
            "learning.course" if len(history.epochs) > 1 else "learning.course_once",
            epochs=Decimal(last.epoch, 0 if last.epoch == int(last.epoch) else 1),
            seconds=last.train_seconds,
            first=first.train_accuracy,
            last=last.train_accuracy,
        )
    ]
    best = history.best_validation
    if best is not None and best.validation is not None and last.validation is not None:
        key = "best_last" if best is last else "best_earlier"
        values = {"epoch": best.epoch, "best": best.validation.accuracy}
        said.append(_text(f"learning.{key}", **values, last=last.validation.accuracy))
    if last.test is not None:
        gap, n = last.train_accuracy - last.test.accuracy, len(subject.digits.test)
        low, high = wilson_interval(round(last.test.accuracy * n), n)
        # The training digits are many more, so the spread is that of the test.
        ends = {
            "low": Decimal(100 * (last.train_accuracy - high)),
            "high": Decimal(100 * (last.train_accuracy - low)),
        }
        key = "gap" if last.train_accuracy > high else "gap_unclear" if gap > 0 else "no_gap"
        said.append(_text(f"learning.{key}", gap=Decimal(100 * abs(gap)), **ends))
        if gap <= 0:
            said.append(
                _text("learning.dropout" if subject.network.dropout.p else "learning.running")
            )
    kinds: tuple[Literal["accuracy", "loss"], ...] = ("accuracy", "loss")
    pictures = tuple(_curve(subject, kind) for kind in kinds)
    return Section(
        name="learning",
        title=_text("learning.title"),
        blocks=(*said, *pictures),
        numbers={"epochs": [result.to_dict() for result in history.epochs]},
    )


def _curve(subject: Subject, kind: Literal["accuracy", "loss"]) -> Picture:
    return Picture(
        name=f"learning_{kind}",
        draw=lambda messages: _curve_figure(subject, kind, messages),
        alt=_text(f"learning.alt_{kind}"),
    )


def _curve_figure(
    subject: Subject, kind: Literal["accuracy", "loss"], messages: Messages
) -> Figure:
    from taller_cnn.figures import curve_figure

    assert subject.history is not None
    epochs, best = subject.history.epochs, subject.history.best_validation
    return curve_figure(
        kind,
        [(result.epoch, getattr(result, f"train_{kind}")) for result in epochs],
        [(result.epoch, getattr(result.test, kind, None)) for result in epochs],
        [(result.epoch, getattr(result.validation, kind, None)) for result in epochs],
        best.epoch if best else None,
        messages,
    )


def accuracy(subject: Subject, tick: Tick) -> Section:
    """Accuracy with its interval, against guessing; the confusion matrix."""
    result, held = subject.evaluation, subject.validation
    guess = int(result.confusion.sum(dim=1).max()) / result.n
    tick(1, 1)
    picture = Picture(
        name="accuracy_confusion",
        draw=lambda messages: _confusion_figure(subject, messages),
        alt=_text("accuracy.alt", errors=result.errors, n=result.n),
    )
    blocks: tuple[Block, ...] = (*_accuracy_said(subject, guess), picture)
    table = _confusions_table(subject)
    names = subject.digits.class_names
    numbers = {"test": result.to_json(names), "validation": held and held.to_json(names)}
    return Section(
        name="accuracy",
        title=_text("accuracy.title"),
        blocks=(*blocks, table) if table.rows else blocks,
        numbers={**numbers, "always_commonest_class": guess},
    )


def _accuracy_said(subject: Subject, guess: float) -> Iterator[Text]:
    result, held = subject.evaluation, subject.validation
    yield _text("accuracy.result", errors=result.errors, **_with_interval(result))
    yield _text("accuracy.interval")
    yield _text(f"accuracy.{_against_guessing(subject)}", guess=guess)
    if held is not None:
        yield _text("accuracy.validation", **_with_interval(held))


def _with_interval(result: Evaluation) -> dict[str, object]:
    low, high = result.interval()
    return {"accuracy": result.accuracy, "n": result.n, "low": low, "high": high}


def _against_guessing(subject: Subject) -> str:
    """Whether the network does better than always naming the commonest class."""
    result = subject.evaluation
    if result.is_guessing:
        return "untrained"
    return "better" if result.accuracy >= LEARNED else "hardly"


def _confusion_figure(subject: Subject, messages: Messages) -> Figure:
    from taller_cnn.figures import confusion_figure

    digits = subject.digits
    names = display_class_names(digits.name, messages)
    return confusion_figure(subject.evaluation.confusion, names, messages, digits.name)


def _confusions_table(subject: Subject) -> Table:
    result = subject.evaluation
    support = result.confusion.sum(dim=1).tolist()
    rows = tuple(
        (
            subject.class_name(true),
            subject.class_name(predicted),
            count,
            Percent(count / support[true]),
        )
        for true, predicted, count in result.top_confusions(5)
    )
    header = tuple(_text(f"accuracy.column.{name}") for name in ("true", "said", "n", "share"))
    return Table(header=header, rows=rows, caption=_text("accuracy.table"))
