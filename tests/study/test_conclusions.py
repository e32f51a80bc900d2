import dataclasses
import tomllib
from importlib import resources
from typing import Any

import numpy as np
import pytest

from taller_cnn.messages import LANGUAGES, Messages
from taller_cnn.study.analysis import QuestionAnalysis, StudyAnalysis, analyse
from taller_cnn.study.claims import check_claims
from taller_cnn.study.conclusions import Conclusion, conclude

ES, EN = Messages("es"), Messages("en")


def question(study: StudyAnalysis, name: str) -> QuestionAnalysis:
    return next(q for q in study.questions if q.name == name)


def said(study: StudyAnalysis, name: str, messages: Messages = EN) -> tuple[Conclusion, ...]:
    return conclude(question(study, name), study, messages)


def everything(conclusions: tuple[Conclusion, ...]) -> str:
    return "\n".join("\n".join([c.text, *c.items]) for c in conclusions)


@pytest.fixture(scope="module")
def study(maker: Any) -> StudyAnalysis:
    return analyse(maker.default())


def test_a_trend_is_said_with_its_simultaneous_interval(study: StudyAnalysis) -> None:
    first = said(study, "filters-x-layers", ES)[0]
    assert first.kind == "better"
    assert first.text == (
        "Duplicar los filtros baja el error de validación 0,45 puntos de media en el rango medido "
        "(intervalo simultáneo: −0,53 a −0,37)."
    )


def test_every_level_is_said_once_under_its_own_verdict(study: StudyAnalysis) -> None:
    for q in study.questions:
        by_kind = {
            c.kind: c.items for c in conclude(q, study, EN) if c.items and "gap" not in c.text
        }
        assert sum(map(len, by_kind.values())) == len(q.effects)
        for kind, items in by_kind.items():
            assert len(items) == sum(e.error.verdict == kind for e in q.effects)


def test_no_evidence_says_how_large_the_effect_could_still_be(study: StudyAnalysis) -> None:
    dropout = question(study, "dropout")
    none = next(c for c in said(study, "dropout") if c.kind == "unclear")
    effect = dropout.effects[0]
    assert f"from {-effect.error.low:.2f} better to {effect.error.high:.2f} worse" in none.items[0]
    assert "no evidence" in none.text


def test_effects_come_with_their_change_in_parameters_and_operations(study: StudyAnalysis) -> None:
    items = "\n".join(i for c in said(study, "filters-x-layers") for i in c.items)
    assert "parameters ×2.04, operations ×3.48" in items
    assert "parameters" not in "\n".join(i for c in said(study, "dropout") for i in c.items)


def test_filters_alone_get_no_credit_where_fc1_changed_with_them(study: StudyAnalysis) -> None:
    text = everything(said(study, "filters-x-layers"))
    assert "cannot be put down to the filters alone" in text
    assert "cannot be put down to the number of layers alone" in text
    assert "Doubling the filters while the input of fc1 is held" in text
    assert "because" not in text


def test_without_the_held_variant_the_report_says_that_it_is_missing(maker: Any) -> None:
    alone = analyse(maker.table(maker.crossed()))
    text = everything(said(alone, "filters-x-layers"))
    assert "separates them, but this study did not measure it" in text


def test_one_seed_says_that_there_are_no_intervals(maker: Any) -> None:
    one = analyse(maker.default(seeds=1))
    for q in one.questions:
        conclusions = conclude(q, one, EN)
        assert {c.kind for c in conclusions} <= {"unknown", "caution", "note"}
        assert "only one seed" in everything(conclusions)
        assert "no intervals" in everything(conclusions)


def test_the_detectable_effect_is_always_said(study: StudyAnalysis) -> None:
    for q in study.questions:
        text = everything(conclude(q, study, EN))
        assert f"{q.detectable:.2f}" in text
        assert "four times out of five" in text


def test_the_interaction_is_labelled_as_not_adjusted(study: StudyAnalysis) -> None:
    text = everything(said(study, "filters-x-layers"))
    assert "interaction: F(9, 45)" in text
    assert "not adjusted" in text


def test_a_best_learning_rate_at_the_edge_is_a_caution(maker: Any) -> None:
    table = maker.table(maker.held_filters())
    own = (table["level_a"] == "x1/4") & (table["rate"] == 3)
    table.loc[own, "validation_error"] -= 0.02
    edge = analyse(table)
    caution = [c.text for c in said(edge, "filters-fc1") if c.kind == "caution"]
    assert len(caution) == 1
    assert caution[0].endswith("filters ×1/4, fc1 held.")


