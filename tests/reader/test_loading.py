from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from taller_cnn.errors import InputError
from taller_cnn.reader import loading
from taller_cnn.reader.loading import Picture, load_picture

TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
"""For each EXIF orientation, the transposition that makes such a file of an upright picture."""


def page(width: int = 120, height: int = 80) -> Image.Image:
    """Grey paper with a dark corner top left."""
    pixels = np.full((height, width), 200, np.uint8)
    pixels[: height // 4, : width // 4] = 40
    return Image.fromarray(pixels)


def saved(image: Image.Image, kind: str = "PNG", **settings: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def loaded(image: Image.Image, kind: str = "PNG", **settings: object) -> Picture:
    return load_picture(saved(image, kind, **settings))


def png_header(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99)))


def key_of(data: bytes) -> str:
    with pytest.raises(InputError) as caught:
        load_picture(data, name="x")
    return caught.value.key


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_is_put_upright(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = page()
    if orientation in TURNS:
        image = image.transpose(Image.Transpose(TURNS[orientation]))
    picture = loaded(image, kind, exif=exif)
    assert picture.size == (120, 80)
    assert picture.pixels.shape[:2] == (80, 120)
    assert picture.pixels[5, 5].mean() < 60
    assert picture.pixels[75, 115].mean() > 180


def test_a_large_jpeg_is_reduced_while_it_is_decoded_and_put_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = page(2400, 1600).transpose(Image.Transpose.ROTATE_90)
    picture = loaded(image, "JPEG", exif=exif)
    assert picture.size == (2400, 1600)
    assert picture.is_reduced
    assert picture.scale == 2
    assert picture.pixels.shape == (800, 1200)
    assert picture.pixels[50, 50] < 60


@pytest.mark.parametrize(
    "damage", [b"", b"II*\0\xff\xff\xff\x7f", b"MM\0*\0\0\0\x08\0\x09\x01\x12"]
)
def test_a_picture_with_damaged_exif_is_read_as_it_lies(damage: bytes) -> None:
    picture = loaded(page(120, 80), "JPEG", exif=b"Exif\0\0" + damage)
    assert picture.size == (120, 80)
    assert picture.pixels.shape[:2] == (80, 120)


def test_a_large_png_keeps_at_most_the_working_pixels() -> None:
    picture = loaded(page(2400, 1600))
    assert picture.pixels.size <= loading.WORKING_PIXELS
    assert picture.pixels[50, 50] == 40


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_grey_of_many_bits_keeps_its_levels(bits: int) -> None:
    levels = np.asarray(page()).astype(np.uint16) * ((2**bits - 1) // 255)
    pixels = loaded(Image.fromarray(levels), "TIFF").pixels
    assert abs(int(pixels[5, 5]) - 40) <= 2
    assert abs(int(pixels[75, 115]) - 200) <= 2


def test_fractions_of_white_are_grey_too() -> None:
    pixels = loaded(Image.fromarray(np.asarray(page()).astype(np.float32) / 255), "TIFF").pixels
    assert (pixels[5, 5], pixels[75, 115]) == (40, 200)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("CMYK", "JPEG"), ("CMYK", "TIFF"), ("P", "GIF"), ("P", "PNG"), ("1", "PNG"), ("LA", "PNG")],
)
def test_other_modes_look_the_same(mode: str, kind: str) -> None:
    pixels = loaded(page().convert(mode), kind).pixels
    assert pixels[5:15, 5:25].mean() < 60
    assert pixels[30:75, 40:115].mean() > 180


@pytest.mark.parametrize(("ink", "ground"), [(0, 255), (255, 0)])
def test_what_is_drawn_on_nothing_stands_out_from_its_ground(ink: int, ground: int) -> None:
    pixels = np.full((40, 40, 4), ink, np.uint8)
    pixels[..., 3] = 0
    pixels[5:10, 5:35, 3] = 255
    grey = loaded(Image.fromarray(pixels)).pixels[..., 0]
    assert (grey[7, 7], grey[30, 30]) == (ink, ground)


def test_the_first_frame_of_several_is_loaded() -> None:
    image = page()
    others = [Image.new("L", image.size, 255)] * 2
    assert loaded(image, "GIF", save_all=True, append_images=others).pixels[5, 5].mean() < 60


@pytest.mark.parametrize("side", [1, 8])
def test_the_smallest_pictures_are_loaded(side: int) -> None:
    assert loaded(Image.new("L", (side, side), 7)).pixels.tolist() == [[7] * side] * side


def test_what_is_no_picture_is_told_by_what_it_is() -> None:
    png = saved(page())
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    jpeg = saved(Image.fromarray(noise), "JPEG")
    assert key_of(b"") == "reader_empty_file"
    assert key_of(b"hola") == "reader_not_picture"
    assert key_of(png[: len(png) // 2]) == "reader_damaged"
    assert key_of(jpeg[: len(jpeg) // 2]) == "reader_damaged"


@pytest.mark.parametrize("side", [8_000, 30_000])
def test_a_bomb_is_refused_by_its_header(side: int) -> None:
    assert key_of(png_header(side, side)) == "reader_too_large"


def test_a_picture_as_long_as_a_thread_is_refused() -> None:
    assert key_of(png_header(30_000, 2)) == "reader_too_long"


def test_a_heic_photo_names_the_library_that_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_know_heif", lambda: False)
    assert key_of(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic") == "reader_heif"


def test_a_heic_photo_is_read_where_the_library_is() -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    picture = loaded(page().convert("RGB"), "HEIF", quality=90)
    assert picture.size == (120, 80)
    assert picture.pixels[5:15, 5:25].mean() == pytest.approx(40, abs=6)
    assert picture.pixels[40:70, 60:110].mean() == pytest.approx(200, abs=6)


def test_a_file_without_end_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(loading, "MOST_MEGABYTES", 1)
    (tmp_path / "a.png").write_bytes(bytes(1_000_001))
    with pytest.raises(InputError) as caught:
        load_picture(tmp_path / "a.png")
    assert caught.value.key == "reader_too_many_bytes"


@pytest.mark.parametrize(("name", "key"), [("no.png", "reader_no_file"), ("", "reader_unreadable")])
def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path, name: str, key: str) -> None:
    with pytest.raises(InputError) as caught:
        load_picture(tmp_path / name)
    assert caught.value.key == key


def _survives(data: bytes) -> None:
    """Any bytes are a picture or an error that can be told."""
    try:
        picture = load_picture(data, name="x")
    except InputError:
        return
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.ndim in (2, 3)


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    kind = draw(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF"]))
    data = bytearray(saved(page(24, 16), kind))
    for _ in range(draw(st.integers(1, 4))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(1, len(data)))])


@settings(max_examples=60)
@given(st.binary(max_size=200) | _damaged())
def test_damaged_files_never_surprise(data: bytes) -> None:
    _survives(data)


@pytest.mark.slow
@settings(max_examples=3000)
@given(_damaged())
def test_damaged_files_never_surprise_in_the_long_run(data: bytes) -> None:
    _survives(data)
