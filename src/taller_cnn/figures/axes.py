"""Axes in the reader's numbers, and the marks of charts, for the pictures of all parts."""

from __future__ import annotations

import itertools
import math
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, Formatter, FuncFormatter, MaxNLocator, NullFormatter

from taller_cnn.figures.style import INK, LINES, YELLOW
from taller_cnn.messages import Messages


def plain_axes(axes: Axes, *, grid: str = "both") -> None:
    """A light grid behind the data, ``x``, ``y`` or ``both``; no frame at the top and right."""
    if grid == "both":
        axes.grid()
    else:
        axes.grid(axis="x" if grid == "x" else "y")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINES)


def value_axis(
    axis: Axis,
    messages: Messages,
    kind: Literal["plain", "signed", "percent"] = "plain",
    *,
    bins: int = 6,
) -> None:
    """A linear axis in the reader's numbers.

    Args:
        axis: of the picture.
        messages: the reader's language.
        kind: numbers as they are, differences with their sign, or fractions read as per cent.
        bins: most distances between ticks.
    """
    # Without steps of 2.5, whose ticks need a digit more than their distance says.
    axis.set_major_locator(MaxNLocator(nbins=bins, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(_TickText(messages, kind))


class _TickText(Formatter):
    """Numbers the reader's way, with as many decimals as the distance of the ticks needs."""

    def __init__(self, messages: Messages, kind: str) -> None:
        self._messages = messages
        self._kind = kind

    def format_ticks(self, values: list[float]) -> list[str]:
        step = min((b - a for a, b in itertools.pairwise(values)), default=0.01)
        unit = 0.01 if self._kind == "percent" else 1.0
        decimals = max(0, -math.floor(math.log10(step / unit) + 1e-9))
        return [self._text(value / unit, decimals) for value in values]

    def _text(self, value: float, decimals: int) -> str:
        # Zero without the sign that a tick's rounding error can give it.
        value = round(value, decimals) + 0.0
        if self._kind == "percent":
            return self._messages.percent(value / 100, decimals)
        number = self._messages.number(abs(value), decimals)
        if value < 0:
            return "−" + number
        return "+" + number if self._kind == "signed" and value else number


def log_axis(axis: Axis, low: float, high: float, messages: Messages) -> None:
    """A logarithmic axis from `low` to `high`, with few round numbers."""
    ticks = _round_numbers(low, high)
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _compact(value, messages)))
    axis.set_minor_formatter(NullFormatter())
    axis.set_minor_locator(FixedLocator([]))


def _round_numbers(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, ... inside the range, fewer per decade the more decades there are."""
    decades = math.log10(high / low)
    steps = (1, 2, 5) if decades < 2.2 else (1, 3) if decades < 3.2 else (1,)
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    numbers = [step * 10.0**power for power in powers for step in steps]
    inside = [n for n in numbers if low * 0.999 <= n <= high * 1.001]
    if len(inside) > 3:
        return inside
    fine = [step * 10.0**power for power in powers for step in (1, 1.5, 2, 3, 4, 5, 7)]
    inside = [n for n in fine if low * 0.999 <= n <= high * 1.001]
    if len(inside) > 2:
        return inside
    even = MaxNLocator(nbins=5, steps=[1, 2, 5, 10]).tick_values(low, high)
    return [float(n) for n in even if low * 0.999 <= n <= high * 1.001]


def _compact(value: float, messages: Messages) -> str:
    if value >= 1e6:
        return messages("figures.million", value=messages.significant(value / 1e6, 3))
    if value >= 10:
        return messages.number(value, 0)
    return messages.significant(value, 3)


def draw_intervals(
    axes: Axes,
    x: npt.ArrayLike,
    values: npt.ArrayLike,
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    **style: Any,
) -> None:
    """Marks with their intervals, upright.

    Args:
        axes: of the picture.
        x: places of the marks ``[N]``.
        values: their heights ``[N]``.
        low, high: ends of the intervals ``[N]``; NaN for none.
        **style: colour, marker and label, as `Axes.errorbar`.
    """
    heights, below, above = (np.asarray(each, dtype=float) for each in (values, low, high))
    # At 0 and 1 rounding may put an end of an interval beyond the value.
    reach = np.nan_to_num(np.maximum([heights - below, above - heights], 0))
    usual = {"linestyle": "none", "markersize": 10, "elinewidth": 2.2, "capsize": 5}
    axes.errorbar(np.asarray(x), heights, yerr=reach, **{**usual, **style})


def draw_star(axes: Axes, x: float, y: float, label: str | None = None) -> None:
    """The mark of what matters most in a picture."""
    axes.plot(
        [x],
        [y],
        linestyle="none",
        marker="*",
        markersize=22,
        markerfacecolor=YELLOW,
        markeredgecolor=INK,
        markeredgewidth=1.5,
        zorder=5,
        label=label,
    )
