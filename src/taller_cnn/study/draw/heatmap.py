"""Two crossed factors as a map: the error of every combination, and how it compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from taller_cnn.figures.axes import log_axis
from taller_cnn.figures.style import HEADING, TICK, VERMILION, ink_on, new_figure, set_title
from taller_cnn.messages import Messages

COLOURS = "cividis_r"


@dataclass(frozen=True, kw_only=True)
class HeatCell:
    """One combination of levels."""

    error: float
    """Mean error in per cent; NaN or 0 has no colour."""
    heading: str
    lines: tuple[str, ...] = ()
    """What stands below the heading, in smaller letters."""
    is_reference: bool = False


def heatmap_figure(
    cells: Mapping[tuple[int, int], HeatCell],
    across: Sequence[str],
    down: Sequence[str],
    axes_labels: tuple[str, str],
    title: str,
    bar_label: str,
    messages: Messages,
) -> Figure:
    """The mean error of every combination as a colour, with what is to be said of it.

    Args:
        cells: by column and row, from the top left.
        across, down: names of the columns and rows.
        axes_labels: of both factors, the one across first.
        title: of the picture.
        bar_label: what the colour is.
        messages: the reader's language.
    """
    known = [cell.error for cell in cells.values() if cell.error > 0]
    low, high = (min(known), max(known)) if known else (0.1, 1.0)
    norm = LogNorm(low, max(high, 1.05 * low))
    figure, axes = new_figure(max(9.0, 2.9 * len(across) + 2.6), 1.45 * len(down) + 3.0)
    for place, cell in cells.items():
        _draw_cell(axes, place, cell, norm)
    axes.set_xlim(-0.5, len(across) - 0.5)
    axes.set_ylim(len(down) - 0.5, -0.5)
    axes.set_xticks(range(len(across)), across)
    axes.set_yticks(range(len(down)), down)
    axes.set_xlabel(axes_labels[0])
    axes.set_ylabel(axes_labels[1])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(ScalarMappable(norm, colormaps[COLOURS]), ax=axes, fraction=0.04)
    log_axis(bar.ax.yaxis, norm.vmin or low, norm.vmax or high, messages)
    bar.set_label(bar_label)
    set_title(figure, title)
    return figure


def _draw_cell(axes: Axes, place: tuple[int, int], cell: HeatCell, norm: LogNorm) -> None:
    x, y = place
    white = (1.0, 1.0, 1.0, 1.0)
    colour = colormaps[COLOURS](float(norm(cell.error))) if cell.error > 0 else white
    # Inside the cell, so that neighbours do not cover the frame of the reference.
    inset = 0.04 if cell.is_reference else 0.0
    axes.add_patch(
        Rectangle(
            (x - 0.5 + inset, y - 0.5 + inset),
            1 - 2 * inset,
            1 - 2 * inset,
            facecolor=colour,
            edgecolor=VERMILION if cell.is_reference else "white",
            linewidth=5 if cell.is_reference else 2,
        )
    )
    ink = ink_on(colour)
    axes.text(x, y - 0.16, cell.heading, ha="center", va="center", fontsize=HEADING, color=ink)
    text = "\n".join(cell.lines)
    axes.text(x, y + 0.2, text, ha="center", va="center", fontsize=TICK, color=ink)
