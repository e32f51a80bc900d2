"""The last hidden layer as a map: digits that are alike to the network lie together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from taller_cnn.explain.evidence import SHOWN, sign_flip_p
from taller_cnn.explain.forward import first_of_each_class
from taller_cnn.explain.section import (
    Block,
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

_text = texts_of("explain_embedding")

POINTS = 5000
COMPONENTS = 30
PERPLEXITY = 30
ITERATIONS = 350
"""Of t-SNE; 250 with exaggeration, which sort the groups, and 100 that spread them."""
NEIGHBOURS = 10
COMPARED = 2000
"""Digits whose neighbours are counted: all pairs of 5,000 in 784 pixels take ten seconds."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Map:
    """Digits on the plane."""

    places: Array
    """``[N, 2]``."""
    positions: npt.NDArray[np.int64]
    """In the test digits, ``[N]``."""
    wrong: npt.NDArray[np.bool_]


def principal_components(points: Array, most: int = COMPONENTS) -> tuple[Array, Array]:
    """Project points on the directions in which they vary most (PCA).

    Args:
        points: ``[N, D]``.
        most: directions at most.

    Returns:
        The projections ``[N, C]`` and the share of the variance that each explains ``[C]``,
        falling; of points that do not vary at all the shares are 0.
    """
    from sklearn.decomposition import PCA

    count = min(most, *points.shape)
    if not np.ptp(points, axis=0).any():
        return np.zeros((len(points), count)), np.zeros(count)
    pca = PCA(count, svd_solver="full").fit(points)
    return pca.transform(points), pca.explained_variance_ratio_


def two_dimensional(components: Array, seed: int) -> Array:
    """t-SNE (van der Maaten & Hinton 2008) of principal components ``[N, C]``: ``[N, 2]``.

    It starts from the first two components, so that the places of the groups mean something.
    """
    from sklearn.manifold import TSNE

    if components.shape[1] < 2:
        # The start needs two columns.
        components = np.hstack([components, np.zeros((len(components), 1))])
    tsne = TSNE(
        perplexity=min(PERPLEXITY, (len(components) - 1) / 3),
        init="pca",
        max_iter=ITERATIONS,
        random_state=seed,
    )
    places: Array = tsne.fit_transform(components.astype(np.float32))
    return places


def same_class_neighbours(points: npt.NDArray[Any], labels: npt.NDArray[np.int64], k: int) -> Array:
    """Share of the k nearest other points (Euclidean) that are of the own class, of each point."""
    from sklearn.neighbors import NearestNeighbors

    finder = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(points)
    found = finder.kneighbors(return_distance=False)
    shares: Array = (labels[found] == labels[:, None]).mean(axis=1)
    return shares


def embedding(subject: Subject, tick: Tick) -> Section:
    """Principal components of the last hidden layer, then a plane by t-SNE."""
    test = subject.digits.test
    chosen = first_of_each_class(test.labels, POINTS)
    part = test[chosen]
    hidden = subject.embedding(part).double().numpy()
    tick(1, 4)
    components, shares = principal_components(hidden)
    numbers: dict[str, Any] = {"n": len(chosen), "explained_variance": shares.tolist()}
    if not shares.any() or len(chosen) < 4:
        return _section((_text("nothing", n=len(chosen)),), numbers)
    labels = part.labels.numpy()
    few = first_of_each_class(part.labels, COMPARED).numpy()
    k = min(NEIGHBOURS, len(few) - 1)
    pixels = part.images.flatten(1).float().numpy()
    shares_of = [same_class_neighbours(points[few], labels[few], k) for points in (hidden, pixels)]
    numbers["k"], numbers["neighbours_n"] = k, len(few)
    numbers["neighbours_hidden"], numbers["neighbours_pixels"] = map(_mean, shares_of)
    numbers["neighbours_p"] = sign_flip_p(shares_of[0] - shares_of[1], subject.seed)
    tick(2, 4)
    says = subject.evaluation
    drawn = _Map(
        places=two_dimensional(components, subject.seed),
        positions=chosen.numpy(),
        wrong=(says.predictions != says.labels)[chosen].numpy(),
    )
    tick(4, 4)
    return _section(_blocks(subject, drawn, numbers, shares), numbers)


def _mean(values: Array) -> float:
    return float(values.mean())


def _section(blocks: tuple[Block, ...], numbers: dict[str, Any]) -> Section:
    return Section(name="embedding", title=_text("title"), blocks=blocks, numbers=numbers)


def _blocks(
    subject: Subject, drawn: _Map, numbers: dict[str, Any], shares: Array
) -> tuple[Block, ...]:
    n, wrong = len(drawn.places), int(drawn.wrong.sum())
    return (
        *inside_of(subject),
        _text("lead", n=n, units=subject.network.fc2.in_features),
        _text(
            "variance",
            two=float(shares[:2].sum()),
            kept=float(shares.sum()),
            components=len(shares),
        ),
        _text(
            _closer(numbers),
            k=numbers["k"],
            n=numbers["neighbours_n"],
            hidden=numbers["neighbours_hidden"],
            pixels=numbers["neighbours_pixels"],
            p=numbers["neighbours_p"],
        ),
        Picture(
            name="embedding_classes",
            draw=lambda messages: _classes_figure(subject, drawn, messages),
            alt=_text("alt_classes", n=n, wrong=wrong),
            caption=_text("mistakes" if wrong else "no_mistakes", n=wrong),
        ),
        Picture(
            name="embedding_digits",
            draw=lambda messages: _digits_figure(subject, drawn, messages),
            alt=_text("alt_digits", n=n),
            caption=_text("careful"),
        ),
    )


def _closer(numbers: dict[str, Any]) -> str:
    """The text that says in which of the two a class lies closer together, as far as it shows."""
    if numbers["neighbours_p"] >= SHOWN:
        return "neighbours_unclear"
    better = numbers["neighbours_hidden"] > numbers["neighbours_pixels"]
    return "neighbours" if better else "neighbours_same"


def _classes_figure(subject: Subject, drawn: _Map, messages: Messages) -> Figure:
    from taller_cnn.explain.draw.embedding import classes_figure

    names = []
    for index in range(subject.digits.n_classes):
        name = subject.class_name(index)
        names.append(name.say(messages) if isinstance(name, Text) else name)
    labels = subject.digits.test.labels[torch.from_numpy(drawn.positions)].numpy()
    return classes_figure(drawn.places, labels, drawn.wrong, names, messages)


def _digits_figure(subject: Subject, drawn: _Map, messages: Messages) -> Figure:
    from taller_cnn.explain.draw.embedding import digits_figure

    images = subject.digits.test.images[torch.from_numpy(drawn.positions), 0].numpy()
    return digits_figure(drawn.places, images, drawn.wrong, messages)
