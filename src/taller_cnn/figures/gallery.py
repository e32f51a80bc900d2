"""A sheet of images in rows and columns, with captions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from taller_cnn.figures.style import DPI, GREY, HEADING, new_sheet, set_title, shrink_to

WIDTH, MARGIN, LABELS = 13.333, 0.35, 2.3  # inches
SIDE, GAP = 1.3, 0.2  # inches: an image at most, and the least distance to the next
BETWEEN_BLOCKS = 0.24  # inches more, so that blocks under headings are seen as such
CAPTION_SIZE = 14  # points, less for long names
LINE = 0.25  # inches that a line of a caption takes


@dataclass(frozen=True, kw_only=True, eq=False)
class Tile:
    """One image with its words."""

    image: npt.NDArray[np.uint8]
    """``[H, W]``, 255 = full ink."""
    caption: str = ""
    colour: str = GREY
    """Of the frame."""
    thick: bool = False
    """A thick frame; colour alone says nothing to who cannot tell colours apart."""


_Placed = tuple[int, int, Tile]
"""An image with its row and column."""
Extent = tuple[float, float, float, float]
"""Left, right, bottom and top in the units of the axes."""


def gallery_figure(
    rows: Sequence[Sequence[Tile | None]],
    title: str,
    *,
    labels: Sequence[str] = (),
    headings: Mapping[int, str] | None = None,
    columns: int = 8,
) -> Figure:
    """Images in rows, all of a size.

    Args:
        rows: at least one row with at least one image, all ``[H, W]`` of one size; None leaves
            its place empty.
        title: of the figure.
        labels: what stands to the left of each row; none, or one per row.
        headings: what stands over a column and those after it, up to the next heading.
        columns: images that fill the width; more, if a row has more.
    """
    columns = max(columns, *map(len, rows))
    layout = _Layout(rows, title, columns, bool(labels), headings or {})
    figure, axes = new_sheet(WIDTH, layout.height)
    set_title(figure, title)
    tiles = [(r, c, tile) for r, row in enumerate(rows) for c, tile in enumerate(row) if tile]
    _draw_images(axes, tiles, layout)
    _write_captions(axes, tiles, layout)
    for row, label in enumerate(labels):
        middle = layout.top(row) + layout.side / 2
        written = axes.text(MARGIN, middle, label, fontsize=HEADING, va="center")
        shrink_to(written, LABELS - 0.15)
    for column, heading in (headings or {}).items():
        place = layout.left(column), layout.top(0) - 0.15
        written = axes.text(*place, heading, fontsize=HEADING, fontweight="bold")
        shrink_to(written, layout.width_from(column))
    return figure


class _Layout:
    """Where each image lies, in inches from the top left.

    All of them lie on one grid of their pixels, so that they can be drawn as one image: forty of
    them take as long as all the rest of the sheet. A pixel is a whole number of the file's dots.
    """

    def __init__(
        self,
        rows: Sequence[Sequence[Tile | None]],
        title: str,
        columns: int,
        has_labels: bool,
        headings: Mapping[int, str],
    ) -> None:
        tiles = [tile for row in rows for tile in row if tile]
        self._blocks = sorted(column for column in headings if column)
        self._columns = columns
        start = MARGIN + (LABELS if has_labels else 0.0)
        width = WIDTH - MARGIN - start - BETWEEN_BLOCKS * len(self._blocks)
        pitch = width / self._columns
        across: int = max(tile.image.shape[1] for tile in tiles)
        dots: int = max(1, round(min(SIDE, pitch - GAP) * DPI / across))
        self.pixel = dots / DPI
        self.side = across * self.pixel
        self._pitch = math.floor(pitch / self.pixel)
        lines = max(tile.caption.count("\n") + 1 for tile in tiles)
        self._step = math.ceil((self.side + lines * LINE + 0.25) / self.pixel)
        self._x = start + (pitch - self.side) / 2
        self._y = 0.5 + 0.35 * (title.count("\n") + 1 + bool(headings))
        self.height = self._y + len(rows) * self._step * self.pixel + 0.1

    def corner(self, row: int, column: int) -> tuple[int, int]:
        """Top and left of an image in pixels from the first image's."""
        between = sum(block <= column for block in self._blocks) * BETWEEN_BLOCKS / self.pixel
        return row * self._step, column * self._pitch + round(between)

    def top(self, row: int) -> float:
        return self._y + self.corner(row, 0)[0] * self.pixel

    def left(self, column: int) -> float:
        return self._x + self.corner(0, column)[1] * self.pixel

    @property
    def caption_width(self) -> float:
        return self._pitch * self.pixel - GAP

    def width_from(self, column: int) -> float:
        """From an image to the next block."""
        end = min((block for block in self._blocks if block > column), default=self._columns)
        return (end - column) * self._pitch * self.pixel


def _draw_images(axes: Axes, tiles: Sequence[_Placed], layout: _Layout) -> None:
    corners = [layout.corner(row, column) for row, column, _ in tiles]
    shapes = [tile.image.shape for _, _, tile in tiles]
    height = max(top + h for (top, _), (h, _) in zip(corners, shapes, strict=True))
    width = max(left + w for (_, left), (_, w) in zip(corners, shapes, strict=True))
    sheet = np.zeros((height, width), dtype=np.uint8)
    for (row, column, tile), (top, left), (h, w) in zip(tiles, corners, shapes, strict=True):
        sheet[top : top + h, left : left + w] = tile.image
        frame = Rectangle(
            (layout.left(column), layout.top(row)),
            w * layout.pixel,
            h * layout.pixel,
            fill=False,
            edgecolor=tile.colour,
            linewidth=5 if tile.thick else 2,
        )
        axes.add_artist(frame)  # and not as a patch, which would look for its limits
    x, y = layout.left(0), layout.top(0)
    draw_ink(axes, sheet, (x, x + width * layout.pixel, y + height * layout.pixel, y))


def draw_ink(
    axes: Axes, image: npt.NDArray[Any], extent: Extent | None = None, full: float = 255
) -> None:
    """Draw an image ``[H, W]`` with its ink in black: 0 is the paper, `full` full ink.

    Without an extent the axes have the image's shape.
    """
    axes.imshow(
        image,
        "gray_r",
        vmin=0,
        vmax=full or 1.0,
        extent=extent,
        aspect="auto" if extent else "equal",
        interpolation="nearest",
    )


def draw_signed(
    axes: Axes, values: npt.NDArray[Any], reach: float, extent: Extent | None = None
) -> AxesImage:
    """Draw values ``[H, W]``: white is zero, blue above and red below, full at `reach`.

    Without an extent the axes have the shape of the values.
    """
    return axes.imshow(
        values,
        "RdBu",
        vmin=-(reach or 1.0),
        vmax=reach or 1.0,
        extent=extent,
        aspect="auto" if extent else "equal",
        interpolation="nearest",
    )


def _write_captions(axes: Axes, tiles: Sequence[_Placed], layout: _Layout) -> None:
    """Write what stands under each image, all as small as the longest needs."""
    written = [
        axes.text(
            layout.left(column) + layout.side / 2,
            layout.top(row) + layout.side + 0.08,
            tile.caption,
            fontsize=CAPTION_SIZE,
            ha="center",
            va="top",
            linespacing=1.1,
        )
        for row, column, tile in tiles
        if tile.caption
    ]
    for text in written:
        shrink_to(text, layout.caption_width)
    smallest = min((float(text.get_fontsize()) for text in written), default=CAPTION_SIZE)
    for text in written:
        text.set_fontsize(smallest)
