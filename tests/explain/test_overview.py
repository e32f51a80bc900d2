from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from taller_cnn.config import ModelConfig
from taller_cnn.explain.overview import accuracy, data, learning, network
from taller_cnn.explain.section import Picture, Section, Subject, Table, Text
from taller_cnn.messages import Messages
from taller_cnn.model import SimpleCNN, count_parameters
from taller_cnn.training import History


def tick(done: int, of: int) -> None:
    assert 0 < done <= of


def said(section: Section, language: str = "en") -> str:
    messages = Messages(language)
    return "\n".join(b.say(messages) for b in section.blocks if isinstance(b, Text))


def test_the_data_are_counted(subject: Subject) -> None:
    section = data(subject, tick)
    counts = section.numbers["class_counts"]

    assert [sum(counts[name]) for name in ("train", "validation", "test")] == [300, 100, 100]
    assert counts["test"] == torch.bincount(subject.digits.test.labels, minlength=10).tolist()
    ink = float((subject.digits.train.images.double() > 0).double().mean())
    assert section.numbers["ink"] == pytest.approx(ink)
    assert f"there are {min(counts['train'])} images" in said(section)
    assert "sample of 500 digits" in said(section)


def test_classes_of_the_same_size_are_said_to_be(subject: Subject) -> None:
    labels = torch.arange(300) % 10
    train = replace(subject.digits.train, labels=labels)
    even = replace(subject, digits=replace(subject.digits, train=train))
    assert "All classes have the same 30 training images" in said(data(even, tick))
    assert "not all the same size" not in said(data(even, tick))


@pytest.mark.parametrize("filters", [(4, 6), (3,)])
def test_the_network_costs_what_it_has(subject: Subject, filters: tuple[int, ...]) -> None:
    model = SimpleCNN(ModelConfig(filters=filters, hidden=16))
    section = network(replace(subject, model=model), tick)
    table = next(b for b in section.blocks if isinstance(b, Table))

    assert section.numbers["parameters"] == count_parameters(model)
    assert sum(row[4] for row in table.rows if isinstance(row[4], int)) == count_parameters(model)
    assert ("one convolution" in said(section)) == (len(filters) == 1)


def test_the_curves_are_those_of_the_history(subject: Subject) -> None:
    section = learning(subject, tick)
    assert subject.history is not None
    last = subject.history.epochs[-1]

    assert len(section.numbers["epochs"]) == 6
    assert f"{100 * last.train_accuracy:.2f}%" in said(section)
    assert [b.name for b in section.blocks if isinstance(b, Picture)] == [
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
    text = said(learning(one, tick))
    assert "of those it came across" in text
    assert "in the first epoch to" not in text
    assert ("with dropout on" in text) == (dropout > 0)
    assert ("still knew less" in text) == (dropout == 0)


def test_without_a_history_the_section_says_so(subject: Subject) -> None:
    section = learning(replace(subject, history=None), tick)

    assert "No curves are left" in said(section)
    assert not section.numbers


def test_accuracy_comes_with_its_interval(subject: Subject) -> None:
    section = accuracy(subject, tick)
    low, high = subject.evaluation.interval()

    assert f"{100 * low:.2f}% to {100 * high:.2f}%" in said(section)
    assert section.numbers["test"]["errors"] == len(subject.mistakes)
    assert "has learned much more" in said(section)


def test_a_network_that_only_guesses_is_called_untrained(subject: Subject, answering) -> None:
    guessing = answering([1] * 100, [0.2] * 100)

    assert "has not learned to recognise them" in said(accuracy(guessing, tick))
    assert "no ha aprendido a reconocerlas" in said(accuracy(guessing, tick), "es")


def test_a_network_that_is_little_better_than_guessing_is_not_praised(
    subject: Subject, answering
) -> None:
    labels = subject.digits.test.labels.tolist()
    some = [y if i % 5 < 2 else (y + 1) % 10 for i, y in enumerate(labels)]
    text = said(accuracy(answering(some, [0.2] * 100), tick))

    assert "only a little better" in text
    assert "learned much more" not in text


def test_a_perfect_network_has_no_table_of_confusions(subject: Subject, answering) -> None:
    right = answering(subject.digits.test.labels.tolist(), [0.99] * 100)
    section = accuracy(right, tick)

    assert not any(isinstance(block, Table) for block in section.blocks)
    assert "gets 0 wrong" in said(section)


def test_a_network_without_a_hidden_layer_has_one_dense_layer(subject: Subject) -> None:
    direct = SimpleCNN(ModelConfig(filters=(4, 6), hidden=0, final_size=1))
    assert "a fully connected layer that decides" in said(
        network(replace(subject, model=direct), tick)
    )
    assert "two fully connected layers" in said(network(subject, tick))


def test_only_a_dense_layer_is_said_to_use_each_weight_once(subject: Subject) -> None:
    config = ModelConfig(filters=(20, 64, 64), hidden=0, final_size=1, kernel_size=5)
    section = network(replace(subject, model=SimpleCNN(config)), tick)
    assert "conv3 has most weights, conv2 takes most multiplications" in said(section)
    assert "each weight is used only once" not in said(section)
    assert "in fc1 each weight is used only once" in said(
        network(replace(subject, model=SimpleCNN()), tick)
    )


@pytest.mark.parametrize(
    ("ahead", "told"),
    [(0.2, "it overfits"), (0.02, "luck may explain that"), (-0.1, "shows no over")],
)
def test_overfitting_is_told_only_where_the_test_shows_it(
    subject: Subject, ahead: float, told: str
) -> None:
    assert subject.history is not None
    last = subject.history.epochs[-1]
    assert last.test is not None
    made = replace(last, train_accuracy=0.75 + ahead, test=replace(last.test, accuracy=0.75))
    assert told in said(learning(replace(subject, history=History((made,))), tick))
