"""One training inside a study: its subset, its numbers, and what it leaves when it fails."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import Digits, DigitsPlace, Scale
from taller_cnn.evaluation import evaluate
from taller_cnn.study import Trial
from taller_cnn.study import trial as trial_module
from taller_cnn.study.design import TRAINING_REVISION
from taller_cnn.study.trial import (
    evaluated_epochs,
    introduce,
    nested_order,
    run_trial,
    train_trial,
)

SMALL = Trial(
    model=ModelConfig(filters=(4, 8), hidden=16),
    train=TrainConfig(epochs=2, batch_size=64, learning_rate=3e-3, precision="float32"),
    train_n=256,
)

PINNED = Trial(
    model=SMALL.model,
    train=SMALL.train.replace(epochs=3, batch_size=32, learning_rate=5e-3),
    train_n=512,
)
PINNED_LOSS = 1.47522
PINNED_CURVE = [2.30525, 2.15300, 1.77513]


def changed(**changes: object) -> Trial:
    return dataclasses.replace(SMALL, train=SMALL.train.replace(**changes))


@pytest.fixture(scope="module")
def place(sample_dir: Path) -> DigitsPlace:
    return DigitsPlace(source="sample", data_dir=sample_dir / "none", sample_dir=sample_dir)


@pytest.fixture(autouse=True)
def _threads() -> object:
    """Trials take one thread; the tests after them want theirs back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_tiny_training_comes_to_the_numbers_of_its_revision(sample_digits: Digits) -> None:
    # If this fails although nothing is wrong, the numbers of training have changed: raise
    # TRAINING_REVISION, so that stored trials are not compared with new ones, and pin the new ones.
    assert TRAINING_REVISION == 2
    torch.set_num_threads(1)
    result = train_trial(PINNED, sample_digits)
    assert result.curve is not None
    assert result.validation_loss == pytest.approx(PINNED_LOSS, rel=1e-3)
    assert [loss for _, loss, _ in result.curve] == pytest.approx(PINNED_CURVE, rel=1e-3)


def test_a_trial_comes_to_the_same_numbers_again(sample_digits: Digits) -> None:
    one, other = (train_trial(SMALL, sample_digits) for _ in range(2))
    assert dataclasses.replace(one, train_seconds=None) == dataclasses.replace(
        other, train_seconds=None
    )
    assert train_trial(changed(seed=1), sample_digits).validation_loss != one.validation_loss


def test_a_result_adds_up(sample_digits: Digits) -> None:
    result = train_trial(SMALL, sample_digits)
    assert result.status == "ok"
    assert result.validation_wrong is not None
    wrong = np.unpackbits(np.frombuffer(result.validation_wrong, np.uint8), count=500)
    assert wrong.mean() == result.validation_error
    assert result.images_seen == SMALL.images == 512
    assert result.curve is not None
    assert [images for images, _, _ in result.curve] == [256, 512]
    assert result.curve[-1][2] == result.validation_error
    assert result.seen_error is not None
    assert 0 <= result.seen_error <= 1


def test_there_is_no_gap_where_no_digit_is_seen_twice(sample_digits: Digits) -> None:
    once = changed(epochs=1)
    assert not once.has_gap
    assert train_trial(once, sample_digits).seen_error is None
    assert changed(epochs=1.5).has_gap


def test_a_long_trial_is_evaluated_at_a_few_epochs_and_at_the_last() -> None:
    assert evaluated_epochs(changed(epochs=27)) == {1, 2, 4, 7, 14, 27}
    assert evaluated_epochs(changed(epochs=2)) == {1, 2}
    assert evaluated_epochs(changed(epochs=0.3)) == {1}
    for epochs in (3, 4, 5.5, 100):
        assert max(evaluated_epochs(changed(epochs=epochs))) == int(np.ceil(epochs))


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
    sample_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def spy(model, split, scale, **values):  # type: ignore[no-untyped-def]
        asked.append(split)
        return evaluate(model, split, scale, **values)

    monkeypatch.setattr(trial_module, "evaluate", spy)
    train_trial(SMALL, sample_digits)
    seen = sample_digits.train.images[nested_order(sample_digits.train.labels, 0)[:256]]
    assert torch.equal(asked[-1].images, seen)


def test_a_worker_runs_a_trial_on_the_digits_it_loads_once(place: DigitsPlace) -> None:
    assert introduce(place).checksum == place.load().checksum
    result = run_trial(SMALL.to_dict(), place, True)
    assert result.status == "ok"
    assert result.wall_seconds is not None
    assert result.wall_seconds > (result.train_seconds or 0) > 0
    assert trial_module._load.cache_info().currsize == 1
    if sys.platform.startswith("linux"):
        assert 50 < (result.peak_memory_mb or 0) < 20_000


def test_memory_is_not_told_where_several_trials_share_a_process(place: DigitsPlace) -> None:
    assert run_trial(SMALL.to_dict(), place, False).peak_memory_mb is None


def test_a_trial_that_diverges_is_a_result(
    place: DigitsPlace, sample_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Pixels that float32 cannot hold: the loss stops being a number at the first step.
    blinding = dataclasses.replace(sample_digits, scale=Scale(0.1307, 1e-42))
    monkeypatch.setattr(trial_module, "_digits", lambda _: blinding)
    result = run_trial(SMALL.to_dict(), place, True)
    assert (result.status, result.reason) == ("failed", "diverged")
    assert result.validation_error is None


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
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(trial_module, "train_trial", fail)
    result = run_trial(SMALL.to_dict(), place, True)
    assert (result.status, result.reason) == ("failed", reason)
