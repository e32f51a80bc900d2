"""Loss and accuracy over the epochs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from taller_cnn.figures.axes import draw_star, plain_axes, value_axis
from taller_cnn.figures.style import (
    BLUE,
    GREY,
    INK,
    TICK,
    VERMILION,
    new_figure,
    set_title,
    with_note,
)
from taller_cnn.messages import Messages

CURVES: dict[str, dict[str, Any]] = {
    "train": {"color": BLUE, "linestyle": "-", "marker": "o", "linewidth": 3, "markersize": 9},
    "test": {"color": VERMILION, "linestyle": "--", "marker": "s", "linewidth": 3, "markersize": 9},
    "validation": {
        "color": GREY,
        "linestyle": ":",
        "marker": "^",
        "linewidth": 1.8,
        "markersize": 7,
    },
}
MOST_EPOCH_TICKS = 12
MOST_MARKERS = 25

Points = Sequence[tuple[float, float | None]]
"""Of a curve: passes over the training digits, and the value, or None where there is none."""


def curve_figure(
    kind: Literal["loss", "accuracy"],
    train: Points,
    test: Points,
    validation: Points,
    best_epoch: float | None,
    messages: Messages,
    note: str | None = None,
    validation_n: int | None = None,
) -> Figure:
    """Loss or accuracy over the epochs.

    A point may lie inside an epoch, and each curve has its points where it was measured.

    Args:
        kind: which of the two; it chooses the words and how numbers are written.
        train, test, validation: points of each curve in order of epochs, accuracies as fractions;
            a curve without any is left out.
        best_epoch: the epoch with the best validation value, which gets a mark; None for no mark.
        messages: the reader's language.
        note: what the reader must know about the data; it becomes part of the title.
        validation_n: number of held-out digits that validation was measured on, always the same
            ones, where these are not all; the legend says it.
    """
    figure, axes = new_figure(10, 5.625)
    curves = {"train": train, "test": test, "validation": validation}
    measured = {name: _measured(points) for name, points in curves.items()}
    for name, points in measured.items():
        if points:
            fixed = name == "validation" and validation_n is not None
            key = f"figures.{kind}.{name}{'_fixed' if fixed else ''}"
            _draw_curve(axes, points, name, messages(key, x=points[-1][1], n=validation_n))
    epochs = sorted({epoch for points in curves.values() for epoch, _ in points})
    _set_epoch_axis(axes, epochs, messages)
    drawn = [value for points in measured.values() for _, value in points]
    _set_value_axis(axes, kind, drawn, messages)
    set_title(figure, with_note(messages(f"figures.{kind}.title"), note, messages))
    best = [point for point in measured["validation"] if point[0] == best_epoch]
    if best and len(validation) > 1:
        _mark_best(axes, *best[0], kind, messages)
    axes.legend(title=messages("figures.final_value"), handlelength=3)
    return figure


def _measured(points: Points) -> list[tuple[float, float]]:
    """The points that can be drawn."""
    return [(e, float(v)) for e, v in points if v is not None and math.isfinite(v)]


def _draw_curve(axes: Axes, points: list[tuple[float, float]], name: str, label: str) -> None:
    # From the last point backwards, which always has its mark.
    every = math.ceil(len(points) / MOST_MARKERS)
    marked = slice((len(points) - 1) % every, None, every)
    axes.plot(*zip(*points, strict=True), label=label, markevery=marked, **CURVES[name])


def _set_epoch_axis(axes: Axes, epochs: Sequence[float], messages: Messages) -> None:
    """Epochs from the first point to the last, or from the start where it lies in the first.

    Args:
        axes: of the picture.
        epochs: of all points, rising.
        messages: the reader's language.
    """
    first, last = epochs[0], epochs[-1]
    if first < 1 and first < last:
        axes.set_xlim(0, 1.03 * last)
        value_axis(axes.xaxis, messages, bins=8)
    else:
        margin = max(0.04 * (last - first), 0.25)
        axes.set_xlim(first - margin, last + margin)
        axes.set_xticks(_epoch_ticks(epochs))
        axes.xaxis.set_major_formatter(
            # The last epoch may be a part.
            FuncFormatter(lambda epoch, _: messages.significant(round(epoch, 2), 6))
        )
    axes.set_xlabel(messages("figures.epoch"))


def _epoch_ticks(epochs: Sequence[float]) -> list[float]:
    """Whole epochs, evenly spread and few enough to read; the last epoch too if it is a part."""
    first, last = math.ceil(epochs[0]), math.floor(epochs[-1])
    steps = (scale * step for scale in (1, 10, 100, 1000) for step in (1, 2, 5))
    step = next(step for step in steps if (last - first) / step < MOST_EPOCH_TICKS)
    whole = range(first, last + 1)
    ticks = [float(e) for e in whole if e == first or (e % step == (first if step == 2 else 0))]
    apart = 0.06 * (epochs[-1] - epochs[0])
    if epochs[-1] != last and (not ticks or epochs[-1] - ticks[-1] > apart):
        ticks.append(epochs[-1])
    return ticks


def _set_value_axis(axes: Axes, kind: str, values: list[float], messages: Messages) -> None:
    low, high = min(values, default=0.0), max(values, default=1.0)
    if kind == "loss":
        axes.set_ylim(0, 1.08 * high or 1.0)
    else:
        margin = 0.08 * (high - low) or 0.01
        axes.set_ylim(max(low - margin, -0.02), min(high + margin, 1 + 0.02 * (1 - low) + 1e-4))
    value_axis(axes.yaxis, messages, "percent" if kind == "accuracy" else "plain")
    axes.set_ylabel(messages(f"figures.{kind}.axis"))
    plain_axes(axes)


def _mark_best(axes: Axes, epoch: float, value: float, kind: str, messages: Messages) -> None:
    """A star on the validation curve, named above the axes where no curve can be in the way."""
    top = axes.get_ylim()[1]
    axes.plot([epoch, epoch], [value, top], color=GREY, linewidth=1, linestyle=(0, (2, 3)))
    draw_star(axes, epoch, value)
    left, right = axes.get_xlim()
    place = (epoch - left) / (right - left)
    axes.annotate(
        messages(f"figures.{kind}.best", epoch=epoch, x=value),
        xy=(epoch, 1),
        xycoords=axes.get_xaxis_transform(),
        xytext=(0, 5),
        textcoords="offset points",
        horizontalalignment="left" if place < 0.3 else "right" if place > 0.7 else "center",
        verticalalignment="bottom",
        fontsize=TICK,
        color=INK,
    )
