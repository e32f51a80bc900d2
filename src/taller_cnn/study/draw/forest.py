"""Every level against the reference, with simultaneous intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from taller_cnn.figures.forest import ForestMark, ForestRow, draw_forest, forest_legend
from taller_cnn.figures.style import (
    BLUE,
    GREY,
    INK,
    TICK,
    VERMILION,
    new_panels,
    set_title,
    shrink_to,
)
from taller_cnn.messages import Messages

VERDICTS = {
    "better": (BLUE, "v"),
    "worse": (VERMILION, "^"),
    "unclear": (GREY, "o"),
    "unknown": (INK, "x"),
}
"""Colour and marker of each."""

WIDTH = 14.0  # inches
ROW = 0.42  # inches: a line of text and air
HEAD = 1.55  # inches for a panel's heading and axis
SCREEN = 10.0  # inches; beside that width, about what a projector shows


@dataclass(frozen=True, kw_only=True)
class ForestPanel:
    """The comparisons of one question."""

    heading: str
    """What varies."""
    context: str
    """In which training, with how many seeds and digits."""
    rows: tuple[ForestRow, ...]


def verdict_mark(verdict: str, messages: Messages) -> ForestMark:
    """Colour, shape and legend of a verdict."""
    label = messages(f"study_report.mark.{verdict}")
    return ForestMark(label, *VERDICTS[verdict], verdict != "unclear")


def forest_figure(
    panels: Sequence[ForestPanel], title: str, axis: str, messages: Messages
) -> Figure:
    """A forest plot: a panel for each question, each with a scale of its own.

    Args:
        panels: each with at least one row.
        title: of the picture.
        axis: what the differences are.
        messages: the reader's language.
    """
    ratios = [len(panel.rows) * ROW + HEAD for panel in panels]
    figure, grid = new_panels(WIDTH, _height(panels), len(ratios), 1, height_ratios=ratios)
    for axes, panel in zip(grid[:, 0], panels, strict=True):
        draw_forest(axes, panel.rows, messages)
        heading = axes.set_title(f"{panel.heading}\n{panel.context}", loc="left", fontsize=TICK)
        shrink_to(heading, WIDTH - 3)
    grid[-1, 0].set_xlabel(axis)
    present = {row.mark for panel in panels for row in panel.rows}
    marks = [mark for verdict in VERDICTS if (mark := verdict_mark(verdict, messages)) in present]
    handles = forest_legend(marks)
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    set_title(figure, title)
    return figure


def pages(panels: Iterable[ForestPanel]) -> list[tuple[ForestPanel, ...]]:
    """The panels in order, as many together as a screen shows; at least one to each page."""
    made: list[tuple[ForestPanel, ...]] = []
    for panel in panels:
        if made and _height((*made[-1], panel)) <= SCREEN:
            made[-1] = (*made[-1], panel)
        else:
            made.append((panel,))
    return made


def _height(panels: Sequence[ForestPanel]) -> float:
    rows = sum(len(panel.rows) for panel in panels)
    return rows * ROW + len(panels) * HEAD + 1.4
