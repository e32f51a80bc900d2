"""MNIST's centring in the page against Python's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from taller_cnn.reader.preparation import prepare

RUN = """async ({ink, width, height}) => {
  const { prepare } = await import("/static/preparation.js");
  return [...prepare(new Float32Array(ink), width, height)];
}"""


def _strokes(seed: int, side: int, width: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Ink along a random curve, with soft edges."""
    rng = np.random.default_rng(seed)
    ends = rng.uniform(0.15, 0.85, size=(4, 2)) * side
    t = np.linspace(0, 1, 60)[:, None]
    curve = (1 - t) ** 3 * ends[0] + 3 * t * (1 - t) ** 2 * ends[1]
    curve = curve + 3 * t**2 * (1 - t) * ends[2] + t**3 * ends[3]
    y, x = np.mgrid[:side, :side]
    distance = np.sqrt(((np.stack([y, x], -1)[:, :, None] - curve) ** 2).sum(-1)).min(-1)
    return np.clip(width / 2 - distance + 0.5, 0, 1).astype(np.float32)


@pytest.mark.parametrize(("side", "width"), [(280, 22.0), (90, 7.0), (24, 2.5)])
def test_centring_agrees_with_python_within_one_grey_level(
    modules: Any, side: int, width: float
) -> None:
    for seed in range(6):
        ink = _strokes(seed, side, width)
        found = modules.evaluate(RUN, {"ink": ink.ravel().tolist(), "width": side, "height": side})
        difference = np.abs(np.array(found) - prepare(ink).ravel().astype(int))
        assert difference.max() <= 1, seed


def test_ink_that_is_wide_or_high_keeps_its_shape(modules: Any) -> None:
    for height, width in ((10, 120), (120, 10), (3, 5)):
        ink = np.zeros((160, 170), dtype=np.float32)
        # Uneven, so that the centre of mass is not half-way between two pixels.
        ink[20 : 20 + height, 31 : 31 + width] = np.linspace(0.3, 1, width, dtype=np.float32)
        ink *= np.linspace(0.6, 1, 160, dtype=np.float32)[:, None]
        found = modules.evaluate(RUN, {"ink": ink.ravel().tolist(), "width": 170, "height": 160})
        difference = np.abs(np.array(found) - prepare(ink).ravel().astype(int))
        assert difference.max() <= 1, (height, width)


def test_no_ink_gives_an_empty_picture(modules: Any) -> None:
    found = modules.evaluate(RUN, {"ink": [0.05] * 100, "width": 10, "height": 10})
    assert found == [0] * 784
