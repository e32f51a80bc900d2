"""The workshop's claims against studies whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import made_results
import made_study as make
import pytest

from taller_cnn.messages import Messages
from taller_cnn.study.claims import Claim, check_claims

ES, EN = Messages("es"), Messages("en")


def claims_of(*questions: make.MadeAnswer, messages: Messages = EN) -> tuple[Claim, ...]:
    return check_claims(make.made(*questions), messages)


def test_the_claims_of_the_workshop_get_verdicts() -> None:
    claims = check_claims(make.default(), ES)
    assert [(c.claim, c.kind) for c in claims] == [
        ("Más filtros mejoran la precisión.", "better"),
        ("Más filtros mejoran la precisión, con la entrada de fc1 fija.", "better"),
        ("Más capas convolucionales mejoran la precisión.", "better"),
        ("Más capas convolucionales mejoran la precisión, con la entrada de fc1 fija.", "better"),
        ("El dropout mejora la precisión.", "unclear"),
        ("El dropout reduce el sobreajuste.", "better"),
    ]
    assert claims[0].answer.startswith("Mejora de media en el rango medido. 10.000 dígitos")
    assert claims[4].answer.startswith("Sin evidencia. 2.000 dígitos")


def test_a_claim_carries_what_was_trained_and_what_a_short_training_can_tell() -> None:
    short, long, overfit = claims_of(
        make.held_filters(), make.held_filters(training=make.LONG), make.dropout()
    )[:3]
    assert (
        ". 10,000 digits, 1 epoch (79 steps): measures how fast the network learns, "
        "not its final error. Error:"
    ) in short.answer
    assert ". 35,000 digits, 2 epochs (548 steps). Error:" in long.answer
    assert ". 2,000 digits, 27 epochs (864 steps). Measured by the error." in overfit.answer


def test_a_question_that_varies_a_factor_alone_speaks_for_it() -> None:
    question = replace(made_results.held_filters(), name="filters", factors=("filters",))
    alone = make.MadeAnswer(question=question)
    claims = claims_of(make.crossed(), alone)
    assert [claim.claim for claim in claims] == [
        "More filters improve accuracy.",
        "More convolutional layers improve accuracy.",
    ]
    assert "2 layers" not in claims[0].answer
    apart = claims_of(make.crossed(training=make.LONG), alone)
    assert len(apart) == 3, "another training is another answer"


def test_a_harm_is_not_said_to_be_support() -> None:
    claim = claims_of(make.held_filters(error=lambda cell: 0.02 + 0.01 * (cell[0] == "x2")))[0]
    assert claim.kind == "worse"
    assert claim.answer.startswith("Worse on average over the measured range")


@pytest.mark.parametrize("reference", ["0", "0.25"])
def test_dropout_is_judged_against_none_whatever_the_reference(reference: str) -> None:
    claim = claims_of(
        make.dropout(reference=(reference,), error=lambda cell: 0.05 - 0.02 * (cell[0] != "0"))
    )[0]
    assert claim.claim == "Dropout improves accuracy."
    assert claim.kind == "better"
    assert "Better than dropout 0: dropout 0.25 −2.00 (−2.30 to −1.70)" in claim.answer


def test_dropout_that_harms_at_one_level_is_told_beside_that_which_helps() -> None:
    error = {"0": 0.05, "0.25": 0.04, "0.5": 0.05, "0.75": 0.07}
    claim = claims_of(make.dropout(reference=("0",), error=lambda cell: error[cell[0]]))[0]
    assert claim.kind == "better"
    assert "Worse than dropout 0: dropout 0.75" in claim.answer
    assert "No evidence of a difference from dropout 0: dropout 0.5" in claim.answer


def test_up_to_the_workshops_network_is_said_from_a_tested_bend_alone() -> None:
    def claim(*bends: make.Bend) -> Claim:
        error = {"1": 0.032}
        made = make.held_layers(error=lambda cell: error.get(cell[0], 0.022), bends=bends)
        return claims_of(made)[0]

    for plain in (claim(), claim(make.bend("layers-fc1", 0.2))):
        assert plain.answer.startswith("Better on average over the measured range.")
        assert "Worse than the workshop's network: 1 layer, fixed fc1 input +1.00" in plain.answer
        assert "No evidence of a difference from the workshop's network: 3 layers" in plain.answer
    bent = claim(make.bend("layers-fc1", 1.0))
    assert bent.answer.startswith("Better mainly up to the workshop's network")
    assert "1.00 points less favourable than below it (+0.70 to +1.30)" in bent.answer


def test_a_level_beyond_that_is_better_goes_before_the_bend() -> None:
    error = {"1": 0.04, "2": 0.026, "3": 0.02, "4": 0.02}
    claim = claims_of(
        make.held_layers(error=lambda cell: error[cell[0]], bends=(make.bend("layers-fc1", 1.0),))
    )[0]
    assert claim.answer.startswith("Better on average over the measured range.")
