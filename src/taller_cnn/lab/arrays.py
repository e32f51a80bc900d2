"""Arrays over the wire: grey levels that come in as JSON numbers, arrays that go out as base64."""

from __future__ import annotations

import base64
from itertools import chain
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    Field,
    GetCoreSchemaHandler,
    GetPydanticSchema,
    PlainSerializer,
    PlainValidator,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

MOST_IMAGES = 1000
SIDE = 28
_NUMBERS = frozenset({int, float})


def to_base64(array: NDArray[Any]) -> str:
    """The bytes of an array, C order, little-endian."""
    ordered = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return base64.b64encode(ordered.tobytes()).decode("ascii")


Base64Images = Annotated[
    NDArray[np.uint8],
    PlainValidator(lambda array: array),
    PlainSerializer(to_base64, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "description": "base64 of uint8, n x 784 bytes, row by row; "
            "0 = background, 255 = full ink",
        }
    ),
]
"""Images ``uint8 [..., 28, 28]`` of an answer."""

_Pixel = Annotated[float, Field(ge=0, le=255)]
# One error is told; a list of all, one for each pixel, would take a gigabyte.
_Row = Annotated[list[_Pixel], Field(min_length=SIDE, max_length=SIDE, fail_fast=True)]
_Rows = Annotated[list[_Row], Field(min_length=SIDE, max_length=SIDE, fail_fast=True)]
_Images = Annotated[list[_Rows], Field(min_length=1, max_length=MOST_IMAGES, fail_fast=True)]


def _grey_levels(images: Any) -> NDArray[np.float32] | None:
    """Images as an array, faster than pydantic checks them one number after the other.

    Returns:
        float32 ``[N, 28, 28]``; None where something is wrong, which pydantic can say.
    """
    rows = _rows(images)
    if not rows:
        return None
    values = list(chain.from_iterable(rows))
    # By exact type: Python takes true for 1, and numpy reads numbers in texts.
    kinds = set(map(type, values))
    if not kinds <= _NUMBERS:
        return None
    levels: NDArray[Any]
    try:
        if kinds == {int}:
            levels = np.frombuffer(bytes(values), np.uint8)
        else:
            levels = np.array(values, dtype=np.float64)
    except (ValueError, OverflowError):
        return None
    # Bytes are within these; NaN is neither.
    if kinds != {int} and not (levels.min() >= 0 and levels.max() <= 255):
        return None
    return levels.astype(np.float32).reshape(-1, SIDE, SIDE)


def _rows(images: Any) -> list[list[Any]] | None:
    """The rows of all images, each as long as it should be; what is in them is not looked at."""
    if type(images) is not list or len(images) > MOST_IMAGES:
        return None
    rows = []
    for image in images:
        if type(image) is not list or len(image) != SIDE:
            return None
        if not all(type(row) is list and len(row) == SIDE for row in image):
            return None
        rows += image
    return rows


def _image(value: Any, checked: ValidatorFunctionWrapHandler) -> NDArray[np.float32]:
    levels = _grey_levels([value])
    return np.array(checked(value), dtype=np.float32) if levels is None else levels[0]


def _images(value: Any, checked: ValidatorFunctionWrapHandler) -> NDArray[np.float32]:
    levels = _grey_levels(value)
    return np.array(checked(value), dtype=np.float32) if levels is None else levels


def _image_schema(_: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    return core_schema.no_info_wrap_validator_function(_image, handler.generate_schema(_Rows))


def _images_schema(_: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    return core_schema.no_info_wrap_validator_function(_images, handler.generate_schema(_Images))


GreyImage = Annotated[NDArray[np.float32], GetPydanticSchema(_image_schema)]
"""An image of a request: 28 lists of 28 numbers that become ``float32 [28, 28]``."""
GreyImages = Annotated[NDArray[np.float32], GetPydanticSchema(_images_schema)]
"""Images of a request: ``float32 [N, 28, 28]``."""
