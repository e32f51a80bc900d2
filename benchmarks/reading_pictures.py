"""Make the pictures of `docs/explanation/reading`: ``python benchmarks/reading_pictures.py MODEL``.

Digits of the sample are written on paper and photographed. Of each stage: the picture, what it
would become without the stage, and with it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from taller_cnn.checkpoints import load_model
from taller_cnn.data import DigitsPlace, LabelledImages
from taller_cnn.messages import Messages
from taller_cnn.reader.drawing import steps_strip
from taller_cnn.reader.finding import Options, find
from taller_cnn.reader.ink import ink_mask, noise_of, otsu
from taller_cnn.reader.light import grey, ink_strength
from taller_cnn.reader.preparation import prepare, with_usual_strokes
from taller_cnn.reader.reading import Reader, read
from taller_cnn.reader.ruling import without_ruling
from taller_cnn.reader.sheet import without_table

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from rendering import rendered_pictures
from writing import Pen, written

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
Grey = NDArray[np.float32]
Panels = tuple[Grey, Grey, Grey]
HEIGHT = 150


def inked(strength: Grey) -> Grey:
    return 1 - ink_mask(strength, noise_of(strength)).astype(np.float32)


def rendered(split: LabelledImages, kind: str, seed: int) -> Grey:
    picture = list(rendered_pictures(split, 2, seed, kinds=[kind], others=0.0))[1]
    return grey(picture.pixels)


def polarity(split: LabelledImages) -> Panels:
    drawing = 0.1 + 0.8 * (1 - rendered(split, "photo", 5))
    return drawing, inked(ink_strength(drawing)), inked(ink_strength(1 - drawing))


def light(split: LabelledImages) -> Panels:
    photo = rendered(split, "shadowed", 5)
    return photo, (photo > otsu(photo)).astype(np.float32), inked(ink_strength(photo))


def ruling(split: LabelledImages) -> Panels:
    photo = rendered(split, "squared", 5)
    strength = ink_strength(photo)
    return photo, inked(strength), inked(without_ruling(strength, noise_of(strength)))


def table(split: LabelledImages) -> Panels:
    sheet = rendered(split, "photo", 5)
    generator = np.random.default_rng(0)
    rows, columns = (side + side // 2 for side in sheet.shape)
    grain = generator.normal(0, 0.07, rows // 3 + 1).repeat(3)[:rows]
    photo = np.broadcast_to(0.25 + grain[:, None], (rows, columns)).astype(np.float32).copy()
    top, left = sheet.shape[0] // 4, sheet.shape[1] // 4
    photo[top : top + sheet.shape[0], left : left + sheet.shape[1]] = sheet
    cut, (x, y) = without_table(photo)
    page = np.ones_like(photo)
    page[y : y + cut.shape[0], x : x + cut.shape[1]] = inked(ink_strength(cut))
    return photo, inked(ink_strength(photo)), page


def strokes(split: LabelledImages) -> Panels:
    """A marker and a pencil."""
    generator = np.random.default_rng(1)
    images = split.images.numpy()[:2, 0]
    inks = [written(images[i], Pen(height=120, width=w), generator) for i, w in ((0, 26), (1, 3))]
    columns = (inks, [prepare(i) for i in inks], [prepare(with_usual_strokes(i)) for i in inks])
    original, without, with_stage = (side_by_side([grey_of(i) for i in each]) for each in columns)
    return 1 - original, 1 - without, 1 - with_stage


def cuts(split: LabelledImages, reader: Reader) -> Panels:
    """Two digits that touch: the mark as one, and its parts."""
    generator = np.random.default_rng(2)
    images = split.images.numpy()[:, 0]
    three, zero = (images[int(np.flatnonzero(split.labels.numpy() == d)[0])] for d in (3, 0))
    first, second = (written(image, Pen(height=100, width=9), generator) for image in (three, zero))
    for overlap in range(2, 30):
        page = np.zeros((180, 300), np.float32)
        page[40 : 40 + len(first), 50 : 50 + first.shape[1]] = first
        part = page[40 : 40 + len(second), 50 + first.shape[1] - overlap :][:, : second.shape[1]]
        np.maximum(part, second, out=part)
        pixels = np.rint(255 * (1 - page)).astype(np.uint8)
        whole, said = find(pixels).images28, read(pixels, reader)
        if len(whole) == 1 and said.text == "30":
            parts = side_by_side([grey_of(digit.image28) for digit in said.digits])
            return 1 - page, 1 - grey_of(whole[0]), 1 - parts
    raise SystemExit("no two digits that touch are read")


def grey_of(image: NDArray[np.generic]) -> Grey:
    scale = 255 if image.dtype == np.uint8 else 1
    return np.asarray(image, dtype=np.float32) / np.float32(scale)


def side_by_side(images: list[Grey]) -> Grey:
    height = max(len(image) for image in images)
    return np.concatenate(
        [np.pad(i, ((0, height - len(i)), (0, max(2, height // 10)))) for i in images], axis=1
    )


STAGES: dict[str, Callable[[LabelledImages], Panels]] = {
    "table": table,
    "polarity": polarity,
    "light": light,
    "ruling": ruling,
    "strokes": strokes,
}


def row(panels: Panels) -> Image.Image:
    images = []
    for panel in panels:
        image = Image.fromarray(np.rint(255 * np.clip(panel, 0, 1)).astype(np.uint8))
        width = round(image.width * HEIGHT / image.height)
        resampling = Image.Resampling.NEAREST if image.height < HEIGHT else Image.Resampling.LANCZOS
        images.append(image.resize((width, HEIGHT), resampling))
    page = Image.new("L", (sum(i.width + 8 for i in images) + 8, HEIGHT + 16), 128)
    x = 8
    for image in images:
        page.paste(image, (x, 8))
        x += image.width + 8
    return page


def main(model: Path) -> None:
    """Write ``reading_<kind>_<language>.png`` and ``reading_stage_<stage>.png``."""
    with tempfile.TemporaryDirectory() as folder:
        sample = Path(folder)
        digits = DigitsPlace(data_dir=sample, sample_dir=sample, source="sample").load()
    reader = Reader.of(load_model(model))
    panels = {name: stage(digits.validation) for name, stage in STAGES.items()}
    panels["cuts"] = cuts(digits.validation, reader)
    for name, shown in panels.items():
        row(shown).quantize(32).save(IMAGES / f"reading_stage_{name}.png", optimize=True)
    for kind in ("squared", "shadowed"):
        picture = list(rendered_pictures(digits.validation, 2, 5, kinds=[kind]))[1]
        reading = read(picture.pixels, reader, Options(steps=True))
        for language in ("es", "en"):
            strip = steps_strip(picture.pixels, reading, Messages(language))
            strip.quantize(128).save(IMAGES / f"reading_{kind}_{language}.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
