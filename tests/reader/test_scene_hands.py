"""Scenes of continental hands: strokes where they belong, whatever the size, the same each time."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import label as connected

LINES = {
    1: [[(50, 10), (50, 90)]],
    4: [[(20, 10), (20, 60), (80, 60)], [(70, 10), (70, 90)]],
    7: [[(15, 10), (75, 10), (50, 90)]],
    9: [[(70, 10), (30, 10), (30, 45), (70, 45)], [(70, 10), (70, 90)]],
}


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    import scene_hands

    yield scene_hands
    for name in ("scene_hands", "scene_parts"):
        sys.modules.pop(name, None)


def written(digit: int, size: int, pen: int) -> NDArray[np.float32]:
    image = Image.new("L", (size, size))
    for line in LINES[digit]:
        points = [(x * size / 100, y * size / 100) for x, y in line]
        ImageDraw.Draw(image).line(points, fill=255, width=pen, joint="curve")
    ink = np.asarray(image, np.float32) / np.float32(255)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def enclosed(seen: NDArray[np.bool_]) -> int:
    """Pixels of the ground that ink encloses."""
    areas = np.bincount(connected(~np.pad(seen, 1))[0].ravel())
    # 0 is ink, and 1 the ground around, where the search begins.
    return int(areas[2:].sum())


@pytest.mark.parametrize(("size", "pen"), [(60, 4), (240, 14)])
@pytest.mark.parametrize("chance", range(5))
def test_each_form_has_its_strokes(hands: ModuleType, size: int, pen: int, chance: int) -> None:
    def drawn(kind: str, digit: int) -> NDArray[np.bool_]:
        form, ink = hands.HANDS[kind][digit], written(digit, size, pen)
        again = form(ink, np.random.default_rng(chance))
        result = form(ink, np.random.default_rng(chance))
        assert np.array_equal(result, again)
        assert result.max() <= 1
        seen: NDArray[np.bool_] = result > 0.5
        return seen

    flagged = drawn("flagged 1", 1)
    height, width = flagged.shape
    assert flagged[height // 2 :, -pen:].any()
    assert not flagged[int(0.8 * height) :, : width - pen - 2].any()
    footed = drawn("footed 1", 1)
    assert np.flatnonzero(footed[int(0.8 * len(footed)) :].any(axis=0)).size > 2.5 * pen
    barred = drawn("barred 7", 7)
    middle = barred[int(0.3 * len(barred)) : int(0.75 * len(barred))]
    assert middle.sum(axis=1).max() > 2 * pen
    assert enclosed(drawn("pointed 4", 4)) > pen**2
    assert enclosed(drawn("open 4", 4)) < pen
    tailed = drawn("tailed 9", 9)
    assert np.flatnonzero(tailed[int(0.8 * len(tailed)) :].any(axis=0)).size > 2 * pen
