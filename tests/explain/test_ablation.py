from __future__ import annotations

import math

import pytest
import torch

from taller_cnn.explain.ablation import paired_loss, switch_off
from taller_cnn.explain.subject import Subject


def test_switching_a_filter_off_is_the_same_as_setting_its_weights_to_zero(
    subject: Subject,
) -> None:
    test = subject.digits.test
    found = switch_off(subject.model, test, subject.normalised(test.images), most=1000)
    right = subject.evaluation.predictions == test.labels
    assert found.accuracy == pytest.approx(subject.evaluation.accuracy)
    for k, loss in enumerate(found.losses):
        weights = {name: value.clone() for name, value in subject.model.state_dict().items()}
        weights["conv1.weight"][k] = 0
        weights["conv1.bias"][k] = 0
        with torch.inference_mode():
            logits = torch.func.functional_call(
                subject.model, weights, (subject.normalised(test.images),)
            )
        after = logits.argmax(dim=1) == test.labels
        assert loss.value == pytest.approx(float(right.double().mean() - after.double().mean()))


def test_a_paired_loss_counts_both_ways_and_its_interval_holds_it() -> None:
    before = torch.tensor([True] * 90 + [False] * 10)
    after = torch.tensor([False] * 8 + [True] * 82 + [True] * 2 + [False] * 8)
    loss = paired_loss(before, after)
    assert (loss.spoiled, loss.mended, loss.value) == (8, 2, pytest.approx(0.06))
    # Agresti & Min by hand: (8.5 - 2.5) / 102, +- 1.96 sqrt(11 - 36 / 102) / 102.
    assert loss.low == pytest.approx(6 / 102 - 1.959964 * math.sqrt(11 - 36 / 102) / 102)
    assert loss.high == pytest.approx(6 / 102 + 1.959964 * math.sqrt(11 - 36 / 102) / 102)


def test_no_change_at_all_has_an_interval_around_zero() -> None:
    same = torch.ones(50, dtype=torch.bool)
    loss = paired_loss(same, same)
    assert loss.low == pytest.approx(-loss.high)
    assert loss.high > 0
