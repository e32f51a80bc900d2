import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from statsmodels.formula.api import ols

from taller_cnn.study.analysis import (
    Estimate,
    QuestionAnalysis,
    StudyAnalysis,
    analyse,
    variance_terms,
)
from taller_cnn.study.analysis.inference import (
    BlockModel,
    critical_value,
    detectable_sizes,
    estimates,
)

DUNNETT = np.column_stack([-np.ones(3), np.eye(3)])


def model_of(y: np.ndarray) -> BlockModel:
    """The model of measurements ``[levels, seeds]``."""
    levels, seeds = y.shape
    level, seed = np.repeat(np.arange(levels), seeds), np.tile(np.arange(seeds), levels)
    model: BlockModel | None = BlockModel.of(y.ravel(), level, seed, levels)
    assert model is not None
    return model


def measurements(seed: int = 0) -> np.ndarray:
    """Four levels, five seeds."""
    random = np.random.default_rng(seed)
    block = random.normal(0, 1, 5)
    return np.array([3.0, 3.0, 2.0, 5.0])[:, None] + block + random.normal(0, 0.5, (4, 5))


def question(study: StudyAnalysis, name: str) -> QuestionAnalysis:
    return next(q for q in study.questions if q.name == name)


def fail(table: pd.DataFrame, rows: Any, status: str = "failed") -> pd.DataFrame:
    """The table with these trials without a result."""
    made = table.copy()
    made.loc[rows, "status"] = status
    measured = ["validation_error", "test_error", "seen_error", "gap", "train_seconds"]
    made.loc[rows, measured] = np.nan
    for column in ("curve", "validation_wrong"):
        made.loc[rows, column] = None
    return made


def test_estimates_and_pooled_errors_are_those_of_the_linear_model_of_statsmodels() -> None:
    y = measurements()
    rows = pd.DataFrame(
        {"y": y.ravel(), "level": np.repeat(list("abcd"), 5), "seed": np.tile(range(5), 4)}
    )
    fit = ols("y ~ C(level) + C(seed)", rows).fit()
    model = model_of(y)
    pooled, _ = model.covariances(DUNNETT)
    names = ["C(level)[T.b]", "C(level)[T.c]", "C(level)[T.d]"]
    found = estimates(model, DUNNETT, 0.05)
    assert [e.value for e in found if e] == pytest.approx(list(fit.params[names]))
    assert np.sqrt(np.diag(pooled)) == pytest.approx(list(fit.bse[names]))
    assert model.residual_sd == pytest.approx(math.sqrt(fit.mse_resid))


def test_two_levels_are_a_paired_t_test() -> None:
    y = measurements()[:2]
    model = model_of(y)
    pooled, _ = model.covariances(np.array([[-1.0, 1.0]]))
    paired = stats.ttest_rel(y[1], y[0])
    assert (y[1] - y[0]).mean() / math.sqrt(pooled[0, 0]) == pytest.approx(paired.statistic)
    assert model.fit.df_resid == paired.df


def test_each_comparison_uses_the_larger_standard_error() -> None:
    y = measurements()
    y[2] += np.array([3, -3, 0, 2, -2])  # one level spreads much more
    pooled, apart = model_of(y).covariances(DUNNETT)
    found = estimates(model_of(y), DUNNETT, 0.05)
    errors = [e.standard_error for e in found if e]
    assert errors == pytest.approx(np.sqrt(np.maximum(np.diag(pooled), np.diag(apart))))
    assert apart[1, 1] > pooled[1, 1]
    assert apart[0, 0] < pooled[0, 0]


def test_the_critical_value_is_dunnett_s() -> None:
    # Dunnett (1964), two-sided 5%, 12 degrees of freedom, three comparisons: 2.68.
    assert critical_value(model_of(measurements()), DUNNETT, 0.05) == pytest.approx(2.68, abs=0.01)


def test_the_critical_value_leaves_out_five_per_cent_of_the_multivariate_t() -> None:
    correlation = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    c = critical_value(model_of(measurements()), DUNNETT, 0.05)
    inside = stats.multivariate_t.cdf(
        np.full(3, c), shape=correlation, df=12, lower_limit=np.full(3, -c), random_state=1
    )
    assert inside == pytest.approx(0.95, abs=0.002)


