from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from taller_cnn.data import MNIST_SCALE, Digits
from taller_cnn.lab.lab import Lab
from taller_cnn.lab.problems import LabError
from taller_cnn.lab.readings import read_bytes
from taller_cnn.reader import Options, Reader
from taller_cnn.reader.files import in_file_pixels
from taller_cnn.reader.loading import WORKING_PIXELS


@pytest.fixture(scope="module")
def reader(shared_lab: Lab) -> Reader:
    return Reader(model=shared_lab.models.get().loaded.model, scale=MNIST_SCALE)


@pytest.fixture(scope="module")
def page(tiny_digits: Digits) -> NDArray[np.uint8]:
    """A 140 x 160 page with one dark digit, twice as far from the left as from the top."""
    pixels = np.full((140, 160), 230, dtype=np.uint8)
    digit = tiny_digits.test.images[0, 0].numpy()
    pixels[20:104, 40:124] -= (digit.repeat(3, axis=0).repeat(3, axis=1) * 0.8).astype(np.uint8)
    return pixels


def file(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def box_of(data: bytes, reader: Reader) -> tuple[int, int, int, int]:
    """Where the only digit is."""
    (digit,) = in_file_pixels(read_bytes(data, reader, Options())).digits
    return digit.box


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM"])
def test_the_usual_kinds_are_read(kind: str, page: NDArray[np.uint8], reader: Reader) -> None:
    left, top, right, bottom = box_of(file(Image.fromarray(page).convert("RGB"), kind), reader)
    assert 40 <= left < right <= 124
    assert 20 <= top < bottom <= 104


def test_a_photo_is_turned_upright(page: NDArray[np.uint8], reader: Reader) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = Image.fromarray(page).transpose(Image.Transpose.ROTATE_90)
    data = file(lying, "PNG", exif=exif)
    picture = read_bytes(data, reader, Options()).picture
    assert picture
    assert picture.size == (160, 140)
    assert box_of(data, reader) == box_of(file(Image.fromarray(page)), reader)


def test_a_scan_that_fills_twelve_of_sixteen_bits_is_the_same_picture(
    page: NDArray[np.uint8], reader: Reader
) -> None:
    scan = Image.fromarray(page.astype(np.uint16) * 17)
    found = [
        in_file_pixels(read_bytes(file(image), reader, Options())).digits[0]
        for image in (scan, Image.fromarray(page))
    ]
    assert found[0].box == found[1].box
    assert np.abs(found[0].image28.astype(int) - found[1].image28).max() <= 2


def test_what_is_transparent_is_paper(page: NDArray[np.uint8], reader: Reader) -> None:
    ink = np.zeros((*page.shape, 4), dtype=np.uint8)
    ink[..., 3] = np.where(page < 150, 255, 0)
    left, top, _, _ = box_of(file(Image.fromarray(ink)), reader)
    assert left >= 40
    assert top >= 20


def test_boxes_are_in_the_files_own_pixels(page: NDArray[np.uint8], reader: Reader) -> None:
    large = Image.fromarray(page).resize((1600, 1400), Image.Resampling.NEAREST)
    assert large.width * large.height > WORKING_PIXELS
    picture = read_bytes(file(large), reader, Options()).picture
    assert picture
    assert picture.is_reduced
    assert picture.size == (1600, 1400)
    whole = np.array(box_of(file(Image.fromarray(page)), reader))
    assert np.abs(np.array(box_of(file(large), reader)) - 10 * whole).max() <= 30


@pytest.mark.parametrize(
    "data", [b"hello", b"%PDF-1.4", b"%!PS-Adobe-3.0 EPSF-3.0", b"cos\nsystem\n(S'true'\ntR."]
)
def test_what_is_no_picture_is_refused(refused, data: bytes, reader: Reader) -> None:
    with refused(415, "PNG, JPEG"):
        read_bytes(data, reader, Options())


@pytest.mark.parametrize("kind", ["EPS", "TGA", "PCX"])
def test_a_kind_with_a_rarely_used_decoder_is_refused(refused, kind: str, reader: Reader) -> None:
    with refused(415):
        read_bytes(file(Image.new("RGB", (30, 20)), kind), reader, Options())


def test_nothing_is_no_picture(refused, reader: Reader) -> None:
    with refused(422, "empty"):
        read_bytes(b"", reader, Options())


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_a_picture_that_is_cut_short_is_refused(refused, share: float, reader: Reader) -> None:
    whole = file(Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)))
    with pytest.raises(LabError) as caught:
        read_bytes(whole[: int(share * len(whole))], reader, Options())
    assert caught.value.status in (415, 422)


def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded(
    refused, reader: Reader
) -> None:
    # 60 megapixels of one colour: 60 kB here, 180 MB decoded.
    small_file = file(Image.new("1", (10_000, 6_000)))
    assert len(small_file) < 100_000
    with refused(413, "50 megapixels"):
        read_bytes(small_file, reader, Options())


def test_a_picture_with_an_endless_side_is_refused(refused, reader: Reader) -> None:
    with refused(413, "20,000"):
        read_bytes(file(Image.new("1", (20_001, 2))), reader, Options())


@pytest.mark.parametrize("side", [20_000, 200_000])
def test_a_picture_that_lies_about_its_size_is_refused(refused, side: int, reader: Reader) -> None:
    data = bytearray(file(Image.new("L", (10, 10))))
    data[16:24] = side.to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    with refused(413, "50 megapixels"):
        read_bytes(bytes(data), reader, Options())
