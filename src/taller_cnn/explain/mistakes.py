"""Where the network fails: every mistake, what it mixes up, and what a mistake looks like to it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from taller_cnn.explain.evidence import SHOWN, sign_flip_p
from taller_cnn.explain.section import (
    Block,
    Heading,
    Picture,
    Section,
    Subject,
    Text,
    Tick,
    inside_of,
    texts_of,
)
from taller_cnn.messages import Messages

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CATALOGUE = "explain_errors"
_text = texts_of(CATALOGUE)
COLUMNS, ROWS = 8, 5
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
    found = [
        torch.cdist(queries[start : start + CHUNK], others).topk(k, largest=False)
        for start in range(0, len(queries), CHUNK)
    ]
    if not found:
        return queries.new_empty(0, k), torch.empty(0, k, dtype=torch.int64)
    return torch.cat([f.values for f in found]), torch.cat([f.indices for f in found])


def errors(subject: Subject, tick: Tick) -> Section:
    """All mistakes in order of loss, the most frequent confusions, and nearest training digits."""
    wrong = subject.mistakes
    shown = wrong[: MOST_PAGES * COLUMNS * ROWS]
    blocks: list[Block] = [*_lead(subject, wrong, len(shown)), *_pages(subject, shown)]
    tick(1, 3)
    if len(wrong):
        blocks += _confusions(subject, wrong)
    tick(2, 3)
    alike, agreement = _neighbours(subject, wrong)
    tick(3, 3)
    rows = _rows(subject, wrong)
    return Section(
        name="errors",
        title=_text("title"),
        blocks=(*blocks, *alike),
        numbers={"mistakes": rows, "neighbours": agreement},
        attachments={"mistakes.csv": _csv(rows)} if rows else {},
    )


def _lead(subject: Subject, wrong: Tensor, shown: int) -> Iterator[Text]:
    if not len(wrong):
        yield _text("none", n=subject.evaluation.n)
        return
    chances = subject.evaluation.log_probabilities.exp().max(dim=1).values[wrong]
    yield _text("lead", n=len(wrong), total=subject.evaluation.n)
    sure = int((chances > 0.9).sum())
    yield _text("sure" if sure else "none_sure", n=sure, of=len(wrong))
    if shown < len(wrong):
        yield _text("cut", shown=shown, n=len(wrong))


def _rows(subject: Subject, wrong: Tensor) -> list[dict[str, Any]]:
    """Position, classes, probabilities and loss of each mistake, as JSON values."""
    says = subject.evaluation
    names = subject.digits.class_names
    scores = says.log_probabilities[wrong]
    true, said = says.labels[wrong], says.predictions[wrong]
    columns = (
        wrong.tolist(),
        true.tolist(),
        said.tolist(),
        scores.gather(1, said[:, None])[:, 0].exp().tolist(),
        scores.gather(1, true[:, None])[:, 0].tolist(),
    )
    return [
        {"index": i, "true": names[t], "predicted": names[p], "probability": chance, "loss": -log}
        for i, t, p, chance, log in zip(*columns, strict=True)
    ]


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def _pages(subject: Subject, shown: Tensor) -> Iterator[Picture]:
    """Pictures of forty mistakes each."""
    pages = shown.split(COLUMNS * ROWS) if len(shown) else ()  # type: ignore[no-untyped-call]
    for number, page in enumerate(pages, start=1):
        yield _page(subject, page, number, len(pages))


def _page(subject: Subject, page: Tensor, number: int, of: int) -> Picture:
    return Picture(
        name=f"errors_{number}",
        draw=lambda messages: _page_figure(subject, page, number, of, messages),
        alt=_text("alt_page", n=len(page), number=number, of=of),
    )


def _page_figure(
    subject: Subject, page: Tensor, number: int, of: int, messages: Messages
) -> Figure:
    from taller_cnn.figures.gallery import gallery_figure

    tiles = [_tile(subject, index, messages) for index in page.tolist()]
    rows = [tiles[start : start + COLUMNS] for start in range(0, len(tiles), COLUMNS)]
    return gallery_figure(rows, messages(f"{CATALOGUE}.figure_page", number=number, of=of))


def _tile(subject: Subject, index: int, messages: Messages, *, with_place: bool = True) -> Any:
    """A test digit with its true class, what the network says and how sure it is."""
    from taller_cnn.figures.gallery import Tile
    from taller_cnn.figures.style import GREEN, VERMILION

    says = subject.evaluation
    true, said = int(says.labels[index]), int(says.predictions[index])
    caption = messages(
        f"{CATALOGUE}.{'tile' if with_place else 'tile_short'}{_long(subject)}",
        index=index,
        true=_said(subject, true, messages),
        predicted=_said(subject, said, messages),
        chance=float(says.log_probabilities[index, said].exp()),
    )
    image = subject.digits.test.images[index, 0].numpy()
    wrong = true != said
    return Tile(image=image, caption=caption, colour=VERMILION if wrong else GREEN, thick=wrong)


def _long(subject: Subject) -> str:
    """Suffix of the texts for names that need lines of their own."""
    return "_long" if max(map(len, subject.digits.class_names)) > 3 else ""


def _said(subject: Subject, index: int, messages: Messages) -> str:
    name = subject.class_name(index)
    return name.say(messages) if isinstance(name, Text) else name


def _confusions(subject: Subject, wrong: Tensor) -> Iterator[Block]:
    """What is most often taken for what, with examples."""
    top = subject.evaluation.top_confusions(CONFUSIONS)
    true, said, n = top[0]
    tied = len(top) > 1 and top[1][2] == n
    yield Heading(_text("confusions"))
    both = subject.evaluation.confusion[said, true]
    yield _text(
        "most_frequent_tied" if tied else "most_frequent",
        n=n,
        true=subject.class_name(true),
        predicted=subject.class_name(said),
        back=int(both),
        share=sum(count for _, _, count in top) / len(wrong),
        kinds=len(top),
    )
    yield Picture(
        name="errors_confusions",
        draw=lambda messages: _confusions_figure(subject, wrong, top, messages),
        alt=_text("alt_confusions", n=len(top)),
    )


def _confusions_figure(
    subject: Subject, wrong: Tensor, top: list[tuple[int, int, int]], messages: Messages
) -> Figure:
    from taller_cnn.figures.gallery import gallery_figure

    says = subject.evaluation
    rows, labels = [], []
    for true, said, n in top:
        of_kind = wrong[(says.labels[wrong] == true) & (says.predictions[wrong] == said)]
        chosen = of_kind[:COLUMNS].tolist()
        rows.append([_tile(subject, index, messages, with_place=False) for index in chosen])
        names = {"true": _said(subject, true, messages), "said": _said(subject, said, messages)}
        labels.append(messages(f"{CATALOGUE}.row_confusion", n=n, **names))
    return gallery_figure(rows, messages(f"{CATALOGUE}.figure_confusions"), labels=labels)


def _neighbours(subject: Subject, wrong: Tensor) -> tuple[list[Block], dict[str, Any]]:
    """The training digits that the last hidden layer holds for most alike."""
    queries = torch.tensor([*subject.chosen, *wrong.tolist()], dtype=torch.int64)
    train = subject.digits.train
    k = min(NEIGHBOURS, len(train))
    if not len(queries) or not k:
        return [], {}
    _, found = nearest(_embedded(subject, queries), subject.embedding(train), k)
    blocks: list[Block] = [Heading(_text("alike")), *inside_of(subject)]
    labels = train.labels[found]
    of_wrong = labels[len(subject.chosen) :]
    agreement: dict[str, Any] = {"k": k}
    if len(wrong):
        says = subject.evaluation
        as_predicted = _shares(of_wrong, says.predictions[wrong])
        as_true = _shares(of_wrong, says.labels[wrong])
        agreement |= _agreement(as_predicted, as_true, subject.seed)
        blocks.append(_text(_explained(agreement), n=len(wrong), **agreement))
    shown = max(LOOKED_UP, len(subject.chosen))
    queries, found = queries[:shown], found[:shown]
    agreement["shown"] = [
        {"index": index, "train_positions": places, "train_labels": train.labels[places].tolist()}
        for index, places in zip(queries.tolist(), found.tolist(), strict=True)
    ]
    picture = Picture(
        name="errors_neighbours",
        draw=lambda messages: _neighbours_figure(subject, queries, found, messages),
        alt=_text("alt_neighbours", n=len(queries), k=k),
    )
    return [*blocks, picture], agreement


def _embedded(subject: Subject, positions: Tensor) -> Tensor:
    return subject.embedding(subject.digits.test[positions])


def _shares(labels: Tensor, wanted: Tensor) -> Tensor:
    """How many of the neighbours ``[Q, k]`` of each query have the class that is wanted of it."""
    return (labels == wanted[:, None]).double().mean(dim=1)


def _agreement(as_predicted: Tensor, as_true: Tensor, seed: int) -> dict[str, Any]:
    """What the neighbours of all mistakes have in common with the two classes."""
    return {
        "as_predicted": float(as_predicted.mean()),
        "as_true": float(as_true.mean()),
        "p": sign_flip_p((as_predicted - as_true).numpy(), seed),
    }


def _explained(agreement: dict[str, Any]) -> str:
    """The text that says which class is nearer to the mistakes, as far as they can tell.

    Of where a mistake arises that says little: the answer is a linear function of the layer in
    which the neighbours are looked for.
    """
    if agreement["p"] >= SHOWN:
        return "neighbours_unclear"
    closer = agreement["as_predicted"] > agreement["as_true"]
    return "neighbours" if closer else "neighbours_mixed"


def _neighbours_figure(
    subject: Subject, queries: Tensor, found: Tensor, messages: Messages
) -> Figure:
    from taller_cnn.figures.gallery import Tile, gallery_figure

    train = subject.digits.train
    rows = []
    for index, places in zip(queries.tolist(), found.tolist(), strict=True):
        row = [_tile(subject, index, messages)]
        for place in places:
            name = _said(subject, int(train.labels[place]), messages)
            caption = messages(f"{CATALOGUE}.tile_train", label=name)
            row.append(Tile(image=train.images[place, 0].numpy(), caption=caption))
        rows.append(row)
    labels = [messages(f"{CATALOGUE}.row_neighbours", index=index) for index in queries.tolist()]
    return gallery_figure(rows, messages(f"{CATALOGUE}.figure_neighbours"), labels=labels)
