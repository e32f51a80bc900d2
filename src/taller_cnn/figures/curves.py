"""Loss and accuracy over the epochs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, Formatter, FuncFormatter, MaxNLocator

from taller_cnn.figures.style import (
    BLUE,
    GREY,
    INK,
    LABEL,
    TICK,
    VERMILION,
    YELLOW,
    new_figure,
    set_title,
)
from taller_cnn.messages import Messages

__all__ = ["curve_figure"]

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

Values = Sequence[float | None]


def curve_figure(
    kind: Literal["loss", "accuracy"],
    epochs: Sequence[float],
    train: Values,
    test: Values | None,
    validation: Values | None,
    best_epoch: float | None,
    messages: Messages,
    note: str | None = None,
) -> Figure:
    """Loss or accuracy over the epochs.

    Args:
        kind: which of the two; it chooses the words and how numbers are written.
        epochs: position of each point in passes over the training digits; the last may be a
            fraction of an epoch.
        train, test, validation: one value per epoch, accuracies as fractions; None where there
            was no measurement.
        best_epoch: the epoch with the best validation value, which gets a mark; None for no mark.
        messages: the reader's language.
        note: what the reader must know about the data; it becomes part of the title.
    """
    figure, axes = new_figure(10, 5.625)
    drawn = []
    for name, values in (("train", train), ("test", test), ("validation", validation)):
        points = _measured(epochs, values)
        if points:
            _draw_curve(axes, points, name, messages(f"figures.{kind}.{name}", x=points[-1][1]))
            drawn += [value for _, value in points]
    _set_epoch_axis(axes, epochs, messages)
    _set_value_axis(axes, kind, drawn, messages)
    set_title(figure, messages(f"figures.{kind}.title"), note, messages)
    best = [point for point in _measured(epochs, validation) if point[0] == best_epoch]
    if best and len(epochs) > 1:
        _mark_best(axes, *best[0], kind, messages)
    legend = axes.legend(
        title=messages("figures.final_value"), fontsize=TICK, title_fontsize=TICK, handlelength=3
    )
    legend.get_frame().set_alpha(0.9)
    return figure


def _measured(epochs: Sequence[float], values: Values | None) -> list[tuple[float, float]]:
    """The points that can be drawn: epoch and value."""
    if values is None:
        return []
    pairs = zip(epochs, values, strict=True)
    return [(e, float(v)) for e, v in pairs if v is not None and math.isfinite(v)]


def _draw_curve(axes: Axes, points: list[tuple[float, float]], name: str, label: str) -> None:
    every = math.ceil(len(points) / MOST_MARKERS)
    axes.plot(*zip(*points, strict=True), label=label, markevery=every, **CURVES[name])


def _set_epoch_axis(axes: Axes, epochs: Sequence[float], messages: Messages) -> None:
    margin = max(0.04 * (epochs[-1] - epochs[0]), 0.25)
    axes.set_xlim(epochs[0] - margin, epochs[-1] + margin)
    axes.xaxis.set_major_locator(FixedLocator(_epoch_ticks(epochs)))
    axes.xaxis.set_major_formatter(
        # The last epoch may be a part.
        FuncFormatter(lambda epoch, _: messages.significant(round(epoch, 2), 6))
    )
    axes.set_xlabel(messages("figures.epoch"), fontsize=LABEL)


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
    # Without steps of 2.5, whose ticks need a digit more than their distance says.
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(_ValueFormatter(messages, as_percent=kind == "accuracy"))
    axes.set_ylabel(messages(f"figures.{kind}.axis"), fontsize=LABEL)
    axes.tick_params(labelsize=TICK)
    axes.grid(color="#E2E2E2", linewidth=1)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


class _ValueFormatter(Formatter):
    """Axis numbers the reader's way, with as many decimals as the distance of the ticks needs."""

    def __init__(self, messages: Messages, *, as_percent: bool) -> None:
        self._messages = messages
        self._as_percent = as_percent

    def format_ticks(self, values: list[float]) -> list[str]:
        step = float(np.diff(values).min()) if len(values) > 1 else 0.01
        if self._as_percent:
            decimals = _decimals(100 * step)
            return [self._messages.percent(_no_minus(x, decimals + 2), decimals) for x in values]
        decimals = _decimals(step)
        return [self._messages.number(_no_minus(x, decimals), decimals) for x in values]


def _decimals(step: float) -> int:
    """Decimals that tell apart numbers a `step` of 1, 2 or 5 units apart."""
    return max(0, -math.floor(math.log10(step) + 1e-9))


def _no_minus(x: float, decimals: int) -> float:
    """`x` rounded, and zero without the sign that a tick's rounding error can give it."""
    return round(x, decimals) + 0.0


def _mark_best(axes: Axes, epoch: float, value: float, kind: str, messages: Messages) -> None:
    """A star on the validation curve, named above the axes where no curve can be in the way."""
    top = axes.get_ylim()[1]
    axes.plot([epoch, epoch], [value, top], color=GREY, linewidth=1, linestyle=(0, (2, 3)))
    axes.plot(
        [epoch],
        [value],
        linestyle="none",
        marker="*",
        markersize=20,
        markerfacecolor=YELLOW,
        markeredgecolor=INK,
        markeredgewidth=1.5,
        zorder=5,
    )
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
