from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_parts import made, pictures, tables, told

from taller_cnn.calibration import (
    apply_temperature,
    expected_calibration_error,
    fit_temperature,
)
from taller_cnn.checkpoints import ModelInfo
from taller_cnn.config import TrainConfig
from taller_cnn.explain.out_of_distribution import _numbers
from taller_cnn.explain.parts import MadePart
from taller_cnn.explain.subject import Subject
from taller_cnn.explain.trust import _Certainty, _verdict


@pytest.fixture(scope="module")
def part(subject: Subject) -> MadePart:
    return made("trust", subject)


def test_the_calibration_error_is_that_of_the_test_digits(subject: Subject, part: MadePart) -> None:
    says = subject.evaluation
    sure, answer = says.log_probabilities.double().exp().max(dim=1)
    expected = expected_calibration_error(sure, answer == says.labels)
    low, high = part.numbers["plain"]["interval_95"]

    assert part.numbers["plain"]["expected_calibration_error"] == pytest.approx(expected)
    assert low <= expected <= high
    assert sum(row["n"] for row in part.numbers["plain"]["bins"]) == 100


def test_the_temperature_is_fitted_on_validation_and_measured_on_the_test(
    subject: Subject, part: MadePart
) -> None:
    held, says = subject.validation, subject.evaluation
    assert held is not None
    temperature = fit_temperature(held.log_probabilities, held.labels)
    scores = apply_temperature(says.log_probabilities, temperature)
    loss = float(torch.nn.functional.nll_loss(scores, says.labels))

    assert part.numbers["temperature"] == temperature
    assert part.numbers["tempered"]["loss"] == pytest.approx(loss, abs=1e-5)
    assert f"it is {temperature:.2f};" in told(part)


def test_coverage_is_counted(subject: Subject, part: MadePart) -> None:
    says = subject.evaluation
    sure, answer = says.log_probabilities.double().exp().max(dim=1)
    surest = sure.argsort(descending=True)[:80]
    right = float((answer[surest] == says.labels[surest]).double().mean())

    assert part.numbers["coverage"]["0.8"] == pytest.approx(right)
    assert part.numbers["coverage"]["1.0"] == says.accuracy


def test_strangers_are_scored_against_the_test_digits(part: MadePart) -> None:
    numbers = part.numbers["strangers"]

    assert {"scrambled", "noise", "blank"} <= set(numbers)
    for name in ("scrambled", "noise"):
        low, high = numbers[name]["accepted_interval_95"]
        assert 0 <= low <= numbers[name]["accepted"] <= high <= 1
        assert 0 <= numbers[name]["auroc"] <= 1
    assert "Fashion-MNIST is not in the data folder" in told(part)
    assert len(tables(part)) == 2


def test_the_threshold_for_strangers_is_set_on_held_out_digits_and_tried_on_others(
    subject: Subject, answering
) -> None:
    right = subject.digits.test.labels.tolist()
    held = answering(right, np.linspace(0.5, 0.99, 100).tolist()).evaluation
    for sure in (0.6, 0.95):
        tested = answering(right, [sure] * 100)
        numbers = made("trust", replace(tested, validation=held)).numbers["strangers"]
        expected = np.quantile(np.linspace(0.5, 0.99, 100), 0.05)
        assert numbers["threshold"] == pytest.approx(expected, abs=1e-6)
        assert numbers["own_accepted"] == 1.0


def test_without_held_out_digits_there_is_no_threshold_for_strangers(subject: Subject) -> None:
    part = made("trust", replace(subject, validation=None))
    numbers = part.numbers["strangers"]
    assert numbers["threshold"] is numbers["noise"]["accepted"] is numbers["own_accepted"] is None
    assert "No confidence threshold is set" in told(part)
    [picture] = [p for p in pictures(part) if "strangers" in p.name]
    assert "threshold" not in picture.draw().get_suptitle()


def test_the_part_of_strangers_ranked_below_is_counted(subject: Subject) -> None:
    own, others = torch.tensor([0.9, 0.8]).numpy(), torch.tensor([0.85, 0.1, 0.2]).numpy()
    numbers = _numbers(others, own, 0.8)

    # Of the six pairs only 0.8 against 0.85 is the wrong way round.
    assert numbers["auroc"] == pytest.approx(5 / 6)
    assert numbers["accepted"] == pytest.approx(1 / 3)
    assert (numbers["n"], numbers["over_90"]) == (3, 0.0)


