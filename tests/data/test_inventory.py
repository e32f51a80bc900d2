from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from taller_cnn.data import DigitsPlace, inspect_folders
from taller_cnn.data.datasets import FILES, SAMPLE
from taller_cnn.errors import ConfigError


def test_an_intact_sample_is_told(sample_dir: Path, tmp_path: Path) -> None:
    (inventory,) = inspect_folders(DigitsPlace(data_dir=tmp_path, sample_dir=sample_dir))
    assert inventory.source == "sample"
    assert inventory.folder == sample_dir / "MNIST" / "raw"
    assert [file.name for file in inventory.files] == list(FILES)
    for file in inventory.files:
        assert file.state == "verified"
        assert file.md5 == SAMPLE.md5[file.name]
        assert file.error is None


def test_what_is_damaged_or_missing_is_told_and_nothing_is_repaired(workdir: Path) -> None:
    raw = workdir / "data" / "sample" / "MNIST" / "raw"
    (raw / FILES[0]).write_bytes(b"half")
    (raw / FILES[3]).unlink()
    (inventory,) = inspect_folders(DigitsPlace.in_workdir(workdir))
    assert [file.state for file in inventory.files] == [
        *("damaged", "verified", "verified", "missing")
    ]
    damaged = inventory.files[0]
    assert damaged.error is not None
    assert damaged.error.key == "data_size"
    assert damaged.md5 is not None
    assert (raw / FILES[0]).read_bytes() == b"half"


def test_both_sources_are_told_when_both_are_there(sample_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(sample_dir / "MNIST", tmp_path / "MNIST")
    full, sample = inspect_folders(DigitsPlace(data_dir=tmp_path, sample_dir=sample_dir))
    assert full.source == "full"
    assert [file.error.key for file in full.files if file.error] == ["data_size"] * 4
    assert sample.source == "sample"
    assert [file.state for file in sample.files] == ["verified"] * 4


def test_nothing_is_told_of_nothing_and_nothing_is_made(tmp_path: Path) -> None:
    assert inspect_folders(DigitsPlace(data_dir=tmp_path, sample_dir=tmp_path / "s")) == ()
    assert list(tmp_path.iterdir()) == []


def test_the_sample_is_no_kmnist(sample_dir: Path, tmp_path: Path) -> None:
    place = DigitsPlace(dataset="kmnist", data_dir=tmp_path, sample_dir=sample_dir)
    assert inspect_folders(place) == ()


def test_an_unknown_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="dataset is svhn"):
        inspect_folders(DigitsPlace(dataset="svhn", data_dir=tmp_path, sample_dir=tmp_path))


@pytest.mark.full
def test_the_full_set_is_told(full_data_dir: Path, tmp_path: Path) -> None:
    (inventory,) = inspect_folders(DigitsPlace(data_dir=full_data_dir, sample_dir=tmp_path))
    assert inventory.source == "full"
    assert [file.state for file in inventory.files] == ["verified"] * 4
