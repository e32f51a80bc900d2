"""A reading drawn with Pillow: on its picture, and the stages that led to it.

Not with matplotlib, which takes as long to start as all the rest.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from taller_cnn.files import atomic_path
from taller_cnn.messages import Messages
from taller_cnn.reader.files import STDIN, FileReading
from taller_cnn.reader.reading import DigitReading, PictureReading

SURE, UNSURE, NOT_READ = (0, 114, 178), (213, 94, 0), (128, 128, 128)
"""Okabe and Ito's blue and vermilion, told apart with any colour vision; grey."""
LEAST_SIDE = 480
PANEL = 240
"""Side of a stage in the strip, in pixels."""
MARGIN = 8
NAME_BYTES = 200
"""Most of a file's name that the names of its pictures have: systems take 255 bytes in all."""


class Drawings:
    """Pictures of readings in a folder, each under the name of its file.

    Args:
        folder: where ``lectura_<name>.png`` and ``etapas_<name>.png`` are written.
        messages: the language in them.
        annotate: whether each picture is written with its reading on it.
        show_steps: whether the stages of each reading are; it was read with its steps kept.
    """

    def __init__(
        self, folder: Path, messages: Messages, *, annotate: bool, show_steps: bool
    ) -> None:
        self._folder, self._messages = folder, messages
        self._annotate, self._show_steps = annotate, show_steps
        self._taken: set[str] = set()

    def write(self, file: FileReading) -> None:
        """Write what is wanted of one file; of one that was not read, nothing.

        Raises:
            OutputError: the folder cannot be written.
        """
        if file.picture is None or file.reading is None:
            return
        stem = "stdin" if file.name == STDIN else Path(file.name).stem
        name = self._free_name(_shortened(stem))
        drawings = (
            ("lectura", annotated, self._annotate),
            ("etapas", steps_strip, self._show_steps),
        )
        for prefix, draw, is_wanted in drawings:
            if is_wanted:
                image = draw(file.picture.pixels, file.reading, self._messages)
                with atomic_path(self._folder / f"{prefix}_{name}.png") as path:
                    image.save(path, "PNG")

    def _free_name(self, stem: str) -> str:
        """The name of a file, with a number if another one has it."""
        name, number = stem, 1
        while name in self._taken:
            number += 1
            name = f"{stem}_{number}"
        self._taken.add(name)
        return name


def _shortened(name: str) -> str:
    """A name whose bytes there is room for."""
    data = os.fsencode(name)
    return name if len(data) <= NAME_BYTES else data[:NAME_BYTES].decode(errors="ignore")


def annotated(
    pixels: NDArray[np.uint8], reading: PictureReading, messages: Messages
) -> Image.Image:
    """The picture with a box around each digit, what it is read as, and how surely."""
    factor = max(1, -(-LEAST_SIDE // max(pixels.shape[:2])))
    image = Image.fromarray(pixels).convert("RGB")
    image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    heights = [(d.box[3] - d.box[1]) * factor for d in reading.digits]
    size = int(np.clip(0.3 * float(np.median(heights or [0])), 14, 48))
    room = size + 8
    page = Image.new("RGB", (image.width, image.height + 2 * room), "white")
    page.paste(image, (0, room))
    drawing = ImageDraw.Draw(page)
    for mark in reading.rejected:
        drawing.rectangle(_placed(mark.box, factor, room), outline=NOT_READ, width=1)
    for digit in reading.digits:
        _draw_digit(drawing, digit, factor, room, size, messages)
    return page


def _placed(box: tuple[int, int, int, int], factor: int, room: int) -> tuple[int, int, int, int]:
    left, top, right, bottom = (value * factor for value in box)
    return left - 2, top + room - 2, right + 1, bottom + room + 1


def _draw_digit(
    drawing: ImageDraw.ImageDraw,
    digit: DigitReading,
    factor: int,
    room: int,
    size: int,
    messages: Messages,
) -> None:
    colour = UNSURE if digit.uncertain else SURE
    left, top, right, bottom = _placed(digit.box, factor, room)
    drawing.rectangle((left, top, right, bottom), outline=colour, width=max(2, size // 12))
    name = f"{digit.name}?" if digit.uncertain else digit.name
    drawing.text((left, top - 2), name, colour, ImageFont.load_default(size), anchor="lb")
    # Pillow's own font has no no-break space.
    sure = messages("reader.probability", p=digit.probability).replace("\xa0", " ")
    small = ImageFont.load_default(max(9, size // 2))
    drawing.text((left, bottom + 2), sure, colour, small, anchor="lt")


def steps_strip(
    pixels: NDArray[np.uint8], reading: PictureReading, messages: Messages
) -> Image.Image:
    """The stages side by side: as it is, grey, light removed, ink, boxes, what the network sees.

    `reading` must have been made with `Options.steps`.
    """
    steps = reading.steps
    panels = [
        ("original", Image.fromarray(pixels).convert("RGB")),
        ("grey", _grey(steps["grey"])),
        ("light", _grey(1 - np.clip(steps["light"].astype(np.float32), 0, 1))),
        ("mask", _grey(1 - steps["mask"].astype(np.float32))),
        ("boxes", annotated(pixels, reading, messages)),
        ("images", _mosaic([digit.image28 for digit in reading.digits])),
    ]
    font = ImageFont.load_default(14)
    fitted = [(name, _fitted(panel)) for name, panel in panels]
    height = max(panel.height for _, panel in fitted) + 36
    page = Image.new("RGB", (len(panels) * (PANEL + MARGIN) + MARGIN, height), "white")
    drawing = ImageDraw.Draw(page)
    for index, (name, panel) in enumerate(fitted):
        x = MARGIN + index * (PANEL + MARGIN)
        drawing.text((x, 6), messages(f"reader.step.{name}"), "black", font)
        page.paste(panel, (x, 28))
    return page


def _grey(values: NDArray[np.generic]) -> Image.Image:
    levels = np.clip(values.astype(np.float32), 0, 1)
    return Image.fromarray(np.rint(levels * 255).astype(np.uint8)).convert("RGB")


def _fitted(image: Image.Image) -> Image.Image:
    scale = PANEL / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    resampling = Image.Resampling.NEAREST if scale > 2 else Image.Resampling.LANCZOS
    return image.resize(size, resampling)


def _mosaic(images: Sequence[NDArray[np.uint8]]) -> Image.Image:
    """The 28x28 images in rows, as square as can be."""
    columns = max(1, int(np.ceil(np.sqrt(len(images)))))
    rows = max(1, -(-len(images) // columns))
    page = np.full((rows * 30, columns * 30), 128, dtype=np.uint8)
    for index, image in enumerate(images):
        top, left = 30 * (index // columns) + 1, 30 * (index % columns) + 1
        page[top : top + 28, left : left + 28] = image
    return Image.fromarray(page).convert("RGB")
