"""``POST /api/readings``: what the reader makes of a picture."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request

from taller_cnn.lab.lab import Lab
from taller_cnn.lab.pictures import read_bytes
from taller_cnn.lab.problems import documented
from taller_cnn.lab.schemas import Box, ReadDigit, Reading, RejectedMark
from taller_cnn.messages import Messages

if TYPE_CHECKING:
    from taller_cnn.reader import PictureReading, Reader

__all__ = ["reading_routes"]

PICTURE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/bmp", "image/gif", "image/tiff")
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "the picture file itself, at most 10 MB and 50 megapixels",
        "content": dict.fromkeys((*PICTURE_TYPES, "application/octet-stream"), _BINARY),
    }
}


def reading_routes(lab: Lab) -> APIRouter:
    """The route that reads pictures, one at a time: a large one takes a gigabyte."""
    routes = APIRouter(prefix="/api")
    turn = asyncio.Semaphore()

    @routes.post(
        "/readings",
        summary="Read the digits in a picture",
        openapi_extra=_BODY,
        responses=documented(409, 413, 415, 422),
    )
    async def read(
        request: Request,
        single: Annotated[bool, Query(description="the whole picture is one digit")] = False,
    ) -> Reading:
        data = await request.body()
        async with turn:
            return await asyncio.to_thread(_read, lab, data, single, lab.messages(request))

    return routes


def _read(lab: Lab, data: bytes, single: bool, messages: Messages) -> Reading:
    from taller_cnn.reader import Options

    picture, found = read_bytes(data, _reader(lab), Options(single=single))
    width, height = picture.size
    return _card(found, width, height, messages)


def _reader(lab: Lab) -> Reader:
    """The network that is best at handwriting, if it is there, else the lab's."""
    from taller_cnn.reader import Reader
    from taller_cnn.reader.threshold import kept_threshold

    robust = lab.shelf.path("robust")
    name = "robust" if robust else lab.shelf.default
    model = lab.shelf.get(name)
    path = robust or lab.shelf.path(model.card.id)
    threshold = kept_threshold(path) if path else None
    return Reader.of(model.loaded, threshold.threshold if threshold else None)


def _card(found: PictureReading, width: int, height: int, messages: Messages) -> Reading:
    return Reading(
        text=found.text,
        width=width,
        height=height,
        digits=[
            ReadDigit(
                box=_box(digit.box),
                digit=digit.digit,
                probability=digit.probability,
                second=digit.second,
                uncertain=digit.uncertain,
                image=base64.b64encode(digit.image28.tobytes()).decode("ascii"),
            )
            for digit in found.digits
        ],
        rejected=[
            RejectedMark(
                box=_box(mark.box), reason=mark.reason.key, detail=mark.reason.text(messages)
            )
            for mark in found.rejected
        ],
    )


def _box(corners: tuple[int, int, int, int]) -> Box:
    left, top, right, bottom = corners
    return Box(x=left, y=top, width=right - left, height=bottom - top)
