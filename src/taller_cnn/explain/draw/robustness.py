"""Accuracy against distortions, as small multiples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from taller_cnn.figures.axes import plain_axes, value_axis
from taller_cnn.figures.style import BLUE, TICK, VERMILION, new_panels, set_title
from taller_cnn.messages import Messages

COLUMNS = 5
LOSS = 0.10


@dataclass(frozen=True, kw_only=True, eq=False)
class Panel:
    """One distortion."""

    name: str
    unit: str
    """Of its strength."""
    strengths: npt.NDArray[np.float64]
    """``[S]``, from none on."""
    accuracy: npt.NDArray[np.float64]
    """At each strength, as a fraction."""
    interval: npt.NDArray[np.float64]
    """Of each, ``[S, 2]``."""


def robustness_figure(panels: Sequence[Panel], messages: Messages) -> Figure:
    """A curve per distortion with its interval; a dotted line where ten points are lost.

    Args:
        panels: a distortion each.
        messages: the reader's language.
    """
    rows = math.ceil(len(panels) / COLUMNS)
    figure, grid = new_panels(17, 0.9 + 3.7 * rows, rows, COLUMNS, sharey=True)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for axes, panel in zip(grid.flat, panels, strict=False):
        x, y = panel.strengths, panel.accuracy
        low, high = panel.interval.T
        axes.fill_between(x, low, high, color=BLUE, alpha=0.25, linewidth=0)
        axes.plot(x, y, color=BLUE, marker="o", linewidth=2.5, markersize=6)
        axes.axhline(y[0] - LOSS, color=VERMILION, linestyle=":", linewidth=2)
        plain_axes(axes)
        value_axis(axes.xaxis, messages, bins=4)
        value_axis(axes.yaxis, messages, "percent")
        axes.set_ylim(0, 1.02)
        if x[0] > x[-1]:
            # The undistorted digit is always at the left.
            axes.set_xlim(x[0] + 0.04 * abs(x[0] - x[-1]), x[-1] - 0.04 * abs(x[0] - x[-1]))
        axes.set_title(panel.name)
        axes.set_xlabel(panel.unit, fontsize=TICK)
    for axes in grid[:, 0]:
        axes.set_ylabel(messages("explain_robustness.accuracy"))
    set_title(figure, messages("explain_robustness.figure"))
    return figure
