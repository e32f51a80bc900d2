"""What a worker does: who may work, how the digits are shared out, and one training in a study."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import Digits, DigitsPlace, LabelledImages, Scale
from taller_cnn.evaluation import evaluate
from taller_cnn.files import sha256
from taller_cnn.study import TRAINING_REVISION, Trial, TrialResult
from taller_cnn.study import worker as worker_module
from taller_cnn.study.worker import (
    Requirements,
    Shares,
    curve_epochs,
    nested_order,
    objection,
    program_version,
    run_trial,
    share_out,
    train_trial,
)

SMALL = Trial(
    model=ModelConfig(filters=(4, 8), hidden=16),
    train=TrainConfig(epochs=2, batch_size=64, learning_rate=3e-3, precision="float32"),
    train_n=256,
    judges=1400,
)

PINNED = Trial(
    model=SMALL.model,
    train=SMALL.train.replace(epochs=3, batch_size=32, learning_rate=5e-3),
    train_n=512,
    judges=500,
)
PINNED_LOSS = 1.47522
PINNED_JUDGES = "e5376ca279165b7b"
PINNED_CURVE = [2.30525, 2.15300, 1.77513]


def changed(**changes: object) -> Trial:
    return dataclasses.replace(SMALL, train=SMALL.train.replace(**changes))


def needed(place: DigitsPlace, **changes: str) -> Requirements:
    values = {"checksum": place.load().checksum, "version": program_version()}
    return Requirements(place=place, **{**values, **changes})


@pytest.fixture(scope="module")
def shares(sample_digits: Digits) -> Shares:
    return share_out(sample_digits, 1400)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[LabelledImages]:
    """What a trial evaluates its network on, in order."""
    splits: list[LabelledImages] = []

    def spy(model, split, scale, **values):  # type: ignore[no-untyped-def]
        splits.append(split)
        return evaluate(model, split, scale, **values)

    monkeypatch.setattr(worker_module, "evaluate", spy)
    return splits


def test_a_tiny_training_comes_to_the_numbers_of_its_revision(sample_digits: Digits) -> None:
    # If this fails although nothing is wrong, the numbers of training have changed: raise
    # TRAINING_REVISION, so that stored trials are not compared with new ones, and pin the new ones.
    assert TRAINING_REVISION == 3
    torch.set_num_threads(1)
    digits = sample_digits
    result = train_trial(
        PINNED, Shares(digits=digits, teaching=digits.train, judging=digits.validation)
    )
    assert result.curve is not None
    assert result.judged_loss == pytest.approx(PINNED_LOSS, rel=1e-3)
    assert [loss for _, loss, _ in result.curve] == pytest.approx(PINNED_CURVE, rel=1e-3)


def test_the_digits_that_judge_are_those_of_the_revision(shares: Shares) -> None:
    assert sha256(shares.judging.images.numpy().tobytes())[:16] == PINNED_JUDGES


def test_no_digit_teaches_and_judges(sample_digits: Digits, shares: Shares) -> None:
    def pictures(images: torch.Tensor) -> set[bytes]:
        return {image.numpy().tobytes() for image in images}

    parts = [shares.teaching, shares.judging, shares.validation, sample_digits.test]
    assert [len(part) for part in parts] == [2100, 1400, 500, 1000]
    together = [pictures(part.images) for part in parts]
    assert len(set().union(*together)) == sum(map(len, together))
    counts = shares.judging.labels.bincount(minlength=10)
    whole = sample_digits.train.labels.bincount(minlength=10) * 0.4
    assert (counts - whole).abs().max() <= 1, "the classes are in proportion"


def test_a_trial_comes_to_the_same_numbers_again(shares: Shares) -> None:
    one, other = (train_trial(SMALL, shares) for _ in range(2))
    assert dataclasses.replace(one, train_seconds=None) == dataclasses.replace(
        other, train_seconds=None
    )
    assert train_trial(changed(seed=1), shares).judged_loss != one.judged_loss


def test_a_result_adds_up(shares: Shares) -> None:
    result = train_trial(SMALL, shares)
    assert result.status == "ok"
    assert result.judged_wrong is not None
    wrong = np.unpackbits(np.frombuffer(result.judged_wrong, np.uint8), count=1400)
    assert wrong.sum() == result.judged_errors
    assert (result.judged_n, result.seen_n) == (1400, 256)
    assert result.images_seen == SMALL.images == 512
    assert result.curve is not None
    assert [images for images, _, _ in result.curve] == [256, 512]
    assert all(error is not None and 0 <= error <= 1 for *_, error in result.curve)
    assert 0 <= (result.seen_errors or 0) <= 256
    assert (result.pilot_n, result.pilot_errors) == (None, None)


def test_a_pilot_is_judged_by_the_validation_digits_alone(
    shares: Shares, asked: list[LabelledImages]
) -> None:
    result = train_trial(dataclasses.replace(SMALL, judged_by="validation"), shares)
    (judging,) = asked
    assert torch.equal(judging.images, shares.validation.images)
    assert result.pilot_n == 500
    assert 0 < (result.pilot_errors or 0) < 500
    assert result.judged_n is result.judged_wrong is result.seen_n is None


def test_there_is_no_gap_where_no_digit_is_seen_twice(shares: Shares) -> None:
    once = changed(epochs=1)
    assert not once.sees_digits_again
    result = train_trial(once, shares)
    assert result.seen_n is None
    assert result.curve is not None
    assert [error for *_, error in result.curve] == [None], "a point is no curve"
    assert changed(epochs=1.5).sees_digits_again


def test_a_long_trial_is_evaluated_at_a_few_epochs_and_at_the_last() -> None:
    assert curve_epochs(changed(epochs=27)) == {1, 2, 4, 7, 14, 27}
    assert curve_epochs(changed(epochs=2)) == {1, 2}
    assert curve_epochs(changed(epochs=0.3)) == frozenset()
    for epochs in (3, 4, 5.5, 100):
        assert max(curve_epochs(changed(epochs=epochs))) == int(np.ceil(epochs))


@given(st.integers(0, 1000), st.integers(10, 300))
def test_every_beginning_of_the_order_has_the_classes_in_proportion(seed: int, n: int) -> None:
    labels = torch.arange(10).repeat_interleave(30)
    order = nested_order(labels, seed)
    counts = labels[order[:n]].bincount(minlength=10)
    assert sorted(order.tolist()) == list(range(300))
    assert int(counts.max() - counts.min()) <= 1


def test_another_seed_draws_other_digits(sample_digits: Digits) -> None:
    labels = sample_digits.train.labels
    one, other = nested_order(labels, 0)[:500], nested_order(labels, 1)[:500]
    assert len(set(one.tolist()) & set(other.tolist())) < 250


def test_the_gap_is_taken_on_digits_that_were_seen(
    shares: Shares, asked: list[LabelledImages]
) -> None:
    train_trial(SMALL, shares)
    seen = shares.teaching.images[nested_order(shares.teaching.labels, 0)[:256]]
    assert torch.equal(asked[-1].images, seen)
    assert torch.equal(asked[-2].images, shares.judging.images)


def test_a_worker_runs_a_trial_on_the_digits_it_loads_once(place: DigitsPlace) -> None:
    assert objection(needed(place)) is None
    result = run_trial(SMALL.to_dict(), place, is_alone=True)
    assert result.status == "ok"
    assert result.wall_seconds is not None
    assert result.wall_seconds > (result.train_seconds or 0) > 0
    assert worker_module._load.cache_info().currsize == 1
    if sys.platform.startswith("linux"):
        assert 50 < (result.peak_memory_mb or 0) < 20_000


def test_a_worker_of_another_version_or_with_other_digits_has_an_objection(
    place: DigitsPlace,
) -> None:
    assert objection(needed(place, version="0")).key == "study_worker_version"  # type: ignore[union-attr]
    assert objection(needed(place, checksum="0")).key == "study_worker_digits"  # type: ignore[union-attr]


def test_memory_is_not_told_where_several_trials_share_a_process(place: DigitsPlace) -> None:
    assert run_trial(SMALL.to_dict(), place, is_alone=False).peak_memory_mb is None


def test_a_trial_that_diverges_is_a_result(
    place: DigitsPlace, sample_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Pixels that float32 cannot hold: the loss stops being a number at the first step.
    blinding = dataclasses.replace(sample_digits, scale=Scale(0.1307, 1e-42))
    monkeypatch.setattr(worker_module, "_shares", lambda _, judges: share_out(blinding, judges))
    result = run_trial(SMALL.to_dict(), place, is_alone=True)
    assert (result.status, result.reason) == ("failed", "diverged")
    assert result.is_final
    assert result.judged_errors is None


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "memory"),
        (ValueError("odd"), "ValueError: odd"),
    ],
)
def test_whatever_goes_wrong_is_a_result_with_its_reason(
    place: DigitsPlace, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def fail(*_: object) -> TrialResult:
        raise error

    monkeypatch.setattr(worker_module, "train_trial", fail)
    result = run_trial(SMALL.to_dict(), place, is_alone=True)
    assert (result.status, result.reason, result.is_final) == ("failed", reason, False)
