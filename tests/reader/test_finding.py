from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from taller_cnn.data import Digits
from taller_cnn.errors import Phrase
from taller_cnn.reader.finding import (
    Options,
    _Ink,
    _may_be_around,
    find,
    lines_of,
    slope_of,
)
from taller_cnn.reader.marks import Mark, Rejected

STEP = 90


def page_of(digits: Digits, n: int, *, columns: int) -> NDArray[np.uint8]:
    """The first test digits, three times as large, dark on light in rows."""
    rows = -(-n // columns)
    page = np.full((rows * STEP + 20, columns * STEP + 20), 230, dtype=np.uint8)
    for index in range(n):
        top, left = 10 + STEP * (index // columns), 10 + STEP * (index % columns)
        ink = np.kron(digits.test.images[index, 0].numpy(), np.ones((3, 3)))
        page[top : top + 84, left : left + 84] = 230 - ink * (200 / 255)
    return page


@pytest.mark.parametrize("light_on_dark", [False, True])
def test_rows_of_digits_are_found_in_reading_order(
    sample_digits: Digits, light_on_dark: bool
) -> None:
    page = page_of(sample_digits, 8, columns=4)
    found = find(255 - page if light_on_dark else page)
    assert found.lines == (0, 0, 0, 0, 1, 1, 1, 1)
    places = [((left - 10) // STEP, (top - 10) // STEP) for left, top, _, _ in found.boxes]
    assert places == [(x, y) for y in range(2) for x in range(4)]


def test_digits_come_back_much_as_mnist_has_them(sample_digits: Digits) -> None:
    found = find(page_of(sample_digits, 12, columns=4))
    originals = sample_digits.test.images[:12, 0].numpy()
    alike = [
        np.corrcoef(image.ravel(), original.ravel())[0, 1]
        for image, original in zip(found.images28, originals, strict=True)
    ]
    # A centre of mass that is rounded the other way moves a digit by a pixel.
    assert np.mean(alike) > 0.9


def test_an_empty_page_has_no_digits() -> None:
    noise = np.random.default_rng(0).normal(220, 3, (300, 400)).clip(0, 255).astype(np.uint8)
    assert find(noise).boxes == ()


def test_the_lines_of_squared_paper_are_not_read(sample_digits: Digits) -> None:
    page = page_of(sample_digits, 3, columns=3).astype(float)
    grid = np.full_like(page, 1.0)
    grid[25::50] = grid[26::50] = 0.75
    grid[:, 25::50] = grid[:, 26::50] = 0.75
    assert len(find((page * grid).astype(np.uint8)).boxes) == 3


def test_what_is_written_from_edge_to_edge_is_no_line_of_the_paper() -> None:
    picture = np.full((300, 200), 255, np.uint8)
    picture[:, 99:103] = 0
    (box,) = find(picture).boxes
    np.testing.assert_allclose(box, (99, 0, 103, 300), atol=2)


def test_neighbours_with_a_narrow_gap_can_be_cut() -> None:
    picture = np.full((200, 300), 255, np.uint8)
    # Two ones, 10 pixels thick, 5 apart.
    picture[50:150, 100:110] = picture[50:150, 115:125] = 0
    found = find(picture)
    (split,) = found.splits
    assert {(part.start, part.stop) for part in split.parts if part.ink < 0.1}


def test_parts_of_touching_digits_have_boxes_inside_the_picture() -> None:
    picture = np.full((60, 130), 255, np.uint8)
    picture[5:55, :8] = picture[5:55, 122:] = picture[28:34] = 0
    for split in find(picture).splits:
        boxes = np.array(split.boxes)
        assert boxes.min() >= 0
        assert (boxes[:, 2:] <= (130, 60)).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()


@pytest.mark.parametrize("light_on_dark", [False, True])
@pytest.mark.parametrize("single", [False, True])
def test_a_digit_cut_out_at_its_own_box_is_found_whole(
    sample_digits: Digits, light_on_dark: bool, single: bool
) -> None:
    for image in sample_digits.test.images[:20, 0].numpy():
        rows, columns = np.flatnonzero(image.max(1) > 40), np.flatnonzero(image.max(0) > 40)
        tight = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        large = np.asarray(
            Image.fromarray(tight).resize((tight.shape[1] * 10, tight.shape[0] * 10))
        )
        (box,) = find(large if light_on_dark else 255 - large, Options(single=single)).boxes
        np.testing.assert_allclose(box, (0, 0, large.shape[1], large.shape[0]), atol=20)


@pytest.mark.parametrize(("marks", "side", "may"), [(3, 30, True), (6, 30, False), (1, 80, False)])
def test_only_a_few_small_marks_can_be_what_a_digit_cut_out_close_leaves(
    marks: int, side: int, may: bool
) -> None:
    nothing = np.zeros((100, 200), np.float32)
    ink = _Ink(flat=nothing, strength=nothing, labels=nothing.astype(np.int32), margin=2)
    small = [Mark(box=(x, 10, x + side, 40), pieces=(x + 1,)) for x in range(marks)]
    edge = [Rejected(box=(0, 0, 200, 5), reason=Phrase("reader_edge"))]
    assert _may_be_around((ink, small, edge), anything=False) is may
    assert not _may_be_around((ink, small, []), anything=False)


@pytest.mark.parametrize(("page", "ground"), [(255, 0), (0, 255), (200, 30)])
def test_only_the_digit_in_a_canvas_of_another_tone_is_found(page: int, ground: int) -> None:
    picture = np.full((600, 800), page, np.uint8)
    picture[100:380, 120:400] = ground
    picture[180:300, 250:262] = picture[288:300, 250:310] = page
    (box,) = find(picture).boxes
    np.testing.assert_allclose(box, (250, 180, 310, 300), atol=3)


def test_a_hairline_leaves_as_much_ink_as_a_pen() -> None:
    rows, columns = np.mgrid[:800, :800]
    away = np.abs(np.hypot(rows - 400, columns - 400) - 300)
    thin, thick = (
        find(np.where(away < width / 2, 0, 255).astype(np.uint8)).images28[0] for width in (1, 50)
    )
    assert thin.astype(float).sum() > 0.4 * thick.astype(float).sum()


@pytest.mark.parametrize("inverted", [False, True])
def test_an_image_as_the_data_set_has_it_is_left_as_it_is(
    sample_digits: Digits, inverted: bool
) -> None:
    originals = sample_digits.test.images[:200, 0].numpy()
    same = [
        np.array_equal(find(255 - image if inverted else image).images28[0], image)
        for image in originals
    ]
    assert np.mean(same) > 0.97


def test_a_vignette_leaves_nothing_in_the_corners(sample_digits: Digits) -> None:
    page = page_of(sample_digits, 8, columns=4)
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in page.shape), indexing="ij")
    found = find((page * (1 - 0.35 * np.hypot(x, y) ** 3)).astype(np.uint8))
    assert found.lines == (0, 0, 0, 0, 1, 1, 1, 1)


# ------------------------------------------------------------------------- lines of writing


def marks(*places: tuple[float, float]) -> list[Mark]:
    """Marks of 40 by 60 pixels with their middles there."""
    boxes = [(round(x) - 20, round(y) - 30, round(x) + 20, round(y) + 30) for x, y in places]
    return [Mark(box=box, pieces=(1,)) for box in boxes]


def two_lines(slope: float) -> list[Mark]:
    wobble = np.random.default_rng(0).normal(0, 3, 12)
    return marks(
        *((60 * i, 200 + line * 100 + slope * 60 * i + wobble[6 * line + i])
          for line in range(2) for i in range(6))
    )  # fmt: skip


@pytest.mark.parametrize("slope", [-0.25, -0.1, 0.0, 0.1, 0.25])
def test_the_slope_of_slanted_lines_is_found(slope: float) -> None:
    written = two_lines(slope)
    found = slope_of(written)
    assert found == pytest.approx(slope, abs=0.04)
    assert lines_of(written, found) == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]


def test_order_is_by_line_and_then_from_left_to_right() -> None:
    written = marks((200, 300), (300, 50), (100, 55), (50, 310), (200, 45))
    assert lines_of(written, 0.0) == [[2, 4, 1], [3, 0]]


def test_two_marks_have_no_slope_and_none_no_lines() -> None:
    assert slope_of(marks((0, 0), (60, 30))) == 0
    assert lines_of([], 0.0) == []
