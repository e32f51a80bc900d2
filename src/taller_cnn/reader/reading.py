"""What the network says about the digits that were found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from taller_cnn.checkpoints import LoadedModel
from taller_cnn.data import MNIST_SCALE, Scale
from taller_cnn.reader.finding import Found, Options, Split, find
from taller_cnn.reader.marks import Box, Rejected
from taller_cnn.reader.splitting import best_parts
from taller_cnn.views import InViews

BATCH = 512
"""Images that the network sees at a time."""
DIGIT_NAMES = tuple("0123456789")
GAP = 0.9
"""Empty part of a line, in digit heights, that is a space."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Reader:
    """A network with what is needed to read with it."""

    model: nn.Module
    """Takes ``float32 [N, 1, 28, 28]``, gives logits ``[N, K]``; in evaluation mode."""
    scale: Scale = MNIST_SCALE
    threshold: float | None = None
    """Readings less probable than this are uncertain; None: not known, none is."""
    class_names: tuple[str, ...] = DIGIT_NAMES
    """What its K classes are called."""

    @classmethod
    def of(cls, loaded: LoadedModel, threshold: float | None = None) -> Self:
        """A network from disk, with the normalisation that it was trained with if that is known."""
        return cls(
            model=loaded.model,
            scale=loaded.scale,
            threshold=threshold,
            class_names=loaded.class_names,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class DigitReading:
    """One digit as it is read."""

    box: Box
    digit: int
    """Which of the classes."""
    probability: float
    second: int
    """The second choice."""
    second_probability: float
    uncertain: bool
    image28: NDArray[np.uint8]
    """What the network saw."""
    line: int = 0
    """Which line of writing it is in, from the top."""
    class_names: tuple[str, ...] = DIGIT_NAMES

    @property
    def name(self) -> str:
        """What its class is called."""
        return self.class_names[self.digit]

    @property
    def second_name(self) -> str:
        """What the second choice is called."""
        return self.class_names[self.second]


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureReading:
    """What is read in a picture."""

    text: str
    """The digits in reading order; lines are separated by newlines."""
    digits: tuple[DigitReading, ...]
    rejected: tuple[Rejected, ...]
    steps: Mapping[str, NDArray[np.generic]]


def read(
    pixels: NDArray[np.uint8], reader: Reader, options: Options | None = None
) -> PictureReading:
    """Read the digits in a picture, ``uint8 [H, W]`` or ``[H, W, 3]``."""
    return read_found([find(pixels, options)], reader, options)[0]


def read_found(
    found: Sequence[Found], reader: Reader, options: Options | None = None
) -> list[PictureReading]:
    """Read what was found in several pictures; the network sees all of them together."""
    images = [part for picture in found for part in (picture.images28, *_parts(picture))]
    probabilities = probabilities_of(images, reader)
    ends = np.cumsum([len(part) for part in images], dtype=int).tolist()
    starts = [0, *ends[:-1]]
    rows = iter([probabilities[a:b] for a, b in zip(starts, ends, strict=False)])
    return [_reading(picture, rows, reader, options or Options()) for picture in found]


def _parts(found: Found) -> list[NDArray[np.uint8]]:
    return [split.images28 for split in found.splits]


@torch.inference_mode()
def probabilities_of(parts: Sequence[NDArray[np.uint8]], reader: Reader) -> NDArray[np.float32]:
    """The mean over several views of each image, ``float32 [N, 10]``."""
    images = torch.from_numpy(np.concatenate([np.zeros((0, 28, 28), np.uint8), *parts]))
    asked, scale = InViews(reader.model, reader.scale), reader.scale
    rows = [
        asked((batch[:, None].float() / 255 - scale.mean) / scale.std).exp()
        for batch in torch.split(images, BATCH)
        if len(batch)
    ]
    return torch.cat(rows).cpu().numpy() if rows else np.zeros((0, 10), np.float32)


def _reading(
    found: Found, rows: Iterator[NDArray[np.float32]], reader: Reader, options: Options
) -> PictureReading:
    """The reading of one picture, whose probabilities come next in `rows`."""
    whole = next(rows)
    chosen: dict[int, tuple[Split, list[int], NDArray[np.float32]]] = {}
    for split in found.splits:
        parts = next(rows)
        chosen[split.index] = (split, best_parts(split.parts, parts), parts)
    digits: list[DigitReading] = []
    for index, line in enumerate(found.lines):
        boxes: tuple[Box, ...] = (found.boxes[index],)
        images, probabilities = found.images28[[index]], whole[[index]]
        if index in chosen:
            split, way, parts = chosen[index]
            boxes = tuple(split.boxes[i] for i in way)
            images, probabilities = split.images28[way], parts[way]
        for box, image, row in zip(boxes, images, probabilities, strict=True):
            digits.append(_digit(box, image, row, line, reader))
    return PictureReading(
        text=_text(digits, spaces=options.lines),
        digits=tuple(digits),
        rejected=found.rejected,
        steps=found.steps,
    )


def _digit(
    box: Box, image: NDArray[np.uint8], row: NDArray[np.float32], line: int, reader: Reader
) -> DigitReading:
    first, second = (int(index) for index in np.argsort(row)[::-1][:2])
    probability = float(row[first])
    return DigitReading(
        box=box,
        digit=first,
        probability=probability,
        second=second,
        second_probability=float(row[second]),
        uncertain=reader.threshold is not None and probability < reader.threshold,
        image28=image,
        line=line,
        class_names=reader.class_names,
    )


def _text(digits: Sequence[DigitReading], *, spaces: bool) -> str:
    height = float(np.median([d.box[3] - d.box[1] for d in digits])) if digits else 0.0
    # Names of several letters are words.
    words = any(len(digit.name) > 1 for digit in digits)
    text = ""
    for before, digit in zip((None, *digits), digits, strict=False):
        if before is not None and before.line != digit.line:
            text += "\n"
        elif before is not None:
            is_apart = spaces and digit.box[0] - before.box[2] > GAP * height
            text += " " if words or is_apart else ""
        text += digit.name
    return text