def test_adjusted_p_values_are_those_of_scipy_s_dunnett() -> None:
    # Many blocks that explain just their share make both models nearly the same.
    random = np.random.default_rng(3)
    y = random.normal(0, 1, (4, 200)) + np.array([0, 0.1, 0.2, 0.3])[:, None]
    expected = stats.dunnett(*y[1:], control=y[0], rng=np.random.default_rng(0))
    for found, p in zip(estimates(model_of(y), DUNNETT, 0.05), expected.pvalue, strict=True):
        assert found is not None
        assert found.p == pytest.approx(p, abs=0.03)


def test_one_comparison_needs_no_adjustment() -> None:
    one = np.array([[-1.0, 1.0, 0.0, 0.0]])
    found = estimates(model_of(measurements()), one, 0.05)[0]
    assert found is not None
    assert (found.low, found.high) == pytest.approx((found.low_alone, found.high_alone))


def test_an_interval_leaves_out_zero_exactly_where_p_is_below_five_per_cent() -> None:
    for seed in range(40):
        for e in estimates(model_of(measurements(seed)), DUNNETT, 0.05):
            assert e is not None
            assert (e.p < 0.05) == (e.verdict in ("better", "worse"))
            assert e.low <= e.low_alone <= e.value <= e.high_alone <= e.high


def test_the_detectable_effect_is_found_with_eighty_per_cent_probability() -> None:
    random = np.random.default_rng(5)
    critical = critical_value(model_of(measurements()), DUNNETT, 0.05)
    # In standard errors, of which the larger of two is used; its middle size by simulation.
    drawn = [estimates(model_of(random.normal(0, 1, (4, 5))), DUNNETT, 0.05) for _ in range(600)]
    first = [found[0] for found in drawn if found[0]]
    size = float(np.median([e.detectable for e in first]))
    found = np.mean([e.value + size > critical * e.standard_error for e in first])
    assert found == pytest.approx(0.8, abs=0.05)


def test_more_than_the_formula_of_the_t_test_says_is_needed_to_be_detected() -> None:
    model = model_of(measurements())
    critical = critical_value(model, DUNNETT, 0.05)
    t_test = optimize.brentq(lambda d: stats.nct.sf(critical, 12, d) - 0.8, 1, 9)
    for size in detectable_sizes(model, DUNNETT, critical):
        assert t_test < size < 1.25 * t_test


def test_levels_with_one_seed_and_unconnected_levels_have_no_interval() -> None:
    # Levels 0 and 1 share seeds 0 and 1, levels 2 and 3 share seeds 2 and 3.
    level = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    seed = np.array([0, 1, 0, 1, 2, 3, 2, 3])
    y = np.random.default_rng(0).normal(size=8)
    model = BlockModel.of(y, level, seed, 4)
    found = estimates(model, DUNNETT, 0.05)
    assert found[0] is not None
    assert found[1] is None
    assert found[2] is None


def test_a_missing_trial_leaves_an_unbalanced_model_that_statsmodels_agrees_with() -> None:
    y = measurements().ravel()
    level, seed = np.repeat(np.arange(4), 5), np.tile(np.arange(5), 4)
    y[[7, 13]] = np.nan
    found = estimates(BlockModel.of(y, level, seed, 4), DUNNETT, 0.05)
    rows = pd.DataFrame({"y": y, "level": level, "seed": seed}).dropna()
    fit = ols("y ~ C(level) + C(seed)", rows).fit()
    assert [e.value for e in found if e] == pytest.approx(
        [fit.params[f"C(level)[T.{k}]"] for k in (1, 2, 3)]
    )


def test_a_study_like_the_default_gets_the_verdicts_that_were_put_in(maker: Any) -> None:
    study = analyse(maker.default())
    crossed = question(study, "filters-x-layers")
    assert crossed.factors == ("filters", "layers")
    verdicts = {effect.levels: effect.error.verdict for effect in crossed.effects}
    assert verdicts[("x2", "4")] == "better"
    assert verdicts[("x1/4", "1")] == "worse"
    slopes = {trend.factor: trend.error for trend in crossed.trends}
    assert slopes["filters"].low < -0.5 < slopes["filters"].high
    assert slopes["layers"].low < -0.4 < slopes["layers"].high
    dropout = question(study, "dropout")
    assert [e.error.verdict for e in dropout.effects] == ["unclear"] * 3
    assert [e.gap.verdict for e in dropout.effects if e.gap] == ["worse", "better", "better"]


