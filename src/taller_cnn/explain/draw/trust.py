"""Certainty: reliability, accuracy against coverage, and what is said of strangers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from taller_cnn.calibration import CoverageCurve, ReliabilityBin
from taller_cnn.figures.axes import draw_intervals, plain_axes, value_axis
from taller_cnn.figures.style import (
    BLUE,
    GREY,
    INK,
    LABEL,
    TICK,
    VERMILION,
    new_figure,
    new_panels,
    set_title,
)
from taller_cnn.messages import Messages

LEAST_COVERAGE = 0.7
"""Where the coverage axis begins: with fewer answers hardly any network makes mistakes."""


def reliability_figure(
    plain: Sequence[ReliabilityBin],
    tempered: Sequence[ReliabilityBin] | None,
    temperature: float | None,
    messages: Messages,
) -> Figure:
    """Accuracy against confidence, as the network states it and at its temperature.

    Args:
        plain: bins of the stated confidences.
        tempered: bins of those at `temperature`, if there is one.
        temperature: as fitted.
        messages: the reader's language.
    """
    figure, axes = new_figure(13.333, 8)
    words = messages("explain_trust.calibration.perfect")
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=2, label=words)
    _draw_bins(axes, plain, BLUE, "o", messages("explain_trust.calibration.plain"))
    if tempered is not None and temperature is not None:
        label = messages("explain_trust.calibration.tempered", temperature=temperature)
        _draw_bins(axes, tempered, VERMILION, "s", label, shift=0.006)
    for one in plain:
        # Below the axis of accuracy 0, where no interval reaches.
        axes.text(
            one.confidence, -0.055, messages.number(one.n, 0), fontsize=12, ha="center", color=BLUE
        )
    axes.text(-0.015, -0.055, messages("explain_trust.calibration.n"), fontsize=12, color=BLUE)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.08, 1.03))
    value_axis(axes.xaxis, messages, "percent")
    value_axis(axes.yaxis, messages, "percent")
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_xticks(np.linspace(0, 1, 6))
    plain_axes(axes)
    axes.set_xlabel(messages("explain_trust.calibration.x"))
    axes.set_ylabel(messages("explain_trust.calibration.y"))
    axes.legend(fontsize=LABEL, loc="upper left")
    set_title(figure, messages("explain_trust.calibration.figure"))
    return figure


def _draw_bins(
    axes: Axes,
    bins: Sequence[ReliabilityBin],
    colour: str,
    marker: str,
    label: str,
    shift: float = 0.0,
) -> None:
    low, high = np.array([b.interval for b in bins]).T
    draw_intervals(
        axes,
        np.array([b.confidence for b in bins]) + shift,
        [b.accuracy for b in bins],
        low,
        high,
        color=colour,
        marker=marker,
        label=label,
    )


def coverage_figure(curve: CoverageCurve, messages: Messages) -> Figure:
    """Accuracy of the answers against the share of digits that get one.

    Args:
        curve: of the test digits.
        messages: the reader's language.
    """
    figure, axes = new_figure(13.333, 6.4)
    shown = curve.coverage >= LEAST_COVERAGE
    axes.plot(curve.coverage[shown], curve.accuracy[shown], color=BLUE, linewidth=3)
    everything = float(curve.accuracy[-1])
    axes.plot(1, everything, marker="o", markersize=12, color=VERMILION)
    axes.annotate(
        messages("explain_trust.coverage.all", x=everything),
        (1, everything),
        xytext=(18, -5),
        textcoords="offset points",
        fontsize=LABEL,
    )
    axes.invert_xaxis()
    value_axis(axes.xaxis, messages, "percent")
    value_axis(axes.yaxis, messages, "percent")
    plain_axes(axes)
    axes.set_xlabel(messages("explain_trust.coverage.x"))
    axes.set_ylabel(messages("explain_trust.coverage.y"))
    set_title(figure, messages("explain_trust.coverage.figure"))
    return figure


def strangers_figure(
    confidences: Mapping[str, npt.NDArray[np.float64]],
    threshold: float | None,
    messages: Messages,
) -> Figure:
    """How sure the network is of its own kind of pictures and of others: a histogram each.

    Args:
        confidences: by kind; ``own`` are the test digits.
        threshold: confidence from which on an answer is accepted, if there is one.
        messages: the reader's language.
    """
    height = 1.4 + 1.55 * len(confidences)
    figure, grid = new_panels(13.333, height, len(confidences), 1, sharex=True)
    rows = grid[:, 0]
    edges = np.linspace(0, 1, 41)
    for axes, (name, values) in zip(rows, confidences.items(), strict=True):
        colour = BLUE if name == "own" else VERMILION
        axes.hist(
            values, edges, weights=np.full(len(values), 1 / len(values)), color=colour, alpha=0.85
        )
        words = messages(f"explain_trust.strangers.name.{name}")
        if threshold is not None:
            axes.axvline(threshold, color=INK, linestyle="--", linewidth=2)
            accepted = float((values >= threshold).mean())
            words = messages("explain_trust.strangers.row", name=words, accepted=accepted)
        axes.set_title(words, fontsize=TICK, loc="left", pad=4)
        axes.set_yticks([])
        axes.spines[["top", "right", "left"]].set_visible(False)
    rows[-1].set_xlim(0, 1.005)
    value_axis(rows[-1].xaxis, messages, "percent")
    rows[-1].set_xlabel(messages("explain_trust.strangers.x"))
    key = "figure" if threshold is not None else "figure_plain"
    set_title(figure, messages(f"explain_trust.strangers.{key}", threshold=threshold))
    return figure
