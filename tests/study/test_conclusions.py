import dataclasses
import tomllib
from importlib import resources
from typing import Any

import made_study as make
import pytest

from taller_cnn.messages import LANGUAGES, Messages
from taller_cnn.study.claims import check_claims
from taller_cnn.study.conclusions import Conclusion, conclude
from taller_cnn.study.results import QuestionAnalysis, StudyAnalysis

ES, EN = Messages("es"), Messages("en")


def question(study: StudyAnalysis, name: str) -> QuestionAnalysis:
    return next(q for q in study.questions if q.name == name)


def said(study: StudyAnalysis, name: str, messages: Messages = EN) -> tuple[Conclusion, ...]:
    return conclude(question(study, name), study, messages)


def everything(conclusions: tuple[Conclusion, ...]) -> str:
    return "\n".join("\n".join([c.text, *c.items]) for c in conclusions)


def cautions(conclusions: tuple[Conclusion, ...]) -> str:
    return everything(tuple(c for c in conclusions if c.kind == "caution"))


@pytest.fixture(scope="module")
def study() -> StudyAnalysis:
    return make.default()


def test_a_trend_is_said_with_its_interval(study: StudyAnalysis) -> None:
    first = said(study, "filters-x-layers", ES)[0]
    assert first.kind == "better"
    assert first.text == (
        "Duplicar los filtros baja el error 0,50 puntos de media en el rango medido "
        "(−0,60 a −0,40)."
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
    none = next(c for c in said(study, "dropout") if c.kind == "unclear")
    assert "no evidence" in none.text
    assert none.items[0] == "dropout 0: +0.05 points (between 0.25 fewer and 0.35 more)"


def test_effects_come_with_their_change_in_parameters_and_macs(study: StudyAnalysis) -> None:
    items = "\n".join(i for c in said(study, "filters-x-layers") for i in c.items)
    assert "parameters ×2.04, MACs ×3.48" in items
    assert "parameters" not in "\n".join(i for c in said(study, "dropout") for i in c.items)


# ------------------------------------------------------------ where an improvement lies

FALLS_ONLY_BELOW = {"1": 0.032, "2": 0.022, "3": 0.022, "4": 0.022}
NOT_THE_SAME = "is not the same over the whole range"
NO_EVIDENCE_ABOVE = "no single level gives evidence of an improvement"


def test_only_a_tested_bend_says_that_the_range_is_not_alike() -> None:
    """A level above without evidence is no evidence that nothing happens there."""
    error = lambda cell: FALLS_ONLY_BELOW[cell[0]]  # noqa: E731
    untested = make.made(make.held_layers(error=error))
    unclear = make.made(make.held_layers(error=error, bends=(make.bend("layers-fc1", 0.2),)))
    tested = make.made(make.held_layers(error=error, bends=(make.bend("layers-fc1", 1.0),)))

    for study in (untested, unclear):
        text = cautions(said(study, "layers-fc1"))
        assert NOT_THE_SAME not in text
        assert NO_EVIDENCE_ABOVE in text
        assert "3 layers, fixed fc1 input" in text
        assert "1 layer, fixed fc1 input" not in text
    assert "Nor is there evidence" not in cautions(said(untested, "layers-fc1"))
    assert "Nor is there evidence" in cautions(said(unclear, "layers-fc1"))
    assert (
        "above the workshop's network it is 1.00 points less favourable than below it "
        "(+0.70 to +1.30)"
    ) in cautions(said(tested, "layers-fc1"))


def test_a_mean_that_reaches_beyond_the_workshops_network_needs_no_caution() -> None:
    study = make.made(make.held_layers())
    assert cautions(said(study, "layers-fc1")) == ""


# ---------------------------------------------------------- what changes with the factor


def test_filters_alone_get_no_credit_where_fc1_changed_with_them(study: StudyAnalysis) -> None:
    text = everything(said(study, "filters-x-layers"))
    assert "cannot be attributed to the filters alone" in text
    assert "cannot be attributed to the number of layers alone" in text
    assert "Doubling the filters with a fixed fc1 input" in text
    assert "because" not in text


def test_without_the_held_variant_the_report_says_that_it_is_missing() -> None:
    alone = make.made(make.crossed())
    assert "separates the two changes, but this study did not measure it" in everything(
        said(alone, "filters-x-layers")
    )


def test_the_held_variant_of_another_training_separates_nothing() -> None:
    """The name of the regime is the same; what was trained is not."""
    study = make.made(make.crossed(), make.held_filters(training=make.LONG))
    text = everything(said(study, "filters-x-layers"))
    assert "Doubling the filters with" not in text
    assert "did not measure it on its own with this training" in text


def test_a_crossed_question_does_not_vary_the_held_variant_alone() -> None:
    crossed = make.asked(
        "filters-fc1",
        "dropout",
        levels=(("x1/2", "x1", "x2"), ("0", "0.25")),
        reference=("x1", "0.25"),
    )
    study = make.made(make.crossed(), crossed)
    assert "Doubling the filters with" not in everything(said(study, "filters-x-layers"))


def test_a_factor_that_leaves_the_parameters_alone_is_not_blamed_for_another() -> None:
    crossed = make.asked(
        "filters",
        "dropout",
        levels=(("x1/2", "x1", "x2"), ("0", "0.25")),
        reference=("x1", "0.25"),
    )
    text = everything(said(make.made(crossed), "filters-x-dropout"))
    assert "cannot be attributed to the filters alone" in text
    assert "Changing “dropout” also changes the number of parameters" not in text


def test_layers_that_all_give_fc1_the_same_input_are_not_said_to_change_it() -> None:
    question = make.asked("layers", levels=(("2", "3", "4"),), reference=("2",))
    text = everything(said(make.made(question), "layers"))
    assert "the input of fc1 is larger" not in text
    assert "Changing “convolutional layers” also changes the number of parameters" in text


# ----------------------------------------------------------------- how far answers reach


def test_one_seed_says_that_there_are_no_intervals() -> None:
    one = make.default(seeds=1)
    for q in one.questions:
        conclusions = conclude(q, one, EN)
        assert {c.kind for c in conclusions} <= {"unknown", "caution", "note"}
        assert "With a single seed" in everything(conclusions)
        assert "no intervals" in everything(conclusions)


def test_the_detectable_effect_is_always_said(study: StudyAnalysis) -> None:
    for q in study.questions:
        text = everything(conclude(q, study, EN))
        assert f"{q.seeds} seeds and 20,000 held-out digits" in text
        assert f"an effect of {q.detectable:.2f} points on the error" in text
        assert "80% power" in text


@pytest.mark.parametrize(
    ("points", "log_odds", "told"),
    [
        (0.01, 0.02, "seems to depend on"),
        (0.01, 0.6, "gives different results on the two scales"),
        (0.6, 0.01, "gives different results on the two scales"),
        (0.4, 0.6, "There is no evidence that the effect"),
    ],
)
def test_an_interaction_is_told_on_both_scales(points: float, log_odds: float, told: str) -> None:
    study = make.made(make.crossed(interaction=make.interaction(points, log_odds)))
    text = everything(said(study, "filters-x-layers"))
    assert told in text
    assert f"p = {points:.3f}" in text
    assert f"p = {log_odds:.3f}" in text
    assert "not adjusted" in text


def test_best_learning_rates_at_the_edge_are_named_and_counted() -> None:
    q = make.made(make.held_filters()).questions[0]
    edge = make.with_levels(
        q, lambda x: dataclasses.replace(x, rate=3.0) if x.levels == ("x1/4",) else x
    )
    study = make.study_of(edge)
    text = cautions(said(study, "filters-fc1"))
    assert "In one of 4 networks, the best learning rate is" in text
    assert text.endswith(": filters ×1/4, fixed fc1 input.")
    assert "En una de 4 redes" in cautions(said(study, "filters-fc1", ES))


def test_a_level_without_pilots_among_others_that_have_some_is_a_caution() -> None:
    q = make.made(make.held_filters()).questions[0]
    uneven = make.with_levels(
        q, lambda x: dataclasses.replace(x, rates=()) if x.levels == ("x2",) else x
    )
    text = cautions(said(make.study_of(uneven), "filters-fc1"))
    assert "One variant was trained without a search for its learning rate" in text
    assert "filters ×2, fixed fc1 input." in text
    for rates in ((1.0,), (1 / 3, 1.0, 3.0)):
        alike = make.made(make.held_filters(rates=rates))
        assert "without a search" not in everything(said(alike, "filters-fc1"))


def test_failed_and_missing_trials_are_said() -> None:
    q = make.made(make.dropout()).questions[0]
    changes: dict[str, dict[str, Any]] = {
        "0": {"failed": 1},
        "0.5": {"missing": 2},
        "0.75": {"missing": 8, "error": make.NO_SPREAD},
    }
    gaps = make.with_levels(q, lambda x: dataclasses.replace(x, **changes.get(x.levels[0], {})))
    text = everything(said(make.study_of(gaps), "dropout"))
    assert "One trial failed" in text
    assert "10 trials are still pending" in text
    assert "Without any result: dropout 0.75." in text


def test_without_the_reference_there_is_nothing_to_conclude() -> None:
    study = make.study_of(make.unmeasured(make.dropout()))
    assert [c.text for c in said(study, "dropout")] == [
        "Missing: the workshop's network. Without this reference, no comparison is possible.",
        "32 trials are still pending: these results are provisional.",
        "Without any result (4): dropout 0; dropout 0.25; dropout 0.5; dropout 0.75.",
    ]


def test_own_factors_keep_their_names() -> None:
    own = make.asked(
        "head",
        levels=(("small", "large"),),
        reference=("small",),
        error=lambda cell: 0.03 - 0.01 * (cell[0] == "large"),
    )
    assert "head large: " in everything(said(make.made(own), "head"))


@pytest.mark.parametrize("messages", [ES, EN])
@pytest.mark.parametrize("seeds", [1, 2, 4])
def test_every_kind_of_study_can_be_said_in_both_languages(messages: Messages, seeds: int) -> None:
    kinds = (make.crossed, make.held_layers, make.dropout, make.size)
    study = make.made(*(kind(seeds=seeds) for kind in kinds))
    for q in study.questions:
        text = everything(conclude(q, study, messages))
        assert "nan" not in text.lower().replace("ganan", "")
        assert "{" not in text
    assert not any("nan" in claim.answer for claim in check_claims(study, messages))


def test_both_languages_have_the_same_texts() -> None:
    def keys(table: dict[str, Any], prefix: str = "") -> set[str]:
        every: set[str] = set()
        for key, value in table.items():
            every |= keys(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key}
        return every

    texts = [
        tomllib.loads(
            resources.files("taller_cnn")
            .joinpath("locale", language, "study_report.toml")
            .read_text(encoding="utf-8")
        )
        for language in LANGUAGES
    ]
    assert keys(texts[0]) == keys(texts[1])
