"""The table around a sheet of paper is left out; shadows and drawings are no tables."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from taller_cnn.reader.finding import find
from taller_cnn.reader.sheet import sheet_of, without_table

Grey = NDArray[np.float32]


def paper(height: int = 300, width: int = 400) -> Grey:
    """Paper with a 1 on it, 90 pixels high."""
    page = np.full((height, width), 0.85, np.float32)
    page[100:190, 200:209] = 0.2
    return page


def on_table(page: Grey, degrees: float) -> Grey:
    """The paper turned, on a table with grain."""
    rows, columns = (side + 160 for side in page.shape)
    grain = np.random.default_rng(0).normal(0, 0.06, (rows // 4 + 1, 1))
    table = 0.25 + np.repeat(grain, 4, axis=0)[:rows] * np.ones((1, columns))
    around = Image.fromarray(np.pad(page, 80, constant_values=-1))
    turned = np.asarray(around.rotate(degrees, Image.Resampling.NEAREST, fillcolor=-1))
    return np.where(turned >= 0, turned, table).astype(np.float32)


@pytest.mark.parametrize("degrees", [0, 6, -10])
def test_only_what_is_on_the_sheet_is_found(degrees: float) -> None:
    picture = on_table(paper(), degrees)
    found = find(np.rint(picture * 255).astype(np.uint8))
    (box,) = found.boxes
    dark = np.asarray(
        Image.fromarray(np.pad(paper() < 0.5, 80)).rotate(degrees, Image.Resampling.NEAREST)
    )
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    written = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    np.testing.assert_allclose(box, written, atol=4)


def test_the_table_becomes_paper_and_the_writing_stays() -> None:
    picture = on_table(paper(), 6)
    cut, (left, top) = without_table(picture)
    assert left > 0
    assert top > 0
    assert cut.shape < picture.shape
    inside = picture[top : top + cut.shape[0], left : left + cut.shape[1]]
    ink = (inside < 0.21) & (inside > 0.19)
    np.testing.assert_array_equal(cut[200:280, 150:300] < 0.5, ink[200:280, 150:300])
    corner = cut[:10, :10]
    assert corner.min() > 0.75


def shaded(softness: float) -> Grey:
    """Half in a shadow whose edge is that many pixels soft."""
    away = np.arange(400) - 230.0
    shade = 1 - 0.6 / (1 + np.exp(-away / max(softness, 1e-3)))
    return (paper() * shade).astype(np.float32)


def test_the_soft_edge_of_a_shadow_is_no_sheet() -> None:
    assert sheet_of(shaded(8)) is None


@pytest.mark.parametrize("light_on_dark", [True, False])
def test_a_drawing_has_no_table(light_on_dark: bool) -> None:
    drawing = np.zeros((200, 200), np.float32)
    rows, columns = np.mgrid[:200, :200]
    drawing[np.abs(np.hypot(rows - 100, columns - 100) - 75) < 18] = 1
    assert sheet_of(drawing if light_on_dark else 1 - drawing) is None


def test_paper_all_over_is_left_as_it_is() -> None:
    page = paper()
    cut, corner = without_table(page)
    assert cut is page
    assert corner == (0, 0)
    noise = np.random.default_rng(0).normal(0.8, 0.02, (300, 400)).astype(np.float32)
    assert sheet_of(noise) is None
