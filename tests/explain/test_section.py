from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from taller_cnn.explain.section import Decimal, Percent, Subject, Text, cell_text
from taller_cnn.messages import Messages

ES, EN = Messages("es"), Messages("en")


def test_one_text_is_said_in_either_language() -> None:
    text = Text("explain_errors.sure", {"n": 1200, "of": 3400})

    assert "1.200 de 3.400" in text.say(ES)
    assert "1,200 of 3,400" in text.say(EN)


def test_words_numbers_and_lists_inside_a_text_are_in_its_language() -> None:
    blank = Text("explain_trust.strangers.name.blank")
    names = (blank, "7", Percent(0.125, 1), Decimal(2.5, 1))
    text = Text("explain_classes.never", {"n": 4, "names": names})

    assert "hoja en blanco, 7, 12,5\N{NO-BREAK SPACE}%, 2,5" in text.say(ES)
    assert "empty sheet, 7, 12.5%, 2.5" in text.say(EN)


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("fc1", "fc1"),
        (1200, "1.200"),
        (0.01234, "0,0123"),
        (Percent(0.5), "50,00\N{NO-BREAK SPACE}%"),
        (Decimal(1.005, 1), "1,0"),
        (Decimal(math.nan), "–"),
        (math.nan, "–"),
        (Text("explain_trust.strangers.name.noise"), "ruido"),
    ],
)
def test_cells_are_written_the_reader_s_way(cell: Any, written: str) -> None:
    assert cell_text(cell, ES) == written


def test_mistakes_come_in_order_of_loss(subject: Subject) -> None:
    says = subject.evaluation
    losses = torch.nn.functional.nll_loss(says.log_probabilities, says.labels, reduction="none")
    by_hand = [i for i in range(says.n) if says.predictions[i] != says.labels[i]]
    by_hand.sort(key=lambda i: -float(losses[i]))

    assert len(by_hand) > 2
    assert subject.mistakes.tolist() == by_hand


def test_the_embedding_is_that_of_one_image_at_a_time(subject: Subject) -> None:
    split = subject.digits.validation
    together = subject.embedding(split, batch_size=7)

    with torch.no_grad():
        alone = [subject.model.embed(subject.normalised(image[None])) for image in split.images]
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)


def test_class_names_are_those_of_the_data_set(subject: Subject) -> None:
    assert subject.class_name(3) == "3"
