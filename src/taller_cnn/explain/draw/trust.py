"""Certainty: reliability, accuracy against coverage, and what is said of strangers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from taller_cnn.calibration import CoverageCurve, ReliabilityBin
from taller_cnn.figures.style import (
    BLUE,
    GREY,
    INK,
    LABEL,
    TICK,
    VERMILION,
    new_figure,
    set_title,
)
from taller_cnn.messages import Messages

__all__ = ["coverage_figure", "reliability_figure", "strangers_figure"]

LEAST_COVERAGE = 0.7
"""Where the coverage axis begins: with fewer answers hardly any network makes mistakes."""


def _percent_axis(axis: Axis, messages: Messages, decimals: int = 0) -> None:
    axis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda x, _: messages.percent(x, decimals)))


def _plain(axes: Axes) -> None:
    axes.tick_params(labelsize=TICK)
    axes.grid(color="#E2E2E2")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


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
    _percent_axis(axes.xaxis, messages)
    _percent_axis(axes.yaxis, messages)
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_xticks(np.linspace(0, 1, 6))
    _plain(axes)
    axes.set_xlabel(messages("explain_trust.calibration.x"), fontsize=LABEL)
    axes.set_ylabel(messages("explain_trust.calibration.y"), fontsize=LABEL)
    axes.legend(fontsize=LABEL, loc="upper left")
    set_title(figure, messages("explain_trust.calibration.figure"), None, messages)
    return figure


def _draw_bins(
    axes: Axes,
    bins: Sequence[ReliabilityBin],
    colour: str,
    marker: str,
    label: str,
    shift: float = 0.0,
) -> None:
    height = np.array([b.accuracy for b in bins])
    low, high = np.array([b.interval for b in bins]).T
    axes.errorbar(
        np.array([b.confidence for b in bins]) + shift,
        height,
        yerr=np.maximum([height - low, high - height], 0),
        fmt=marker,
        color=colour,
        markersize=10,
        linewidth=2.2,
        capsize=5,
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
    _percent_axis(axes.xaxis, messages)
    lowest, highest = axes.get_ylim()
    _percent_axis(axes.yaxis, messages, 1 if highest - lowest < 0.05 else 0)
    _plain(axes)
    axes.set_xlabel(messages("explain_trust.coverage.x"), fontsize=LABEL)
    axes.set_ylabel(messages("explain_trust.coverage.y"), fontsize=LABEL)
    set_title(figure, messages("explain_trust.coverage.figure"), None, messages)
    return figure


def strangers_figure(
    confidences: Mapping[str, npt.NDArray[np.float64]], threshold: float, messages: Messages
) -> Figure:
    """How sure the network is of its own kind of pictures and of others: a histogram each.

    Args:
        confidences: by kind; ``own`` are the test digits.
        threshold: confidence from which on an answer is accepted.
        messages: the reader's language.
    """
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(13.333, 1.4 + 1.55 * len(confidences)))
    figure.set_layout_engine(ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08))
    rows = figure.subplots(len(confidences), 1, sharex=True, squeeze=False)[:, 0]
    edges = np.linspace(0, 1, 41)
    for axes, (name, values) in zip(rows, confidences.items(), strict=True):
        colour = BLUE if name == "own" else VERMILION
        axes.hist(
            values, edges, weights=np.full(len(values), 1 / len(values)), color=colour, alpha=0.85
        )
        axes.axvline(threshold, color=INK, linestyle="--", linewidth=2)
        accepted = float((values >= threshold).mean())
        words = messages(
            "explain_trust.strangers.row",
            name=messages(f"explain_trust.strangers.name.{name}"),
            accepted=accepted,
        )
        axes.set_title(words, fontsize=TICK, loc="left", pad=4)
        axes.set_yticks([])
        axes.tick_params(labelsize=TICK)
        axes.spines[["top", "right", "left"]].set_visible(False)
    rows[-1].set_xlim(0, 1.005)
    _percent_axis(rows[-1].xaxis, messages)
    rows[-1].set_xlabel(messages("explain_trust.strangers.x"), fontsize=LABEL)
    title = messages("explain_trust.strangers.figure", threshold=threshold)
    set_title(figure, title, None, messages)
    return figure
