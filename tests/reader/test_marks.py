"""Pieces of ink joined into digits, and what is rejected with which reason."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from taller_cnn.reader.marks import Mark, Rejected, marks_in

Mask = NDArray[np.bool_]


def page(*rectangles: tuple[int, int, int, int]) -> Mask:
    """Ink in rectangles: left, top, right, bottom."""
    mask = np.zeros((300, 500), dtype=bool)
    for left, top, right, bottom in rectangles:
        mask[top:bottom, left:right] = True
    return mask


def ring(mask: Mask, x: int, y: int, radius: float = 38, width: float = 8) -> Mask:
    rows, columns = np.mgrid[: mask.shape[0], : mask.shape[1]]
    return np.asarray(mask | (np.abs(np.hypot(rows - y, columns - x) - radius) < width / 2))


def found(mask: Mask, *, single: bool = False) -> tuple[list[Mark], list[Rejected]]:
    _, marks, rejected = marks_in(mask, mask.astype(np.float32), single=single)
    return sorted(marks, key=lambda mark: mark.box), rejected


def reasons(rejected: list[Rejected]) -> list[str]:
    return sorted(each.reason.key for each in rejected)


def test_digits_beside_each_other_stay_apart() -> None:
    marks, rejected = found(ring(ring(page(), 100, 150), 200, 150))
    assert [mark.box[0] // 50 for mark in marks] == [1, 3]
    assert not rejected


def test_the_pieces_of_a_broken_5_are_one_digit() -> None:
    body = ((100, 100, 108, 158), (100, 150, 150, 158), (142, 150, 150, 190))
    five = page((118, 94, 150, 102), *body)
    marks, _ = found(ring(five, 300, 140))
    assert len(marks) == 2
    assert marks[0].box == (100, 94, 150, 190)


def test_the_two_strokes_of_a_4_are_one_digit() -> None:
    four = page((100, 100, 107, 145), (100, 145, 135, 152), (142, 98, 149, 190))
    marks, _ = found(ring(four, 300, 140))
    assert marks[0].box == (100, 98, 149, 190)


def test_a_speck_beside_a_digit_is_rejected() -> None:
    marks, rejected = found(ring(page((300, 140, 306, 146)), 100, 150))
    assert len(marks) == 1
    assert reasons(rejected) == ["reader_speck"]
    assert rejected[0].box == (300, 140, 306, 146)


def test_a_dash_and_a_smudge_are_rejected() -> None:
    rows, columns = np.mgrid[:300, :500]
    smudge = np.hypot(rows - 150, columns - 400) < 30
    mask = ring(ring(page((260, 148, 340, 155)), 60, 150), 180, 150) | smudge
    marks, rejected = found(mask)
    assert [mark.box[0] // 50 for mark in marks] == [0, 2]
    assert reasons(rejected) == ["reader_dash", "reader_smudge"]


def test_a_drawing_far_larger_than_the_digits_is_rejected() -> None:
    mask = page((380, 20, 386, 280), (380, 20, 470, 26))
    for x in (40, 120, 200, 280):
        mask = ring(mask, x, 150, radius=24, width=14)
    marks, rejected = found(mask)
    assert len(marks) == 4
    assert reasons(rejected) == ["reader_large"]


def test_a_digit_that_fills_its_picture_is_no_edge() -> None:
    mask = np.zeros((112, 112), dtype=bool)
    mask[:, 45:70] = True
    marks, _ = found(mask, single=True)
    assert [mark.box for mark in marks] == [(45, 0, 70, 112)]


def test_a_single_digit_has_all_its_pieces_and_no_specks() -> None:
    five = ((200, 100, 260, 110), (200, 130, 210, 180), (210, 170, 260, 200))
    mask = page(*five, (450, 20, 454, 24))
    marks, rejected = found(mask, single=True)
    assert [mark.box for mark in marks] == [(200, 100, 260, 200)]
    assert reasons(rejected) == ["reader_speck"]


def test_digits_of_a_column_stay_apart_however_close() -> None:
    # Gaps of 4 pixels, which a bridge as wide as the strokes reaches over.
    mask = ring(ring(ring(page(), 100, 45), 100, 129), 100, 213)
    marks, rejected = found(mask)
    assert [mark.box[1] // 80 for mark in marks] == [0, 1, 2]
    assert not rejected


def test_two_digits_one_above_the_other_are_no_broken_one() -> None:
    marks, _ = found(ring(ring(page(), 100, 80, radius=34), 106, 165, radius=34))
    assert len(marks) == 2


def test_print_beside_a_digit_is_not_of_it() -> None:
    letters = [(x, 28, x + 12, 46) for x in range(60, 300, 15)]
    mask = ring(page(), 150, 150, radius=70, width=14)
    for left, top, right, bottom in letters:
        mask[top:bottom, left : left + 3] = mask[top : top + 3, left:right] = True
    (single,), _ = found(mask, single=True)
    (mark,), rejected = found(mask)
    for digit in (single, mark):
        np.testing.assert_allclose(digit.box, (73, 73, 227, 227), atol=2)
    assert set(reasons(rejected)) <= {"reader_speck", "reader_dash"}


def test_a_blank_page_has_no_marks() -> None:
    assert found(page()) == ([], [])


def test_every_digit_of_a_page_that_is_broken_in_two_is_joined() -> None:
    places = [(x, y) for y in range(10, 1400, 140) for x in range(10, 1850, 120)]
    mask = np.zeros((1420, 1920), dtype=bool)
    for x, y in places:
        # A 2, whose upper half leaves a gap below it that no bridge reaches.
        mask[y : y + 9, x : x + 60] = mask[y : y + 36, x + 51 : x + 60] = True
        mask[y + 48 : y + 81, x : x + 9] = mask[y + 81 : y + 90, x : x + 60] = True
        mask[y + 48 : y + 57, x : x + 40] = True
    marks, rejected = found(mask)
    assert [mark.box for mark in marks] == sorted((x, y, x + 60, y + 90) for x, y in places)
    assert not rejected


def test_blots_in_two_columns_are_one_piece_and_no_fault() -> None:
    # So near to each other that they are bridged, and each as high as its neighbour at the side.
    mask = np.zeros((560, 120), dtype=bool)
    for top in range(10, 540, 42):
        mask[top : top + 30, 10:40] = mask[top : top + 30, 52:82] = True
    labels, marks, _ = marks_in(mask, mask.astype(np.float32), single=False)
    assert (labels > 0).sum() == mask.sum()
    assert {int(piece) for mark in marks for piece in mark.pieces} <= set(
        np.unique(labels).tolist()
    )