def test_levels_with_more_learning_rates_than_others_are_a_caution(maker: Any) -> None:
    table = maker.table(maker.held_filters())
    uneven = analyse(table[(table["rate"] == 1) | table["level_a"].isin(["x1/4", "x2"])])
    cautions = everything(tuple(c for c in said(uneven, "filters-fc1") if c.kind == "caution"))
    assert "from 1 to 3 learning rates were tried for each" in cautions
    assert "tried more: filters ×1/4, fc1 held; filters ×2, fc1 held." in cautions
    assert "de 1 a 3 tasas de aprendizaje" in everything(said(uneven, "filters-fc1", ES))

    for same in (table, table[table["rate"] == 1]):
        assert "same chances" not in everything(said(analyse(same), "filters-fc1"))


def test_failed_and_missing_trials_are_said(maker: Any) -> None:
    table = maker.table(maker.dropout())
    table.loc[table.index[0], "status"] = "failed"
    table.loc[table.index[9:11], "status"] = "missing"
    table.loc[table["level_a"] == "0.75", "status"] = "missing"
    text = everything(said(analyse(table), "dropout"))
    assert "One training failed" in text
    assert "10 trainings have not been run yet" in text
    assert "Without any result: dropout 0.75." in text


def test_without_the_reference_there_is_nothing_to_conclude(maker: Any) -> None:
    table = maker.table(maker.dropout())
    without = analyse(table[table["level_a"] != "0.25"])
    assert [c.kind for c in said(without, "dropout")] == ["caution"]


def test_verdicts_come_from_simultaneous_intervals_alone(study: StudyAnalysis) -> None:
    q = question(study, "dropout")
    effects = tuple(
        dataclasses.replace(
            e, error=dataclasses.replace(e.error, low_alone=-9.0, high_alone=-8.0), gap=None
        )
        for e in q.effects
    )
    changed = dataclasses.replace(q, effects=effects)
    assert not any(c.kind == "better" for c in conclude(changed, study, EN))


def test_own_factors_and_regimes_keep_their_names(maker: Any) -> None:
    made = maker.question(
        name="head",
        factors=("head",),
        levels=(("small", "large"),),
        reference=("small",),
        regime="mine",
        error=lambda cell: 0.03 - 0.01 * (cell[0] == "large"),
    )
    own = analyse(maker.table(made))
    assert "head large: " in everything(said(own, "head"))


@pytest.mark.parametrize("messages", [ES, EN])
def test_every_kind_of_study_can_be_said_in_both_languages(messages: Messages, maker: Any) -> None:
    random = np.random.default_rng(0)
    for seeds in (1, 2, 4):
        table = maker.table(
            *(make(seeds=seeds) for make in (maker.crossed, maker.dropout, maker.size)),
            seed=seeds,
        )
        lost = table.index[random.random(len(table)) < 0.2]
        table.loc[lost, "status"] = "failed"
        found = analyse(table)
        for q in found.questions:
            text = everything(conclude(q, found, messages))
            assert "nan" not in text.lower().replace("ganan", "")
            assert "{" not in text
        assert not any("nan" in claim.verdict for claim in check_claims(found, messages))


def test_both_languages_have_the_same_texts() -> None:
    def keys(table: dict[str, Any], prefix: str = "") -> set[str]:
        found: set[str] = set()
        for key, value in table.items():
            found |= keys(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key}
        return found

    texts = [
        tomllib.loads(
            resources.files("taller_cnn")
            .joinpath("locale", language, "study_report.toml")
            .read_text(encoding="utf-8")
        )
        for language in LANGUAGES
    ]
    assert keys(texts[0]) == keys(texts[1])


def test_a_mean_that_ends_at_the_workshops_network_is_not_said_to_go_on(maker: Any) -> None:
    made = maker.held_layers(error=lambda cell: 0.032 if cell[0] == "1" else 0.022)
    found = analyse(maker.table(made))
    first, caution = said(found, "layers-fc1")[:2]
    assert first.kind == "better"
    assert caution.kind == "caution"
    assert caution.text.startswith("That mean comes from the lower part of the range.")
    assert "3 layers, fc1 held" in caution.text
    assert "1 layer, fc1 held" not in caution.text
