"""The last hidden layer as a map: digits that are alike to the network lie together."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from taller_cnn.explain.draw.embedding import classes_figure, digits_figure
from taller_cnn.explain.parts import Numbers, Part, inside_of
from taller_cnn.explain.sign_flip import SHOWN, sign_flip_p
from taller_cnn.explain.subject import Subject, Tick, first_of_each_class
from taller_cnn.messages import Messages
from taller_cnn.page import Paragraph, Picture

POINTS = 5000
COMPONENTS = 30
PERPLEXITY = 30
ITERATIONS = 350
"""Of t-SNE; 250 with exaggeration, which sort the groups, and 100 that spread them."""
NEIGHBOURS = 10
COMPARED = 2000
"""Digits whose neighbours are counted: all pairs of 5,000 in 784 pixels take ten seconds."""

Array = npt.NDArray[np.float64]


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
    nearest = finder.kneighbors(return_distance=False)
    shares: Array = (labels[nearest] == labels[:, None]).mean(axis=1)
    return shares


def embedding(subject: Subject, say: Messages, tick: Tick) -> Part:
    """Principal components of the last hidden layer, then a plane by t-SNE."""
    chosen = first_of_each_class(subject.digits.test.labels, POINTS)
    part = subject.digits.test[chosen]
    hidden = subject.embedding(part).double().numpy()
    tick(1, 4)
    n = len(chosen)
    components, shares = principal_components(hidden)
    yield Numbers({"n": n, "explained_variance": shares.tolist()})
    if not shares.any() or n < 4:
        yield Paragraph(say("explain_embedding.nothing", n=n))
        return
    yield from inside_of(subject, say)
    yield Paragraph(say("explain_embedding.lead", n=n, units=hidden.shape[1]))
    explained = {"two": float(shares[:2].sum()), "kept": float(shares.sum())}
    yield Paragraph(say("explain_embedding.variance", components=len(shares), **explained))
    images, labels = part.images[:, 0].numpy(), part.labels.numpy()
    few = first_of_each_class(part.labels, COMPARED).numpy()
    pixels = images.reshape(n, -1).astype(np.float32)
    numbers = _neighbours(hidden[few], pixels[few], labels[few], subject.seed)
    yield Numbers(numbers)
    yield Paragraph(_closer(numbers, say))
    tick(2, 4)
    wrong = (subject.evaluation.predictions != subject.evaluation.labels)[chosen].numpy()
    places = two_dimensional(components, subject.seed)
    mistakes = int(wrong.sum())
    yield Picture(
        name="embedding_classes",
        draw=partial(classes_figure, places, labels, wrong, subject.names(say), say),
        alt=say("explain_embedding.alt_classes", n=n, wrong=mistakes),
        caption=say(f"explain_embedding.{'mistakes' if mistakes else 'no_mistakes'}", n=mistakes),
    )
    yield Picture(
        name="embedding_digits",
        draw=partial(digits_figure, places, images, wrong, say),
        alt=say("explain_embedding.alt_digits", n=n),
        caption=say("explain_embedding.careful"),
    )
    tick(4, 4)


def _neighbours(
    hidden: Array, pixels: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], seed: int
) -> dict[str, Any]:
    """How often neighbours are of one class, in the hidden layer and in the image."""
    k = min(NEIGHBOURS, len(labels) - 1)
    of_hidden, of_pixels = (same_class_neighbours(p, labels, k) for p in (hidden, pixels))
    return {
        "k": k,
        "neighbours_n": len(labels),
        "neighbours_hidden": float(of_hidden.mean()),
        "neighbours_pixels": float(of_pixels.mean()),
        "neighbours_p": sign_flip_p(of_hidden - of_pixels, seed),
    }


def _closer(numbers: Mapping[str, Any], say: Messages) -> str:
    """In which of the two a class lies closer together, as far as it shows."""
    better = numbers["neighbours_hidden"] > numbers["neighbours_pixels"]
    key = "neighbours" if better else "neighbours_same"
    if numbers["neighbours_p"] >= SHOWN:
        key = "neighbours_unclear"
    return say(
        f"explain_embedding.{key}",
        k=numbers["k"],
        n=numbers["neighbours_n"],
        hidden=numbers["neighbours_hidden"],
        pixels=numbers["neighbours_pixels"],
        p=numbers["neighbours_p"],
    )
