"""What an analysis says of results that were made: effects, trends, bends, interactions."""

import dataclasses
import math

import made_results as made
import numpy as np
import pytest
from made_results import number, without

from taller_cnn.study.analysis import analyse, analyse_question
from taller_cnn.study.results import (
    Estimate,
    FTest,
    Interaction,
    QuestionAnalysis,
    QuestionResults,
    StudyAnalysis,
)


def question(study: StudyAnalysis, name: str) -> QuestionAnalysis:
    return next(q for q in study.questions if q.name == name)


def analysed(made_question: made.MadeQuestion, **changes: object) -> QuestionAnalysis:
    return analyse_question(dataclasses.replace(made.made_results(made_question), **changes))


@pytest.fixture(scope="module")
def results() -> tuple[QuestionResults, ...]:
    return made.default_results()


@pytest.fixture(scope="module")
def study(results: tuple[QuestionResults, ...]) -> StudyAnalysis:
    return analyse(results)


def test_a_study_like_the_default_gets_the_verdicts_that_were_put_in(study: StudyAnalysis) -> None:
    crossed = question(study, "filters-x-layers")
    assert crossed.factors == ("filters", "layers")
    verdicts = {effect.levels: effect.error.verdict for effect in crossed.effects}
    assert verdicts["x2", "4"] == "better"
    assert verdicts["x1/4", "1"] == "worse"
    slopes = {trend.factor: trend.error for trend in crossed.trends}
    assert slopes["filters"].low < -0.5 < slopes["filters"].high
    assert slopes["layers"].low < -0.4 < slopes["layers"].high
    dropout = question(study, "dropout")
    assert [e.error.verdict for e in dropout.effects] == ["unclear"] * 3
    assert [e.gap.verdict for e in dropout.effects if e.gap] == ["worse", "better", "better"]


def test_effects_are_in_points_with_their_change_in_cost(study: StudyAnalysis) -> None:
    crossed = question(study, "filters-x-layers")
    levels = {level.levels: level for level in crossed.levels}
    effect = next(e for e in crossed.effects if e.levels == ("x1", "1"))
    difference = levels["x1", "1"].error.mean - levels["x1", "2"].error.mean
    assert effect.error.value == pytest.approx(100 * difference)
    assert effect.parameters_ratio == pytest.approx(402_986 / 206_922)
    assert effect.macs_ratio < 1


def test_verdicts_hold_for_other_digits_too() -> None:
    # Every seed of a level fails on the same digits: seeds alone would be sure of a difference.
    results = made.made_results(made.held_filters(seeds=6))
    random = np.random.default_rng(0)
    wrong = np.repeat(random.random((4, 1, made.JUDGED)) < 0.03, 6, axis=1)
    wrong[:, :, 0] = random.random((4, 6)) < 0.5
    errors = wrong.mean(axis=2)
    packed = np.packbits(wrong, axis=2)
    effects = analyse_question(dataclasses.replace(results, errors=errors, wrong=packed)).effects
    for effect in effects:
        assert abs(effect.error.value) > 3 * effect.error.seeds_error
        assert effect.error.verdict == "unclear"
        assert effect.error.detectable > effect.error.digits_error


def test_a_level_keeps_its_learning_rate_and_how_all_of_them_did() -> None:
    def penalty(cell: tuple[str, ...], rate: float) -> float:
        return {1 / 3: 0.01, 1.0: 0.0, 3.0: 0.01 if cell != ("x2",) else -0.02}[rate]

    levels = {
        level.levels: level for level in analysed(made.held_filters(rate_penalty=penalty)).levels
    }
    assert levels["x2",].rate == 3
    assert levels["x2",].rate_at_edge
    assert levels["x1",].rate == 1
    assert not levels["x1",].rate_at_edge
    assert [rate.rate for rate in levels["x1",].rates] == pytest.approx([1 / 3, 1, 3])
    best = min(levels["x1",].rates, key=lambda rate: rate.validation_error.mean)
    assert best.rate == 1


def test_rates_that_a_level_does_not_try_are_none_of_its_own() -> None:
    results = made.made_results(made.held_filters())
    pilots = results.pilot_errors.copy()
    pilots[0, 2] = math.nan
    levels = analyse_question(dataclasses.replace(results, pilot_errors=pilots)).levels
    assert [rate.rate for rate in levels[0].rates] == pytest.approx([1 / 3, 1])
    assert len(levels[1].rates) == 3


def test_failed_and_missing_trials_of_a_level_are_those_of_all_its_rates() -> None:
    results = made.made_results(made.held_filters())
    failed, missing = np.zeros((2, 4, 3, made.PILOTS), dtype=bool)
    failed[1, 0, 1] = missing[1, 2, 0] = missing[2, 0, 0] = True
    results = dataclasses.replace(results, pilot_failed=failed, pilot_missing=missing)
    results = without(without(results, (1, 0), "failed"), (2, slice(2)))
    levels = analyse_question(results).levels
    assert [level.failed for level in levels] == [0, 2, 0, 0]
    assert [level.missing for level in levels] == [0, 1, 3, 0]
    assert [rate.failed for rate in levels[1].rates] == [1, 0, 0]
    assert [rate.missing for rate in levels[1].rates] == [0, 0, 1]


