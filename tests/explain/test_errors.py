from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from gallery_images import image_in
from made_parts import made, pictures, told

from taller_cnn.explain.errors import nearest
from taller_cnn.explain.subject import Subject


def test_neighbours_are_those_of_a_search_by_brute_force() -> None:
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(130, 5, generator=generator)
    others = torch.randn(200, 5, generator=generator)

    distances, found = nearest(queries, others, 4)

    for query, row, places in zip(queries, distances, found, strict=True):
        by_hand = sorted((float((query - other).norm()), i) for i, other in enumerate(others))[:4]
        assert places.tolist() == [place for _, place in by_hand]
        assert torch.allclose(row, torch.tensor([d for d, _ in by_hand]), atol=1e-5)


def test_nobody_has_no_neighbours() -> None:
    distances, found = nearest(torch.empty(0, 5), torch.randn(9, 5), 3)

    assert distances.shape == found.shape == (0, 3)


def test_every_mistake_is_listed_in_order_of_loss(subject: Subject) -> None:
    part = made("errors", subject)
    rows = list(csv.DictReader(io.StringIO(part.attachments["mistakes.csv"])))

    assert [int(row["index"]) for row in rows] == subject.mistakes.tolist()
    losses = [float(row["loss"]) for row in rows]
    assert losses == sorted(losses, reverse=True)
    first, says = rows[0], subject.evaluation
    index = int(first["index"])
    assert first["true"] == str(int(says.labels[index]))
    assert first["predicted"] == str(int(says.predictions[index]))
    assert f"The network makes {len(rows)} mistakes in 100 test images" in told(part)


def test_no_mistake_that_it_was_sure_of_is_none_to_look_at(subject: Subject, answering) -> None:
    labels = subject.digits.test.labels
    unsure = answering(((labels + 1) % 10).tolist(), [0.6] * 100)
    assert "In none of the 100 mistakes is the network" in told(made("errors", unsure))
    sure = answering(((labels + 1) % 10).tolist(), [0.97] * 100)
    assert "In 100 of 100 mistakes" in told(made("errors", sure))


def test_a_network_without_mistakes_gets_a_sentence_and_no_pages(
    subject: Subject, answering
) -> None:
    perfect = answering(subject.digits.test.labels.tolist(), [0.99] * 100)
    part = made("errors", perfect)

    assert "There are no mistakes: the network gets all 100 test images right" in told(part)
    assert pictures(part) == []
    assert not part.attachments


def test_a_digit_asked_for_gets_its_neighbours_also_without_mistakes(
    subject: Subject, answering
) -> None:
    perfect = answering(subject.digits.test.labels.tolist(), [0.99] * 100)
    part = made("errors", replace(perfect, chosen=(42,)))
    shown = part.numbers["neighbours"]["shown"]

    assert [row["index"] for row in shown] == [42]
    test = subject.normalised(subject.digits.test.images[42:43])
    with torch.no_grad():
        query = subject.model.embed(test)
    distance = (subject.embedding(subject.digits.train) - query).norm(dim=1)
    assert shown[0]["train_positions"] == distance.argsort()[:7].tolist()


def test_agreement_of_neighbours_is_counted_over_all_mistakes(subject: Subject) -> None:
    numbers = made("errors", subject).numbers["neighbours"]
    train, wrong = subject.digits.train, subject.mistakes
    base = subject.embedding(train)
    hits = total = 0
    for index in wrong.tolist():
        with torch.no_grad():
            query = subject.model.embed(
                subject.normalised(subject.digits.test.images[index : index + 1])
            )
        near = (base - query).norm(dim=1).argsort()[:7]
        hits += int((train.labels[near] == subject.evaluation.predictions[index]).sum())
        total += 7

    assert numbers["as_predicted"] == pytest.approx(hits / total, abs=1e-12)


def test_what_the_neighbours_say_is_told_only_where_the_mistakes_show_it(
    subject: Subject, answering
) -> None:
    labels = subject.digits.test.labels.tolist()
    one_wrong = [(labels[0] + 1) % 10, *labels[1:]]
    all_wrong = [(label + 1) % 10 for label in labels]

    few = made("errors", answering(one_wrong, [0.5] * 100))
    many = made("errors", answering(all_wrong, [0.5] * 100))
    assert few.numbers["neighbours"]["as_true"] > few.numbers["neighbours"]["as_predicted"]
    assert few.numbers["neighbours"]["p"] == 1.0
    assert "cannot be told from these mistakes (n = 1; p = 1" in told(few)
    assert many.numbers["neighbours"]["p"] < 0.001
    assert "the true class prevails" in told(many)


def test_pages_hold_forty_mistakes_each(subject: Subject, answering) -> None:
    labels = subject.digits.test.labels
    wrong = ((labels + 1) % 10).tolist()
    part = made("errors", answering(wrong, [0.5] * 100))

    names = [picture.name for picture in pictures(part)]
    assert names[:3] == ["errors_1", "errors_2", "errors_3"]
    assert "errors_4" not in names


def test_the_figures_show_what_they_promise(subject: Subject) -> None:
    for picture in pictures(made("errors", subject, "es")):
        figure = picture.draw()
        words = {text.get_text() for text in figure.axes[0].texts}
        shown = [image_in(figure, frame) for frame in figure.axes[0].patches]
        assert shown
        assert all(image.shape == (28, 28) and image.any() for image in shown)
        if picture.name == "errors_1":
            first = int(subject.mistakes[0])
            assert np.array_equal(shown[0], subject.digits.test.images[first, 0])
            assert any(word.startswith(f"{first}: ") for word in words)


def test_neighbours_in_the_layer_that_the_answer_is_made_from_do_not_say_where_it_goes_wrong(
    subject: Subject, answering
) -> None:
    labels = subject.digits.test.labels
    relabelled = replace(
        subject.digits, test=replace(subject.digits.test, labels=(labels + 1) % 10)
    )
    said_right = answering(labels.tolist(), [0.5] * 100)
    evaluation = replace(said_right.evaluation, labels=(labels + 1) % 10)
    part = made("errors", replace(subject, digits=relabelled, evaluation=evaluation))

    text = told(part)
    assert "the predicted class prevails" in text
    assert "does not show where in the network a mistake arises" in text
    assert "in what it sees" not in text


def test_a_confusion_that_is_as_frequent_as_others_is_not_called_the_most_frequent(
    subject: Subject, answering
) -> None:
    labels = subject.digits.test.labels.tolist()

    def wrong_at(*places: int) -> str:
        answers = [(y + 1) % 10 if i in places else y for i, y in enumerate(labels)]
        return told(made("errors", answering(answers, [0.5] * 100)))

    of = {label: [i for i, y in enumerate(labels) if y == label][:2] for label in (3, 7)}
    assert "The most frequent confusion is reading 3 as 4: 2 times" in wrong_at(*of[3], of[7][0])
    assert "with 2 times each" in (tied := wrong_at(*of[3], *of[7]))
    assert "Several confusions tie" in tied
    assert "No confusion comes up more than once" in wrong_at(of[3][0], of[7][0])


def test_all_chosen_digits_get_their_neighbours(subject: Subject) -> None:
    part = made("errors", replace(subject, chosen=tuple(range(8))))
    shown = [row["index"] for row in part.numbers["neighbours"]["shown"]]
    assert shown == list(range(8))
