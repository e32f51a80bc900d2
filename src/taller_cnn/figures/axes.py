"""Axes in the reader's numbers, for the pictures of all parts."""

from __future__ import annotations

import itertools
import math

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, Formatter, FuncFormatter, MaxNLocator, NullFormatter

from taller_cnn.figures.style import LINES, TICK
from taller_cnn.messages import Messages

__all__ = ["log_axis", "plain_axes", "signed_axis", "value_axis"]


def plain_axes(axes: Axes, *, grid: str = "both") -> None:
    """A light grid behind the data, without the frame's top and right."""
    axes.tick_params(labelsize=TICK)
    if grid == "both":
        axes.grid(color="#E2E2E2", linewidth=1)
    else:
        axes.grid(axis="x" if grid == "x" else "y", color="#E2E2E2", linewidth=1)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINES)


class _TickText(Formatter):
    """Numbers the reader's way, with as many decimals as the distance of the ticks needs."""

    def __init__(self, messages: Messages, *, signed: bool) -> None:
        self._messages = messages
        self._signed = signed

    def format_ticks(self, values: list[float]) -> list[str]:
        step = min((b - a for a, b in itertools.pairwise(values)), default=0.1)
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        return [self._text(round(value, decimals) + 0.0, decimals) for value in values]

    def _text(self, value: float, decimals: int) -> str:
        number = self._messages.number(abs(value), decimals)
        if value < 0:
            return "−" + number
        return "+" + number if self._signed and value else number


def value_axis(axis: Axis, messages: Messages, *, bins: int = 6) -> None:
    """A linear axis of plain numbers."""
    axis.set_major_locator(MaxNLocator(nbins=bins, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(_TickText(messages, signed=False))


def signed_axis(axis: Axis, messages: Messages, *, bins: int = 6) -> None:
    """A linear axis of differences, with their sign."""
    axis.set_major_locator(MaxNLocator(nbins=bins, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(_TickText(messages, signed=True))


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
