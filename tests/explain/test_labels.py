from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from made_parts import made, pictures, told

from taller_cnn.data import Digits
from taller_cnn.explain.labels import _file_positions, rank_labels
from taller_cnn.explain.parts import MadePart
from taller_cnn.explain.subject import Subject


def confident(given: np.ndarray, chance: float = 0.95) -> np.ndarray:
    """Probabilities of networks that agree with the labels."""
    rows = np.full((len(given), 3), (1 - chance) / 2)
    rows[np.arange(len(given)), given] = chance
    return rows


def test_a_label_that_the_networks_contradict_comes_first_and_is_flagged() -> None:
    truth = np.arange(60) % 3
    given = truth.copy()
    given[[7, 30]] = (given[[7, 30]] + 1) % 3

    ranking = rank_labels(given, confident(truth))

    assert set(ranking.order[:2].tolist()) == {7, 30}
    assert np.flatnonzero(ranking.flagged).tolist() == [7, 30]
    assert ranking.suggested.tolist() == truth.tolist()
    assert ranking.quality[7] == pytest.approx(0.025)


def test_right_labels_are_not_flagged() -> None:
    truth = np.arange(60) % 3

    assert not rank_labels(truth, confident(truth)).flagged.any()


@pytest.fixture(scope="module")
def part(subject: Subject) -> MadePart:
    return made("labels", subject, tick=lambda done, of: None)


def test_the_list_has_both_splits_with_the_most_suspicious_first(part: MadePart) -> None:
    rows = list(csv.DictReader(io.StringIO(part.attachments["suspicious_labels.csv"])))

    for split in ("test", "train"):
        chosen = [row for row in rows if row["split"] == split]
        quality = [float(row["quality"]) for row in chosen]
        assert quality == sorted(quality)
        assert [int(row["rank"]) for row in chosen] == list(range(1, len(chosen) + 1))
    assert sum(row["split"] == "test" for row in rows) == 100


def test_the_section_shows_two_galleries_and_counts_own_mistakes(
    part: MadePart, subject: Subject
) -> None:
    names = [picture.name for picture in pictures(part)]
    rows = [row for row in part.numbers["suspicious"] if row["split"] == "test"][:50]
    among = len({row["index"] for row in rows} & set(subject.mistakes.tolist()))

    assert names == ["labels_test", "labels_train"]
    assert part.numbers["mistakes_among_first_50"] == among
    assert f"{among} are among the 50 most suspicious" in told(part)


def test_numbers_of_training_digits_are_those_of_their_file(sample_digits: Digits) -> None:
    places = _file_positions(sample_digits)
    assert places is not None
    whole = np.fromfile(sample_digits.folder / "train-labels-idx1-ubyte", dtype=np.uint8)[8:]
    ours = torch.cat([sample_digits.train.labels, sample_digits.validation.labels]).numpy()

    assert sorted(places.tolist()) == list(range(4000))
    assert (whole[places] == ours).all()


def test_digits_that_are_a_part_of_a_file_have_no_known_place(tiny_digits: Digits) -> None:
    assert _file_positions(tiny_digits) is None
    assert _file_positions(replace(tiny_digits, folder=tiny_digits.folder / "nowhere")) is None
