from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from taller_cnn.data.idx import write_idx
from taller_cnn.explain.section import Subject
from taller_cnn.explain.strangers import strangers

NAME = "t10k-images-idx3-ubyte"


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


def test_clothes_whose_file_is_damaged_are_left_out(subject: Subject, tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(256, size=(10_000, 28, 28), dtype=np.uint8)
    folder = tmp_path / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    write_idx(folder / NAME, pictures)
    found = strangers(replace(subject, data_dir=tmp_path))

    # The content is not the published one, so the file counts as damaged.
    assert "fashion" not in found


def test_without_clothes_on_the_disk_nothing_is_fetched(subject: Subject, tmp_path: Path) -> None:
    assert "fashion" not in strangers(replace(subject, data_dir=tmp_path))
    assert list(tmp_path.iterdir()) == []
