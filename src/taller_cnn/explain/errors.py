"""Where the network fails: every mistake, what it mixes up, and what a mistake looks like to it."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from taller_cnn.explain.parts import Attachment, Numbers, Part, inside_of
from taller_cnn.explain.sign_flip import SHOWN, sign_flip_p
from taller_cnn.explain.subject import Subject, Tick
from taller_cnn.figures.gallery import Tile, gallery_figure
from taller_cnn.figures.style import GREEN, VERMILION
from taller_cnn.messages import Messages
from taller_cnn.page import Heading, Paragraph, Picture

COLUMNS, ROWS = 8, 5
SURE = 0.9
"""Probability from which on the network is said to be sure."""
MOST_PAGES = 6
"""Of mistakes; a network that learned nothing has two hundred pages of them."""
CONFUSIONS = 6
NEIGHBOURS = 7
LOOKED_UP = 6
"""Digits whose neighbours are shown."""
CHUNK = 64
"""Queries whose distances to all others are held at a time: 64 x 55,000 floats are 14 MB."""


def nearest(queries: Tensor, others: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The `k` rows of `others` that are nearest to each query, by Euclidean distance.

    Args:
        queries: float ``[Q, D]``.
        others: float ``[N, D]``, N >= k.
        k: how many.

    Returns:
        Distances float ``[Q, k]``, rising, and positions int64 ``[Q, k]``.
    """
    chunks = [
        torch.cdist(queries[start : start + CHUNK], others).topk(k, largest=False)
        for start in range(0, len(queries), CHUNK)
    ]
    if not chunks:
        return queries.new_empty(0, k), torch.empty(0, k, dtype=torch.int64)
    return torch.cat([c.values for c in chunks]), torch.cat([c.indices for c in chunks])


def errors(subject: Subject, say: Messages, tick: Tick) -> Part:
    """All mistakes in order of loss, the most frequent confusions, and nearest training digits."""
    wrong = subject.mistakes
    yield from _mistakes(subject, wrong, say)
    tick(1, 3)
    if len(wrong):
        yield from _confusions(subject, wrong, say)
    tick(2, 3)
    yield from _neighbours(subject, wrong, say)
    tick(3, 3)


def _mistakes(subject: Subject, wrong: Tensor, say: Messages) -> Part:
    """How many there are and how sure the network is of them, and pictures of forty each."""
    rows = _rows(subject, wrong)
    yield Numbers({"mistakes": rows})
    if not rows:
        yield Paragraph(say("explain_errors.none", n=subject.evaluation.n))
        return
    yield Attachment("mistakes.csv", rows)
    yield Paragraph(say("explain_errors.lead", n=len(rows), total=subject.evaluation.n))
    sure = sum(row["probability"] > SURE for row in rows)
    yield Paragraph(say(f"explain_errors.{'sure' if sure else 'none_sure'}", n=sure, of=len(rows)))
    shown = wrong[: MOST_PAGES * COLUMNS * ROWS]
    if len(shown) < len(wrong):
        yield Paragraph(say("explain_errors.cut", shown=len(shown), n=len(wrong)))
    pages = shown.split(COLUMNS * ROWS)  # type: ignore[no-untyped-call]
    for number, page in enumerate(pages, start=1):
        tiles = [_tile(subject, index, say) for index in page.tolist()]
        sheet = [tiles[start : start + COLUMNS] for start in range(0, len(tiles), COLUMNS)]
        place = {"number": number, "of": len(pages)}
        yield Picture(
            name=f"errors_{number}",
            draw=partial(gallery_figure, sheet, say("explain_errors.figure_page", **place)),
            alt=say("explain_errors.alt_page", n=len(page), **place),
        )


def _rows(subject: Subject, wrong: Tensor) -> list[dict[str, Any]]:
    """Position, classes, probabilities and loss of each mistake, as JSON values."""
    says = subject.evaluation
    names = subject.digits.class_names
    scores = says.log_probabilities[wrong]
    true, predicted = says.labels[wrong], says.predictions[wrong]
    columns = (
        wrong.tolist(),
        true.tolist(),
        predicted.tolist(),
        scores.gather(1, predicted[:, None])[:, 0].exp().tolist(),
        scores.gather(1, true[:, None])[:, 0].tolist(),
    )
    return [
        {"index": i, "true": names[t], "predicted": names[p], "probability": chance, "loss": -log}
        for i, t, p, chance, log in zip(*columns, strict=True)
    ]


def _tile(subject: Subject, index: int, say: Messages, *, with_place: bool = True) -> Tile:
    """A test digit with its true class, what the network says and how sure it is."""
    says, names = subject.evaluation, subject.names(say)
    true, predicted = int(says.labels[index]), int(says.predictions[index])
    # Long names need lines of their own.
    is_long = max(map(len, subject.digits.class_names)) > 3
    key = f"{'tile' if with_place else 'tile_short'}{'_long' if is_long else ''}"
    caption = say(
        f"explain_errors.{key}",
        index=index,
        true=names[true],
        predicted=names[predicted],
        chance=float(says.log_probabilities[index, predicted].exp()),
    )
    image, wrong = subject.digits.test.images[index, 0].numpy(), true != predicted
    return Tile(image=image, caption=caption, colour=VERMILION if wrong else GREEN, thick=wrong)


