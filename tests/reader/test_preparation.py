"""MNIST's own size, place and stroke width, whatever a digit was written with."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from taller_cnn.data import Digits
from taller_cnn.reader.preparation import (
    BOX,
    FINE,
    USUAL,
    prepare,
    stroke_width,
    with_usual_strokes,
)


def test_mnist_enlarged_ten_times_comes_back(sample_digits: Digits) -> None:
    originals = sample_digits.test.images[:50, 0].numpy()
    alike = []
    for original in originals:
        large = np.kron(original.astype(np.float32) / 255, np.ones((10, 10), np.float32))
        alike.append(np.corrcoef(prepare(large).ravel(), original.ravel())[0, 1])
    assert np.mean(alike) > 0.99


def test_the_longest_side_is_20_pixels_and_the_aspect_is_kept() -> None:
    image = prepare(np.ones((300, 90), dtype=np.float32))
    rows, columns = image.any(axis=1), image.any(axis=0)
    assert (rows.sum(), columns.sum()) == (BOX, 6)


def test_the_centre_of_mass_is_in_the_middle() -> None:
    ink = np.zeros((100, 100), dtype=np.float32)
    ink[:80, :20] = 1
    ink[80:, :] = 1
    image = prepare(ink).astype(float)
    y, x = (np.average(np.arange(28), weights=image.sum(axis=axis)) for axis in (1, 0))
    assert abs(y - 14) <= 0.5
    assert abs(x - 14) <= 0.5


def test_no_ink_gives_an_empty_image() -> None:
    assert not prepare(np.zeros((10, 10), dtype=np.float32)).any()


def three(width: float, size: int = 200) -> NDArray[np.float32]:
    """Two arcs, one above the other, cut at their box; `width` in parts of the height."""
    rows, columns = np.mgrid[:size, :size] / size
    radius = (1 - width) / 4
    ink = np.zeros((size, size), dtype=bool)
    for middle in (0.5 - radius, 0.5 + radius):
        distance = np.hypot(rows - middle, columns - 0.5)
        ink |= (np.abs(distance - radius) < width / 2) & (columns > 0.45)
    kept = np.flatnonzero(ink.any(axis=0))
    return ink[:, kept[0] : kept[-1] + 1].astype(np.float32)


def mean_width(image: NDArray[np.uint8]) -> float:
    """In MNIST's pixels."""
    large = np.kron(image / np.float32(255), np.ones((4, 4), dtype=np.float32))
    return stroke_width(large) / 4


def test_the_width_of_a_bar_is_its_width() -> None:
    bar = np.zeros((200, 60), dtype=np.float32)
    bar[10:190, 20:32] = 1
    assert stroke_width(bar) == pytest.approx(12, rel=0.1)
    assert stroke_width(np.zeros((20, 20), dtype=np.float32)) == 0


@pytest.mark.parametrize("width", [0.015, 0.03, 0.1, 0.2])
def test_pencil_and_marker_come_out_with_the_weight_of_mnist(width: float) -> None:
    image = prepare(with_usual_strokes(three(width)))
    assert USUAL[0] - 0.5 < mean_width(image) < USUAL[1] + 0.7


def test_strokes_in_the_usual_range_are_left_as_they_are() -> None:
    ink = three(0.12)
    assert with_usual_strokes(ink) is ink


def test_nine_in_ten_of_mnist_are_in_the_usual_range(sample_digits: Digits) -> None:
    images = sample_digits.train.images[:150, 0].numpy() / np.float32(255)
    unit = FINE // 20
    widths = [stroke_width(np.kron(i, np.ones((unit, unit), np.float32))) / unit for i in images]
    inside = [USUAL[0] <= width <= USUAL[1] for width in widths]
    assert np.mean(inside) > 0.8


def test_no_ink_stays_no_ink() -> None:
    assert not with_usual_strokes(np.zeros((30, 20), dtype=np.float32)).any()
