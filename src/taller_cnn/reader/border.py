"""Ink at the picture's border that is no writing: a corner in shadow, a strip of table, an edge.

It is left out before anything is learned from the ink: a shadow as strong as the writing would set
the level of ink and the width of strokes, and weld rows of digits to itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from taller_cnn.errors import Phrase
from taller_cnn.reader.ink import ink_mask
from taller_cnn.reader.marks import Box, Rejected, box_of

Grey = NDArray[np.float32]
Mask = NDArray[np.bool_]

ROUNDS = 3
"""What was hidden by a strong shadow may be a weaker one."""
MASSIVE = 0.45
"""Depth by shorter side from which a piece has no strokes: of a corner or a strip half and more."""
IN_CORNER = 0.2
"""The same of what holds a corner of the picture, where a vignette leaves a hollow triangle; the
strokes of the thickest marker have 0.15."""
BAND = 0.12
"""Part of the picture along its border; what lies in it mostly follows the border."""
IN_BAND = 0.75
"""Least part in the band of a piece that follows the border; of a 5 whose bar does, 0.6."""
COVERING = 0.8
"""Of both sides of the picture, that a digit cut out at its own box takes."""
FRAME = 0.75
"""Least part in the band of a frame around the picture; of a 0 that fills it, 0.7."""
LONG = 0.3
"""Of the picture's side that a piece follows; strokes of digits that touch it are shorter."""
HALO = 0.012
"""Of the picture's shorter side: how far a piece's soft edge goes on beyond it."""


def without_border(strength: Grey, noise: float) -> tuple[Grey, Mask, list[Rejected]]:
    """The ink that is written, which pixels have it, and what was left out at the border.

    Args:
        strength: ``float32 [H, W]``, from `light.ink_on_ground`.
        noise: its standard deviation where there is only paper.
    """
    rejected: list[Rejected] = []
    mask = ink_mask(strength, noise)
    left_out = np.zeros_like(mask)
    for _ in range(ROUNDS):
        alien, boxes = _alien(mask, left_out)
        if not boxes:
            break
        rejected += [Rejected(box=box, reason=Phrase("reader_edge")) for box in boxes]
        left_out |= _grown(alien, _halo(mask.shape) + 2)
        strength = np.where(left_out, np.float32(0), strength)
        mask = ink_mask(strength, noise)
    return strength, mask, rejected


def _halo(shape: tuple[int, ...]) -> int:
    return max(1, round(HALO * min(shape)))


def _grown(mask: Mask, by: int) -> Mask:
    from scipy.ndimage import maximum_filter

    return np.asarray(maximum_filter(mask.view(np.uint8), 2 * by + 1)).view(bool)


def _alien(mask: Mask, left_out: Mask) -> tuple[Mask, list[Box]]:
    """The pieces at the border that are no strokes of digits, and their boxes."""
    from scipy.ndimage import distance_transform_cdt, find_objects, label

    alien = np.zeros_like(mask)
    boxes: list[Box] = []
    if not _at_border(mask, left_out).any() or mask.all():
        return alien, boxes
    labels, _ = label(mask, np.ones((3, 3)), output=np.int32)
    touching = np.unique(_at_border(labels, left_out))
    # What reaches the border goes on beyond it.
    depth = distance_transform_cdt(mask, "chessboard")
    places = find_objects(labels)
    for index in touching[touching > 0]:
        place = places[index - 1]
        piece = labels[place] == index
        if _is_alien(piece, place, float(depth[place][piece].max()), mask.shape):
            alien[place] |= piece
            boxes.append(box_of(place))
    return alien, boxes


def _at_border(values: NDArray[Any], left_out: Mask) -> NDArray[Any]:
    """The values of the pixels along the border, and of those that were left out there."""
    near = _halo(values.shape)
    sides = (values[:near], values[-near:], values[:, :near], values[:, -near:], values[left_out])
    return np.concatenate([side.ravel() for side in sides])


def _is_alien(
    piece: Mask, place: tuple[slice, slice], depth: float, shape: tuple[int, ...]
) -> bool:
    """Whether a piece that touches the border is no stroke.

    Args:
        piece: its pixels in its box.
        place: the box.
        depth: distance of its innermost pixel from what is no ink.
        shape: of the picture.
    """
    extents = piece.shape
    near = _halo(shape)
    spans = [extent / side for extent, side in zip(extents, shape, strict=True)]
    touched = [
        (axis, end)
        for axis in (0, 1)
        for end, at in ((0, place[axis].start <= near), (1, place[axis].stop >= shape[axis] - near))
        if at
    ]
    in_band = _in_band(piece, place, touched, shape)
    corners = _corners_held(piece, place, shape, 4 * near)
    if min(spans) > COVERING:
        # A frame, or a digit cut out at its own box.
        return corners >= 3 and in_band > FRAME
    if corners and depth >= IN_CORNER * min(extents):
        return True
    # No stroke that comes in from the border, which is longer than it is wide.
    lies = any(extents[1 - axis] >= 0.5 * extents[axis] for axis, _ in touched)
    if lies and depth >= MASSIVE * min(extents):
        return True
    follows = any(spans[1 - axis] > LONG for axis, _ in touched)
    return follows and in_band >= IN_BAND


def _corners_held(
    piece: Mask, place: tuple[slice, slice], shape: tuple[int, ...], reach: int
) -> int:
    """How many corners of the picture a piece comes so near to, in pixels."""
    whole = np.zeros((2, 2), bool)
    rows, columns = place
    for end_y, end_x in np.ndindex(2, 2):
        y = slice(0, reach + 1) if end_y == 0 else slice(shape[0] - 1 - reach, shape[0])
        x = slice(0, reach + 1) if end_x == 0 else slice(shape[1] - 1 - reach, shape[1])
        part = piece[
            max(y.start - rows.start, 0) : max(y.stop - rows.start, 0),
            max(x.start - columns.start, 0) : max(x.stop - columns.start, 0),
        ]
        whole[end_y, end_x] = part.any()
    return int(whole.sum())


def _in_band(
    piece: Mask,
    place: tuple[slice, slice],
    touched: list[tuple[int, int]],
    shape: tuple[int, ...],
) -> float:
    """Part of the piece that is near a border that it touches."""
    near = np.zeros_like(piece)
    for axis, end in touched:
        at = np.arange(place[axis].start, place[axis].stop)
        away = at if end == 0 else shape[axis] - 1 - at
        near |= np.expand_dims(away < BAND * shape[axis], 1 - axis)
    return float(near[piece].mean())
