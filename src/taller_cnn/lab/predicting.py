"""Digits of many requests at once: those that wait go through the network together."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from taller_cnn.checkpoints import LoadedModel
from taller_cnn.lab.shelf import ShelfModel

__all__ = ["INK", "Answer", "Batcher", "probabilities", "warm_up"]

INK = 16
"""Least grey level that counts as ink: an image without any is empty."""
MOST_TOGETHER = 64
"""Images that a pass is filled up to while requests wait: 10 ms on one core."""
LARGEST_PART = 500
"""Images that one request has in a pass: more at once are no faster, and keep others waiting."""

DECIMALS = 6

Answer = tuple[int, list[float]] | None
"""The most probable class and the probabilities of all; None for an image without ink."""


@torch.inference_mode()
def probabilities(loaded: LoadedModel, images: NDArray[np.float32]) -> Tensor:
    """Probabilities ``[N, K]`` of grey levels ``[N, 28, 28]``, 0 to 255."""
    mean, std = loaded.scale.mean, loaded.scale.std
    pixels = torch.from_numpy(images).reshape(-1, 1, 28, 28)
    found: Tensor = loaded.model(pixels.mul(1 / (255 * std)).sub_(mean / std)).softmax(dim=1)
    return found


def warm_up(model: ShelfModel) -> None:
    """Ask the network a few times, because the first answers take a hundred times as long."""
    for n in (1, 1, 2, 16):
        images = np.zeros((n, 28, 28), dtype=np.float32)
        probabilities(model.loaded, images)


@dataclass(frozen=True, eq=False)
class _Waiting:
    model: ShelfModel
    images: NDArray[np.float32]
    answer: asyncio.Future[list[Answer]]
    found: list[Answer] = field(default_factory=list)
    """Of its first images, while others still wait."""

    def next_part(self) -> NDArray[np.float32]:
        start = len(self.found)
        return self.images[start : start + LARGEST_PART]

    def take(self, answers: list[Answer]) -> None:
        """Keep the answers of a part, and give all of them with the last."""
        self.found.extend(answers)
        # Cancelled where the client has gone.
        if len(self.found) == len(self.images) and not self.answer.done():
            self.answer.set_result(self.found)


class Batcher:
    """Puts the images of requests that arrive together through the network in one pass.

    A pass of 16 digits takes a quarter of the time of 16 passes of one. Nothing waits for company:
    what has arrived when the event loop comes round goes together, as much as one pass takes; a
    large request goes in parts. Between two passes the event loop does what else there is.
    """

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self._scheduled = False

    def ask(self, model: ShelfModel, images: NDArray[np.float32]) -> asyncio.Future[list[Answer]]:
        """The answers, later, for images ``float32 [N, 28, 28]`` with grey levels 0 to 255."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Answer]] = loop.create_future()
        self._waiting.append(_Waiting(model, images, answer))
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._flush)
        return answer

    def _flush(self) -> None:
        """One pass; what is left waits until the event loop comes round again."""
        model = self._waiting[0].model
        together: list[_Waiting] = []
        images = 0
        for waiting in self._waiting:
            if waiting.model is model and images < MOST_TOGETHER:
                together.append(waiting)
                images += len(waiting.next_part())
        _answer(model, together)
        chosen = set(map(id, together))
        others = [w for w in self._waiting if id(w) not in chosen]
        # Behind the others: who asks for one digit does not wait for another's thousand.
        self._waiting = others + [w for w in together if not w.answer.done()]
        self._scheduled = bool(self._waiting)
        if self._scheduled:
            asyncio.get_running_loop().call_soon(self._flush)


def _answer(model: ShelfModel, together: list[_Waiting]) -> None:
    """Ask the network once and tell everybody."""
    parts = [waiting.next_part() for waiting in together]
    try:
        answers = _answers(model, np.concatenate(parts))
    except Exception as error:
        for waiting in together:
            if not waiting.answer.done():
                waiting.answer.set_exception(error)
        return
    start = 0
    for waiting, part in zip(together, parts, strict=True):
        end = start + len(part)
        waiting.take(answers[start:end])
        start = end


def _answers(model: ShelfModel, images: NDArray[np.float32]) -> list[Answer]:
    found = probabilities(model.loaded, images).double().numpy()
    rows = found.round(DECIMALS).tolist()
    digits = found.argmax(axis=1).tolist()
    inked = (images.reshape(len(images), -1).max(axis=1) >= INK).tolist()
    return [
        (digit, row) if ink else None for digit, row, ink in zip(digits, rows, inked, strict=True)
    ]