def _confusions(subject: Subject, wrong: Tensor, say: Messages) -> Part:
    """What is most often taken for what, with examples."""
    says, names = subject.evaluation, subject.names(say)
    top = says.top_confusions(CONFUSIONS)
    true, predicted, n = top[0]
    tied = len(top) > 1 and top[1][2] == n
    yield Heading(say("explain_errors.confusions"))
    most_frequent = say(
        f"explain_errors.{'most_frequent_tied' if tied else 'most_frequent'}",
        n=n,
        true=names[true],
        predicted=names[predicted],
        back=int(says.confusion[predicted, true]),
        share=sum(count for _, _, count in top) / len(wrong),
        kinds=len(top),
    )
    yield Paragraph(most_frequent)
    rows, labels = [], []
    for true, predicted, n in top:
        of_kind = wrong[(says.labels[wrong] == true) & (says.predictions[wrong] == predicted)]
        chosen = of_kind[:COLUMNS].tolist()
        rows.append([_tile(subject, index, say, with_place=False) for index in chosen])
        pair = {"true": names[true], "said": names[predicted]}
        labels.append(say("explain_errors.row_confusion", n=n, **pair))
    title = say("explain_errors.figure_confusions")
    yield Picture(
        name="errors_confusions",
        draw=partial(gallery_figure, rows, title, labels=labels),
        alt=say("explain_errors.alt_confusions", n=len(top)),
    )


def _neighbours(subject: Subject, wrong: Tensor, say: Messages) -> Part:
    """The training digits that the last hidden layer holds for most alike."""
    queries = torch.tensor([*subject.chosen, *wrong.tolist()], dtype=torch.int64)
    train = subject.digits.train
    k = min(NEIGHBOURS, len(train))
    numbers: dict[str, Any] = {}
    if len(queries) and k:
        embedded = subject.embedding(subject.digits.test[queries])
        _, places = nearest(embedded, subject.embedding(train), k)
        numbers["k"] = k
        yield Heading(say("explain_errors.alike"))
        yield from inside_of(subject, say)
        if len(wrong):
            agreement = _agreement(subject, wrong, train.labels[places[len(subject.chosen) :]])
            key = _explained(agreement)
            yield Paragraph(say(f"explain_errors.{key}", n=len(wrong), k=k, **agreement))
            numbers |= agreement
        shown = max(LOOKED_UP, len(subject.chosen))
        queries, places = queries[:shown], places[:shown]
        numbers["shown"] = [
            {"index": i, "train_positions": row, "train_labels": train.labels[row].tolist()}
            for i, row in zip(queries.tolist(), places.tolist(), strict=True)
        ]
        yield _neighbours_picture(subject, queries, places, say)
    yield Numbers({"neighbours": numbers})


def _agreement(subject: Subject, wrong: Tensor, labels: Tensor) -> dict[str, float]:
    """What the neighbours' labels ``[M, k]`` of all mistakes have in common with both classes."""
    says = subject.evaluation
    as_predicted, as_true = (
        (labels == classes[wrong][:, None]).double().mean(dim=1)
        for classes in (says.predictions, says.labels)
    )
    return {
        "as_predicted": float(as_predicted.mean()),
        "as_true": float(as_true.mean()),
        "p": sign_flip_p((as_predicted - as_true).numpy(), subject.seed),
    }


def _explained(agreement: dict[str, float]) -> str:
    """The text that says which class is nearer to the mistakes, as far as they can tell.

    Of where a mistake arises that says little: the answer is a linear function of the layer in
    which the neighbours are looked for.
    """
    if agreement["p"] >= SHOWN:
        return "neighbours_unclear"
    closer = agreement["as_predicted"] > agreement["as_true"]
    return "neighbours" if closer else "neighbours_mixed"


def _neighbours_picture(
    subject: Subject, queries: Tensor, places: Tensor, say: Messages
) -> Picture:
    train, names = subject.digits.train, subject.names(say)
    rows = []
    for index, nearest_places in zip(queries.tolist(), places.tolist(), strict=True):
        row = [_tile(subject, index, say)]
        for place in nearest_places:
            caption = say("explain_errors.tile_train", label=names[int(train.labels[place])])
            row.append(Tile(image=train.images[place, 0].numpy(), caption=caption))
        rows.append(row)
    labels = [say("explain_errors.row_neighbours", index=index) for index in queries.tolist()]
    title = say("explain_errors.figure_neighbours")
    return Picture(
        name="errors_neighbours",
        draw=partial(gallery_figure, rows, title, labels=labels),
        alt=say("explain_errors.alt_neighbours", n=len(queries), k=places.shape[1]),
    )