def test_trials_that_questions_share_are_counted_once_for_the_study() -> None:
    results = made.made_results(made.dropout())
    results = without(without(results, (0, 0), "failed"), (1, slice(2)))
    study = analyse([results, dataclasses.replace(results, name="dropout-full")])
    assert (study.done, study.failed, study.missing) == (29, 1, 2)
    assert all(not math.isnan(e.error.low) for e in study.questions[0].effects)


def test_families_are_the_questions_with_intervals(results: tuple[QuestionResults, ...]) -> None:
    assert analyse(results).families == 4
    assert analyse(results).interaction_tests == 1
    lost = without(results[1], (slice(None), slice(1, None)))
    assert analyse([results[0], lost]).families == 1


def test_a_level_without_any_result_leaves_the_others_compared() -> None:
    results = without(made.made_results(made.dropout()), 2)
    effects = {e.levels[0]: e.error for e in analyse_question(results).effects}
    assert math.isnan(effects["0.5"].value)
    assert effects["0.5"].verdict == "unknown"
    assert effects["0.75"].verdict == "unclear"


def test_a_level_with_one_seed_has_a_difference_and_no_interval() -> None:
    results = without(made.made_results(made.dropout()), (2, slice(1, None)))
    effects = {e.levels[0]: e.error for e in analyse_question(results).effects}
    assert not math.isnan(effects["0.5"].value)
    assert effects["0.5"].verdict == "unknown"
    assert effects["0.75"].verdict == "unclear"


def test_a_study_that_has_not_begun_has_no_answers_and_no_errors(
    results: tuple[QuestionResults, ...],
) -> None:
    nothing = np.zeros((16, 4, 0), dtype=np.uint8)
    begun = dataclasses.replace(without(results[0], slice(None)), wrong=nothing, judged_n=0)
    study = analyse([begun, *(without(other, slice(None)) for other in results[1:])])
    assert (study.seeds, study.families, study.interaction_tests) == (0, 0, 0)
    for q in study.questions:
        assert {e.error.verdict for e in q.effects} == {"unknown"}
        assert q.trends == ()
        assert q.bends == ()


def test_one_seed_gives_differences_without_intervals() -> None:
    for q in analyse(made.default_results(seeds=1)).questions:
        assert q.seeds == 1
        assert q.df == 0
        assert math.isnan(q.detectable)
        assert q.interaction is None
        for effect in q.effects:
            assert not math.isnan(effect.error.value)
            assert effect.error.verdict == "unknown"


def test_seeds_that_all_give_the_same_result_give_no_interval() -> None:
    results = made.made_results(made.dropout())
    same = np.broadcast_to(results.wrong[:1, :1], results.wrong.shape)
    errors = np.full_like(results.errors, results.errors[0, 0])
    q = analyse_question(dataclasses.replace(results, errors=errors, wrong=same))
    assert {e.error.verdict for e in q.effects} == {"unknown"}
    assert {e.error.value for e in q.effects} == {0}


def test_without_the_reference_nothing_is_compared() -> None:
    q = analysed(made.held_filters(), reference=("x4",))
    assert q.effects == ()
    assert q.reference is None
    assert q.bends == ()
    assert q.trends[0].error.verdict == "better"


def test_a_reference_without_results_leaves_the_trend() -> None:
    q = analyse_question(without(made.made_results(made.held_filters(seeds=8)), 2))
    assert {e.error.verdict for e in q.effects} == {"unknown"}
    assert q.trends[0].error.verdict == "better"


def test_only_a_regime_that_can_overfit_has_effects_on_the_gap(study: StudyAnalysis) -> None:
    with_gap = {q.name for q in study.questions if any(e.gap for e in q.effects)}
    assert with_gap == {"dropout"}
    assert len(question(study, "dropout").effects) == 3
    crossed = question(study, "filters-x-layers")
    assert (len(crossed.effects), len(crossed.trends)) == (4 * 4 - 1, 2)


def test_error_and_gap_share_the_five_per_cent() -> None:
    both = analysed(made.dropout())
    alone = analysed(made.dropout(), seen_errors=np.full((4, 8), math.nan))
    assert both.critical > alone.critical
    assert both.effects[0].error.p == pytest.approx(min(1, 2 * alone.effects[0].error.p), abs=1e-3)


def test_the_trend_of_filters_is_per_doubling() -> None:
    shares = 0.03 - 0.002 * np.log2([[0.25], [0.5], [1], [2]]) + 1e-4 * np.arange(4)
    shares[::2, 0] += 1e-5
    trend = analysed(made.held_filters(), errors=shares).trends[0]
    assert (trend.factor, trend.per) == ("filters-fc1", "doubling")
    assert trend.error.value == pytest.approx(-0.2, abs=0.002)
    assert trend.values == (0.25, 0.5, 1, 2)


