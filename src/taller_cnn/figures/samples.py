"""Images: what the network says of some, and examples of every class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from taller_cnn.figures.gallery import Tile, draw_ink, gallery_figure
from taller_cnn.figures.style import (
    GREEN,
    LABEL,
    LINES,
    VERMILION,
    new_figure,
    set_title,
    with_note,
)
from taller_cnn.messages import Messages

SAMPLE_COLUMNS, SAMPLE_ROWS = 8, 3
EXAMPLES_PER_CLASS = 10


def predictions_figure(
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    class_names: Sequence[str],
    messages: Messages,
    note: str | None = None,
) -> Figure:
    """Images with what the network says: right ones of every class, and its boldest mistakes.

    Mistakes are marked by a thick frame and a cross, right ones by a thin frame and a tick; both
    carry the probability of the predicted class. Without mistakes the right ones fill the figure.

    Args:
        images: ``uint8 [N, 1, 28, 28]`` or ``[N, 28, 28]``.
        labels: true classes ``int [N]``.
        probabilities: ``float [N, K]``.
        class_names: K names for the reader.
        messages: the reader's language.
        note: what the reader must know about the data; it becomes part of the title.
    """
    pictures, truth, chances = _pictures(images), np.asarray(labels), np.asarray(probabilities)
    predicted, chance = chances.argmax(axis=1), chances.max(axis=1)
    right = _one_of_each_first(np.flatnonzero(predicted == truth), truth)
    wrong = _surest_first(np.flatnonzero(predicted != truth), chance)
    blocks = [(block, block is wrong) for block in (right, wrong) if len(block)]
    columns = SAMPLE_COLUMNS // max(len(blocks), 1)
    rows: list[list[Tile | None]] = [[] for _ in range(SAMPLE_ROWS)]
    headings = {}
    for number, (block, is_wrong) in enumerate(blocks):
        shown = block[: SAMPLE_ROWS * columns]
        headings[number * columns] = _heading(len(shown), block, is_wrong, len(truth), messages)
        for place, index in enumerate(shown):
            row = rows[place // columns]
            # A block that is shorter than the one before it leaves places empty.
            row += [None] * (number * columns + place % columns - len(row))
            answer = predicted[index], truth[index], float(chance[index])
            row.append(_tile(pictures[index], *answer, class_names, messages))
    title = with_note(messages("figures.predictions.title"), note, messages)
    return gallery_figure([row for row in rows if row], title, headings=headings)


def _tile(
    image: npt.NDArray[np.uint8],
    predicted: int,
    true: int,
    chance: float,
    class_names: Sequence[str],
    messages: Messages,
) -> Tile:
    """A picture with what the network says of it; long names get a line of their own."""
    is_wrong = bool(predicted != true)
    key = "wrong" if is_wrong else "right"
    if max(map(len, class_names)) > 3:
        key += "_long"
    names = {"predicted": class_names[predicted], "true": class_names[true]}
    return Tile(
        image=image,
        caption=messages(f"figures.predictions.{key}", p=chance, **names),
        colour=VERMILION if is_wrong else GREEN,
        thick=is_wrong,
    )


def _pictures(images: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Images as ``uint8 [N, 28, 28]``."""
    array = np.asarray(images)
    return array.reshape(len(array), *array.shape[-2:])


def _one_of_each_first(indices: npt.NDArray[Any], labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """`indices` dealt out by class: the first of each class, then the second of each, ..."""
    rank = np.zeros(len(indices), dtype=int)
    for label in np.unique(labels[indices]):
        of_label = labels[indices] == label
        rank[of_label] = np.arange(of_label.sum())
    return indices[np.lexsort((labels[indices], rank))]


def _surest_first(indices: npt.NDArray[Any], chance: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return indices[np.argsort(-chance[indices], kind="stable")]


def _heading(
    shown: int, block: npt.NDArray[Any], is_wrong: bool, total: int, messages: Messages
) -> str:
    if is_wrong:
        key = "all_mistakes" if shown == len(block) else "mistakes"
    else:
        key = "no_mistakes" if len(block) == total else "correct"
    count = len(block)
    return messages(f"figures.predictions.{key}", shown=shown, total=count, n=count)


def digits_figure(
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    class_names: Sequence[str],
    messages: Messages,
    note: str | None = None,
    augmentation: str | None = None,
) -> Figure:
    """The first ten images of every class, a class in a row.

    Args:
        images: ``uint8 [N, 1, 28, 28]`` or ``[N, 28, 28]``.
        labels: classes ``int [N]``.
        class_names: K names for the reader.
        messages: the reader's language.
        note: what the reader must know about the data; it becomes part of the title.
        augmentation: name of what varied the images, if they are variations of the first.
    """
    pictures, classes = _pictures(images), np.asarray(labels)
    height, width = (side + 4 for side in pictures.shape[1:])
    sheet = np.zeros((len(class_names) * height, EXAMPLES_PER_CLASS * width), dtype=np.uint8)
    for row in range(len(class_names)):
        for column, index in enumerate(np.flatnonzero(classes == row)[:EXAMPLES_PER_CLASS]):
            top, left = row * height + 2, column * width + 2
            sheet[top : top + height - 4, left : left + width - 4] = pictures[index]
    figure, axes = new_figure(9.4, 9.4)
    draw_ink(axes, sheet)
    rows = np.arange(len(class_names))
    axes.set_yticks((rows + 0.5) * height - 0.5, class_names, fontsize=LABEL)
    axes.set_yticks(rows[1:] * height - 0.5, minor=True)
    axes.grid(which="minor", axis="y", color=LINES, linewidth=0.8)
    axes.set_xticks([])
    axes.tick_params(which="both", length=0)
    axes.set_ylabel(messages("figures.digits.axis"))
    key = "augmented" if augmentation else "title"
    title = messages(f"figures.digits.{key}", name=augmentation)
    set_title(figure, with_note(title, note, messages))
    return figure
