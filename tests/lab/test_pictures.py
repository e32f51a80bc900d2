from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from taller_cnn.lab.pictures import decode
from taller_cnn.lab.problems import FieldError, MediaTypeError, TooLargeError


def file(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_the_usual_kinds_are_decoded(kind: str) -> None:
    pixels = decode(file(Image.new("RGB", (30, 20), (200, 200, 200)), kind))
    assert (pixels.shape, pixels.dtype) == ((20, 30, 3), np.uint8)
    assert abs(int(pixels[10, 10, 0]) - 200) <= 3


def test_a_photo_is_turned_upright() -> None:
    image = Image.new("L", (30, 20))
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode(file(image, "JPEG", exif=exif)).shape == (30, 20, 3)


def test_what_is_transparent_is_white() -> None:
    pixels = decode(file(Image.new("RGBA", (5, 5), (0, 0, 0, 0))))
    assert (pixels == 255).all()


def test_sixteen_bits_are_scaled_and_not_cut_off() -> None:
    wide = Image.fromarray(np.full((4, 4), 25700, dtype=np.uint16))
    assert (decode(file(wide)) == 100).all()


@pytest.mark.parametrize(
    "data", [b"GIF89a", b"%PDF-1.4", b"cos\nsystem\n(S'true'\ntR.", b"PK\x03\x04"]
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises((MediaTypeError, FieldError)):
        decode(data)


def test_nothing_is_no_picture() -> None:
    with pytest.raises(FieldError, match="empty"):
        decode(b"")


def test_a_picture_that_is_cut_short_is_refused() -> None:
    whole = file(Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)))
    with pytest.raises(FieldError, match="cannot be read"):
        decode(whole[: len(whole) // 2])


def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    # 60 megapixels of one colour: 60 kB here, 180 MB decoded.
    small_file = file(Image.new("1", (10_000, 6_000)))
    assert len(small_file) < 100_000
    with pytest.raises(TooLargeError, match="50"):
        decode(small_file)


def test_a_picture_that_lies_about_its_size_is_refused() -> None:
    data = bytearray(file(Image.new("L", (10, 10))))
    data[16:24] = (200_000).to_bytes(4, "big") * 2
    with pytest.raises((TooLargeError, FieldError, MediaTypeError)):
        decode(bytes(data))