def test_effects_are_in_points_with_their_change_in_cost(maker: Any) -> None:
    crossed = question(analyse(maker.default()), "filters-x-layers")
    levels = {level.levels: level for level in crossed.levels}
    effect = next(e for e in crossed.effects if e.levels == ("x1", "1"))
    difference = levels["x1", "1"].validation_error.mean - levels["x1", "2"].validation_error.mean
    assert effect.error.value == pytest.approx(100 * difference)
    assert effect.parameters_ratio == pytest.approx(402_986 / 206_922)
    assert effect.macs_ratio < 1


def test_the_best_learning_rate_on_validation_is_compared_and_the_others_are_kept(
    maker: Any,
) -> None:
    table = maker.table(maker.held_filters(rate_penalty=0.01))
    better = (table["level_a"] == "x2") & (table["rate"] == 3)
    table.loc[better, "validation_error"] -= 0.02
    level = {level.levels: level for level in analyse(table).questions[0].levels}
    assert level["x2",].rate == 3
    assert level["x2",].rate_at_edge
    assert level["x1",].rate == 1
    assert not level["x1",].rate_at_edge
    assert [rate.rate for rate in level["x1",].rates] == pytest.approx([1 / 3, 1, 3])


def test_the_test_set_chooses_nothing(maker: Any) -> None:
    table = maker.default()
    changed = table.assign(test_error=np.linspace(0, 1, len(table)))
    one, other = analyse(table), analyse(changed)
    for before, after in zip(one.questions, other.questions, strict=True):
        assert [level.rate for level in before.levels] == [level.rate for level in after.levels]
        assert [e.error for e in before.effects] == [e.error for e in after.effects]


def test_a_rate_at_which_trials_failed_is_not_chosen_for_its_survivors(maker: Any) -> None:
    table = maker.table(maker.held_filters(rate_penalty=-0.01))
    doubtful = table[(table["level_a"] == "x2") & (table["rate"] == 3)].index
    table = fail(table, doubtful[:2])
    level = next(level for level in analyse(table).questions[0].levels if level.levels == ("x2",))
    assert level.rate == pytest.approx(1 / 3)
    assert [rate.failed for rate in level.rates] == [0, 0, 2]


def test_failed_and_missing_trials_are_counted_once_for_the_study(maker: Any) -> None:
    table = maker.table(maker.dropout())
    table = fail(fail(table, table.index[:1]), table.index[9:11], "missing")
    study = analyse(pd.concat([table, table.assign(question="dropout-full")]))
    assert (study.done, study.failed, study.missing) == (29, 1, 2)
    assert [level.failed for level in study.questions[0].levels] == [1, 0, 0, 0]
    assert all(not math.isnan(e.error.low) for e in study.questions[0].effects)


def test_a_level_without_any_result_leaves_the_others_compared(maker: Any) -> None:
    table = maker.table(maker.dropout())
    study = analyse(fail(table, table.index[table["level_a"] == "0.5"], "missing"))
    effects = {e.levels[0]: e.error for e in study.questions[0].effects}
    assert math.isnan(effects["0.5"].value)
    assert effects["0.5"].verdict == "unknown"
    assert effects["0.75"].verdict == "unclear"


def test_a_study_that_has_not_begun_has_no_answers_and_no_errors(maker: Any) -> None:
    table = maker.default()
    study = analyse(fail(table, table.index, "missing"))
    assert (study.done, study.seeds) == (0, 0)
    for q in study.questions:
        assert {e.error.verdict for e in q.effects} == {"unknown"}
        assert q.trends == ()


def test_one_seed_gives_differences_without_intervals(maker: Any) -> None:
    study = analyse(maker.default(seeds=1))
    for q in study.questions:
        assert q.seeds == 1
        assert q.df == 0
        assert math.isnan(q.detectable)
        assert variance_terms(q) == ()
        for effect in q.effects:
            assert not math.isnan(effect.error.value)
            assert effect.error.verdict == "unknown"


def test_seeds_that_all_give_the_same_result_give_no_interval(maker: Any) -> None:
    table = maker.table(maker.dropout()).assign(validation_error=0.02)
    assert {e.error.verdict for e in analyse(table).questions[0].effects} == {"unknown"}


