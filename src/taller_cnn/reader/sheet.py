"""The sheet of paper, where a photo shows the table around it.

A table's grain and the sheet's own edge look like strokes. The sheet is the bright part with sharp
edges and little that is dark in it; a shadow's edges are soft. What is around it is painted over
with the paper next to it, so that no stage after this one sees it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from taller_cnn.reader.ink import otsu
from taller_cnn.reader.light import even_ground, reduced

Grey = NDArray[np.float32]
Mask = NDArray[np.bool_]

SIDE = 320
"""Longest side on which the sheet is looked for."""
LEAST_SHEET = 0.2
"""Of the picture."""
LEAST_CANVAS = 0.04
"""Of the picture."""
RECTANGULAR = 0.93
"""Least part of its box that an area to draw on covers; of a 0 that is filled up, 0.8."""
MOST_DRAWN = 0.5
"""Of such an area, most that strokes cover."""
LEAST_TABLE = 0.02
"""Of the picture; less is a strip that is told from writing by where it is."""
WHOLE = 0.8
"""Least part of the sheet's outline that is bright: what is written on it takes little."""
ALL_DARK = 0.8
"""The same of what is around it: where a digit is cut out close, paper lies beyond its strokes."""
DARKER = 0.15
"""How much darker, of 1, the table is than the sheet beside it."""
SHARP = 0.7
"""Least part of the step from sheet to table that the nearest pixels make; of a shadow's they make
less than half."""
NEAR, FAR = 2, 7
"""Pixels from the edge between which a step is looked at."""


def without_table(picture: Grey) -> tuple[Grey, tuple[int, int]]:
    """The part of a picture that shows the sheet, and where its left top corner was (x, y).

    Args:
        picture: ``float32 [H, W]``, 0 to 1.

    Returns:
        the picture itself and (0, 0) if it shows no table.
    """
    sheet = canvas_of(picture)
    if sheet is None:
        sheet = sheet_of(picture)
    if sheet is None:
        return picture, (0, 0)
    painted = _painted_over(picture, sheet)
    scale = max(picture.shape) / max(sheet.shape)
    rows, columns = np.flatnonzero(sheet.any(axis=1)), np.flatnonzero(sheet.any(axis=0))
    top, left = int(rows[0] * scale), int(columns[0] * scale)
    bottom, right = int((rows[-1] + 1) * scale), int((columns[-1] + 1) * scale)
    return painted[top:bottom, left:right], (left, top)


def canvas_of(picture: Grey) -> Mask | None:
    """Where something is drawn on areas of another tone than what is around them, as `sheet_of`.

    A saved figure, a screenshot, a blackboard in a white room: rectangles with sharp edges, lighter
    or darker, and something in each.
    """
    from scipy.ndimage import find_objects, label

    small = reduced(picture, SIDE)
    bright = small > otsu(small)
    best = np.zeros_like(bright)
    for tone in (bright, ~bright):
        labels, _ = label(tone)
        areas = np.zeros_like(tone)
        for index, place in enumerate(find_objects(labels), 1):
            rows, columns = (side.stop - side.start for side in place)
            share = rows * columns / tone.size
            if not LEAST_CANVAS <= share <= 1 - LEAST_TABLE or min(rows, columns) < 4 * FAR:
                continue
            area = np.zeros_like(tone)
            area[place] = _filled(labels[place] == index)
            if _is_drawn_on(area[place], tone[place]) and _stands_out(small, area):
                areas |= area
        if areas.sum() > best.sum():
            best = areas
    return _inner(best, NEAR) if best.any() else None


def _is_drawn_on(area: Mask, tone: Mask) -> bool:
    """Whether an area is a rectangle and a smaller part of it has another tone."""
    drawn = area & ~tone
    return bool(
        area.mean() > RECTANGULAR
        and drawn.sum() < MOST_DRAWN * area.sum()
        and _inner(drawn, 1).any()
    )


def _stands_out(small: Grey, area: Mask) -> bool:
    """Whether an area is lighter or darker than what is around it, with a sharp edge."""
    steps = [abs(_ring(small, area, k) - _ring(small, ~area, k)) for k in (NEAR, FAR)]
    return steps[1] > DARKER and steps[0] > SHARP * steps[1]


def sheet_of(picture: Grey) -> Mask | None:
    """Where the sheet is, ``bool`` with a longest side of `SIDE`; None if no table is around it."""
    small = reduced(picture, SIDE)
    if even_ground(reduced(small)) is not None:
        return None
    is_bright = small > otsu(small)
    bright = _largest(is_bright)
    sheet = _filled(bright)
    share = float(sheet.mean())
    if not LEAST_SHEET <= share <= 1 - LEAST_TABLE or bright.sum() < WHOLE * sheet.sum():
        return None
    if is_bright[~sheet].mean() > 1 - ALL_DARK:
        return None
    return _inner(sheet, NEAR) if _has_sharp_edge(small, sheet) else None


def _largest(mask: Mask) -> Mask:
    """The largest connected part, grain aside."""
    from scipy.ndimage import binary_opening, label

    labels, n = label(binary_opening(mask, np.ones((3, 3))))
    if not n:
        return np.zeros_like(mask)
    return np.asarray(labels == np.bincount(labels.ravel())[1:].argmax() + 1)


def _filled(mask: Mask) -> Mask:
    """What lies between parts of it in both directions: a sheet's outline has no bays."""
    result = mask
    for _ in range(2):
        across, down = (
            np.logical_or.accumulate(result, axis=axis)
            & np.flip(np.logical_or.accumulate(np.flip(result, axis), axis=axis), axis)
            for axis in (1, 0)
        )
        result = across & down
    return result


def _has_sharp_edge(small: Grey, sheet: Mask) -> bool:
    """Whether the picture falls from the sheet to the table, and at once."""
    return _ring(small, sheet, FAR) > _ring(small, ~sheet, FAR) and _stands_out(small, sheet)


def _ring(small: Grey, mask: Mask, distance: int) -> float:
    """Median of the pixels inside `mask` at that distance from its edge."""
    ring = _inner(mask, distance - 1) & ~_inner(mask, distance)
    return float(np.median(small[ring])) if ring.any() else 0.0


def _inner(mask: Mask, distance: int) -> Mask:
    """Without what is nearer to its edge; the picture's own edge is none."""
    from scipy.ndimage import binary_erosion

    if not distance:
        return mask
    return np.asarray(binary_erosion(mask, np.ones((3, 3)), distance, border_value=1))


def _painted_over(picture: Grey, sheet: Mask) -> Grey:
    """The table in the colour of the nearest paper."""
    from scipy.ndimage import distance_transform_edt, median_filter

    small = np.asarray(Image.fromarray(picture).resize(sheet.shape[::-1], Image.Resampling.BOX))
    nearest = distance_transform_edt(~sheet, return_distances=False, return_indices=True)
    paper = median_filter(small, 9)[tuple(nearest)]
    size = picture.shape[::-1]
    large = np.asarray(Image.fromarray(paper).resize(size, Image.Resampling.BILINEAR))
    inside = np.asarray(Image.fromarray(sheet).resize(size, Image.Resampling.NEAREST))
    return np.where(inside, picture, large)
