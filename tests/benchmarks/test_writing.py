"""What is written with a pen: as high and as thick as it says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from writing import Pen, line_of, other_mark, pen_for, written

from taller_cnn.data import Digits
from taller_cnn.reader.preparation import stroke_width


@pytest.mark.parametrize("width", [4.0, 9.0])
def test_a_digit_is_written_as_high_and_with_strokes_as_wide_as_the_pen_says(
    sample_digits: Digits, width: float
) -> None:
    pen = Pen(height=100, width=width)
    generator = np.random.default_rng(0)
    digits = [written(image.numpy()[0], pen, generator) for image in sample_digits.test.images[:8]]
    assert all(70 <= max(digit.shape) <= 130 for digit in digits)
    assert np.median([stroke_width(d) for d in digits]) == pytest.approx(width, rel=0.2)


def test_marks_stand_in_their_boxes_beside_each_other() -> None:
    pen, generator = Pen(height=60, width=5.0), np.random.default_rng(1)
    pieces = [other_mark(pen, generator) for _ in range(5)]
    ink, boxes = line_of(pieces, pen, generator)
    assert [(r - left, b - top) for left, top, r, b in boxes] == [p.shape[::-1] for p in pieces]
    assert all(one[2] < other[0] for one, other in itertools.pairwise(boxes))
    inside = np.zeros(ink.shape, dtype=bool)
    for left, top, right, bottom in boxes:
        inside[top:bottom, left:right] = True
    assert not ink[~inside].any()


def test_a_pencil_is_thin_and_grey() -> None:
    generator = np.random.default_rng(2)
    pens = [pen_for("photo", (40, 80), generator) for _ in range(200)]
    pencils = [pen for pen in pens if pen.grain > 0.15]
    assert 10 < len(pencils) < 100
    assert all(pen.width < 0.07 * pen.height and pen.darkness < 0.85 for pen in pencils)
    assert {pen_for("mouse", (40, 80), generator).darkness for _ in range(20)} == {1.0}
