"""Colour, polarity and light: what is left is how dark the ink makes each place."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from taller_cnn.reader.light import (
    LEAST_SIDE,
    enlarged,
    even_ground,
    grey,
    ink_strength,
    is_light_on_dark,
)

Grey = NDArray[np.float32]


def stroke(height: int = 200, width: int = 300) -> NDArray[np.bool_]:
    """A seven, 8 pixels thick."""
    ink = np.zeros((height, width), dtype=bool)
    ink[50:58, 100:180] = True
    for row in range(58, 150):
        ink[row, 172 - row // 2 : 180 - row // 2] = True
    return ink


def written(light: NDArray[np.float64], strength: float = 0.6) -> Grey:
    """Ink that takes away that part of the light."""
    return (light * (1 - strength * stroke(*light.shape))).astype(np.float32)


def fading(height: int = 200, width: int = 300) -> NDArray[np.float64]:
    return np.linspace(0.95, 0.45, width) * np.ones((height, 1))


def test_grey_weighs_colours_as_the_eye_does() -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], dtype=np.uint8)
    assert grey(colours)[0] == pytest.approx([0.299, 0.587, 0.114, 1.0], abs=0.005)


def test_only_small_pictures_are_enlarged_and_by_a_whole_factor() -> None:
    large, factor = enlarged(np.full((8, 6), 0.5, dtype=np.float32))
    assert factor == 14
    assert large.shape == (112, 84)
    assert enlarged(np.zeros((LEAST_SIDE, 20), dtype=np.float32))[1] == 1


@pytest.mark.parametrize("light", [np.full((200, 300), 0.9), fading()], ids=["even", "fading"])
def test_polarity_is_found_whatever_the_light(light: NDArray[np.float64]) -> None:
    picture = written(light)
    assert not is_light_on_dark(picture)
    assert is_light_on_dark(1 - picture)


@pytest.mark.parametrize("thick", [4, 25, 45])
def test_polarity_is_found_however_thick_the_strokes_are(thick: int) -> None:
    rows, columns = np.mgrid[:200, :240]
    ring = np.abs(np.hypot(rows - 100, columns - 110) - 70) < thick / 2
    light = np.linspace(0.9, 0.6, 240) * np.ones((200, 1))
    picture = (light * (1 - 0.7 * ring)).astype(np.float32)
    assert not is_light_on_dark(picture)
    assert is_light_on_dark(1 - picture)


def test_a_sheet_on_a_dark_table_is_dark_on_light() -> None:
    picture = np.full((260, 360), 0.1, dtype=np.float32)
    picture[30:230, 30:330] = written(np.full((200, 300), 0.9))
    assert not is_light_on_dark(picture)


def test_light_that_fades_is_taken_away() -> None:
    strength = ink_strength(written(fading(), 0.6))
    ink = stroke()
    assert np.median(strength[ink]) == pytest.approx(0.6, abs=0.06)
    assert np.percentile(np.abs(strength[~ink]), 99) < 0.1


def test_a_shadow_leaves_no_ink_on_its_dark_side() -> None:
    light = np.full((200, 300), 0.9)
    light[:, 220:] = 0.5
    strength = ink_strength(written(light))
    assert np.median(strength[stroke()]) == pytest.approx(0.6, abs=0.06)
    assert strength[:, 240:].max() < 0.1


def test_strokes_that_fill_the_picture_are_not_taken_for_a_shadow() -> None:
    picture = np.zeros((112, 112), dtype=np.float32)
    picture[:, 40:80] = 1
    assert is_light_on_dark(picture)
    strength = ink_strength(1 - picture)
    assert strength[:, 45:75].min() == pytest.approx(1.0, abs=0.01)
    assert np.abs(strength[:, :35]).max() < 0.01


def test_light_that_fades_is_no_even_ground() -> None:
    assert even_ground(written(fading())) is None
    assert even_ground(written(np.full((200, 300), 0.9))) == pytest.approx(0.9, abs=0.01)
    assert even_ground(np.full((50, 50), 0.8, dtype=np.float32)) is None
