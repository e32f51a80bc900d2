from __future__ import annotations

import numpy as np
import pytest

from taller_cnn.config import ModelConfig
from taller_cnn.data import Digits
from taller_cnn.messages import Messages
from taller_cnn.model import SimpleCNN
from taller_cnn.reader.drawing import PANEL, SURE, UNSURE, annotated, steps_strip
from taller_cnn.reader.finding import Options
from taller_cnn.reader.reading import Reader, read

MODEL = SimpleCNN(ModelConfig(filters=(4, 4), hidden=16), seed=0).eval()


def page_of(digits: Digits) -> np.ndarray:
    ink = np.concatenate([digits.test.images[i, 0].numpy() for i in range(2)], axis=1)
    return (235 - np.kron(ink, np.ones((4, 4))) * 0.8).astype(np.uint8)


@pytest.mark.parametrize(("threshold", "colour"), [(0.0, SURE), (1.1, UNSURE)])
def test_each_digit_has_a_box_in_the_colour_of_its_certainty(
    sample_digits: Digits, threshold: float, colour: tuple[int, int, int]
) -> None:
    pixels = page_of(sample_digits)
    reading = read(pixels, Reader(model=MODEL, threshold=threshold))
    drawn = np.asarray(annotated(pixels, reading, Messages("es")))
    left, top, right, bottom = reading.digits[0].box
    factor = drawn.shape[1] // pixels.shape[1]
    room = (drawn.shape[0] - factor * pixels.shape[0]) // 2
    middle = (left + right) * factor // 2
    assert drawn[bottom * factor + room, middle].tolist() == list(colour)
    assert drawn[top * factor + room - 2, middle].tolist() == list(colour)
    assert (drawn == colour).all(axis=2).sum() > 200


def test_the_strip_shows_six_stages_of_one_size(sample_digits: Digits) -> None:
    pixels = page_of(sample_digits)
    reading = read(pixels, Reader(model=MODEL), Options(steps=True))
    strip = np.asarray(steps_strip(pixels, reading, Messages("es")))
    assert strip.shape[1] == 6 * (PANEL + 8) + 8
    panels = [strip[28:, 8 + i * (PANEL + 8) :][:, :PANEL] for i in range(6)]
    assert all(panel.std() > 5 for panel in panels)
    # Ink is black or white, but for the edges of the reduced picture.
    mask = panels[3][..., 0]
    assert ((mask < 30) | (mask > 225)).mean() > 0.9
