"""Make the pictures of `lectura.md` and `reading.md`: ``python docs/reading_pictures.py MODEL``.

Digits of the sample are written on squared and shadowed paper; no photo is needed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from taller_cnn.checkpoints import load_model
from taller_cnn.data import load_digits
from taller_cnn.messages import Messages
from taller_cnn.reader.drawing import steps_strip
from taller_cnn.reader.finding import Options
from taller_cnn.reader.reading import Reader, read
from taller_cnn.reader.rendering import rendered_pictures

IMAGES = Path(__file__).parent / "images"


def main(model: Path) -> None:
    """Write ``reading_<kind>_<language>.png``."""
    with tempfile.TemporaryDirectory() as folder:
        sample = Path(folder)
        digits = load_digits(source="sample", data_dir=sample, sample_dir=sample)
    reader = Reader(model=load_model(model).model)
    for kind in ("squared", "shadowed"):
        picture = list(rendered_pictures(digits.validation, 2, 5, kinds=[kind]))[1]
        reading = read(picture.pixels, reader, Options(steps=True))
        for language in ("es", "en"):
            strip = steps_strip(picture.pixels, reading, Messages(language))
            strip.quantize(128).save(IMAGES / f"reading_{kind}_{language}.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
