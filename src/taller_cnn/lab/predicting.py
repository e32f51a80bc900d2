"""Digits of many requests at once: those that wait go through the network together."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from taller_cnn.checkpoints import LoadedModel
from taller_cnn.errors import ModelError
from taller_cnn.lab.model_store import StoredModel

INK = 16
"""Least grey level that counts as ink: an image without any is empty."""
LOOP_MACS = 100_000_000
"""Multiply-accumulates of a pass in the event loop at most: about 10 ms on one core."""
THREAD_MACS = 5_000_000_000
"""Of a pass in a thread at most; then it is another request's turn."""
MOST_TOGETHER = 64
"""Images that a pass is filled up to while requests wait."""
LARGEST_PART = 500
"""Images that one request has in a pass: more at once are no faster, and keep others waiting."""

DECIMALS = 6

Images = NDArray[np.float32]
Answer = tuple[int, list[float]] | None
"""The most probable class and the probabilities of all; None for an image without ink."""


@torch.inference_mode()
def probabilities(loaded: LoadedModel, images: Images) -> Tensor:
    """Probabilities ``[N, K]`` of grey levels ``[N, 28, 28]``, 0 to 255."""
    mean, std = loaded.scale.mean, loaded.scale.std
    pixels = torch.from_numpy(images).reshape(-1, 1, 28, 28)
    found: Tensor = loaded.model(pixels.mul(1 / (255 * std)).sub_(mean / std)).softmax(dim=1)
    return found


@dataclass(frozen=True, eq=False)
class _Waiting:
    model: StoredModel
    images: Images
    answers: asyncio.Future[list[Answer]]


class Batcher:
    """Puts the images of requests that arrive together through the network in one pass.

    A pass of 16 digits takes a quarter of the time of 16 passes of one. Nothing waits for company:
    what has arrived when the event loop comes round goes together, as much as one pass takes; a
    large request goes in parts. Between two passes the event loop does what else there is.

    A network of which a single image is beyond `LOOP_MACS` runs in a thread, one request's part
    after another's, so that the event loop stays free.
    """

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self._thread = asyncio.Lock()

    def ask(self, model: StoredModel, images: Images) -> asyncio.Task[list[Answer]]:
        """The answers, later, for images ``float32 [N, 28, 28]`` with grey levels 0 to 255."""
        return asyncio.create_task(self._in_parts(model, images))

    async def _in_parts(self, model: StoredModel, images: Images) -> list[Answer]:
        costly = model.card.macs > LOOP_MACS
        size = _images_for(model, THREAD_MACS if costly else LOOP_MACS)
        answers: list[Answer] = []
        for start in range(0, len(images), size):
            part = images[start : start + size]
            if costly:
                async with self._thread:
                    answers += await asyncio.to_thread(_answers, model, part)
            else:
                answers += await self._together(model, part)
        return answers

    def _together(self, model: StoredModel, images: Images) -> asyncio.Future[list[Answer]]:
        """The answers of the next pass that has room."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._pass)
        waiting = _Waiting(model, images, loop.create_future())
        self._waiting.append(waiting)
        return waiting.answers

    def _pass(self) -> None:
        """One pass; what is left waits until the event loop comes round again."""
        model = self._waiting[0].model
        room = min(MOST_TOGETHER, _images_for(model, LOOP_MACS))
        together: list[_Waiting] = []
        others: list[_Waiting] = []
        for waiting in self._waiting:
            if waiting.model is model and room > 0:
                together.append(waiting)
                room -= len(waiting.images)
            else:
                others.append(waiting)
        self._waiting = others
        _answer(model, together)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._pass)


def _images_for(model: StoredModel, macs: int) -> int:
    """Images of one request in a pass of that cost."""
    return max(1, min(LARGEST_PART, macs // max(1, model.card.macs)))


def _answer(model: StoredModel, together: list[_Waiting]) -> None:
    """Ask the network once and tell everybody who has not gone meanwhile."""
    try:
        answers = _answers(model, np.concatenate([waiting.images for waiting in together]))
    except Exception as error:
        for waiting in together:
            if not waiting.answers.done():
                waiting.answers.set_exception(error)
        return
    start = 0
    for waiting in together:
        end = start + len(waiting.images)
        if not waiting.answers.done():
            waiting.answers.set_result(answers[start:end])
        start = end


def _answers(model: StoredModel, images: Images) -> list[Answer]:
    found = probabilities(model.loaded, images).double().numpy()
    if not np.isfinite(found).all():
        raise ModelError("model_overflows", path=model.card.id)
    rows = found.round(DECIMALS).tolist()
    digits = found.argmax(axis=1).tolist()
    inked = (images.reshape(len(images), -1).max(axis=1) >= INK).tolist()
    return [
        (digit, row) if ink else None for digit, row, ink in zip(digits, rows, inked, strict=True)
    ]
