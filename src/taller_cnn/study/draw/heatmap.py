"""Two crossed factors as a map: the error of every combination, and how it compares."""

from __future__ import annotations

import math

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from taller_cnn.figures.axes import log_axis
from taller_cnn.figures.style import (
    HEADING,
    TICK,
    VERMILION,
    ink_on,
    new_figure,
    set_title,
    with_note,
)
from taller_cnn.messages import Messages
from taller_cnn.study.analysis import Level, QuestionAnalysis
from taller_cnn.study.labels import (
    capital,
    factor_label,
    interval_label,
    points,
    short_level,
    words_for,
)

COLOURS = "cividis_r"
GLYPHS = {"better": "▼ ", "worse": "▲ ", "unclear": "", "unknown": ""}


def heatmap_figure(
    question: QuestionAnalysis, messages: Messages, note: str | None = None
) -> Figure:
    """The mean validation error of every combination, with the difference from the reference.

    Args:
        question: a crossed question.
        messages: the reader's language.
        note: what the reader must know about the data; it becomes part of the title.
    """
    across = tuple(dict.fromkeys(level.levels[0] for level in question.levels))
    down = tuple(dict.fromkeys(level.levels[1] for level in question.levels))
    errors = [level.validation_error.mean for level in question.levels]
    known = [100 * error for error in errors if error > 0]
    low, high = (min(known), max(known)) if known else (0.1, 1.0)
    norm = LogNorm(low, max(high, 1.05 * low))
    words = words_for([question], messages)
    figure, axes = new_figure(max(9.0, 2.9 * len(across) + 2.6), 1.45 * len(down) + 3.0)
    differences = {effect.levels: effect.error for effect in question.effects}
    for level in question.levels:
        place = (across.index(level.levels[0]), down.index(level.levels[1]))
        lines = [messages("study_report.figure.not_measured")]
        if level.validation_error.n:
            lines = [messages("study_report.percent", x=level.validation_error.mean)]
            if level.is_reference:
                lines.append(words["baseline_name"])
            elif level.levels in differences:
                estimate = differences[level.levels]
                lines.append(GLYPHS[estimate.verdict] + points(estimate.value, messages))
                if not math.isnan(estimate.low):
                    lines.append(f"({interval_label(estimate.low, estimate.high, messages)})")
        _draw_cell(axes, place, level, lines, norm)
    _set_axes(axes, question, across, down, messages)
    bar = figure.colorbar(ScalarMappable(norm, colormaps[COLOURS]), ax=axes, fraction=0.04)
    log_axis(bar.ax.yaxis, norm.vmin or low, norm.vmax or high, messages)
    bar.set_label(capital(messages("study_report.figure.error_axis", **words)))
    heading = capital(messages("study_report.figure.heatmap", **words))
    set_title(figure, with_note(heading, note, messages))
    return figure


def _draw_cell(
    axes: Axes, place: tuple[int, int], level: Level, lines: list[str], norm: LogNorm
) -> None:
    x, y = place
    error = 100 * level.validation_error.mean
    colour = colormaps[COLOURS](float(norm(error))) if error > 0 else (1.0, 1.0, 1.0, 1.0)
    # Inside the cell, so that neighbours do not cover the frame of the reference.
    inset = 0.04 if level.is_reference else 0.0
    axes.add_patch(
        Rectangle(
            (x - 0.5 + inset, y - 0.5 + inset),
            1 - 2 * inset,
            1 - 2 * inset,
            facecolor=colour,
            edgecolor=VERMILION if level.is_reference else "white",
            linewidth=5 if level.is_reference else 2,
        )
    )
    ink = ink_on(colour)
    axes.text(x, y - 0.16, lines[0], ha="center", va="center", fontsize=HEADING, color=ink)
    axes.text(x, y + 0.2, "\n".join(lines[1:]), ha="center", va="center", fontsize=TICK, color=ink)


def _set_axes(
    axes: Axes,
    question: QuestionAnalysis,
    across: tuple[str, ...],
    down: tuple[str, ...],
    messages: Messages,
) -> None:
    first, second = question.factors
    axes.set_xlim(-0.5, len(across) - 0.5)
    axes.set_ylim(len(down) - 0.5, -0.5)
    axes.set_xticks(range(len(across)), [short_level(first, n, messages) for n in across])
    axes.set_yticks(range(len(down)), [short_level(second, n, messages) for n in down])
    axes.set_xlabel(capital(factor_label(first, messages)))
    axes.set_ylabel(capital(factor_label(second, messages)))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
