"""Ruled and squared paper: its lines go, the strokes of digits stay."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from taller_cnn.reader.ruling import ruling, without_ruling

Grey = NDArray[np.float32]

HEIGHT, WIDTH = 300, 400
NOISE = 0.01


def lines(*, squared: bool, slope: float = 0.0) -> NDArray[np.bool_]:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    result = np.mod(y - slope * x, 40) < 2
    if squared:
        result |= np.mod(x + slope * y, 40) < 2
    return np.asarray(result)


def digits() -> dict[str, NDArray[np.bool_]]:
    """A 1, a 7 and a 4 of straight strokes, 90 pixels high and 7 thick."""
    one, seven, four = (np.zeros((HEIGHT, WIDTH), dtype=bool) for _ in range(3))
    one[100:190, 60:67] = True
    # Its bar lies on a line of the paper, as people write.
    seven[118:125, 150:210] = True
    for row in range(125, 205):
        seven[row, 265 - row // 2 : 272 - row // 2] = True
    four[100:150, 290:297] = True
    four[145:152, 290:345] = True
    four[110:195, 320:327] = True
    return {"1": one, "7": seven, "4": four}


def page(paper_lines: NDArray[np.bool_], darkness: float) -> Grey:
    noise = np.random.default_rng(0).normal(0, NOISE, (HEIGHT, WIDTH))
    strength = np.where(paper_lines, darkness, 0) + noise
    for ink in digits().values():
        strength[ink] = 0.8
    return strength.astype(np.float32)


@pytest.mark.parametrize("darkness", [0.12, 0.35])
@pytest.mark.parametrize("slope", [0.0, 0.03])
@pytest.mark.parametrize("squared", [False, True], ids=["ruled", "squared"])
def test_lines_go_and_the_straight_strokes_of_digits_stay(
    squared: bool, slope: float, darkness: float
) -> None:
    paper_lines = lines(squared=squared, slope=slope)
    left = without_ruling(page(paper_lines, darkness), NOISE)
    written = np.any(list(digits().values()), axis=0)
    assert np.percentile(left[paper_lines & ~written], 95) < 0.5 * darkness
    for name, ink in digits().items():
        assert np.percentile(left[ink], 10) > 0.5, name


def test_paper_without_lines_is_left_as_it_is() -> None:
    strength = page(np.zeros((HEIGHT, WIDTH), dtype=bool), 0)
    assert not ruling(strength, NOISE).any()
    assert without_ruling(strength, NOISE) is strength


def test_small_pictures_have_no_lines() -> None:
    strength = np.zeros((40, 40), dtype=np.float32)
    strength[20] = 1
    assert not ruling(strength, 0).any()


def test_a_thick_stroke_from_edge_to_edge_is_no_line() -> None:
    strength = np.random.default_rng(0).normal(0, NOISE, (HEIGHT, WIDTH)).astype(np.float32)
    strength[:, 180:205] = 0.8
    assert not ruling(strength, NOISE).any()


@pytest.mark.parametrize("upright", [False, True])
def test_a_stroke_that_spans_a_close_crop_is_no_line(upright: bool) -> None:
    strength = np.random.default_rng(0).normal(0, NOISE, (HEIGHT, WIDTH)).astype(np.float32)
    if upright:
        # A row of digits that fills its strip, a 1 among them.
        strength[:, 196:201] = 0.8
        strength[10:290, 40:45] = strength[10:290, 340:345] = 0.8
        strength[10:15, 40:120] = strength[285:290, 280:345] = 0.8
    else:
        # A 2 whose base is as wide as the picture.
        strength[290:295] = 0.8
        strength[20:25, 60:340] = strength[20:150, 335:340] = strength[150:290, 40:45] = 0.8
        strength[148:153, 40:340] = 0.8
    assert not ruling(strength, NOISE).any()


def test_one_line_well_beyond_the_writing_is_the_papers() -> None:
    strength = np.random.default_rng(0).normal(0, NOISE, (HEIGHT, WIDTH)).astype(np.float32)
    strength[100:190, 200:207] = 0.8
    strength[190:193] = 0.7
    assert ruling(strength, NOISE)[190:193].mean() > 0.3


def test_lines_of_a_narrow_soft_grid_are_told_apart() -> None:
    # Between two lines it never gets as light as the paper, where others cross them.
    y, x = np.mgrid[:794, :1129]
    grid = (np.mod(y, 24) < 3) | (np.mod(x, 24) < 3)
    noise = np.random.default_rng(0).normal(0, NOISE, grid.shape)
    strength = (gaussian_filter(0.22 * grid, 2.0) + noise).astype(np.float32)
    lines = ruling(strength, NOISE)
    middles = np.arange(1, 794, 24)
    assert np.mean(np.median(lines[middles], axis=1) > 0.05) > 0.9
