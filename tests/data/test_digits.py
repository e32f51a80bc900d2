from __future__ import annotations

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
    Scale,
    normalise,
)
from taller_cnn.data.digits import pixel_statistics, stratified_mask
from taller_cnn.errors import ConfigError

if TYPE_CHECKING:
    pass


def place(data_dir: Path, sample_dir: Path | None = None, **values: Any) -> DigitsPlace:
    return DigitsPlace(data_dir=data_dir, sample_dir=sample_dir or data_dir, **values)


def sample(sample_dir: Path, holdout: int = 5000) -> Digits:
    return place(sample_dir, sample_dir, source="sample").load(holdout)


def rows(images: torch.Tensor) -> set[bytes]:
    return {image.numpy().tobytes() for image in images}


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


# -------------------------------------------------------------------------- what is held out

label_lists = st.lists(st.integers(0, 9), min_size=1, max_size=300)


@given(labels=label_lists, fraction=st.floats(0, 1))
def test_classes_keep_their_proportion_to_less_than_one_digit(
    labels: list[int], fraction: float
) -> None:
    array = np.array(labels)
    count = int(fraction * len(labels))
    mask = stratified_mask(array, count)
    assert mask.sum() == count
    for label in range(10):
        share = count * (array == label).sum() / len(labels)
        assert abs((array[mask] == label).sum() - share) < 1


def test_the_choice_is_fixed() -> None:
    labels = np.arange(1000) % 10
    chosen = np.flatnonzero(stratified_mask(labels, 20))
    # Written down, so that a new version of numpy or of this code cannot change every result.
    assert chosen.tolist() == [
        *(45, 65, 96, 137, 149, 294, 296, 344, 350, 393),
        *(452, 521, 547, 549, 550, 898, 902, 908, 971, 993),
    ]


def test_the_choice_leaves_the_global_generator_alone() -> None:
    before = np.random.get_state()[1].copy()  # type: ignore[index]
    stratified_mask(np.arange(100) % 10, 10)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # type: ignore[index]


def test_uneven_classes_get_the_largest_remainders() -> None:
    labels = np.array([0] * 5 + [1] * 3 + [2] * 2)
    mask = stratified_mask(labels, 5)
    assert np.bincount(labels[mask]).tolist() == [3, 1, 1]  # 2.5, 1.5 and 1; the first tie wins


def test_a_smaller_hold_out_is_part_of_a_larger_one() -> None:
    labels = np.arange(1000) % 10
    small, large = stratified_mask(labels, 100), stratified_mask(labels, 300)
    assert not (small & ~large).any()
