from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from taller_cnn.config import ModelConfig
from taller_cnn.data import Digits
from taller_cnn.errors import InputError
from taller_cnn.model import SimpleCNN
from taller_cnn.reader import files
from taller_cnn.reader.files import in_file_pixels, read_files
from taller_cnn.reader.finding import find
from taller_cnn.reader.reading import Reader, read

READER = Reader(model=SimpleCNN(ModelConfig(filters=(4, 4), hidden=16), seed=0).eval())


def digit_picture(digits: Digits, index: int, scale: int) -> Image.Image:
    ink = np.kron(digits.test.images[index, 0].numpy(), np.ones((scale, scale), np.uint8))
    return Image.fromarray((235 - ink * 0.8).astype(np.uint8))


@pytest.fixture
def folder(tmp_path: Path, sample_digits: Digits) -> Path:
    for index in range(3):
        digit_picture(sample_digits, index, 5).save(tmp_path / f"{index}.png")
    return tmp_path


def test_a_bad_file_leaves_the_others_alone(folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"no")
    gone = InputError("reader_no_match", path="*.bmp")
    names = ["0.png", "bad.png", "1.png", "2.png"]
    sources = [*((name, folder / name) for name in names), ("*.bmp", gone)]
    readings = list(read_files(sources, READER))
    assert [reading.name for reading in readings] == [*names, "*.bmp"]
    assert [r.error.key if r.error else "" for r in readings] == [
        "",
        "reader_not_picture",
        "",
        "",
        "reader_no_match",
    ]
    assert all(len(r.reading.digits) == 1 for r in readings if r.reading is not None)


def test_batches_do_not_change_what_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [(f"{i}.png", folder / f"{i}.png") for i in range(3)]
    together = [r.reading.digits[0] for r in read_files(sources, READER) if r.reading]
    monkeypatch.setattr(files, "BATCH", 1)
    apart = [r.reading.digits[0] for r in read_files(iter(sources), READER) if r.reading]
    assert [d.digit for d in together] == [d.digit for d in apart]
    np.testing.assert_allclose(
        [d.probability for d in together], [d.probability for d in apart], atol=1e-6
    )


def test_pictures_without_writing_say_so(tmp_path: Path) -> None:
    Image.new("L", (60, 60), 255).save(tmp_path / "blank.png")
    Image.new("RGB", (1, 1), "black").save(tmp_path / "one.png")
    names = ("blank.png", "one.png")
    readings = read_files([(name, tmp_path / name) for name in names], READER)
    assert [r.error and r.error.key for r in readings] == ["reader_no_ink"] * 2


def test_boxes_are_told_in_the_pixels_of_the_file(tmp_path: Path, sample_digits: Digits) -> None:
    paper = Image.new("L", (2000, 1600), 235)
    paper.paste(digit_picture(sample_digits, 0, 40), (700, 200))
    paper.save(tmp_path / "large.png")
    (reading,) = read_files([("large.png", tmp_path / "large.png")], READER)
    assert reading.picture is not None
    assert reading.picture.is_reduced
    (digit,) = in_file_pixels(reading).digits
    ys, xs = np.nonzero(np.asarray(paper) < 130)
    np.testing.assert_allclose(digit.box, (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1), atol=12)


def test_strokes_that_a_reduction_would_lose_are_looked_at_again(tmp_path: Path) -> None:
    paper = np.full((2000, 2400), 235, np.uint8)
    # A small 1, two pixels wide, in a large picture: less than a pixel once that is reduced.
    paper[900:980, 1200:1202] = 30
    Image.fromarray(paper).save(tmp_path / "thin.png")
    (reading,) = read_files([("thin.png", tmp_path / "thin.png")], READER)
    assert reading.picture is not None
    assert reading.picture.size == (2400, 2000)
    assert not reading.picture.is_reduced


def _pictures(most: int) -> st.SearchStrategy[np.ndarray]:
    sides = st.integers(1, most)
    shapes = st.tuples(sides, sides) | st.tuples(sides, sides, st.just(3))
    return shapes.flatmap(lambda shape: arrays.arrays(np.uint8, shape))


@settings(max_examples=25)
@given(_pictures(24))
def test_any_picture_is_read_without_surprise(pixels: np.ndarray) -> None:
    reading = read(pixels, READER)
    for digit in reading.digits:
        left, top, right, bottom = digit.box
        assert left < right
        assert top < bottom
        assert 0 <= digit.probability <= 1


@pytest.mark.slow
@settings(max_examples=500)
@given(_pictures(150))
def test_any_picture_is_searched_without_surprise_in_the_long_run(pixels: np.ndarray) -> None:
    found = find(pixels)
    assert len(found.boxes) == len(found.images28) == len(found.lines)
