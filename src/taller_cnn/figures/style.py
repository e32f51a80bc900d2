"""What all figures share: sizes, colours, titles, and how they are drawn and saved.

Colours are those of Okabe & Ito (2008), which colour-blind people can tell apart, and nothing is
said by colour alone. Sizes are those of a slide.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from taller_cnn.files import atomic_path
from taller_cnn.messages import Messages

DPI = 150
COMPRESSION = 3
"""Of PNG files: less takes as long, and more takes longer than it saves on the disk."""
SMALLEST = 9
"""Compression of those with a palette, which are a third as many bytes to begin with."""
TITLE, HEADING, LABEL, TICK = 21, 18, 17, 15  # points
BLUE, VERMILION, GREEN, YELLOW = "#0072B2", "#D55E00", "#009E73", "#F0E442"
INK, GREY, NEUTRAL, LINES, GRID = "#1A1A1A", "#6B6B6B", "#DCDCDC", "#BDBDBD", "#E2E2E2"

STYLE: dict[str, Any] = {
    "figure.dpi": DPI,
    "figure.titlesize": TITLE,
    "figure.labelsize": LABEL,
    "figure.constrained_layout.w_pad": 0.12,
    "figure.constrained_layout.h_pad": 0.12,
    "axes.titlesize": HEADING,
    "axes.labelsize": LABEL,
    "axes.axisbelow": True,
    "xtick.labelsize": TICK,
    "ytick.labelsize": TICK,
    "legend.fontsize": TICK,
    "legend.title_fontsize": TICK,
    "legend.framealpha": 0.9,
    "grid.color": GRID,
    "grid.linewidth": 1.0,
}
_SETTINGS: dict[Any, Any] = {
    # Without the backend, which the context would not restore and which nothing here uses.
    **{name: value for name, value in matplotlib.rcParamsDefault.items() if name != "backend"},
    **STYLE,
}
_one_at_a_time = threading.RLock()


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib's defaults with the style of the house, whatever the reader's settings are.

    Figures have to be made and drawn inside, because their parts look settings up at both times.
    The settings are the whole process's, so that other threads wait here.
    """
    with _one_at_a_time, matplotlib.rc_context(_SETTINGS):
        yield


def save_figure(draw: Callable[[], Figure], path: Path, colours: int = 0) -> None:
    """Draw a figure in the style of the house and write it as PNG, all of it or nothing.

    Args:
        draw: makes the figure. A function, because a figure that is already made has taken over
            the reader's settings.
        path: of the file.
        colours: at most so many in a palette (2 to 256), for a file of a third of the size whose
            colours are off by a few per cent; 0 for all of them as they are.

    Raises:
        OutputError: the file cannot be written.
    """
    with house_style():
        canvas = draw().canvas
        assert isinstance(canvas, FigureCanvasAgg), "figures are made by the functions below"
        # `Figure.savefig` would lay everything out in a drawing of its own, before this one.
        canvas.draw()  # type: ignore[no-untyped-call]
        pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    image = Image.fromarray(pixels).convert("RGB")
    compression = COMPRESSION
    if colours:
        # Median cut, the usual way, follows area: thin lines are off by up to 60 levels of 255,
        # with maximum coverage by 13 (measured on the pages of `explain`).
        way = Image.Quantize.MAXCOVERAGE
        image = image.quantize(colours, method=way, dither=Image.Dither.NONE)
        compression = SMALLEST
    with atomic_path(path) as temporary:
        image.save(temporary, "png", compress_level=compression, dpi=(DPI, DPI))


def new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of that size in inches with one axes, laid out when it is drawn."""
    figure = _empty(width, height, layout="constrained")
    return figure, figure.add_subplot()


def new_panels(
    width: float, height: float, rows: int, columns: int, **options: Any
) -> tuple[Figure, Any]:
    """A figure of that size in inches with axes ``[rows, columns]``, laid out when it is drawn.

    Args:
        width, height: in inches.
        rows, columns: of the panels.
        **options: as `Figure.subplots`.
    """
    figure = _empty(width, height, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def new_sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of that size with one axes all over it, whose units are inches from the top left.

    For many pictures on one page: axes for each would take most of a second to draw.
    """
    figure = _empty(width, height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, width), ylim=(height, 0))
    return figure, axes


def _empty(width: float, height: float, layout: Literal["constrained"] | None = None) -> Figure:
    figure = Figure(figsize=(width, height), layout=layout)
    # With the canvas that it is drawn on; each measuring of a text would make a new one.
    FigureCanvasAgg(figure)
    return figure


def with_note(title: str, note: str | None, messages: Messages) -> str:
    """The title, and under it what the reader must know about the data."""
    return messages("figures.noted", title=title, note=note) if note else title


def set_title(figure: Figure, title: str) -> None:
    """Write the title above everything, in letters as large as the width allows."""
    # A layout engine finds the title's place itself, if it is not given one.
    place = {} if figure.get_layout_engine() else {"y": 1 - 0.15 / figure.get_figheight()}
    shrink_to(figure.suptitle(title, **place), figure.get_figwidth() - 0.4)


def shrink_to(text: Text, width: float) -> None:
    """Make the letters smaller if the text is wider than `width` inches."""
    figure = text.get_figure(root=True)
    assert figure is not None
    taken = text.get_window_extent().width / figure.dpi
    if taken > width:
        text.set_fontsize(float(text.get_fontsize()) * width / taken)


def ink_on(colour: npt.ArrayLike) -> str:
    """Black or white ink, whichever stands out more (relative luminance of WCAG 2.1).

    Args:
        colour: red, green and blue from 0 to 1; what follows them is ignored.
    """
    rgb = np.asarray(colour, dtype=np.float64)[:3]
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return "black" if float(linear @ [0.2126, 0.7152, 0.0722]) > 0.179 else "white"
