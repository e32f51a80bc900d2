from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from taller_cnn.data import Digits
from taller_cnn.data.own import TEST, TRAIN, UNKNOWN
from taller_cnn.data.rawfiles import write_idx
from taller_cnn.data.tables import is_table, read_table, table_files
from taller_cnn.errors import DataError, InputError


@pytest.fixture(scope="module")
def images(sample_digits: Digits) -> np.ndarray:
    """``uint8 [30, 28, 28]``."""
    return sample_digits.train.images[:30, 0].numpy()


@pytest.fixture(scope="module")
def labels(sample_digits: Digits) -> np.ndarray:
    return sample_digits.train.labels[:30].numpy()


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_table(path)
    return str(caught.value)


# --------------------------------------------------------------------------------------- CSV


def csv_lines(images: np.ndarray, labels: np.ndarray, separator: str = ",") -> list[str]:
    pairs = zip(labels, images.reshape(len(images), -1), strict=True)
    return [separator.join(map(str, (label, *pixels))) for label, pixels in pairs]


@pytest.mark.parametrize("heading", [True, False])
@pytest.mark.parametrize("separator", [",", ";"])
def test_a_csv_with_or_without_a_heading(
    heading: bool, separator: str, images: np.ndarray, labels: np.ndarray, tmp_path: Path
) -> None:
    lines = csv_lines(images, labels, separator)
    if heading:
        lines.insert(0, separator.join(["label", *(f"pixel{k}" for k in range(784))]))
    path = tmp_path / "train.csv"
    path.write_text("\n".join(lines) + "\n")
    own = read_table(path)
    assert np.array_equal(own.images, images)
    assert [own.class_names[k] for k in own.labels] == [str(label) for label in labels]
    assert set(own.parts) == {UNKNOWN}
    assert own.notes == ()


def test_a_packed_csv_of_letters_with_the_label_last(images: np.ndarray, tmp_path: Path) -> None:
    rows = [",".join([*map(str, image.ravel()), "ñb"[k % 2]]) for k, image in enumerate(images)]
    heading = ",".join([*(f"p{k}" for k in range(784)), "Clase"])
    path = tmp_path / "letters.csv.gz"
    path.write_bytes(gzip.compress("\r\n".join([heading, *rows]).encode("utf-8-sig")))
    own = read_table(path)
    assert own.class_names == ("b", "ñ")
    assert np.array_equal(own.images, images)


def test_dark_ink_is_made_bright_and_told(
    images: np.ndarray, labels: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join(csv_lines(255 - images, labels)))
    own = read_table(path)
    assert np.array_equal(own.images, images)
    assert [note.key for note in own.notes] == ["own_inverted"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda lines: [lines[0].rsplit(",", 1)[0], *lines[1:]], "line 1: it has 784 columns"),
        (lambda lines: [*lines[:4], lines[4] + ",9"], "line 5: it has 786 columns"),
        (lambda lines: [*lines[:2], lines[2] + "999"], "line 3: a pixel is not"),
        (lambda lines: [*lines[:2], lines[2].rsplit(",", 1)[0] + ",x"], "line 3: a pixel"),
        (lambda lines: [*lines[:2], lines[2].rsplit(",", 1)[0] + ",-1"], "line 3: a pixel"),
        (lambda lines: [lines[0].replace("0", "p")], "it holds no images"),
        (lambda lines: [""], "line 1: it has 1 columns|line 1: it has 0 columns"),
    ],
)
def test_a_wrong_csv_names_its_line(
    change: object, reason: str, images: np.ndarray, labels: np.ndarray, tmp_path: Path
) -> None:
    assert callable(change)
    path = tmp_path / "a.csv"
    path.write_text("\n".join(change(csv_lines(images, labels))))
    with pytest.raises(InputError, match=reason):
        read_table(path)


def test_an_archive_that_is_cut_short_or_none(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"1,2\n" * 5000)[:-30])
    assert "damaged or cut short" in refusal(path) or "columns" in refusal(path)
    path.write_bytes(b"1,2\n" * 50)
    assert "damaged or cut short" in refusal(path)


# ------------------------------------------------------------------------------------- NumPy


def test_an_npz_has_its_own_test_set(
    images: np.ndarray, labels: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=images[:20], y_train=labels[:20], x_test=images[20:], y_test=labels[20:])
    own = read_table(path)
    assert np.array_equal(own.images, images)
    assert own.parts.tolist() == [TRAIN] * 20 + [TEST] * 10


