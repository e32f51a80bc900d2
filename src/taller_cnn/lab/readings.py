"""``POST /api/readings``: what the reader makes of a picture that comes over the wire.

What kind of file it is is looked at first, with none but the usual decoders; then it is read.
"""

from __future__ import annotations

import asyncio
import base64
import io
import threading
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request

from taller_cnn.errors import ModelError, Phrase, TallerError
from taller_cnn.lab.lab import Lab
from taller_cnn.lab.model_store import StoredModel
from taller_cnn.lab.problems import LabError, documented
from taller_cnn.lab.schemas import Box, ReadDigit, Reading, RejectedMark
from taller_cnn.messages import Messages

if TYPE_CHECKING:
    from taller_cnn.reader import Options, Reader
    from taller_cnn.reader.files import FileReading
    from taller_cnn.reader.loading import Picture

PICTURE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/bmp", "image/gif", "image/tiff")
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""Kinds of files that are decoded; the library knows many more, with rarely used decoders."""
MOST_PAGE = 20
"""Of a file that can be asked for: those before it are read as well."""
PREVIEW_SIDE = 1024
"""Longest side of a preview, in pixels."""
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
    thresholds = Thresholds(lab)

    @routes.post(
        "/readings",
        summary="Read the digits in a picture. The body is the file itself.",
        openapi_extra=_BODY,
        responses=documented(409, 413, 415, 422),
    )
    async def read(
        request: Request,
        single: Annotated[bool, Query(description="the whole picture is one digit")] = False,
        page: Annotated[int, Query(ge=1, le=MOST_PAGE, description="of a file with several")] = 1,
        preview: Annotated[bool, Query(description="whether to send the picture back")] = False,
    ) -> Reading:
        data = await request.body()

        def work() -> Reading:
            from taller_cnn.reader import Options, Reader

            model = _reading_model(lab)
            threshold, is_choosing = thresholds.of(model)
            reader = Reader.of(model.loaded, threshold)
            read = read_bytes(data, reader, Options(single=single), page)
            card = _card(read, lab.messages(request), model.card.id, threshold)
            card.choosing = is_choosing
            if preview and read.picture is not None:
                card.preview = preview_of(read.picture)
            return card

        async with turn:
            return await asyncio.to_thread(work)

    return routes


class Thresholds:
    """From which probability on each network is to be believed.

    What nobody has chosen yet is chosen in a thread of its own, in seconds, while pictures are
    already read.

    Args:
        lab: has the networks, and the digits for the choice.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._known: dict[str, float | None] = {}
        """By the network's checksum; None where it cannot be known."""
        self._choosing: set[str] = set()
        self._lock = threading.Lock()

    def of(self, model: StoredModel) -> tuple[float | None, bool]:
        """A network's threshold, or None, and whether it is still being chosen."""
        path, checksum = self._lab.models.path(model.card.id), model.card.sha256
        if path is None or model.loaded.info is None:
            return None, False
        with self._lock:
            if checksum not in self._known and checksum not in self._choosing:
                self._choosing.add(checksum)
                work = threading.Thread(target=self._choose, args=(model, path), daemon=True)
                work.start()
            return self._known.get(checksum), checksum in self._choosing

    def _choose(self, model: StoredModel, path: Path) -> None:
        from taller_cnn.reader import threshold

        chosen = None
        place = self._lab.gallery_of(model.card.dataset).place
        try:
            # Without digits to choose on, the readings say that there is none.
            with suppress(TallerError):
                chosen = threshold.ensure_threshold(path, model.loaded, place).threshold
        finally:
            with self._lock:
                self._known[model.card.sha256] = chosen
                self._choosing.discard(model.card.sha256)


def preview_of(picture: Picture) -> str:
    """A picture as it was worked on, upright and small, as a ``data:`` address."""
    from PIL import Image

    image = Image.fromarray(picture.pixels)
    image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _reading_model(lab: Lab) -> StoredModel:
    """The network that is best at handwriting, if it is there and whole, else the lab's."""
    if lab.models.path("robust"):
        # What is wrong with its file, the list of models says.
        with suppress(ModelError):
            return lab.models.get("robust")
    return lab.models.get()


def read_bytes(data: bytes, reader: Reader, options: Options, page: int = 1) -> FileReading:
    """What the reader makes of one page, from 1, of a picture file.

    Returns:
        The picture as it was worked on, and what was read, without digits where there are none.

    Raises:
        LabError: there is no data, the picture is damaged (422), not of a kind that is read
            (415), larger than the reader takes (413), or has no such page (404).
    """
    from taller_cnn.reader.files import read_files

    _check_kind(data)
    *_, read = read_files([("", data)], reader, options, most_pages=page)
    if read.page != page:
        raise LabError(404, "lab_no_such_page", page=page, pages=read.pages)
    if read.picture is None or read.reading is None:
        raise _refusal(read.error)
    return read


def _check_kind(data: bytes) -> None:
    """Look at the header alone, with none but the known decoders."""
    from PIL import Image, UnidentifiedImageError

    if not data:
        raise LabError(422, "lab_picture", pointer="/", reason=Phrase("reason_empty"))
    with warnings.catch_warnings():
        # Of large and of odd files; the reader judges both.
        warnings.simplefilter("ignore")
        try:
            Image.open(io.BytesIO(data), formats=FORMATS).close()
        except UnidentifiedImageError:
            raise _wrong_kind() from None
        except Image.DecompressionBombError:
            # How many pixels are too many, the reader says.
            return
        except (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, TypeError):
            # Which of these a damaged header raises depends on the decoder.
            raise _damaged() from None


def _refusal(error: TallerError | None) -> TallerError:
    """The reader's refusal as the lab tells it, where the picture has no name."""
    assert error is not None
    most = error.values.get("most")
    refusals: dict[str, LabError] = {
        "reader_too_large": LabError(413, "lab_pixels", most=most),
        "reader_too_long": LabError(413, "lab_picture_side", most=most),
        "reader_not_picture": _wrong_kind(),
        "reader_damaged": _damaged(),
    }
    return refusals.get(error.key, error)


def _wrong_kind() -> LabError:
    return LabError(415, "lab_picture_kind", allowed=", ".join(FORMATS))


def _damaged() -> LabError:
    return LabError(422, "lab_picture", pointer="/", reason=Phrase("reason_damaged"))


def _card(read: FileReading, messages: Messages, model: str, threshold: float | None) -> Reading:
    from taller_cnn.reader.files import in_file_pixels

    found, picture = in_file_pixels(read), read.picture
    assert picture is not None
    width, height = picture.size
    return Reading(
        model=model,
        threshold=threshold,
        text=found.text,
        page=read.page,
        width=width,
        height=height,
        pages=picture.pages,
        digits=[
            ReadDigit(
                box=_box(digit.box),
                digit=digit.digit,
                probability=digit.probability,
                second=digit.second,
                uncertain=digit.uncertain,
                image=digit.image28,
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
