import made_study as make
import pytest

from taller_cnn.messages import Messages
from taller_cnn.study.labels import baseline_words, context_label, training_text
from taller_cnn.study.results import QuestionAnalysis

ES, EN = Messages("es"), Messages("en")


def trained(**values: object) -> QuestionAnalysis:
    """A question of the regime called ``short``, whatever it trains."""
    made = make.dropout(training=make.training(**values), regime="short")  # type: ignore[arg-type]
    return make.made(made).questions[0]


def test_a_training_is_told_by_what_was_trained_and_not_by_its_regimes_name() -> None:
    once = training_text(trained(), EN)
    assert once.startswith("10,000 digits for 1 epoch: 79 steps with the recipe “quick”")
    assert "Each digit is seen at most once" in once
    assert "how fast a network learns, not its final error" in once

    thrice = training_text(trained(epochs=3.0), EN)
    assert "Each digit is seen 3 times: the network can overfit." in thrice
    assert "at most once" not in thrice
    assert "how fast" in thrice

    long = training_text(trained(digits=35_000, epochs=2.0, precision="bfloat16"), EN)
    assert "how fast" not in long
    assert "in bfloat16." in long


def test_digits_that_a_level_chooses_are_not_told_as_those_of_all() -> None:
    sizes = make.made(make.size()).questions[0]
    assert context_label(sizes, ES) == (
        "864 pasos, sea cual sea el número de dígitos · 5 semillas · 20.000 dígitos reservados"
    )
    assert "27" not in training_text(sizes, ES)


def test_the_context_has_training_seeds_and_digits() -> None:
    question = make.made(make.dropout()).questions[0]
    assert context_label(question, EN) == (
        "2,000 digits, 27 epochs (864 steps) · 8 seeds · 20,000 held-out digits"
    )


@pytest.mark.parametrize(
    ("factors", "name"),
    [
        (("filters", "layers"), "the workshop's network"),
        (("dropout",), "the workshop's network"),
        (("size",), "the reference"),
        (("learning-rate",), "the reference"),
        (("filters", "augmentation"), "the reference"),
        (("head",), "the reference"),
    ],
)
def test_the_workshops_network_is_named_only_where_networks_are_compared(
    factors: tuple[str, ...], name: str
) -> None:
    assert baseline_words(factors, EN)["baseline"] == name
