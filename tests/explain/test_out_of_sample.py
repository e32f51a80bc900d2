from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from taller_cnn.data import Digits, LabelledImages
from taller_cnn.errors import DataError
from taller_cnn.explain.labels import rank_labels
from taller_cnn.explain.out_of_sample import OutOfSample, out_of_sample


@pytest.fixture(scope="module")
def said(tiny_digits: Digits) -> OutOfSample:
    return out_of_sample(tiny_digits, lambda done, of: None, folds=3, repeats=2)


def test_every_digit_is_answered_for_with_probabilities(said: OutOfSample) -> None:
    assert (len(said.train), len(said.test), said.networks) == (400, 100, 6)
    for rows in (said.train, said.test):
        assert torch.allclose(rows.sum(dim=1), torch.ones(len(rows)), atol=1e-4)


def test_labels_are_those_of_training_then_of_validation(
    said: OutOfSample, tiny_digits: Digits
) -> None:
    assert said.labels[:300].equal(tiny_digits.train.labels)
    assert said.labels[300:].equal(tiny_digits.validation.labels)


def test_a_digit_is_not_judged_by_a_network_that_has_learned_its_label(
    tiny_digits: Digits,
) -> None:
    labels = tiny_digits.train.labels.clone()
    labels[0] = (labels[0] + 1) % 10
    changed = replace(
        tiny_digits, train=LabelledImages(images=tiny_digits.train.images, labels=labels)
    )

    def answers(digits: Digits) -> torch.Tensor:
        # As many folds as make each digit's own label the only one that can matter to it.
        return out_of_sample(digits, lambda done, of: None, folds=2, repeats=1).train

    before, after = answers(tiny_digits), answers(changed)
    assert not torch.equal(before, after)
    # What is said of it is about the picture: the new label is not repeated.
    assert int(after[0].argmax()) != int(labels[0])


def test_progress_rises_to_the_end(tiny_digits: Digits) -> None:
    seen: list[tuple[int, int]] = []
    out_of_sample(tiny_digits, lambda done, of: seen.append((done, of)), folds=2, repeats=1)

    assert seen == sorted(seen)
    assert seen[-1] == (200, 200)


def test_the_same_seed_gives_the_same_answers(tiny_digits: Digits) -> None:
    first, again, other = (
        out_of_sample(tiny_digits, lambda done, of: None, folds=2, repeats=1, seed=seed)
        for seed in (0, 0, 1)
    )

    assert torch.equal(first.test, again.test)
    assert not torch.equal(first.test, other.test)


def test_a_class_with_one_digit_is_refused(tiny_digits: Digits) -> None:
    labels = torch.arange(300) % 9
    labels[0] = 9
    few = LabelledImages(images=tiny_digits.train.images, labels=labels)
    empty = few[:0]

    with pytest.raises(DataError, match="one has 1"):
        out_of_sample(replace(tiny_digits, train=few, validation=empty), lambda done, of: None)


@pytest.mark.slow
def test_wrong_labels_planted_among_right_ones_are_ranked_first(sample_digits: Digits) -> None:
    labels = sample_digits.train.labels.clone()
    generator = torch.Generator().manual_seed(0)
    planted = torch.randperm(len(labels), generator=generator)[:40]
    labels[planted] = (labels[planted] + torch.randint(1, 10, (40,), generator=generator)) % 10
    train = LabelledImages(images=sample_digits.train.images, labels=labels)

    said = out_of_sample(replace(sample_digits, train=train), lambda done, of: None)
    ranking = rank_labels(said.labels, said.train)

    found = set(ranking.order[:80].tolist()) & set(planted.tolist())
    # Networks that saw 3,200 digits for less than a pass are poor judges; by chance it were one.
    assert len(found) >= 28
