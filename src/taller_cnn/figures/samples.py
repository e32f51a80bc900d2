"""Images: what the network says of some, and examples of every class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from taller_cnn.figures.style import (
    GREEN,
    HEADING,
    LABEL,
    LINES,
    VERMILION,
    new_figure,
    set_title,
    shrink_to,
)
from taller_cnn.messages import Messages

__all__ = ["digits_figure", "predictions_figure"]

SAMPLE_COLUMNS, SAMPLE_ROWS = 8, 3
CAPTION_SIZE = 14  # points, less for long names
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
    rows = min(SAMPLE_ROWS, -(-max(len(right), len(wrong)) // columns))
    sheet = _Sheet(rows, note is not None)
    set_title(sheet.figure, messages("figures.predictions.title"), note, messages)
    for number, (block, is_wrong) in enumerate(blocks):
        shown = block[: rows * columns]
        sheet.heading(number * columns, _heading(len(shown), block, is_wrong, len(truth), messages))
        for place, index in enumerate(shown):
            row, column = divmod(place, columns)
            says, true = predicted[index], truth[index]
            caption = _caption(says, true, float(chance[index]), class_names, messages)
            sheet.picture(row, number * columns + column, pictures[index], caption, is_wrong)
    sheet.even_captions()
    return sheet.figure


def _caption(
    predicted: int, true: int, chance: float, class_names: Sequence[str], messages: Messages
) -> str:
    """What is written under a picture; long names get a line of their own."""
    key = "right" if predicted == true else "wrong"
    if max(map(len, class_names)) > 3:
        key += "_long"
    names = {"predicted": class_names[predicted], "true": class_names[true]}
    return messages(f"figures.predictions.{key}", p=chance, **names)


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


class _Sheet:
    """A page of captioned pictures, laid out in inches on one axes.

    Twenty-four axes would take most of a second to draw.
    """

    WIDTH, MARGIN, SIDE, CAPTION = 13.333, 0.3, 1.3, 0.78
    PITCH = (WIDTH - 2 * MARGIN) / SAMPLE_COLUMNS

    def __init__(self, rows: int, has_note: bool) -> None:
        self._top = 1.55 if has_note else 1.2
        height = self._top + rows * (self.SIDE + self.CAPTION) + 0.1
        self.figure = Figure(figsize=(self.WIDTH, height))
        self._axes = self.figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()
        self._axes.set(xlim=(0, self.WIDTH), ylim=(height, 0))
        self._captions: list[Text] = []

    def _left(self, column: int) -> float:
        # The two halves move apart so that they are seen as two.
        shift = 0.12 if column >= SAMPLE_COLUMNS // 2 else -0.12
        return self.MARGIN + column * self.PITCH + (self.PITCH - self.SIDE) / 2 + shift

    def heading(self, column: int, text: str) -> None:
        """Write `text` over the block of pictures that starts at `column`."""
        written = self._axes.text(
            self._left(column), self._top - 0.15, text, fontsize=HEADING, fontweight="bold"
        )
        shrink_to(written, self.PITCH * SAMPLE_COLUMNS / 2)

    def picture(
        self, row: int, column: int, image: npt.NDArray[Any], caption: str, is_wrong: bool
    ) -> None:
        """Draw `image` in its frame, and `caption` under it."""
        left, top = self._left(column), self._top + row * (self.SIDE + self.CAPTION)
        box = (left, left + self.SIDE, top + self.SIDE, top)
        self._axes.imshow(image, cmap="gray_r", vmin=0, vmax=255, extent=box)
        colour, thickness = (VERMILION, 5) if is_wrong else (GREEN, 2)
        frame = Rectangle(
            (left, top), self.SIDE, self.SIDE, fill=False, edgecolor=colour, linewidth=thickness
        )
        self._axes.add_patch(frame)
        written = self._axes.text(
            left + self.SIDE / 2,
            top + self.SIDE + 0.07,
            caption,
            fontsize=CAPTION_SIZE,
            horizontalalignment="center",
            verticalalignment="top",
            linespacing=1.05,
        )
        shrink_to(written, self.PITCH - 0.14)
        self._captions.append(written)

    def even_captions(self) -> None:
        """Write all captions as small as the smallest."""
        sizes = [float(text.get_fontsize()) for text in self._captions]
        for text in self._captions:
            text.set_fontsize(min(sizes))


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
    axes.imshow(sheet, cmap="gray_r", vmin=0, vmax=255)
    rows = np.arange(len(class_names))
    axes.set_yticks((rows + 0.5) * height - 0.5, class_names, fontsize=LABEL)
    axes.set_yticks(rows[1:] * height - 0.5, minor=True)
    axes.grid(which="minor", axis="y", color=LINES, linewidth=0.8)
    axes.set_xticks([])
    axes.tick_params(which="both", length=0)
    axes.set_ylabel(messages("figures.digits.axis"), fontsize=LABEL)
    key = "augmented" if augmentation else "title"
    title = messages(f"figures.digits.{key}", name=augmentation)
    set_title(figure, title, note, messages)
    return figure
