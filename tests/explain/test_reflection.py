"""The workshop document's claims beside a network's numbers: a verdict only where they bear it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from made_parts import made, tables, told

from taller_cnn.checkpoints import ModelInfo
from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.evaluation import Evaluation, Score
from taller_cnn.explain.ablation import Loss
from taller_cnn.explain.kernels import EdgeTest
from taller_cnn.explain.reflection import (
    Judgement,
    difference_interval,
    judge_accuracy,
    judge_confusion,
    judge_curves,
    judge_edges,
    judge_needed,
    judge_overfitting,
    judge_smaller,
)
from taller_cnn.explain.subject import Subject
from taller_cnn.model import Ensemble, SimpleCNN, describe

NAMES = tuple("0123456789")
CLAIMS = [*("edges", "needed", "smaller", "general"), *("accuracy", "overfitting")]
CLAIMS += ["curves", "confusion"]


def answers(right: int, wrong: int, wrong_of_class: int | None = None) -> Evaluation:
    """Ten classes, equally often, and so many errors, spread evenly or all in one class."""
    labels = torch.arange(right + wrong) % 10
    predicted = labels.clone()
    of_class = labels == wrong_of_class if wrong_of_class is not None else labels >= 0
    places = of_class.nonzero()[:wrong, 0]
    predicted[places] = (labels[places] + 1) % 10
    scores = torch.nn.functional.one_hot(predicted, 10).float()
    return Evaluation(log_probabilities=scores, labels=labels)


def edges(p_random: float, p_fewer: float, p_untrained: float) -> EdgeTest:
    counts = {"edges": 6, "n": 16, "untrained_edges": 3, "untrained_n": 16}
    chances = {"p_random": p_random, "p_fewer": p_fewer, "p_untrained": p_untrained}
    return EdgeTest(**counts, random_edges=145, random_n=1000, **chances)  # type: ignore[arg-type]


def loss(spoiled: int, low: float, high: float) -> Loss:
    return Loss(spoiled=spoiled, mended=0, n=2000, low=low, high=high)


def verdict(judgement: Judgement) -> tuple[str, str]:
    return judgement.verdict, judgement.reason


def test_the_interval_of_a_difference_is_newcombe_s() -> None:
    """His examples (a) and (f): 56 of 70 against 48 of 80, and 9 of 10 against 3 of 10."""
    assert difference_interval(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert difference_interval(9, 10, 3, 10) == pytest.approx((0.1705, 0.8090), abs=5e-5)


@pytest.mark.parametrize(
    ("chances", "expected"),
    [
        ((0.01, 0.99, 0.03), ("bears", "learned")),
        ((0.01, 0.99, 0.25), ("open", "kept")),
        ((0.3, 0.8, 0.01), ("open", "luck")),
        ((0.99, 0.02, 0.9), ("contradicts", "fewer")),
    ],
)
def test_edges_are_borne_only_by_more_than_chance_and_than_before_training(
    chances: tuple[float, float, float], expected: tuple[str, str]
) -> None:
    assert verdict(judge_edges(edges(*chances), is_learned_layer=True)) == expected


def test_a_first_layer_that_was_not_trained_bears_nothing_about_learning() -> None:
    judged = judge_edges(edges(0.001, 0.99, 0.001), is_learned_layer=False)
    assert verdict(judged) == ("open", "fixed")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.011, 0.03, ("bears", "costs")),
        (0.009, 0.03, ("open", "unclear")),
        (-0.002, 0.009, ("contradicts", "spared")),
    ],
)
def test_filters_are_essential_if_the_whole_interval_lies_above_one_point(
    low: float, high: float, expected: tuple[str, str]
) -> None:
    assert verdict(judge_needed(6, loss(20, low, high), is_guessing=False)) == expected


def test_without_edge_detectors_or_accuracy_nothing_is_said_of_what_is_essential() -> None:
    assert verdict(judge_needed(0, None, is_guessing=False)) == ("open", "no_edges")
    harmless = loss(0, -0.002, 0.002)
    assert verdict(judge_needed(6, harmless, is_guessing=True)) == ("open", "guessing")


def test_pooling_is_seen_in_the_sizes() -> None:
    rows = describe(ModelConfig())
    judged = judge_smaller([(row.kind, row.output_shape) for row in rows])
    assert judged.verdict == "bears"
    assert judged.values == {"before": 16 * 28 * 28, "after": 16 * 14 * 14}


@pytest.mark.parametrize("pooling", ["none", "stride"])
def test_a_network_without_pooling_says_nothing_of_it(pooling: str) -> None:
    rows = describe(ModelConfig(pooling=pooling))  # type: ignore[arg-type]
    judged = judge_smaller([(row.kind, row.output_shape) for row in rows])
    assert verdict(judged) == ("open", "no_pooling")


def test_one_network_never_tells_what_made_it_better() -> None:
    for tested in (answers(9990, 10), answers(500, 500)):
        assert judge_accuracy(tested).verdict == "open"
    # Two proportions of 1%, n = 10,000: 1.96 * sqrt(2 * 0.01 * 0.99 / 10,000) is 0.276 points.
    points = judge_accuracy(answers(9900, 100)).values["points"]
    assert points == pytest.approx(0.276, abs=0.005)


@pytest.mark.parametrize(
    ("seen", "unseen", "dropout", "reason"),
    [
        ((4995, 5), (9900, 100), 0.25, "gap"),
        ((4995, 5), (9900, 100), 0.0, "gap_no_dropout"),
        ((4955, 45), (9900, 100), 0.25, "no_gap"),
        ((4900, 100), (9900, 100), 0.0, "no_gap_no_dropout"),
    ],
)
def test_a_gap_is_called_overfitting_beyond_its_interval_and_its_cause_stays_open(
    seen: tuple[int, int], unseen: tuple[int, int], dropout: float, reason: str
) -> None:
    judged = judge_overfitting(answers(*seen), answers(*unseen), dropout)
    assert verdict(judged) == ("open", reason)


def test_without_knowing_what_was_trained_on_there_is_no_gap() -> None:
    assert verdict(judge_overfitting(None, answers(99, 1), 0.25)) == ("open", "unknown")


def course(*accuracies: float) -> list[tuple[float, Score]]:
    return [
        (float(epoch), Score(loss=0.1, accuracy=accuracy, n=5000))
        for epoch, accuracy in enumerate(accuracies, start=1)
    ]


@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [
        ((0.95, 0.98, 0.99), ("bears", "rises")),
        ((0.97, 0.99, 0.96), ("bears", "falls")),
        ((0.989, 0.99, 0.991), ("open", "flat")),
        ((0.99,), ("open", "no_course")),
        ((), ("open", "no_course")),
    ],
)
def test_a_curve_shows_what_lies_beyond_the_intervals_of_its_epochs(
    accuracies: tuple[float, ...], expected: tuple[str, str]
) -> None:
    assert verdict(judge_curves(course(*accuracies))) == expected


def test_epochs_are_settled_from_where_none_differs_from_the_last() -> None:
    assert judge_curves(course(0.95, 0.97, 0.988, 0.99)).values["settled"] == 3
    assert judge_curves(course(0.988, 0.95, 0.97, 0.99)).values["settled"] == 4


def test_a_confusion_matrix_points_somewhere_if_classes_differ_beyond_chance() -> None:
    tested = answers(9950, 50, wrong_of_class=7)
    judged = judge_confusion(tested, 0.0001, NAMES)
    assert verdict(judged) == ("bears", "apart")
    assert [judged.values[k] for k in ("worst", "true", "predicted", "times")] == [
        *("7", "7", "8", 50)
    ]
    assert verdict(judge_confusion(answers(9950, 50), 0.9, NAMES)) == ("open", "alike")
    assert verdict(judge_confusion(answers(100, 0), 1.0, NAMES)) == ("open", "no_errors")


def test_the_part_judges_every_claim_and_begins_a_reflection(subject: Subject) -> None:
    part = made("reflection", subject)
    [table] = tables(part)
    assert list(part.numbers["claims"]) == CLAIMS
    assert len(table.rows) == len(table.marks) == len(CLAIMS)
    words = {"bears": "Yes", "contradicts": "No", "open": "Cannot tell"}
    shown = [row[1] for row in table.rows]
    assert shown == [words[part.numbers["claims"][claim]["verdict"]] for claim in CLAIMS]


def test_switching_off_the_edges_is_measured_on_the_test_digits(subject: Subject) -> None:
    """A network with one filter, an edge detector, says the same of everything without it."""
    model = SimpleCNN(ModelConfig(filters=(4, 6), hidden=16, dropout=0.0))
    model.load_state_dict(subject.model.state_dict())
    with torch.no_grad():
        model.conv1.weight[:] = torch.tensor([[1.0, 2, 1], [0, 0, 0], [-1, -2, -1]])
        model.conv1.bias.zero_()  # type: ignore[union-attr]
    labels = model.eval()(subject.normalised(subject.digits.test.images)).argmax(dim=1)
    digits = replace(subject.digits, test=replace(subject.digits.test, labels=labels))
    scores = torch.nn.functional.one_hot(labels, 10).float()
    asked = Evaluation(log_probabilities=scores, labels=labels)
    edgy = replace(subject, model=model, digits=digits, evaluation=asked)
    claim = made("reflection", edgy).numbers["claims"]["needed"]
    with torch.no_grad():
        model.conv1.weight.zero_()
    left = model(subject.normalised(digits.test.images)).argmax(dim=1)
    assert claim["n"] == 4
    assert claim["points"] == pytest.approx(100 * float((left != labels).double().mean()))
    assert claim["points"] > 0


def trained_on(checksum: str, subject: Subject) -> ModelInfo:
    return ModelInfo(
        model=subject.network.config,
        train=TrainConfig(),
        dataset="mnist",
        class_names=subject.digits.class_names,
        scale=subject.digits.scale,
        source="sample",
        data_checksum=checksum,
    )


def test_the_gap_is_measured_where_the_training_is_known(subject: Subject) -> None:
    claims = made("reflection", subject).numbers["claims"]
    assert claims["overfitting"]["reason"] == "unknown"
    of_others = made("reflection", replace(subject, info=trained_on("others", subject)))
    assert of_others.numbers["claims"]["overfitting"]["reason"] == "unknown"
    with_info = replace(subject, info=trained_on(subject.digits.checksum, subject))
    seen = made("reflection", with_info).numbers["claims"]["overfitting"]["seen"]
    train = subject.digits.train
    with torch.no_grad():
        right = subject.model(subject.normalised(train.images)).argmax(dim=1) == train.labels
    assert seen == pytest.approx(float(right.double().mean()))


def test_an_ensemble_s_answers_and_its_first_network_s_inside_are_told_apart(
    subject: Subject,
) -> None:
    both = Ensemble([subject.network, SimpleCNN(subject.network.config, seed=5)]).eval()
    part = made("reflection", replace(subject, model=both))
    assert "2 networks answer together here" in told(part)
