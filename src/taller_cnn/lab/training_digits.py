"""The digits that the page trains on, packed small enough to go with the exported page."""

from __future__ import annotations

import base64
import zlib
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, PlainSerializer, PlainValidator, WithJsonSchema

from taller_cnn.lab.gallery import Gallery

TRAIN_DIGITS, TEST_DIGITS = 3500, 1000
"""All of the sample's; of the full set, the first of each class."""


def _packed(array: NDArray[np.uint8]) -> str:
    return base64.b64encode(zlib.compress(array.tobytes(), level=9)).decode("ascii")


PackedImages = Annotated[
    NDArray[np.uint8],
    PlainValidator(lambda array: array),
    PlainSerializer(_packed, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "description": "base64 of a zlib stream of uint8, n x 784 bytes, row by row; "
            "0 = background, 255 = full ink",
        }
    ),
]
"""Images ``uint8 [n, 28, 28]`` of an answer, compressed."""


class PackedDigits(BaseModel):
    """Digits of one split with their labels."""

    labels: list[int]
    images: PackedImages


class TrainingDigits(BaseModel):
    """What a training in the page needs besides the network."""

    dataset: str
    source: str
    class_names: list[str]
    mean: float
    std: float
    train: PackedDigits
    test: PackedDigits


def training_digits(gallery: Gallery) -> TrainingDigits:
    """The digits of `gallery` that the page trains on and those that it is tested with.

    Raises:
        DataError, OutputError: there are no digits to be had.
    """
    digits = gallery.digits()
    train, test = gallery.first(TRAIN_DIGITS, "train"), gallery.first(TEST_DIGITS, "test")
    return TrainingDigits(
        dataset=digits.name,
        source=digits.source,
        class_names=list(digits.class_names),
        mean=digits.scale.mean,
        std=digits.scale.std,
        train=PackedDigits(labels=train.labels, images=train.images),
        test=PackedDigits(labels=test.labels, images=test.images),
    )
