from __future__ import annotations

import gzip
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision import datasets as torchvision_datasets
from torchvision import transforms

from taller_cnn.data import (
    MNIST_SCALE,
    Digits,
    DigitsPlace,
    DownloadProgress,
    Scale,
    normalise,
)
from taller_cnn.data.datasets import FILES
from taller_cnn.data.digits import pixel_statistics
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


def sample(sample_dir: Path, holdout: int = 5000) -> Digits:
    return place(sample_dir, sample_dir, source="sample").load(holdout)


def rows(images: torch.Tensor) -> set[bytes]:
    return {image.numpy().tobytes() for image in images}


def test_digits_are_in_the_working_folder_unless_told_otherwise() -> None:
    here, there = Path("here"), Path("there")
    assert DigitsPlace.in_workdir(here).data_dir == here / "data"
    assert DigitsPlace.in_workdir(here, there).data_dir == there
    assert DigitsPlace.in_workdir(here, there).sample_dir == here / "data" / "sample"


class TestTheSample:
    def test_it_has_the_shapes_and_types_of_the_contract(self, sample_digits: Digits) -> None:
        for split, n in (
            (sample_digits.train, 3500),
            (sample_digits.validation, 500),
            (sample_digits.test, 1000),
        ):
            assert len(split) == n
            assert split.images.shape == (n, 1, 28, 28)
            assert split.images.dtype == torch.uint8
            assert split.labels.shape == (n,)
            assert split.labels.dtype == torch.int64
        assert sample_digits.name == "mnist"
        assert sample_digits.source == "sample"
        assert sample_digits.class_names == tuple("0123456789")
        assert sample_digits.scale == Scale(0.1307, 0.3081)
        assert sample_digits.verified
        assert sample_digits.fallback_reason is None

    def test_every_split_has_every_class_equally_often(self, sample_digits: Digits) -> None:
        assert sample_digits.train.labels.bincount().tolist() == [350] * 10
        assert sample_digits.validation.labels.bincount().tolist() == [50] * 10
        assert sample_digits.test.labels.bincount().tolist() == [100] * 10

    def test_no_digit_is_in_two_splits(self, sample_digits: Digits) -> None:
        train, validation, test = (
            rows(split.images)
            for split in (sample_digits.train, sample_digits.validation, sample_digits.test)
        )
        assert not train & validation
        assert not train & test
        assert not validation & test

    def test_two_loads_are_equal(self, sample_dir: Path, sample_digits: Digits) -> None:
        torch.manual_seed(1)
        np.random.seed(1)
        again = sample(sample_dir)
        for name in ("train", "validation", "test"):
            assert torch.equal(getattr(again, name).images, getattr(sample_digits, name).images)
            assert torch.equal(getattr(again, name).labels, getattr(sample_digits, name).labels)
        assert again.checksum == sample_digits.checksum

    def test_nothing_held_out_trains_on_all_in_the_order_of_the_file(
        self, sample_dir: Path, sample_digits: Digits
    ) -> None:
        whole = sample(sample_dir, holdout=0)
        assert (len(whole.train), len(whole.validation), len(whole.test)) == (4000, 0, 1000)
        assert whole.validation.images.shape == (0, 1, 28, 28)
        held_out = rows(sample_digits.validation.images)
        kept = [
            i
            for i, image in enumerate(whole.train.images)
            if image.numpy().tobytes() not in held_out
        ]
        assert torch.equal(whole.train.images[kept], sample_digits.train.images)
        assert torch.equal(whole.train.labels[kept], sample_digits.train.labels)

    def test_less_can_be_held_out_and_never_more_than_500(self, sample_dir: Path) -> None:
        assert len(sample(sample_dir, holdout=100).validation) == 100
        assert len(sample(sample_dir, holdout=501).validation) == 500

    def test_the_default_generators_are_left_alone(self, sample_dir: Path) -> None:
        torch.manual_seed(7)
        np.random.seed(7)
        expected = torch.rand(1), np.random.rand()
        torch.manual_seed(7)
        np.random.seed(7)
        sample(sample_dir)
        assert (torch.rand(1), np.random.rand()) == expected

    def test_torchvision_reads_the_same_digits_from_the_same_folder(self, sample_dir: Path) -> None:
        ours = sample(sample_dir, holdout=0)
        for train, split in ((True, ours.train), (False, ours.test)):
            theirs = torchvision_datasets.MNIST(sample_dir, train=train)
            assert torch.equal(theirs.data.unsqueeze(1), split.images)
            assert torch.equal(theirs.targets, split.labels)

    def test_only_mnist_has_one(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="sample only of mnist, not of kmnist"):
            place(tmp_path, dataset="kmnist", source="sample").load()


