from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from taller_cnn.data import DigitsPlace
from taller_cnn.data.datasets import FILES, DatasetSpec
from taller_cnn.data.rawfiles import write_idx
from taller_cnn.explain.out_of_distribution import strangers
from taller_cnn.explain.subject import Subject
from taller_cnn.files import md5


def place_of(folder: Path) -> DigitsPlace:
    return DigitsPlace(data_dir=folder, sample_dir=folder)


def write_clothes(folder: Path) -> dict[str, np.ndarray]:
    """Four files with 20 images of noise each, every class twice."""
    generator = np.random.default_rng(0)
    labels = np.arange(20, dtype=np.uint8) % 10
    arrays = {
        name: labels
        if "labels" in name
        else generator.integers(256, size=(20, 28, 28), dtype=np.uint8)
        for name in FILES
    }
    for name, array in arrays.items():
        write_idx(folder / name, array)
    return arrays


def test_scrambled_digits_have_the_greys_of_digits_in_one_other_order(subject: Subject) -> None:
    test, found = subject.digits.test.images, strangers(subject)["scrambled"]

    assert found.shape == test.shape
    assert torch.equal(found.flatten(1).sort().values, test.flatten(1).sort().values)
    # Mean pictures are scrambled alike, because the order is the same for all.
    assert torch.equal(
        found.double().mean(0).flatten().sort().values,
        test.double().mean(0).flatten().sort().values,
    )
    assert not torch.equal(found, test)


def test_noise_depends_on_the_seed_alone(subject: Subject) -> None:
    first, again = strangers(subject)["noise"], strangers(subject)["noise"]
    other = strangers(replace(subject, seed=1))["noise"]

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert abs(float(first.double().mean()) - 127.5) < 1


def test_the_sheet_is_empty(subject: Subject) -> None:
    assert int(strangers(subject)["blank"].sum()) == 0


def test_clothes_on_the_disk_are_among_them(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = write_clothes(tmp_path / "FashionMNIST" / "raw")
    known = {name: md5((tmp_path / "FashionMNIST" / "raw" / name).read_bytes()) for name in FILES}
    spec = DatasetSpec(
        name="fashion-mnist", folder="FashionMNIST", train_n=20, test_n=20, md5=known
    )
    monkeypatch.setattr("taller_cnn.data.place.spec_of", lambda name: spec)
    found = strangers(replace(subject, place=place_of(tmp_path)))

    assert torch.equal(found["fashion"][:, 0], torch.from_numpy(arrays[FILES[2]]))


def test_clothes_whose_files_are_damaged_are_left_out(subject: Subject, tmp_path: Path) -> None:
    write_clothes(tmp_path / "FashionMNIST" / "raw")
    found = strangers(replace(subject, place=place_of(tmp_path)))

    # The content is not the published one, so the files count as damaged.
    assert "fashion" not in found


def test_without_clothes_on_the_disk_nothing_is_fetched(subject: Subject, tmp_path: Path) -> None:
    assert "fashion" not in strangers(replace(subject, place=place_of(tmp_path)))
    assert list(tmp_path.iterdir()) == []
