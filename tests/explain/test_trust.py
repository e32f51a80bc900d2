from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from taller_cnn.calibration import (
    apply_temperature,
    error_interval,
    expected_calibration_error,
    fit_temperature,
)
from taller_cnn.checkpoints import ModelInfo
from taller_cnn.config import TrainConfig
from taller_cnn.explain.section import Section, Subject, Table, Text
from taller_cnn.explain.trust import _Certainty, _verdict, trust
from taller_cnn.messages import Messages


def tick(done: int, of: int) -> None:
    assert 0 < done <= of


def said(section: Section) -> str:
    messages = Messages("en")
    return "\n".join(b.say(messages) for b in section.blocks if isinstance(b, Text))


@pytest.fixture(scope="module")
def section(subject: Subject) -> Section:
    return trust(subject, tick)


def test_the_calibration_error_is_that_of_the_test_digits(
    subject: Subject, section: Section
) -> None:
    says = subject.evaluation
    sure, answer = says.log_probabilities.double().exp().max(dim=1)
    expected = expected_calibration_error(sure, answer == says.labels)
    low, high = section.numbers["plain"]["interval_95"]

    assert section.numbers["plain"]["expected_calibration_error"] == pytest.approx(expected)
    assert low <= expected <= high
    assert sum(row["n"] for row in section.numbers["plain"]["bins"]) == 100


def test_the_temperature_is_fitted_on_validation_and_measured_on_the_test(
    subject: Subject, section: Section
) -> None:
    held, says = subject.validation, subject.evaluation
    assert held is not None
    temperature = fit_temperature(held.log_probabilities, held.labels)
    scores = apply_temperature(says.log_probabilities, temperature)
    loss = float(torch.nn.functional.nll_loss(scores, says.labels))

    assert section.numbers["temperature"] == temperature
    assert section.numbers["tempered"]["loss"] == pytest.approx(loss, abs=1e-5)
    assert f"it is {temperature:.2f};" in said(section)


def test_coverage_is_counted(subject: Subject, section: Section) -> None:
    says = subject.evaluation
    sure, answer = says.log_probabilities.double().exp().max(dim=1)
    surest = sure.argsort(descending=True)[:80]
    right = float((answer[surest] == says.labels[surest]).double().mean())

    assert section.numbers["coverage"]["0.8"] == pytest.approx(right)
    assert section.numbers["coverage"]["1.0"] == says.accuracy


def test_strangers_are_scored_against_the_test_digits(section: Section) -> None:
    numbers = section.numbers["strangers"]

    assert {"scrambled", "noise", "blank"} <= set(numbers)
    for name in ("scrambled", "noise"):
        assert 0 <= numbers[name]["accepted"] <= 1
        assert 0 <= numbers[name]["auroc"] <= 1
    assert "Fashion-MNIST is not in the data folder" in said(section)
    assert sum(isinstance(block, Table) for block in section.blocks) == 2


def test_the_part_of_strangers_ranked_below_is_counted(subject: Subject) -> None:
    from taller_cnn.explain.trust import _stranger_numbers

    own, others = torch.tensor([0.9, 0.8]).numpy(), torch.tensor([0.85, 0.1, 0.2]).numpy()
    numbers = _stranger_numbers(others, own, 0.8)

    # Of the six pairs only 0.8 against 0.85 is the wrong way round.
    assert numbers["auroc"] == pytest.approx(5 / 6)
    assert numbers["accepted"] == pytest.approx(1 / 3)
    assert (numbers["n"], numbers["over_90"]) == (3, 0.0)


def test_the_temperature_is_judged_by_pairs_of_the_same_digits() -> None:
    random = np.random.default_rng(6)
    logits = np.abs(random.normal(4, 2, 1000))
    right = random.random(1000) < 1 / (1 + np.exp(-logits))
    boastful, calibrated = (
        _Certainty(
            sure=sure,
            right=right,
            error=expected_calibration_error(sure, right),
            interval=error_interval(sure, right),
            luck=0.0,
            loss=0.0,
        )
        for sure in (1 / (1 + np.exp(-k * logits)) for k in (1.4, 1.0))
    )

    assert boastful.interval[0] < calibrated.interval[1], "their intervals overlap"
    assert _verdict(boastful, calibrated, seed=0) == "better"
    assert _verdict(calibrated, boastful, seed=0) == "worse"
    assert _verdict(boastful, boastful, seed=0) == "alike"


def test_what_100_digits_cannot_show_is_told_so(subject: Subject, answering) -> None:
    labels = subject.digits.test.labels.tolist()
    tenth_wrong = [(y + (i % 10 == 0)) % 10 for i, y in enumerate(labels)]
    nearly = answering(tenth_wrong, [0.88] * 100)

    told = said(trust(replace(nearly, validation=nearly.evaluation), tick))
    assert "neither an improvement nor a loss is shown" in told


def test_without_held_out_digits_there_is_no_temperature_and_a_reason(subject: Subject) -> None:
    unknown = trust(replace(subject, validation=None), tick)
    info = ModelInfo(
        model=subject.model.config,
        train=TrainConfig(holdout=0),
        dataset="mnist",
        class_names=subject.digits.class_names,
        scale=subject.digits.scale,
        source="sample",
        data_checksum="tiny",
    )
    without = trust(replace(subject, validation=None, info=info), tick)

    assert "It is not known which digits were held out" in said(unknown)
    assert "trained with --holdout 0" in said(without)
    assert without.numbers["temperature"] is without.numbers["tempered"] is None


def test_a_validation_set_without_mistakes_gives_no_temperature(
    subject: Subject, answering
) -> None:
    perfect = answering(subject.digits.test.labels.tolist(), [0.99] * 100)
    section = trust(replace(perfect, validation=perfect.evaluation), tick)

    assert "All validation digits (100) are right" in said(section)
    assert section.numbers["temperature"] is None


def test_a_network_that_boasts_is_told_from_one_that_is_too_modest(
    subject: Subject, answering
) -> None:
    labels = subject.digits.test.labels.tolist()
    half_wrong = [(y + (i % 2)) % 10 for i, y in enumerate(labels)]

    assert "surer than it should be" in said(trust(answering(half_wrong, [0.95] * 100), tick))
    assert "less sure than it could be" in said(trust(answering(labels, [0.5] * 100), tick))