class TestParts:
    def test_some_images_keep_their_labels(self, tiny_digits: Digits) -> None:
        test = tiny_digits.test
        for which in (torch.tensor([7, 2, 2]), test.labels == 4, slice(3, 9)):
            part = test[which]
            assert torch.equal(part.images, test.images[which])
            assert torch.equal(part.labels, test.labels[which])
        assert len(test[:0]) == 0

    def test_the_pool_is_all_that_was_not_kept_for_the_test(self, sample_digits: Digits) -> None:
        pool = sample_digits.pool
        assert torch.equal(pool[:3500].images, sample_digits.train.images)
        assert torch.equal(pool[3500:].labels, sample_digits.validation.labels)
        assert len(pool) == 4000

    def test_digits_to_train_on_leave_none_to_evaluate(self, tiny_digits: Digits) -> None:
        digits = tiny_digits.training_on(tiny_digits.train[:20])
        assert [len(part) for part in (digits.train, digits.validation, digits.test)] == [20, 0, 0]
        assert (digits.scale, digits.checksum) == (tiny_digits.scale, tiny_digits.checksum)


class TestNormalisation:
    def test_pixels_become_what_torchvisions_transforms_give(self, tiny_digits: Digits) -> None:
        transform = transforms.Compose(
            [transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]
        )
        images = tiny_digits.test.images
        theirs = torch.stack([transform(image[0].numpy()) for image in images])
        ours = normalise(images, tiny_digits.scale)
        assert ours.dtype == torch.float32
        assert torch.equal(ours, theirs)

    def test_bfloat16_is_rounded_once(self, tiny_digits: Digits) -> None:
        images = tiny_digits.test.images
        exact = normalise(images, MNIST_SCALE)
        assert torch.equal(normalise(images, MNIST_SCALE, torch.bfloat16), exact.to(torch.bfloat16))

    def test_the_images_stay_as_they_are(self, tiny_digits: Digits) -> None:
        before = tiny_digits.test.images.clone()
        normalise(tiny_digits.test.images, Scale(0.5, 0.5))
        assert torch.equal(tiny_digits.test.images, before)

    def test_no_images_give_no_numbers(self) -> None:
        empty = torch.zeros(0, 1, 28, 28, dtype=torch.uint8)
        assert normalise(empty, MNIST_SCALE).shape == (0, 1, 28, 28)

    @given(seed=st.integers(0, 10_000), n=st.integers(1, 5))
    def test_mean_and_deviation_are_those_of_all_pixels(self, seed: int, n: int) -> None:
        images = np.random.default_rng(seed).integers(0, 256, (n, 28, 28), dtype=np.uint8)
        scale = pixel_statistics(images)
        assert scale.mean == pytest.approx((images / 255).mean(), abs=5.1e-5)
        assert scale.std == pytest.approx((images / 255).std(), abs=5.1e-5)


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


@pytest.mark.full
class TestTheFullSet:
    def test_5000_of_its_digits_are_held_out_in_proportion(
        self, full_data_dir: Path, tmp_path: Path
    ) -> None:
        whole, split = (
            place(full_data_dir, tmp_path, source="full").load(holdout) for holdout in (0, 5000)
        )
        assert (len(split.train), len(split.validation), len(split.test)) == (55000, 5000, 10000)
        counts = whole.train.labels.bincount()
        held_out = split.validation.labels.bincount()
        assert (held_out - counts * 5000 / 60000).abs().max() < 1
        assert torch.equal(split.train.labels.bincount() + held_out, counts)
        assert whole.checksum == split.checksum

    def test_its_normalisation_is_the_one_the_field_quotes(
        self, full_data_dir: Path, tmp_path: Path
    ) -> None:
        digits = place(full_data_dir, tmp_path, source="full").load(0)
        assert pixel_statistics(digits.train.images.numpy()) == digits.scale

    def test_gzipped_files_from_a_mirror_end_as_the_same_digits(
        self, full_data_dir: Path, tmp_path: Path
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
