"""Connected pieces of ink, joined into digits; what cannot be a digit is rejected with a reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taller_cnn.errors import Phrase

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the picture; right and bottom are outside."""

SMALL_PART = 0.35
"""Of a digit's height: what is smaller, in both directions, is a piece of a digit or a speck."""
SOLID = 0.27
"""Depth by size from which a mark has no strokes; the thickest marker's have a third of that."""
LEAST_JOINED = 0.55
"""Width by height of two halves of a digit together: of MNIST's digits but 1, nine tenths are
wider, of two of them one above the other, nine tenths are more slender."""
MOST_MARKS = 1000
"""More pieces are a texture; the largest ones are looked at."""


DUST = 0.008
"""Of the picture's longer side; shorter pieces are not even reported."""
SMALL_PICTURE = 84
"""Longest side, in pixels, of a picture that has no dust."""


def box_of(place: tuple[slice, slice]) -> Box:
    """The box of rows and columns."""
    rows, columns = place
    return columns.start, rows.start, columns.stop, rows.stop


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A mark that is not read."""

    box: Box
    reason: Phrase


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Pieces of ink that make one digit, as far as their places tell."""

    box: Box
    pieces: tuple[int, ...]
    """Their labels."""

    @property
    def width(self) -> int:
        """In pixels."""
        return self.box[2] - self.box[0]

    @property
    def height(self) -> int:
        """In pixels."""
        return self.box[3] - self.box[1]

    @property
    def size(self) -> int:
        """The longer of both."""
        return max(self.width, self.height)

    def covers(self, labels: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which pixels are of its pieces."""
        # Of the few pieces that most marks have, sooner than `isin`, which sorts them.
        own: NDArray[np.bool_] = labels == self.pieces[0]
        for piece in self.pieces[1:]:
            own |= labels == piece
        return own


@dataclass(frozen=True, kw_only=True, eq=False)
class _Pieces:
    """All pieces: a row each."""

    boxes: NDArray[np.int_]
    areas: NDArray[np.float64]
    strengths: NDArray[np.float64]
    depths: NDArray[np.float64]
    """Radius of the widest disk that fits in."""


def marks_in(
    mask: NDArray[np.bool_], strength: NDArray[np.float32], *, single: bool
) -> tuple[NDArray[np.int32], list[Mark], list[Rejected]]:
    """Find the marks that can be digits.

    Args:
        mask: what is ink.
        strength: how strong it is.
        single: all that is written is one digit.

    Returns:
        the pieces' labels ``int32 [H, W]``, the marks in no order, and what was rejected.
    """
    labels, pieces = _pieces(mask, strength)
    kept = _plausible(pieces, mask.shape)
    if not kept:
        return labels, [], []
    marks, rejected = _one(pieces, kept) if single else _joined(pieces, kept)
    return labels, marks, rejected


def _pieces(
    mask: NDArray[np.bool_], strength: NDArray[np.float32]
) -> tuple[NDArray[np.int32], _Pieces]:
    from scipy.ndimage import distance_transform_cdt, find_objects, label

    # The chessboard's distance: a tenth of the time of the true one, and good enough here.
    depth = distance_transform_cdt(np.pad(mask, 1), "chessboard")[1:-1, 1:-1]
    labels, n = label(_bridged(mask, depth), np.ones((3, 3)), output=np.int32)
    labels[~mask] = 0
    places = find_objects(labels)
    more = _columns_apart(mask, labels, places)
    if more:
        n, places = n + more, find_objects(labels)
    # Of the ink alone: `scipy.ndimage.maximum` sorts all pixels, which takes longer than all else.
    owner = labels[mask]
    depths = np.zeros(n + 1)
    np.maximum.at(depths, owner, depth[mask])
    areas = np.bincount(owner, minlength=n + 1)[1:].astype(float)
    sums = np.bincount(owner, weights=strength[mask], minlength=n + 1)[1:]
    boxes = np.array([box_of(place) for place in places], dtype=int)
    return labels, _Pieces(
        boxes=boxes.reshape(-1, 4),
        areas=areas,
        strengths=sums / np.maximum(areas, 1),
        depths=depths[1:],
    )


def _bridged(mask: NDArray[np.bool_], depth: NDArray[np.int32]) -> NDArray[np.bool_]:
    """The ink with gaps bridged that are no wider than its strokes, as a pencil leaves them."""
    from scipy.ndimage import distance_transform_cdt

    if not mask.any():
        return mask
    # Across a stroke of width w the depth rises to w / 2: its mean is a quarter of w.
    width = 4 * float(depth[mask].mean()) - 1
    away = distance_transform_cdt(~mask, "chessboard")
    return np.asarray(away <= max(1, round(0.6 * width)))


def _columns_apart(
    mask: NDArray[np.bool_], labels: NDArray[np.int32], places: list[tuple[slice, slice]]
) -> int:
    """Take bridges away between digits one above the other; how many labels there are more.

    Args:
        mask: the ink.
        labels: its pieces with gaps bridged; digits of a column get labels of their own.
        places: rows and columns of each.
    """
    from scipy.ndimage import find_objects, label

    n = len(places)
    heights = np.array([rows.stop - rows.start for rows, _ in places])
    for index, place in enumerate(places, 1):
        rows, columns = place
        height, width = rows.stop - rows.start, columns.stop - columns.start
        others = heights[heights > 0.4 * height]
        usual = len(others) > 1 and height <= 1.25 * np.median(others)
        if usual or width > LEAST_JOINED * height:
            continue
        inner, _ = label((labels[place] == index) & mask[place], np.ones((3, 3)))
        starts, stops = np.array([(r.start, r.stop) for r, _ in find_objects(inner)]).T
        # Parts as high as half a digit and more, each wholly above the next.
        high = np.flatnonzero(stops - starts > 0.4 * (stops - starts).max())
        high = high[starts[high].argsort()]
        overlap = stops[high][:-1] - starts[high][1:]
        if len(high) < 2 or (overlap > 0.1 * (stops - starts).max()).any():
            continue
        middles = (starts + stops) / 2
        for row in high[1:]:
            n += 1
            nearest = np.abs(middles[:, None] - middles[high]).argmin(axis=1)
            labels[place][np.isin(inner, np.flatnonzero(high[nearest] == row) + 1)] = n
    return n - len(places)


def _plausible(pieces: _Pieces, shape: tuple[int, ...]) -> list[int]:
    """The pieces that are more than dust, those with most ink first."""
    if not len(pieces.boxes):
        return []
    longest = (pieces.boxes[:, 2:] - pieces.boxes[:, :2]).max(axis=1)
    # Of a small picture every pixel counts.
    dust = max(3.0, DUST * max(shape)) if max(shape) > SMALL_PICTURE else 0.0
    kept = np.flatnonzero(longest >= dust)
    ink = pieces.areas[kept] * pieces.strengths[kept]
    return [int(index) for index in kept[np.argsort(-ink, kind="stable")][:MOST_MARKS]]


def _box(row: NDArray[np.int_]) -> Box:
    left, top, right, bottom = (int(value) for value in row)
    return left, top, right, bottom


def _union(first: Box, second: Box) -> Box:
    return (
        min(first[0], second[0]),
        min(first[1], second[1]),
        max(first[2], second[2]),
        max(first[3], second[3]),
    )


def _mark(pieces: _Pieces, index: int) -> Mark:
    return Mark(box=_box(pieces.boxes[index]), pieces=(index + 1,))


def _merged(first: Mark, second: Mark) -> Mark:
    return Mark(box=_union(first.box, second.box), pieces=first.pieces + second.pieces)


def _gaps(first: Box, second: Box) -> tuple[int, int]:
    """Empty pixels between two boxes, across and down; negative where they overlap."""
    return (
        max(first[0], second[0]) - min(first[2], second[2]),
        max(first[1], second[1]) - min(first[3], second[3]),
    )


def _one(pieces: _Pieces, kept: list[int]) -> tuple[list[Mark], list[Rejected]]:
    """All ink near the greatest piece as one mark; specks and print left aside."""
    weights = pieces.areas * pieces.strengths * pieces.depths
    whole, *rest = (_mark(pieces, index) for index in sorted(kept, key=lambda i: -weights[i]))
    size = whole.size
    rejected = []
    for piece in sorted(rest, key=lambda piece: -piece.size):
        gap = max(_gaps(whole.box, piece.box))
        near = gap < (0.5 if piece.size > SMALL_PART * size else 0.15) * size
        area = pieces.areas[piece.pieces[0] - 1]
        large = piece.size > 0.12 * size and area > 0.02 * pieces.areas[whole.pieces[0] - 1]
        both = _merged(whole, piece)
        # Print is wider than what is written below it.
        fits = both.width < max(1.25 * whole.width, 0.9 * size) and both.height < 1.6 * size
        if near and large and fits:
            whole = both
        else:
            rejected.append(Rejected(box=piece.box, reason=Phrase("reader_speck")))
    return [whole], rejected


def _joined(pieces: _Pieces, kept: list[int]) -> tuple[list[Mark], list[Rejected]]:
    """The pieces of each digit together."""
    marks = [_mark(pieces, index) for index in kept]
    size = _digit_height(pieces, kept)
    marks = _stacked(_attached(marks, size))
    weights = {index + 1: pieces.areas[index] * pieces.strengths[index] for index in kept}
    inks = [sum(weights[p] for p in mark.pieces) for mark in marks]
    large = [ink for ink, mark in zip(inks, marks, strict=True) if mark.size > 0.5 * size]
    typical = float(np.median(large)) if large else 1.0
    digits, rejected = [], []
    for mark, ink in zip(marks, inks, strict=True):
        depth = max(float(pieces.depths[p - 1]) for p in mark.pieces)
        reason = _why_no_digit(mark, size, ink / typical, depth)
        if reason:
            rejected.append(Rejected(box=mark.box, reason=Phrase(reason)))
        else:
            digits.append(mark)
    return digits, rejected


def _digit_height(pieces: _Pieces, kept: list[int]) -> float:
    """The height of most of the ink: the median, every piece counting by its ink.

    Ink of thick strokes counts more, by their width: print is thinner than what is written
    beside it, and may be more.
    """
    boxes = pieces.boxes[kept]
    heights = (boxes[:, 3] - boxes[:, 1]).astype(float)
    weights = (pieces.areas * pieces.strengths * pieces.depths)[kept]
    order = heights.argsort()
    total = weights[order].cumsum()
    return float(heights[order][np.searchsorted(total, total[-1] / 2)])


def _attached(marks: list[Mark], size: float) -> list[Mark]:
    """Join pieces until none belongs to another one any more; the largest attract first."""
    marks = sorted(marks, key=lambda mark: -mark.size)
    done: list[Mark] = []
    boxes = np.zeros((len(marks), 4), int)
    for mark in marks:
        near = np.flatnonzero(_are_near(boxes[: len(done)], mark.box, 0.3 * size))
        owner = _owner(mark, done, near.tolist(), size)
        if owner is None:
            owner = len(done)
            done.append(mark)
        else:
            done[owner] = _merged(done[owner], mark)
        boxes[owner] = done[owner].box
    return done


def _are_near(boxes: NDArray[np.int_], box: Box, most: float) -> NDArray[np.bool_]:
    """Which boxes have a gap of at most so many pixels to another, across and down."""
    starts, ends = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
    return np.asarray((starts - ends <= most).all(axis=1))


def _owner(mark: Mark, others: list[Mark], near: list[int], size: float) -> int | None:
    """Which of the others near a piece is its digit: the nearest one that it fits."""
    best, nearest = None, float("inf")
    for index in near:
        if not _belongs(mark, others[index], size):
            continue
        across, down = _gaps(mark.box, others[index].box)
        distance = max(across, 0) + max(down, 0) + 0.01 * across
        if distance < nearest:
            best, nearest = index, distance
    return best


def _belongs(mark: Mark, other: Mark, size: float) -> bool:
    across, down = _gaps(mark.box, other.box)
    joined = _union(mark.box, other.box)
    most = 1.5 if mark.height < 0.4 * size else 1.3
    if joined[3] - joined[1] > most * size or joined[2] - joined[0] > 1.5 * size:
        return False
    if -across >= 0.8 * mark.width and -down >= 0.8 * mark.height:
        return True
    if mark.height > 0.8 * size:
        # As high as a digit: one itself, unless it stands inside the other one, as in a 4.
        return -across >= 0.8 * mark.width and mark.width < 0.35 * size
    if mark.size < SMALL_PART * size:
        return across < 0.12 * size and down < 0.25 * size
    beside = across < 0.1 * size and other.height > mark.height
    above = -across >= 0.4 * min(mark.width, other.width) and down < 0.25 * size
    return above or (beside and down < 0.15 * size)


def _stacked(marks: list[Mark]) -> list[Mark]:
    """Halves of a broken digit, one above the other, that only look like digits by their size.

    Joined they have the shape of a digit and are no higher than the other digits, if there are
    any. Two digits of a column, or of two rows, are too slender together.
    """
    heights = np.array([mark.height for mark in marks])
    pairs = _continuing(marks)
    above, below = Counter(lower for _, lower in pairs), Counter(upper for upper, _ in pairs)
    gone: set[int] = set()
    joined = []
    for upper, lower in pairs:
        both = _merged(marks[upper], marks[lower])
        others = np.delete(heights, [upper, lower])
        large = others[others > 0.4 * both.height]
        usual = not large.size or both.height <= 1.25 * float(np.median(large))
        # A third mark above or below: a column.
        alone = not (above[upper] or below[lower])
        # Halves, and not print above a digit.
        halves = min(marks[upper].height, marks[lower].height) > 0.25 * both.height
        shaped = halves and both.width >= LEAST_JOINED * both.height
        if usual and alone and shaped and not gone & {upper, lower}:
            gone |= {upper, lower}
            joined.append(both)
    return [*(mark for index, mark in enumerate(marks) if index not in gone), *joined]


def _continuing(marks: list[Mark]) -> list[tuple[int, int]]:
    """Which marks stand above which others like the parts of one digit, from the top."""
    boxes = np.array([mark.box for mark in marks], np.int32).reshape(-1, 4)
    order = boxes[:, 1].argsort(kind="stable")
    first, second = boxes[order, None], boxes[None]
    starts, ends = (first[..., :2], second[..., :2]), (first[..., 2:], second[..., 2:])
    gaps = np.maximum(*starts) - np.minimum(*ends)
    sides = np.maximum(*ends) - np.minimum(*starts)
    (across, down), (width, height) = (np.moveaxis(both, 2, 0) for both in (gaps, sides))
    widths = boxes[:, 2] - boxes[:, 0]
    overlap = -across >= 0.3 * np.minimum(widths[order, None], widths)
    below = second[..., 1] > first[..., 1]
    near = (down < 0.2 * height) & (across < 0.1 * height)
    shaped = (overlap | (width < 0.6 * height)) & (width < 1.2 * height)
    pairs = np.argwhere(below & near & shaped)
    return [(int(order[i]), int(j)) for i, j in pairs]


def _why_no_digit(mark: Mark, size: float, ink: float, depth: float) -> str | None:
    """The key of the reason, or None for what can be a digit.

    Args:
        mark: what is judged.
        size: height of a digit.
        ink: of the mark, as a part of what digits have.
        depth: radius of the widest disk that fits in.
    """
    if mark.size < SMALL_PART * size or ink < 0.05:
        return "reader_speck"
    if depth > SOLID * mark.size:
        return "reader_smudge"
    if mark.height < 0.25 * size and mark.width > 2.5 * mark.height:
        return "reader_dash"
    if mark.height > 3 * size or mark.width > 6 * size:
        return "reader_large"
    return None
