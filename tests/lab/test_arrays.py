from __future__ import annotations

import base64
import tracemalloc
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from taller_cnn.lab.arrays import to_base64
from taller_cnn.lab.schemas import PredictRequest

ZEROS = [[0] * 28] * 28


def test_arrays_travel_little_endian_in_c_order() -> None:
    array = np.arange(6, dtype=">f4").reshape(2, 3).T
    found = np.frombuffer(base64.b64decode(to_base64(array)), "<f4")
    assert found.tolist() == [0, 3, 1, 4, 2, 5]


def image_with(value: Any) -> list:
    rows = [list(row) for row in ZEROS]
    rows[2][5] = value
    return rows


def test_whole_levels_and_fractions_are_the_same_image() -> None:
    whole = PredictRequest(image=image_with(200)).image
    decimal = PredictRequest(image=image_with(200.0)).image
    assert whole is not None
    assert decimal is not None
    assert whole.dtype == decimal.dtype == np.float32
    assert np.array_equal(whole, decimal)
    assert whole.shape == (28, 28)
    assert whole[2, 5] == 200


def test_several_images_are_one_array() -> None:
    images = PredictRequest(images=[image_with(1), image_with(0.5)]).images
    assert images is not None
    assert images.dtype == np.float32
    assert images[:, 2, 5].tolist() == [1, 0.5]


def memory_of_refusing(value: Any) -> int:
    """Bytes that refusing a request takes at its worst."""
    tracemalloc.start()
    try:
        with pytest.raises(ValidationError):
            PredictRequest.model_validate(value)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_texts_in_the_place_of_images_take_no_more_memory_than_they_are_long() -> None:
    # As an array of texts, each as long as the longest: 800 MB.
    assert memory_of_refusing({"images": ["x" * 200_000] + [""] * 999}) < 5_000_000
    assert memory_of_refusing({"image": [["x" * 200_000] + [""] * 27] * 28}) < 20_000_000


def test_of_a_wrong_value_in_every_pixel_only_the_first_is_made_an_error() -> None:
    # An error for each of 784,000 pixels: 700 MB and seven seconds.
    assert memory_of_refusing({"images": [[["x"] * 28] * 28] * 100}) < 5_000_000
