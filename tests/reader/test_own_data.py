from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from taller_cnn.data import Digits, DigitsPlace
from taller_cnn.errors import DataError, InputError
from taller_cnn.reader.own_data import OwnSet, PreparedPictures, own_image, own_set


@pytest.fixture(scope="module")
def images(sample_digits: Digits) -> np.ndarray:
    """Twelve different 0s and twelve 7s, ``uint8 [24, 28, 28]``."""
    labels = sample_digits.train.labels.numpy()
    chosen = [np.flatnonzero(labels == digit)[:12] for digit in (0, 7)]
    return sample_digits.train.images[np.concatenate(chosen), 0].numpy()


@pytest.fixture
def pictures(images: np.ndarray, tmp_path: Path) -> Path:
    """A folder with a subfolder for each, named as a class would name them."""
    folder = tmp_path / "Mis signos"
    for k, image in enumerate(images):
        place = folder / ("siete ñ" if k >= 12 else "cero 😀")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{k}.png")
    return folder


def made(path: Path, workdir: Path, resized: bool | None = None) -> tuple[OwnSet, list[int]]:
    """The set of a path, and how many pictures had been prepared at each report."""
    *steps, own = own_set(path, DigitsPlace.in_workdir(workdir).own_dir, resized=resized)
    assert isinstance(own, OwnSet)
    return own, [step.done for step in steps if isinstance(step, PreparedPictures)]


def test_pictures_of_28_pixels_become_a_set_as_they_are(
    pictures: Path, images: np.ndarray, tmp_path: Path
) -> None:
    own, steps = made(pictures, tmp_path)
    assert own.name == "mis-signos"
    assert steps == list(range(1, 25))
    digits = DigitsPlace.in_workdir(tmp_path, dataset=own.name).load()
    assert digits.class_names == ("cero 😀", "siete ñ")
    kept = np.concatenate([p.images[:, 0].numpy() for p in (digits.pool, digits.test)])
    assert sorted(image.tobytes() for image in kept) == sorted(i.tobytes() for i in images)
    # The folder is as it was.
    assert sorted(p.name for p in pictures.iterdir()) == ["cero 😀", "siete ñ"]


def test_a_set_is_made_once_and_again_when_a_picture_is_added(
    pictures: Path, images: np.ndarray, tmp_path: Path
) -> None:
    assert made(pictures, tmp_path)[0].is_new
    again, steps = made(pictures, tmp_path)
    assert (again.is_new, steps) == (False, [])
    Image.fromarray(255 - images[0].T).save(pictures / "siete ñ" / "new.png")
    changed, _ = made(pictures, tmp_path)
    assert changed.is_new
    assert [note.key for note in changed.notes] == ["own_inverted_some"]
    digits = DigitsPlace.in_workdir(tmp_path, dataset=changed.name).load()
    assert len(digits.pool) + len(digits.test) == 25


def test_photographs_are_prepared_by_the_reader_or_only_made_smaller(
    images: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "7.png"
    corner = np.full((200, 300), 255, dtype=np.uint8)
    corner[20:104, 180:264] = 255 - np.kron(images[14], np.ones((3, 3), dtype=np.uint8))
    Image.fromarray(corner).save(path)
    prepared, _ = own_image(path, resized=False)
    assert np.abs(prepared.astype(int) - images[14]).mean() < 12
    small, inverted = own_image(path, resized=True)
    assert inverted
    # 84 of 300 pixels, in the upper right of a square.
    rows, columns = np.nonzero(small > 40)
    assert columns.min() >= 16
    assert np.ptp(rows) < 8


def test_what_cannot_be_read_is_named_and_counted(pictures: Path, tmp_path: Path) -> None:
    (pictures / "cero 😀" / "broken.png").write_bytes(b"no picture")
    (pictures / "loose.png").write_bytes((pictures / "siete ñ" / "13.png").read_bytes())
    own, _ = made(pictures, tmp_path)
    assert [note.key for note in own.notes] == ["own_skipped", "own_unlabelled"]
    assert [note.values["names"] for note in own.notes] == ["broken.png", "loose.png"]


def test_too_many_that_cannot_be_read_are_an_error(pictures: Path, tmp_path: Path) -> None:
    for k in range(3):
        Image.new("L", (90, 90), 255).save(pictures / "cero 😀" / f"blank{k}.png")
    with pytest.raises(DataError, match="3 of 27 images cannot be used"):
        made(pictures, tmp_path)
    assert not (tmp_path / "data").exists()


def test_train_and_test_folders_stand(images: np.ndarray, tmp_path: Path) -> None:
    for k, image in enumerate(images):
        place = tmp_path / "s" / ("test" if k % 4 == 0 else "train") / str(k // 12)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{k}.png")
    own, _ = made(tmp_path / "s", tmp_path)
    digits = DigitsPlace.in_workdir(tmp_path, dataset=own.name).load()
    expected = sorted(image.tobytes() for image in images[::4])
    assert sorted(image.numpy().tobytes() for image in digits.test.images) == expected


def test_a_change_of_how_makes_it_anew(pictures: Path, tmp_path: Path) -> None:
    made(pictures, tmp_path)
    assert made(pictures, tmp_path, resized=True)[0].is_new
    # Who only uses it takes it as it is.
    assert not made(pictures, tmp_path)[0].is_new
    assert made(pictures, tmp_path, resized=False)[0].is_new


@pytest.mark.parametrize(("name", "key"), [("none", "own_no_path"), ("a.txt", "own_kind")])
def test_paths_that_are_no_data_set(name: str, key: str, tmp_path: Path) -> None:
    if "." in name:
        (tmp_path / name).write_text("x")
    with pytest.raises(InputError) as caught:
        made(tmp_path / name, tmp_path)
    assert caught.value.key == key


@pytest.mark.skipif(os.name == "nt", reason="no such rights there")
def test_a_folder_that_cannot_be_written_is_told(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(Exception, match="data") as caught:
        made(pictures, tmp_path)
    assert type(caught.value).__name__ == "OutputError"
