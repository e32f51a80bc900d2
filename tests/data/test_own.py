from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from taller_cnn.data import Digits, DigitsPlace
from taller_cnn.data.own import (
    TEST,
    TRAIN,
    UNKNOWN,
    VALIDATION,
    OwnImages,
    copies,
    keep,
    kept_notes,
    own_spec,
    set_name,
    split,
)
from taller_cnn.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def own(sample_digits: Digits) -> OwnImages:
    """Forty each of three digits, nothing said of what they are for."""
    images = sample_digits.train.images[:, 0].numpy()
    labels = sample_digits.train.labels.numpy()
    chosen = np.concatenate([np.flatnonzero(labels == digit)[:40] for digit in (0, 4, 7)])
    return OwnImages(
        images=images[chosen],
        labels=np.repeat(np.arange(3), 40),
        class_names=("cero", "cuatro", "siete"),
        parts=np.full(120, UNKNOWN, dtype=np.int8),
    )


def with_more(own: OwnImages, images: np.ndarray, labels: list[int]) -> OwnImages:
    """The same with images behind it."""
    return OwnImages(
        images=np.concatenate([own.images, images]),
        labels=np.concatenate([own.labels, labels]),
        class_names=own.class_names,
        parts=np.concatenate([own.parts, np.full(len(labels), UNKNOWN, dtype=np.int8)]),
    )


def told(own: OwnImages) -> dict[str, object]:
    return {note.key: dict(note.values) for note in split(own)[1]}


def test_each_class_is_split_70_15_15(own: OwnImages) -> None:
    parts, notes = split(own)
    for label in range(3):
        counts = [int(((parts == part) & (own.labels == label)).sum()) for part in (0, 1, 2)]
        assert counts == [28, 6, 6]
    assert notes == ()


def test_the_split_depends_on_the_content_and_not_on_the_order(own: OwnImages) -> None:
    order = np.random.default_rng(3).permutation(len(own.labels))
    other = OwnImages(
        images=own.images[order],
        labels=own.labels[order],
        class_names=own.class_names,
        parts=own.parts,
    )
    assert np.array_equal(split(other)[0], split(own)[0][order])


def test_copies_and_near_copies_lie_on_one_side(own: OwnImages) -> None:
    noise = np.random.default_rng(0).normal(0, 5, own.images.shape)
    again = np.clip(own.images * 0.85 + noise, 0, 255).astype(np.uint8)
    twice = with_more(own, again, own.labels.tolist())
    parts, _ = split(twice)
    assert np.array_equal(parts[:120], parts[120:])
    assert (parts == TEST).sum() == pytest.approx(36, abs=3)
    assert told(twice) == {"own_copies": {"n": 120}}


def test_different_digits_are_no_copies(sample_digits: Digits) -> None:
    images = sample_digits.train.images[:1000, 0].numpy()
    groups = copies(images, np.arange(1000).astype(str))
    assert len(np.unique(groups)) >= 998


def test_a_copy_of_what_is_for_the_test_is_not_trained_on(own: OwnImages) -> None:
    parts = np.full(120, TRAIN, dtype=np.int8)
    parts[::5] = TEST
    given = OwnImages(
        images=np.concatenate([own.images, own.images[:1]]),
        labels=np.concatenate([own.labels, own.labels[:1]]),
        class_names=own.class_names,
        parts=np.append(parts, np.int8(TRAIN)),
    )
    found, notes = split(given)
    assert found[-1] == UNKNOWN
    assert found[0] == TEST
    assert [note.key for note in notes] == ["own_copies", "own_crossing"]
    # What is held out comes from the training part.
    assert (found[:120][::5] == TEST).all()
    assert (found == VALIDATION).sum() == 15


def test_an_image_in_two_classes_is_told(own: OwnImages) -> None:
    assert told(with_more(own, own.images[:1], [2]))["own_disputed"] == {"n": 1}


def test_few_images_of_a_class_are_told_and_too_few_refused(own: OwnImages) -> None:
    few = np.concatenate([np.arange(80), np.arange(80, 84)])
    small = OwnImages(
        images=own.images[few],
        labels=own.labels[few],
        class_names=own.class_names,
        parts=own.parts[few],
    )
    assert told(small)["own_few"] == {"names": "siete", "least": 10}
    parts, _ = split(small)
    assert {int(part) for part in parts[small.labels == 2]} == {TRAIN, VALIDATION, TEST}
    two = OwnImages(
        images=own.images[:82],
        labels=own.labels[:82],
        class_names=own.class_names,
        parts=own.parts[:82],
    )
    with pytest.raises(DataError, match='Class "siete" has 2 images'):
        split(two)
    # Copies do not make an image two.
    copied = with_more(two, own.images[80:82], [2, 2])
    with pytest.raises(DataError, match='Class "siete" has 4 images'):
        split(copied)


def test_a_set_is_read_as_it_was_kept(own: OwnImages, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "own" / "signos"
    keep(own, folder, key="abc", source=tmp_path, resized=False)
    place = DigitsPlace.in_workdir(tmp_path, dataset="signos")
    digits = place.load()
    assert (digits.name, digits.source) == ("signos", "own")
    assert digits.class_names == own.class_names
    assert [len(part) for part in (digits.train, digits.validation, digits.test)] == [84, 18, 18]
    assert digits.verified
    parts, _ = split(own)
    expected = own.images[parts == VALIDATION]
    assert np.array_equal(digits.validation.images[:, 0].numpy(), expected)
    # How many are asked for does not matter: which ones was settled when the set was made.
    assert len(place.load(7).validation) == 18
    assert len(place.load(0).train) == 102


def test_a_set_is_made_anew_when_something_has_changed(own: OwnImages, tmp_path: Path) -> None:
    folder = tmp_path / "own" / "signos"
    notes = keep(own, folder, key="abc", source=tmp_path, resized=False)
    assert kept_notes(folder, "abc", None) == kept_notes(folder, "abc", False) == notes
    assert kept_notes(folder, "abd", None) is None
    assert kept_notes(folder, "abc", True) is None
    (folder / "t10k-images-idx3-ubyte").unlink()
    assert kept_notes(folder, "abc", None) is None


def test_a_damaged_copy_says_what_to_delete(own: OwnImages, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "own" / "signos"
    keep(own, folder, key="abc", source=tmp_path, resized=False)
    file = folder / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:-1] + b"\x07")
    with pytest.raises(DataError) as caught:
        DigitsPlace.in_workdir(tmp_path, dataset="signos").load()
    assert (caught.value.key, caught.value.values) == ("own_damaged", {"path": folder})


def test_there_is_no_sample_of_it(own: OwnImages, tmp_path: Path) -> None:
    keep(own, tmp_path / "data" / "own" / "signos", key="a", source=tmp_path, resized=False)
    with pytest.raises(ConfigError, match="sample"):
        DigitsPlace.in_workdir(tmp_path, dataset="signos", source="sample").load()


@pytest.mark.parametrize("text", ["", "[]", '{"revision": 1}', '{"revision": 0, "train": 3}'])
def test_a_description_that_is_none_is_no_set(text: str, tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(text)
    assert own_spec(tmp_path) is None


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("clase 3ºB", "clase-3ob"),
        ("Símbolos", "símbolos"),
        ("train.csv.gz", "train"),
        ("mnist.npz", "mnist-own"),
        ("😀", "own"),
        ("a.b", "a-b"),
        ("字", "字"),
    ],
)
def test_names_of_sets(path: str, name: str, tmp_path: Path) -> None:
    assert set_name(tmp_path / path) == name