@pytest.mark.parametrize("form", ["fractions", "channel", "flat", "wide"])
def test_images_in_other_forms(
    form: str, images: np.ndarray, labels: np.ndarray, tmp_path: Path
) -> None:
    x = {
        "fractions": images / 255,
        "channel": images[..., None],
        "flat": images.reshape(-1, 784),
        "wide": images.astype(np.int64),
    }[form]
    path = tmp_path / "a.npz"
    np.savez(path, x_train=x, y_train=labels[:, None].astype(float))
    own = read_table(path)
    assert np.array_equal(own.images, images)
    assert [own.class_names[k] for k in own.labels] == [str(label) for label in labels]


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"x_train": np.zeros((4, 28, 28, 3), np.uint8)}, "x_train has the shape 4 x 28 x 28 x 3"),
        ({"x_train": np.zeros((4, 32, 32), np.uint8)}, "x_train has the shape 4 x 32 x 32"),
        ({"x_train": np.full((4, 28, 28), 300)}, "grey levels from 0 to 255"),
        ({"x_train": np.full((4, 28, 28), np.nan)}, "grey levels from 0 to 255"),
        ({"x_train": np.full((4, 28, 28), "a")}, "grey levels from 0 to 255"),
        ({"x_train": np.zeros((5, 28, 28), np.uint8)}, "5 images and 4 labels"),
        ({"images": np.zeros(3)}, "x_train and y_train are missing; it holds images, y_train"),
        ({"x_train": np.array([{}, {}, {}, {}])}, "Python objects"),
    ],
)
def test_a_wrong_npz_says_what_is_in_it(
    arrays: dict[str, np.ndarray], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, y_train=np.arange(4), **arrays)
    assert reason in refusal(path)


def test_a_damaged_npz(images: np.ndarray, labels: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x_train=images, y_train=labels)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "damaged" in refusal(path)


# --------------------------------------------------------------------------------------- IDX


def emnist(folder: Path, images: np.ndarray, labels: np.ndarray, part: str) -> None:
    """Two files as EMNIST has them: packed, rows and columns exchanged, classes from 1."""
    folder.mkdir(exist_ok=True)
    for kind, array in (
        ("images-idx3", images.transpose(0, 2, 1)),
        ("labels-idx1", labels + 1),
    ):
        plain = folder / f"emnist-letters-{part}-{kind}-ubyte"
        write_idx(plain, np.ascontiguousarray(array).astype(np.uint8))
        plain.with_name(plain.name + ".gz").write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()


def test_emnist_is_put_upright(images: np.ndarray, labels: np.ndarray, tmp_path: Path) -> None:
    emnist(tmp_path, images[:20], labels[:20], "train")
    emnist(tmp_path, images[20:], labels[20:], "test")
    assert is_table(tmp_path)
    own = read_table(tmp_path)
    train = own.parts == TRAIN
    assert np.array_equal(own.images[train], images[:20])
    assert np.array_equal(own.images[own.parts == TEST], images[20:])
    assert "10" in own.class_names
    assert own.class_names == tuple(sorted(own.class_names, key=int))
    assert [note.key for note in own.notes] == ["own_transposed"]
    assert len(table_files(tmp_path)) == 4


def test_idx_under_other_names_are_taken_as_they_are(
    images: np.ndarray, labels: np.ndarray, tmp_path: Path
) -> None:
    write_idx(tmp_path / "signs-images.idx3-ubyte", images)
    write_idx(tmp_path / "signs-labels.idx1-ubyte", labels.astype(np.uint8))
    own = read_table(tmp_path)
    assert np.array_equal(own.images, images)
    assert set(own.parts) == {UNKNOWN}


def test_a_folder_of_two_data_sets_is_refused(
    images: np.ndarray, labels: np.ndarray, tmp_path: Path
) -> None:
    emnist(tmp_path, images, labels, "train")
    write_idx(tmp_path / "signs-images-idx3-ubyte", images)
    write_idx(tmp_path / "signs-labels-idx1-ubyte", labels.astype(np.uint8))
    assert "more than one data set" in refusal(tmp_path)


def test_labels_of_another_length_and_damaged_files(
    images: np.ndarray, labels: np.ndarray, tmp_path: Path
) -> None:
    write_idx(tmp_path / "a-images-idx3-ubyte", images)
    write_idx(tmp_path / "a-labels-idx1-ubyte", labels[:9].astype(np.uint8))
    assert "30 images and 9 labels" in refusal(tmp_path)
    (tmp_path / "a-labels-idx1-ubyte").write_bytes(b"nothing of the kind")
    with pytest.raises(DataError):
        read_table(tmp_path)


def test_one_class_is_none(images: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x_train=images, y_train=np.zeros(30, int))
    assert "1 class" in refusal(path)


@pytest.mark.parametrize("name", ["pictures", "a.png", "a.txt"])
def test_what_is_no_table(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.mkdir() if "." not in name else path.write_bytes(b"x")
    assert not is_table(path)