def test_a_trend_and_a_bend_need_three_values() -> None:
    two = analysed(made.held_filters(levels=(("x1", "x2"),)))
    assert two.trends == ()
    assert two.bends == ()


def test_a_bend_is_the_slope_above_the_reference_less_that_below() -> None:
    results = made.made_results(made.held_layers(seeds=12))
    bend = analyse_question(results).bends[0]
    # One layer below the reference, two above it: a broken line through four means.
    means = 100 * results.errors.mean(axis=1)
    x = np.array([[1, -1, 0], [1, 0, 0], [1, 0, 1], [1, 0, 2]])
    _, below, above = np.linalg.lstsq(x, means)[0]
    assert (bend.factor, bend.per) == ("layers-fc1", "layer")
    assert (bend.below, bend.above) == pytest.approx((below, above))
    assert bend.error.value == pytest.approx(above - below)


def test_a_trend_that_ends_at_the_reference_is_told_from_one_that_goes_on() -> None:
    def ends(cell: tuple[str, ...]) -> float:
        return 0.024 - 0.005 * min(0, math.log2(number(cell[0])))

    ending = analysed(made.held_filters(error=ends, seeds=12)).bends[0]
    going_on = analysed(made.held_filters(seeds=12)).bends[0]
    assert ending.error.verdict == "worse"
    assert going_on.error.verdict == "unclear"


def test_crossed_factors_each_have_a_bend_that_the_other_does_not_change(
    study: StudyAnalysis,
) -> None:
    def error(cell: tuple[str, ...]) -> float:
        return 0.03 - 0.006 * min(0, math.log2(number(cell[0]))) - 0.004 * number(cell[1])

    bends = {b.factor: b for b in analysed(made.crossed(error=error, seeds=8)).bends}
    assert bends["filters"].error.low < 0.6 < bends["filters"].error.high
    assert bends["filters"].error.verdict == "worse"
    assert bends["layers"].error.verdict == "unclear"


def test_a_bend_joins_the_comparisons_that_hold_together() -> None:
    results = made.made_results(made.held_filters())
    alone = dataclasses.replace(results, values=((None,), (None,), (None,), (None,)))
    assert analyse_question(results).critical > analyse_question(alone).critical + 0.05


def test_factors_that_add_up_do_not_interact() -> None:
    interaction = analysed(
        made.crossed(error=lambda cell: 0.3 - 0.02 * number(cell[1]))
    ).interaction
    assert interaction is not None
    assert interaction.factors == ("filters", "layers")
    assert (interaction.points.df, interaction.points.df_residual) == (9, 16 * 4 - 16 - 3)
    assert not interaction.points.notable
    assert not interaction.scales_disagree


def test_factors_that_multiply_interact_in_points_and_not_on_log_odds() -> None:
    def halving(cell: tuple[str, ...]) -> float:
        return 0.05 * number(cell[0]) ** -0.7 / number(cell[1])

    interaction = analysed(made.crossed(error=halving, sd=lambda _: 0.0005, seeds=8)).interaction
    assert interaction is not None
    assert interaction.points.p < 1e-4
    assert interaction.points.f > 3 * interaction.log_odds.f


def test_where_errors_are_nearly_alike_both_scales_say_the_same() -> None:
    # Near one error the logarithm of the odds is a straight line: so are the digits' parts.
    interaction = analysed(made.crossed(error=lambda _: 0.03, sd=lambda _: 0.0004)).interaction
    assert interaction is not None
    assert interaction.log_odds.f == pytest.approx(interaction.points.f, rel=0.1)


def test_scales_that_say_different_things_disagree() -> None:
    sure, unsure = (FTest(f=1.0, df=1, df_residual=9, p=p) for p in (0.01, 0.2))
    both = Interaction(factors=("a", "b"), points=sure, log_odds=sure)
    assert not both.scales_disagree
    assert dataclasses.replace(both, log_odds=unsure).scales_disagree


def test_a_crossed_question_with_an_empty_combination_has_trends_and_no_test_of_interaction() -> (
    None
):
    q = analyse_question(without(made.made_results(made.crossed()), 15))
    assert q.interaction is None
    assert len(q.trends) == 2
    assert all(trend.error.verdict == "better" for trend in q.trends)


def test_unequal_spread_is_noticed() -> None:
    def odd(cell: tuple[str, ...]) -> float:
        return 0.02 if cell == ("0.75",) else 0.001

    unequal = analysed(made.dropout(sd=odd))
    equal = analysed(made.dropout())
    assert unequal.unequal_spread_p < 0.05 < equal.unequal_spread_p


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(-2, -1, "better"), (1, 2, "worse"), (-1, 1, "unclear"), (math.nan, math.nan, "unknown")],
)
def test_the_verdict_follows_the_simultaneous_interval(
    low: float, high: float, verdict: str
) -> None:
    assert Estimate(value=0.0, low=low, high=high).verdict == verdict
