"""Accuracy against distortions, as small multiples."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from taller_cnn.explain.robustness import Curve
from taller_cnn.figures.axes import plain_axes, value_axis
from taller_cnn.figures.style import BLUE, TICK, VERMILION, new_panels, set_title
from taller_cnn.messages import Messages

COLUMNS = 5
LOSS = 0.10


def robustness_figure(
    curves: Sequence[Curve], units: Sequence[str], names: Sequence[str], messages: Messages
) -> Figure:
    """A curve per distortion with its interval; a dotted line where ten points are lost.

    Args:
        curves: of one network.
        units: what each strength is.
        names: of the distortions.
        messages: the reader's language.
    """
    rows = math.ceil(len(curves) / COLUMNS)
    figure, grid = new_panels(17, 0.9 + 3.7 * rows, rows, COLUMNS, sharey=True)
    for axes in grid.flat[len(curves) :]:
        axes.set_axis_off()
    for axes, curve, unit, name in zip(grid.flat, curves, units, names, strict=False):
        x, y = np.array(curve.strengths), np.array(curve.accuracy)
        low, high = np.array(curve.intervals()).T
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
        axes.set_title(name)
        axes.set_xlabel(unit, fontsize=TICK)
    for axes in grid[:, 0]:
        axes.set_ylabel(messages("explain_robustness.accuracy"))
    set_title(figure, messages("explain_robustness.figure"))
    return figure
