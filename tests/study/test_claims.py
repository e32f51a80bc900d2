"""The workshop's claims against studies whose truth is known."""

from __future__ import annotations

from typing import Any

import pytest

from taller_cnn.messages import Messages
from taller_cnn.study.analysis import StudyAnalysis, analyse
from taller_cnn.study.claims import check_claims

ES, EN = Messages("es"), Messages("en")


@pytest.fixture(scope="module")
def study(maker: Any) -> StudyAnalysis:
    return analyse(maker.default())


def test_the_claims_of_the_workshop_get_verdicts(study: StudyAnalysis) -> None:
    claims = check_claims(study, ES)
    assert [(c.claim, c.kind) for c in claims] == [
        ("Más filtros mejoran la precisión.", "better"),
        ("Más filtros mejoran la precisión, sin tocar fc1.", "unclear"),
        ("Más capas convolucionales mejoran la precisión.", "better"),
        ("Más capas convolucionales mejoran la precisión, sin tocar fc1.", "better"),
        ("El dropout mejora la precisión.", "unclear"),
        ("El dropout reduce el sobreajuste.", "better"),
    ]
    assert claims[0].verdict.startswith("Los datos lo apoyan.")
    assert claims[4].verdict.startswith("Sin pruebas.")


def test_a_harm_is_not_said_to_be_support(maker: Any) -> None:
    made = maker.held_filters(error=lambda cell: 0.02 + 0.01 * (cell[0] == "x2"))
    claims = check_claims(analyse(maker.table(made)), EN)
    assert claims[0].kind == "worse"
    assert claims[0].verdict.startswith("The data say the contrary.")


@pytest.mark.parametrize(("reference", "kind"), [("0", "better"), ("0.25", "better")])
def test_dropout_is_judged_against_none_whatever_the_reference(
    reference: str, kind: str, maker: Any
) -> None:
    made = maker.dropout(
        reference=(reference,),
        error=lambda cell: 0.05 - 0.02 * (cell[0] != "0"),
    )
    claims = check_claims(analyse(maker.table(made)), EN)
    assert claims[0].claim == "Dropout improves accuracy."
    assert claims[0].kind == kind
    assert "−2.0" in claims[0].verdict or "−1.9" in claims[0].verdict


def test_a_claim_holds_only_in_part_where_more_than_the_workshop_has_brings_nothing(
    maker: Any,
) -> None:
    made = maker.held_layers(error=lambda cell: 0.032 if cell[0] == "1" else 0.022)
    claim = check_claims(analyse(maker.table(made)), EN)[0]
    assert claim.kind == "unclear"
    assert claim.verdict.startswith("Only in part.")
    assert "3 layers, fc1 held" in claim.verdict
    assert "4 layers, fc1 held" in claim.verdict


def test_a_claim_holds_where_one_level_beyond_the_workshop_is_better(maker: Any) -> None:
    made = maker.held_layers(
        error=lambda cell: {"1": 0.032, "2": 0.026, "3": 0.02}.get(cell[0], 0.026)
    )
    claim = check_claims(analyse(maker.table(made)), EN)[0]
    assert claim.kind == "better"
    assert claim.verdict.startswith("The data support it.")
