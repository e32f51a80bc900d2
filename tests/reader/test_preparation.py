from __future__ import annotations

import numpy as np

from taller_cnn.data import Digits
from taller_cnn.reader.preparation import BOX, prepare


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