def test_without_the_reference_nothing_is_compared(maker: Any) -> None:
    table = maker.table(maker.dropout())
    study = analyse(table[table["level_a"] != "0.25"])
    assert study.questions[0].effects == ()
    assert study.questions[0].reference is None


def test_only_a_regime_that_can_overfit_has_effects_on_the_gap(maker: Any) -> None:
    study = analyse(maker.default())
    with_gap = {q.name for q in study.questions if any(e.gap for e in q.effects)}
    assert with_gap == {"dropout"}
    assert len(question(study, "dropout").effects) == 3
    crossed = question(study, "filters-x-layers")
    assert (len(crossed.effects), len(crossed.trends)) == (4 * 4 - 1, 2)


def test_error_and_gap_share_the_five_per_cent(maker: Any) -> None:
    table = maker.table(maker.dropout())
    both = analyse(table).questions[0]
    alone = analyse(table.assign(epochs=1.0)).questions[0]
    assert both.critical > alone.critical
    assert both.effects[0].error.p == pytest.approx(min(1, 2 * alone.effects[0].error.p), abs=1e-3)


def test_the_trend_of_filters_is_per_doubling(maker: Any) -> None:
    table = maker.table(maker.held_filters(rates=(1.0,)))
    table["validation_error"] = 0.03 - 0.002 * np.log2(table["value_a"]) + 1e-4 * table["seed"]
    table.loc[::3, "validation_error"] += 1e-5
    trend = analyse(table).questions[0].trends[0]
    assert (trend.factor, trend.per) == ("filters-fc1", "doubling")
    assert trend.error.value == pytest.approx(-0.2, abs=0.002)
    assert trend.values == (0.25, 0.5, 1, 2)


def test_a_trend_needs_three_values(maker: Any) -> None:
    made = maker.held_filters(levels=(("x1", "x2"),))
    assert analyse(maker.table(made)).questions[0].trends == ()


def test_the_factors_of_a_question_come_from_its_name_or_are_given(maker: Any) -> None:
    table = maker.table(maker.dropout(name="dropout-overfit"))
    assert analyse(table).questions[0].factors == ("dropout",)
    named = analyse(table, {"dropout-overfit": ("own",)})
    assert named.questions[0].factors == ("own",)


def test_the_variance_of_a_crossed_question_is_statsmodels_with_effect_sizes(maker: Any) -> None:
    table = maker.table(maker.crossed(rates=(1.0,)))
    terms = variance_terms(analyse(table).questions[0])
    assert [term.factors for term in terms] == [("filters",), ("layers",), ("filters", "layers")]
    assert [term.df for term in terms] == [3, 3, 9]
    assert terms[0].df_residual == 16 * 4 - 16 - 3
    assert terms[0].p < 1e-6
    assert terms[2].p > 0.01
    for term in terms:
        assert 0 <= term.partial_omega2 <= term.partial_eta2 <= 1
        # Both follow from F alone.
        share = term.f * term.df / (term.f * term.df + term.df_residual)
        assert term.partial_eta2 == pytest.approx(share)


def test_a_crossed_question_with_an_empty_combination_has_no_variance_table(maker: Any) -> None:
    table = maker.table(maker.crossed())
    hole = (table["level_a"] == "x2") & (table["level_b"] == "4")
    study = analyse(fail(table, table.index[hole], "missing"))
    assert variance_terms(study.questions[0]) == ()
    assert len(study.questions[0].trends) == 2


def test_unequal_spread_is_noticed(maker: Any) -> None:
    def odd(cell: tuple[str, ...]) -> float:
        return 0.02 if cell == ("0.75",) else 0.001

    unequal = analyse(maker.table(maker.dropout(sd=odd))).questions[0]
    equal = analyse(maker.table(maker.dropout())).questions[0]
    assert unequal.unequal_spread_p < 0.05 < equal.unequal_spread_p


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(-2, -1, "better"), (1, 2, "worse"), (-1, 1, "unclear"), (math.nan, math.nan, "unknown")],
)
def test_the_verdict_follows_the_simultaneous_interval(
    low: float, high: float, verdict: str
) -> None:
    estimate = Estimate(value=0.0, low=low, high=high, low_alone=5, high_alone=6)
    assert estimate.verdict == verdict
