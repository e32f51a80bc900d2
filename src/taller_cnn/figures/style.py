"""What all figures share: sizes, colours, titles, and how they are saved.

Colours are those of Okabe & Ito (2008), which colour-blind people can tell apart, and nothing is
said by colour alone. Sizes are those of a slide.
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text

from taller_cnn.files import atomic_path
from taller_cnn.messages import Messages

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "HEADING",
    "INK",
    "LABEL",
    "LINES",
    "NEUTRAL",
    "TICK",
    "TITLE",
    "VERMILION",
    "YELLOW",
    "new_figure",
    "save_figure",
    "set_title",
    "shrink_to",
]

DPI = 150
TITLE, HEADING, LABEL, TICK = 21, 18, 17, 15  # points
BLUE, VERMILION, GREEN, YELLOW = "#0072B2", "#D55E00", "#009E73", "#F0E442"
INK, GREY, NEUTRAL, LINES = "#1A1A1A", "#6B6B6B", "#DCDCDC", "#BDBDBD"


def new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of that size in inches with one axes, laid out when it is drawn."""
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
    return figure, figure.add_subplot()


def set_title(figure: Figure, title: str, note: str | None, messages: Messages) -> None:
    """Write the title, and under it what the reader must know about the data."""
    text = messages("figures.noted", title=title, note=note) if note else title
    # A layout engine finds the title's place itself, if it is not given one.
    place = {} if figure.get_layout_engine() else {"y": 1 - 0.15 / figure.get_figheight()}
    written = figure.suptitle(text, fontsize=TITLE, **place)
    shrink_to(written, figure.get_figwidth() - 0.4)


def shrink_to(text: Text, width: float) -> None:
    """Make the letters smaller if the text is wider than `width` inches."""
    figure = text.get_figure(root=True)
    assert figure is not None
    taken = text.get_window_extent().width / figure.dpi
    if taken > width:
        text.set_fontsize(float(text.get_fontsize()) * width / taken)


def save_figure(figure: Figure, path: Path) -> None:
    """Write `figure` to `path`, in the format of its suffix, all of it or nothing.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=DPI)