def certainty(logits: np.ndarray, right: np.ndarray, sharpness: float) -> _Certainty:
    """Answers whose logit against all other classes is stretched."""
    sure = 1 / (1 + np.exp(-sharpness * logits))
    return _Certainty(
        sure=sure,
        right=right,
        error=expected_calibration_error(sure, right),
        interval=(0.0, 1.0),
        luck=0.0,
        losses=-np.log(np.where(right, sure, 1 - sure)),
    )


def test_the_temperature_is_judged_by_the_losses_of_the_same_digits() -> None:
    random = np.random.default_rng(6)
    logits = np.abs(random.normal(4, 2, 1000))
    right = random.random(1000) < 1 / (1 + np.exp(-logits))
    boastful, calibrated = (certainty(logits, right, sharpness) for sharpness in (2.0, 1.0))
    spread = np.std(boastful.losses - calibrated.losses), np.std(boastful.losses)

    assert spread[0] < spread[1], "a pair differs by less than two digits do"
    assert _verdict(boastful, calibrated) == "better"
    assert _verdict(calibrated, boastful) == "worse"
    assert _verdict(boastful, boastful) == "alike"


def test_a_calibration_error_that_falls_is_no_improvement_by_itself() -> None:
    # As sure of every answer as it is right on average: no calibration error, and no use.
    random = np.random.default_rng(6)
    logits = np.abs(random.normal(4, 2, 1000))
    right = random.random(1000) < 1 / (1 + np.exp(-logits))
    boastful = certainty(logits, right, 1.4)
    mean = right.mean()
    same = certainty(np.full(1000, np.log(mean / (1 - mean))), right, 1.0)

    assert same.error < 1e-9 < 0.005 < boastful.error
    assert _verdict(boastful, same) == "worse"


def test_with_few_mistakes_nothing_is_said_of_the_temperature() -> None:
    logits, right = np.full(300, 5.0), np.arange(300) >= 4
    flat, sharp = certainty(logits, right, 0.5), certainty(logits, right, 2.0)
    assert _verdict(sharp, flat) == "few"


def test_what_100_digits_cannot_show_is_told_so(subject: Subject, answering) -> None:
    labels = subject.digits.test.labels.tolist()
    tenth_wrong = [(y + (i % 10 == 0)) % 10 for i, y in enumerate(labels)]
    nearly = answering(tenth_wrong, [0.88] * 100)

    text = told(made("trust", replace(nearly, validation=nearly.evaluation)))
    assert "no evidence of an improvement or of a worsening" in text


def test_without_held_out_digits_there_is_no_temperature_and_a_reason(subject: Subject) -> None:
    unknown = made("trust", replace(subject, validation=None))
    info = ModelInfo(
        model=subject.model.config,
        train=TrainConfig(holdout=0),
        dataset="mnist",
        class_names=subject.digits.class_names,
        scale=subject.digits.scale,
        source="sample",
        data_checksum="tiny",
    )
    without = made("trust", replace(subject, validation=None, info=info))

    assert "the digits held out for this network are not known" in told(unknown)
    assert "trained with none held out (--holdout 0)" in told(without)
    assert without.numbers["temperature"] is without.numbers["tempered"] is None


def test_a_validation_set_without_mistakes_gives_no_temperature(
    subject: Subject, answering
) -> None:
    perfect = answering(subject.digits.test.labels.tolist(), [0.99] * 100)
    part = made("trust", replace(perfect, validation=perfect.evaluation))

    assert "All validation digits (100) are right" in told(part)
    assert part.numbers["temperature"] is None


def test_a_network_that_boasts_is_told_from_one_that_is_too_modest(
    subject: Subject, answering
) -> None:
    labels = subject.digits.test.labels.tolist()
    half_wrong = [(y + (i % 2)) % 10 for i, y in enumerate(labels)]

    assert "it is overconfident" in told(made("trust", answering(half_wrong, [0.95] * 100)))
    assert "it is underconfident" in told(made("trust", answering(labels, [0.5] * 100)))
