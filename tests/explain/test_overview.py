from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from made_parts import made, pictures, tables, told

from taller_cnn.config import ModelConfig
from taller_cnn.explain.subject import Subject
from taller_cnn.model import SimpleCNN, count_parameters
from taller_cnn.training import History


def test_the_data_are_counted(subject: Subject) -> None:
    part = made("data", subject)
    counts = part.numbers["class_counts"]

    assert [sum(counts[name]) for name in ("train", "validation", "test")] == [300, 100, 100]
    assert counts["test"] == torch.bincount(subject.digits.test.labels, minlength=10).tolist()
    ink = float((subject.digits.train.images.double() > 0).double().mean())
    assert part.numbers["ink"] == pytest.approx(ink)
    assert f"from {min(counts['train'])} (" in told(part)
    assert "sample of 500 digits" in told(part)


def test_classes_of_the_same_size_are_said_to_be(subject: Subject) -> None:
    labels = torch.arange(300) % 10
    train = replace(subject.digits.train, labels=labels)
    even = replace(subject, digits=replace(subject.digits, train=train))
    assert "All classes have 30 training images" in told(made("data", even))
    assert "varies with the class" not in told(made("data", even))


@pytest.mark.parametrize("filters", [(4, 6), (3,)])
def test_the_network_costs_what_it_has(subject: Subject, filters: tuple[int, ...]) -> None:
    model = SimpleCNN(ModelConfig(filters=filters, hidden=16))
    part = made("network", replace(subject, model=model))
    [table] = tables(part)

    assert part.numbers["parameters"] == count_parameters(model)
    assert sum(int(row[4].replace(",", "")) for row in table.rows) == count_parameters(model)
    assert ("one convolution" in told(part)) == (len(filters) == 1)


def test_the_curves_are_those_of_the_history(subject: Subject) -> None:
    part = made("learning", subject)
    assert subject.history is not None
    last = subject.history.epochs[-1]

    assert len(part.numbers["epochs"]) == 6
    assert f"{100 * last.train_accuracy:.2f}%" in told(part)
    assert [picture.name for picture in pictures(part)] == [
        "learning_accuracy",
        "learning_loss",
    ]


@pytest.mark.parametrize("dropout", [0.0, 0.25])
def test_one_epoch_is_no_course_and_dropout_is_blamed_only_where_there_is_any(
    subject: Subject, dropout: float
) -> None:
    assert subject.history is not None
    last = subject.history.epochs[-1]
    assert last.test is not None
    behind = replace(last, train_accuracy=last.test.accuracy - 0.2)
    model = SimpleCNN(ModelConfig(filters=(4,), hidden=16, dropout=dropout))
    one = replace(subject, model=model, history=History((behind,)))
    text = told(made("learning", one))
    assert "right as it saw them" in text
    assert "(first epoch) to" not in text
    assert ("with dropout active" in text) == (dropout > 0)
    assert ("had learned less" in text) == (dropout == 0)


def test_without_a_history_the_section_says_so(subject: Subject) -> None:
    part = made("learning", replace(subject, history=None))

    assert "There are no curves of this training" in told(part)
    assert not part.numbers


def test_accuracy_comes_with_its_interval(subject: Subject) -> None:
    part = made("accuracy", subject)
    low, high = subject.evaluation.interval()

    assert f"{100 * low:.2f}% to {100 * high:.2f}%" in told(part)
    assert part.numbers["test"]["errors"] == len(subject.mistakes)
    assert "has learned much more" in told(part)


def test_a_network_that_only_guesses_is_called_untrained(subject: Subject, answering) -> None:
    guessing = answering([1] * 100, [0.2] * 100)

    assert "has not learned to recognise the classes" in told(made("accuracy", guessing))
    assert "no ha aprendido a reconocer las clases" in told(made("accuracy", guessing, "es"))


def test_a_network_that_is_little_better_than_guessing_is_not_praised(
    subject: Subject, answering
) -> None:
    labels = subject.digits.test.labels.tolist()
    some = [y if i % 5 < 2 else (y + 1) % 10 for i, y in enumerate(labels)]
    text = told(made("accuracy", answering(some, [0.2] * 100)))

    assert "only a little better" in text
    assert "learned much more" not in text


def test_a_perfect_network_has_no_table_of_confusions(subject: Subject, answering) -> None:
    right = answering(subject.digits.test.labels.tolist(), [0.99] * 100)
    part = made("accuracy", right)

    assert tables(part) == []
    assert "gets 0 wrong" in told(part)


def test_a_network_without_a_hidden_layer_has_one_dense_layer(subject: Subject) -> None:
    direct = SimpleCNN(ModelConfig(filters=(4, 6), hidden=0, final_size=1))
    assert "one fully connected layer, which decides" in told(
        made("network", replace(subject, model=direct))
    )
    assert "two fully connected layers" in told(made("network", subject))


def test_only_a_dense_layer_is_said_to_use_each_weight_once(subject: Subject) -> None:
    config = ModelConfig(filters=(20, 64, 64), hidden=0, final_size=1, kernel_size=5)
    part = made("network", replace(subject, model=SimpleCNN(config)))
    assert "conv3 has the most weights; conv2 does the most multiply-accumulates" in told(part)
    assert "uses each weight only once" not in told(part)
    assert "fc1 uses each weight only once" in told(
        made("network", replace(subject, model=SimpleCNN()))
    )


@pytest.mark.parametrize(
    ("ahead", "words"),
    [(0.2, "It overfits"), (0.02, "chance may explain the difference"), (-0.1, "shows no over")],
)
def test_overfitting_is_told_only_where_the_test_shows_it(
    subject: Subject, ahead: float, words: str
) -> None:
    assert subject.history is not None
    last = subject.history.epochs[-1]
    assert last.test is not None
    epoch = replace(last, train_accuracy=0.75 + ahead, test=replace(last.test, accuracy=0.75))
    assert words in told(made("learning", replace(subject, history=History((epoch,)))))
