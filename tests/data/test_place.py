"""Where digits come from, and what is there."""

from __future__ import annotations

import gzip
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from torchvision import datasets as torchvision_datasets

from taller_cnn.data import (
    Digits,
    DigitsPlace,
    DownloadProgress,
    inspect_folders,
)
from taller_cnn.data.datasets import FILES, SAMPLE
from taller_cnn.errors import ConfigError, DataError, OutputError
from taller_cnn.messages import Messages

if TYPE_CHECKING:
    from tests.data.conftest import SmallSet


@pytest.fixture
def no_mirror() -> tuple[str, ...]:
    """A mirror that cannot be reached, so that no test depends on the network."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return (f"http://127.0.0.1:{free.getsockname()[1]}/",)


@pytest.fixture
def small_mnist(small_set: SmallSet, monkeypatch: pytest.MonkeyPatch) -> SmallSet:
    """The small set under the name mnist, so that loading can be tried on it."""
    monkeypatch.setattr("taller_cnn.data.place.spec_of", lambda name: small_set.spec)
    return small_set


def place(data_dir: Path, sample_dir: Path | None = None, **values: Any) -> DigitsPlace:
    return DigitsPlace(data_dir=data_dir, sample_dir=sample_dir or data_dir, **values)


def test_digits_are_in_the_working_folder_unless_told_otherwise() -> None:
    here, there = Path("here"), Path("there")
    assert DigitsPlace.in_workdir(here).data_dir == here / "data"
    assert DigitsPlace.in_workdir(here, there).data_dir == there
    assert DigitsPlace.in_workdir(here, there).sample_dir == here / "data" / "sample"


class TestTheChoiceOfSource:
    @pytest.mark.parametrize("zipped", [False, True])
    @pytest.mark.parametrize("source", ["auto", "full"])
    def test_files_in_the_folder_are_the_full_set(
        self, small_mnist: SmallSet, tmp_path: Path, source: str, zipped: bool
    ) -> None:
        folder = small_mnist.write(tmp_path / "MNIST" / "raw", zipped=zipped)
        digits = place(tmp_path, source=source).load(20)
        assert digits.source == "full"
        assert digits.folder == folder
        assert digits.train.labels.bincount().tolist() == [4] * 10
        assert digits.validation.labels.bincount().tolist() == [2] * 10
        assert len(digits.test) == 20
        assert digits.verified

    def test_auto_takes_the_sample_where_nothing_can_be_downloaded_and_says_why(
        self, sample_dir: Path, tmp_path: Path, no_mirror: tuple[str, ...]
    ) -> None:
        digits = place(tmp_path, sample_dir, mirrors=no_mirror).load()
        assert digits.source == "sample"
        assert len(digits.train) == 3500
        assert digits.fallback_reason is not None
        assert "Connection refused" in str(digits.fallback_reason)
        assert list(tmp_path.iterdir()) == []

    def test_full_without_network_tells_the_three_ways(
        self, tmp_path: Path, no_mirror: tuple[str, ...]
    ) -> None:
        with pytest.raises(DataError) as caught:
            place(tmp_path, source="full", mirrors=no_mirror).load()
        said = {
            "es": ("conéctate a internet", "conexión rechazada"),
            "en": ("connect to the internet", "Connection refused"),
        }
        for language, (network, reason) in said.items():
            text = caught.value.text(Messages(language))
            assert network in text
            assert str(tmp_path / "MNIST" / "raw") in text
            assert all(name in text for name in FILES)
            assert "--data-dir" in text
            assert "TALLER_DATA_DIR" in text
            assert "--source sample" in text
            assert reason in text

    @pytest.mark.parametrize("source", ["auto", "full"])
    @pytest.mark.parametrize("dataset", ["fashion-mnist", "kmnist"])
    def test_the_other_sets_have_no_sample_to_fall_back_on(
        self,
        tmp_path: Path,
        no_mirror: tuple[str, ...],
        source: str,
        dataset: str,
    ) -> None:
        with pytest.raises(DataError, match=f"{dataset} is not in .* There is a sample only of"):
            place(tmp_path, dataset=dataset, source=source, mirrors=no_mirror).load()

    def test_a_damaged_full_set_is_an_error_also_for_auto(
        self, small_mnist: SmallSet, sample_dir: Path, tmp_path: Path
    ) -> None:
        folder = small_mnist.write(tmp_path / "MNIST" / "raw")
        (folder / FILES[2]).write_bytes(bytes(small_mnist.spec.size(FILES[2])))
        with pytest.raises(DataError, match="t10k-images-idx3-ubyte is damaged"):
            place(tmp_path, sample_dir).load()
        assert (folder / FILES[2]).read_bytes() == bytes(small_mnist.spec.size(FILES[2]))

    def test_an_incomplete_full_set_is_an_error_also_for_auto(
        self, small_mnist: SmallSet, sample_dir: Path, tmp_path: Path, no_mirror: tuple[str, ...]
    ) -> None:
        folder = small_mnist.write(tmp_path / "MNIST" / "raw")
        (folder / FILES[1]).unlink()
        with pytest.raises(DataError, match=f"missing: {FILES[1]}"):
            place(tmp_path, sample_dir, mirrors=no_mirror).load()

    def test_a_folder_that_cannot_take_the_full_set_is_an_output_error(
        self, small_mnist: SmallSet, tmp_path: Path
    ) -> None:
        served = small_mnist.write(tmp_path / "served", zipped=True)
        (tmp_path / "data").write_text("a file where the folder should be")
        with pytest.raises(OutputError, match="Cannot write"):
            place(tmp_path / "data", source="full", mirrors=(served.as_uri() + "/",)).load()

    def test_a_download_is_followed_item_by_item_and_ends_in_the_digits(
        self, small_mnist: SmallSet, tmp_path: Path
    ) -> None:
        served = small_mnist.write(tmp_path / "served", zipped=True)
        data = tmp_path / "data"
        *progress, digits = place(data, mirrors=(served.as_uri() + "/",)).loading(10)
        assert isinstance(digits, Digits)
        assert digits.source == "full"
        assert digits.folder == data / "MNIST" / "raw"
        assert all(isinstance(item, DownloadProgress) for item in progress)
        assert {item.file for item in progress if isinstance(item, DownloadProgress)} == set(FILES)
        shutil.rmtree(tmp_path / "served")
        again = place(data).load(10)
        assert again.checksum == digits.checksum

    def test_the_checksum_follows_the_content_not_the_way_it_came(
        self, small_mnist: SmallSet, tmp_path: Path
    ) -> None:
        small_mnist.write(tmp_path / "plain")
        small_mnist.write(tmp_path / "zipped", zipped=True)
        plain, zipped = (place(tmp_path / way).load(0) for way in ("plain", "zipped"))
        assert plain.checksum == zipped.checksum
        assert len(plain.checksum) == 16

    def test_an_unknown_source_is_refused_with_the_choices(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="source is web; choose one of: auto, full, sample"):
            place(tmp_path, source="web").load()

    @pytest.mark.parametrize(("holdout", "key"), [(51, "holdout_too_large"), (-1, "config_range")])
    def test_a_hold_out_that_leaves_nothing_to_train_on_is_refused(
        self, small_mnist: SmallSet, tmp_path: Path, holdout: int, key: str
    ) -> None:
        small_mnist.write(tmp_path)
        with pytest.raises(ConfigError, match=str(holdout)) as caught:
            place(tmp_path).load(holdout)
        assert caught.value.key == key
        assert len(place(tmp_path).load(50).train) == 10


class TestTheFolderForTorchvision:
    def test_plain_files_in_their_place_are_used_as_they_are(
        self, sample_dir: Path, tmp_path: Path
    ) -> None:
        before = {path: path.stat().st_mtime_ns for path in sample_dir.rglob("*")}
        root = place(tmp_path, sample_dir, source="sample").torchvision_root()
        assert root == sample_dir
        assert {path: path.stat().st_mtime_ns for path in sample_dir.rglob("*")} == before

    @pytest.mark.parametrize("folder", ["MNIST/raw", "."])
    def test_archives_and_files_elsewhere_are_copied_to_where_torchvision_reads(
        self, small_mnist: SmallSet, tmp_path: Path, folder: str
    ) -> None:
        small_mnist.write(tmp_path / folder, zipped=True)
        root = place(tmp_path).torchvision_root()
        theirs = torchvision_datasets.MNIST(root, train=True)
        np.testing.assert_array_equal(theirs.data.numpy(), small_mnist.arrays[FILES[0]])
        np.testing.assert_array_equal(theirs.targets.numpy(), small_mnist.arrays[FILES[1]])
        for name in FILES:
            assert (tmp_path / "MNIST" / "raw" / name).read_bytes() == small_mnist.contents[name]

    def test_archives_that_are_named_as_plain_files_are_unpacked_for_torchvision(
        self, small_mnist: SmallSet, tmp_path: Path
    ) -> None:
        raw = tmp_path / "MNIST" / "raw"
        small_mnist.write(raw)
        for name in FILES:
            (raw / name).write_bytes(small_mnist.archives[name])
        theirs = torchvision_datasets.MNIST(place(tmp_path).torchvision_root(), train=True)
        np.testing.assert_array_equal(theirs.data.numpy(), small_mnist.arrays[FILES[0]])


@pytest.mark.full
def test_gzipped_files_from_a_mirror_end_as_the_same_digits(
    full_data_dir: Path, tmp_path: Path
) -> None:
    raw = full_data_dir / "MNIST" / "raw"
    for name in FILES:
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress((raw / name).read_bytes(), 1))
    mirrors = (tmp_path.as_uri() + "/",)
    *progress, digits = place(tmp_path / "data", source="full", mirrors=mirrors).loading()
    assert isinstance(digits, Digits)
    assert len(progress) > 30
    for name in FILES:
        assert (tmp_path / "data/MNIST/raw" / name).read_bytes() == (raw / name).read_bytes()


# -------------------------------------------------------------------------- what is there


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
