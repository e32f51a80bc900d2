"""What the network's answers become."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from taller_cnn.data import Digits, Scale
from taller_cnn.evaluation import evaluate
from taller_cnn.model import SimpleCNN
from taller_cnn.reader.finding import Found, Options, Split
from taller_cnn.reader.marks import Box
from taller_cnn.reader.reading import PictureReading, Reader, read_found
from taller_cnn.reader.splitting import Part


class Brightness(nn.Module):
    """Reads the digit d in a square of brightness 25 d; in between it is unsure."""

    def forward(self, images: Tensor) -> Tensor:
        level = images.amax(dim=(1, 2, 3))[:, None] * (255 / 25)
        return -8 * (torch.arange(10) - level).square()


READER = Reader(model=Brightness(), scale=Scale(0.0, 1.0))


def square(level: float) -> NDArray[np.uint8]:
    image = np.zeros((28, 28), dtype=np.uint8)
    image[6:22, 6:22] = round(25 * level)
    return image


def boxes(*lefts: int) -> tuple[Box, ...]:
    return tuple((left, 0, left + 40, 60) for left in lefts)


def found(
    levels: list[float], lefts: list[int], lines: list[int], splits: tuple[Split, ...] = ()
) -> Found:
    images = np.stack([square(level) for level in levels])
    return Found(boxes=boxes(*lefts), images28=images, lines=tuple(lines), splits=splits)


def split(whole: float, levels: list[float]) -> Split:
    """A mark of width 1.8 that can be cut into two."""
    parts = (
        Part(start=0, stop=2, width=1.8, height=1.0, ink=0.0),
        Part(start=0, stop=1, width=0.8, height=1.0, ink=0.5),
        Part(start=1, stop=2, width=0.8, height=1.0, ink=0.0),
    )
    images = np.stack([square(level) for level in (whole, *levels)])
    return Split(index=0, parts=parts, boxes=boxes(0, 0, 50), images28=images)


def reading(
    picture: Found, reader: Reader = READER, options: Options | None = None
) -> PictureReading:
    return read_found([picture], reader, options)[0]


def test_lines_are_separated_by_newlines_and_wide_gaps_by_spaces_if_asked() -> None:
    picture = found([3, 2, 6, 8], [0, 50, 160, 0], [0, 0, 0, 1])
    assert reading(picture).text == "326\n8"
    assert reading(picture, options=Options(lines=True)).text == "32 6\n8"


def test_each_digit_has_its_probability_and_second_choice() -> None:
    (digit,) = reading(found([4.4], [7], [0])).digits
    assert (digit.digit, digit.second) == (4, 5)
    # exp(-8 * 0.4^2) against exp(-8 * 0.6^2)
    assert digit.probability == pytest.approx(0.83, abs=0.02)
    assert digit.probability + digit.second_probability == pytest.approx(1, abs=1e-3)
    assert digit.box == (7, 0, 47, 60)


@pytest.mark.parametrize(("threshold", "uncertain"), [(None, False), (0.7, False), (0.9, True)])
def test_less_than_the_threshold_is_uncertain(threshold: float | None, uncertain: bool) -> None:
    reader = Reader(model=Brightness(), scale=Scale(0.0, 1.0), threshold=threshold)
    (digit,) = reading(found([4.4], [0], [0]), reader).digits
    assert digit.uncertain is uncertain


def test_a_mark_is_cut_where_its_parts_explain_it_better() -> None:
    unsure = found([4.5], [0], [0], (split(4.5, [3, 7]),))
    assert reading(unsure).text == "37"
    assert [digit.box[0] for digit in reading(unsure).digits] == [0, 50]
    assert reading(found([4], [0], [0], (split(4, [3.5, 7.5]),))).text == "4"


def test_pictures_are_read_together_as_they_are_alone() -> None:
    pictures = [
        found([1, 2.3], [0, 50], [0, 0]),
        Found(boxes=(), images28=np.zeros((0, 28, 28), np.uint8), lines=()),
        found([4.5], [0], [0], (split(4.5, [3, 7]),)),
    ]
    together = read_found(pictures, READER)
    assert [each.text for each in together] == ["12", "", "37"]
    alone = [reading(picture) for picture in pictures]
    assert [[d.probability for d in each.digits] for each in together] == [
        pytest.approx([d.probability for d in each.digits]) for each in alone
    ]
    assert read_found([], READER) == []


def test_a_trained_network_loses_nothing_by_the_way(
    sample_digits: Digits, trained: SimpleCNN
) -> None:
    """Images of the data set, given as they are."""
    images = sample_digits.test.images[:, 0].numpy()
    n = len(images)
    picture = Found(boxes=boxes(*[0] * n), images28=images, lines=tuple(range(n)))
    reader = Reader(model=trained, scale=sample_digits.scale)
    said = np.array([digit.digit for digit in reading(picture, reader).digits])
    right = float((said == sample_digits.test.labels.numpy()).mean())
    direct = evaluate(trained, sample_digits.test, reader.scale)
    assert right >= direct.accuracy - 0.005


@pytest.fixture(scope="module")
def trained(sample_digits: Digits) -> SimpleCNN:
    """For three seconds."""
    from taller_cnn.config import recipe
    from taller_cnn.training import train

    model_config, config = recipe("quick", train={"epochs": 3.0, "device": "cpu"})
    model = SimpleCNN(model_config, seed=0)
    list(train(model, sample_digits, config, score="last-epoch"))
    return model.eval()
