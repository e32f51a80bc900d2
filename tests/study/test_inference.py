"""The linear model, its covariances and the intervals that hold together."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from statsmodels.formula.api import ols

from taller_cnn.study.analysis.inference import (
    Comparisons,
    compare,
    detectable_sizes,
    wald_test,
)
from taller_cnn.study.analysis.model import BlockModel, digits_covariance
from taller_cnn.study.results import Estimate

DUNNETT = np.column_stack([-np.ones(3), np.eye(3)])


def model_of(y: np.ndarray, digits: np.ndarray | None = None) -> BlockModel:
    """The model of measurements ``[levels, seeds]``."""
    model = BlockModel.of(y, digits)
    assert model is not None
    return model


def measurements(seed: int = 0) -> np.ndarray:
    """Four levels, five seeds."""
    random = np.random.default_rng(seed)
    block = random.normal(0, 1, 5)
    return np.array([3.0, 3.0, 2.0, 5.0])[:, None] + block + random.normal(0, 0.5, (4, 5))


def answers(levels: int = 4, seeds: int = 5, digits: int = 501, seed: int = 0) -> np.ndarray:
    """Which digits are wrong, ``[levels, seeds, digits]``; some are harder than others."""
    random = np.random.default_rng(seed)
    latent = random.normal(-3, 2, digits) + random.normal(0, 1, (levels, 1, digits))
    return np.asarray(latent + random.normal(0, 1, (levels, seeds, digits)) > 0)


def judged_model(wrong: np.ndarray) -> BlockModel:
    """The model of the errors of answers, in points."""
    covariance = digits_covariance(np.packbits(wrong, axis=2), wrong.shape[2])
    return model_of(100 * wrong.mean(axis=2), covariance)


def known(comparisons: Comparisons) -> list[Estimate]:
    assert None not in comparisons.estimates
    return [estimate for estimate in comparisons.estimates if estimate]


def critical_value(model: BlockModel) -> float:
    return compare(model, DUNNETT, 0.05).critical


def test_estimates_and_pooled_errors_are_those_of_the_linear_model_of_statsmodels() -> None:
    y = measurements()
    rows = pd.DataFrame(
        {"y": y.ravel(), "level": np.repeat(list("abcd"), 5), "seed": np.tile(range(5), 4)}
    )
    fit = ols("y ~ C(level) + C(seed)", rows).fit()
    model = model_of(y)
    names = ["C(level)[T.b]", "C(level)[T.c]", "C(level)[T.d]"]
    estimates = known(compare(model, DUNNETT, 0.05))
    assert [e.value for e in estimates] == pytest.approx(list(fit.params[names]))
    pooled = np.sqrt(np.diag(model.pooled_covariance(DUNNETT)))
    assert pooled == pytest.approx(list(fit.bse[names]))
    assert model.residual_sd == pytest.approx(math.sqrt(fit.mse_resid))


def test_two_levels_are_a_paired_t_test() -> None:
    y = measurements()[:2]
    model = model_of(y)
    pooled = model.pooled_covariance(np.array([[-1.0, 1.0]]))
    paired = stats.ttest_rel(y[1], y[0])
    assert (y[1] - y[0]).mean() / math.sqrt(pooled[0, 0]) == pytest.approx(paired.statistic)
    assert model.df == paired.df


def test_each_comparison_uses_the_larger_standard_error_over_seeds() -> None:
    y = measurements()
    y[2] += np.array([3, -3, 0, 2, -2])  # one level spreads much more
    model = model_of(y)
    pooled = np.diag(model.pooled_covariance(DUNNETT))
    robust = np.diag(model.robust_covariance(DUNNETT))
    errors = [e.seeds_error for e in known(compare(model, DUNNETT, 0.05))]
    assert errors == pytest.approx(np.sqrt(np.maximum(pooled, robust)))
    assert robust[1] > pooled[1]
    assert robust[0] < pooled[0]


def test_the_part_of_the_digits_is_paired_over_digits() -> None:
    wrong = answers()
    model = judged_model(wrong)
    on_measurements = model.measurement_weights(DUNNETT)
    variance = np.diag(on_measurements @ model.digits @ on_measurements.T)
    for level in (1, 2, 3):
        paired = 100 * (wrong[level].mean(axis=0) - wrong[0].mean(axis=0))
        assert variance[level - 1] == pytest.approx(stats.sem(paired) ** 2)


def test_what_one_seed_does_on_one_digit_is_counted_once() -> None:
    # Readers and cases: the mean squares of digits, seeds and the rest, of one difference.
    wrong = answers(levels=2, seeds=6)
    model = judged_model(wrong)
    difference = 100 * (wrong[1].astype(float) - wrong[0])
    by_digit = difference.mean(axis=0).var(ddof=1) / difference.shape[1]
    rest = difference - difference.mean(axis=0) - difference.mean(axis=1, keepdims=True)
    rest += difference.mean()
    seeds, digits = difference.shape
    chance = (rest**2).sum() / ((seeds - 1) * (digits - 1)) / (seeds * digits)
    found = compare(model, np.array([[-1.0, 1.0]]), 0.05).estimates[0]
    assert found is not None
    assert found.digits_error**2 == pytest.approx(by_digit - chance, rel=1e-6)
    assert found.standard_error**2 == pytest.approx(found.seeds_error**2 + found.digits_error**2)


def test_the_digits_of_an_unbalanced_study_count_as_its_estimates_weigh_them() -> None:
    wrong = answers()
    y = 100 * wrong.mean(axis=2)
    y[1, 2] = y[3, 0] = math.nan
    model = model_of(y, digits_covariance(np.packbits(wrong, axis=2), wrong.shape[2]))
    on_measurements = model.measurement_weights(DUNNETT)
    of_digits = 100 * on_measurements @ wrong.reshape(20, -1)[~np.isnan(y.ravel())]
    assert of_digits.mean(axis=1) == pytest.approx(model.estimates(DUNNETT))
    variance = on_measurements @ model.digits @ on_measurements.T
    assert np.diag(variance) == pytest.approx(of_digits.var(axis=1, ddof=1) / wrong.shape[2])


def test_an_interval_over_digits_too_is_wider() -> None:
    wrong = answers()
    y = 100 * wrong.mean(axis=2)
    both = known(compare(judged_model(wrong), DUNNETT, 0.05))
    seeds_alone = known(compare(model_of(y), DUNNETT, 0.05))
    for wide, narrow in zip(both, seeds_alone, strict=True):
        assert wide.value == pytest.approx(narrow.value)
        assert wide.high - wide.low > narrow.high - narrow.low
        assert wide.detectable > narrow.detectable


def test_levels_with_the_same_answers_differ_by_nothing_and_depend_on_no_digit() -> None:
    wrong = answers()
    wrong[1] = wrong[0]
    same, other, _ = known(compare(judged_model(wrong), DUNNETT, 0.05))
    assert same.value == pytest.approx(0)
    assert same.digits_error < 0.2 * other.digits_error
    assert same.verdict == "unclear"


def test_levels_that_all_have_the_same_answers_have_no_interval() -> None:
    wrong = np.repeat(answers(levels=1), 4, axis=0)
    covariance = digits_covariance(np.packbits(wrong, axis=2), wrong.shape[2])
    assert BlockModel.of(100 * wrong.mean(axis=2), covariance) is None


def test_the_padding_of_packed_bits_is_not_taken_for_digits() -> None:
    wrong = np.zeros((1, 13), dtype=bool)
    wrong[0, [0, 12]] = True
    variance = digits_covariance(np.packbits(wrong, axis=1), 13)
    assert variance[0, 0] == pytest.approx((100 * wrong[0]).var(ddof=1) / 13)


def test_the_critical_value_is_dunnett_s() -> None:
    # Dunnett (1964), two-sided 5%, 12 degrees of freedom, three comparisons: 2.68.
    assert critical_value(model_of(measurements())) == pytest.approx(2.68, abs=0.01)


def test_the_critical_value_leaves_out_five_per_cent_of_the_multivariate_t() -> None:
    correlation = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    c = critical_value(model_of(measurements()))
    inside = stats.multivariate_t.cdf(
        np.full(3, c), shape=correlation, df=12, lower_limit=np.full(3, -c), random_state=1
    )
    assert inside == pytest.approx(0.95, abs=0.002)


def test_the_critical_value_follows_the_sum_of_both_covariances() -> None:
    # Digits that only the reference depends on make all comparisons move as one.
    digits = np.zeros((20, 20))
    digits[:5, :5] = 100
    apart, together = (critical_value(model_of(measurements(), d)) for d in (None, digits))
    assert together < apart - 0.3
    assert together == pytest.approx(stats.t.isf(0.025, 12), abs=0.1)


def test_adjusted_p_values_are_those_of_scipy_s_dunnett() -> None:
    # Many blocks that explain just their share make both models nearly the same.
    random = np.random.default_rng(3)
    y = random.normal(0, 1, (4, 200)) + np.array([0, 0.1, 0.2, 0.3])[:, None]
    expected = stats.dunnett(*y[1:], control=y[0], rng=np.random.default_rng(0))
    estimates = known(compare(model_of(y), DUNNETT, 0.05))
    for estimate, p in zip(estimates, expected.pvalue, strict=True):
        assert estimate.p == pytest.approx(p, abs=0.03)


def test_one_comparison_needs_no_adjustment() -> None:
    single = compare(model_of(measurements()), np.array([[-1.0, 1.0, 0.0, 0.0]]), 0.05)
    assert single.critical == pytest.approx(stats.t.isf(0.025, 12))


def test_an_interval_leaves_out_zero_exactly_where_p_is_below_five_per_cent() -> None:
    for seed in range(20):
        for model in (model_of(measurements(seed)), judged_model(answers(seed=seed))):
            for e in known(compare(model, DUNNETT, 0.05)):
                assert (e.p < 0.05) == (e.verdict in ("better", "worse"))
                assert e.low <= e.value <= e.high


def test_the_detectable_effect_is_found_with_eighty_per_cent_probability() -> None:
    random = np.random.default_rng(5)
    critical = critical_value(model_of(measurements()))
    # In standard errors, of which the larger of two is used; its middle size by simulation.
    drawn = [
        known(compare(model_of(random.normal(0, 1, (4, 5))), DUNNETT, 0.05)) for _ in range(600)
    ]
    first = [estimates[0] for estimates in drawn]
    size = float(np.median([e.detectable for e in first]))
    hits = np.mean([e.value + size > critical * e.standard_error for e in first])
    assert hits == pytest.approx(0.8, abs=0.05)


def test_more_than_the_formula_of_the_t_test_says_is_needed_to_be_detected() -> None:
    model = model_of(measurements())
    critical = critical_value(model)
    t_test = optimize.brentq(lambda d: stats.nct.sf(critical, 12, d) - 0.8, 1, 9)
    for size in detectable_sizes(model, DUNNETT, critical, np.ones(3), np.zeros(3)):
        assert t_test < size < 1.25 * t_test


def test_where_digits_are_all_that_varies_the_detectable_effect_is_the_normal_one() -> None:
    model = model_of(measurements())
    critical = critical_value(model)
    sizes = detectable_sizes(model, DUNNETT, critical, np.full(3, 1e-6), np.full(3, 2.0))
    assert sizes == pytest.approx(2 * (critical + stats.norm.ppf(0.8)), rel=0.02)


def test_a_level_without_results_or_with_one_seed_has_no_interval() -> None:
    y = measurements()
    y[1] = math.nan
    y[2, 1:] = math.nan
    estimates = compare(model_of(y), DUNNETT, 0.05).estimates
    assert estimates[:2] == (None, None)
    assert estimates[2] is not None
    assert estimates[2].value == pytest.approx(y[3].mean() - y[0].mean())


def test_levels_that_no_chain_of_seeds_connects_are_not_compared() -> None:
    # Levels 0 and 1 share seeds 0 and 1, levels 2 and 3 share seeds 2 and 3.
    y = np.random.default_rng(0).normal(size=(4, 4))
    y[:2, 2:] = y[2:, :2] = math.nan
    estimates = compare(model_of(y), DUNNETT, 0.05).estimates
    assert estimates[0] is not None
    assert estimates[1:] == (None, None)
    # One more measurement would join them without telling its own spread.
    y[1, 2] = 0.3
    assert compare(model_of(y), DUNNETT, 0.05).estimates == estimates


def test_a_missing_trial_leaves_an_unbalanced_model_that_statsmodels_agrees_with() -> None:
    y = measurements()
    y.flat[[7, 13]] = math.nan
    estimates = known(compare(model_of(y), DUNNETT, 0.05))
    rows = pd.DataFrame(
        {"y": y.ravel(), "level": np.repeat(np.arange(4), 5), "seed": np.tile(np.arange(5), 4)}
    ).dropna()
    fit = ols("y ~ C(level) + C(seed)", rows).fit()
    assert [e.value for e in estimates] == pytest.approx(
        [fit.params[f"C(level)[T.{k}]"] for k in (1, 2, 3)]
    )


def test_a_wald_test_with_one_spread_is_the_f_test_of_statsmodels() -> None:
    # Levels whose residuals spread alike over seeds: the pooled F is the smaller one.
    y = measurements(4)
    rows = pd.DataFrame(
        {"y": y.ravel(), "level": np.repeat(list("abcd"), 5), "seed": np.tile(range(5), 4)}
    )
    fit = ols("y ~ C(level) + C(seed)", rows).fit()
    expected = fit.f_test("C(level)[T.b] = 0, C(level)[T.c] = 0, C(level)[T.d] = 0")
    model = model_of(y)
    pooled = float(expected.fvalue)
    values = model.estimates(DUNNETT)
    robust = values @ np.linalg.solve(model.robust_covariance(DUNNETT), values) / 3
    found = wald_test(model, DUNNETT)
    assert found is not None
    assert found.f == pytest.approx(min(pooled, robust))
    assert (found.df, found.df_residual) == (3, 12)
    assert found.p == pytest.approx(stats.f.sf(found.f, 3, 12))


def test_a_wald_test_counts_the_digits() -> None:
    wrong = answers()
    both = wald_test(judged_model(wrong), DUNNETT)
    seeds_alone = wald_test(model_of(100 * wrong.mean(axis=2)), DUNNETT)
    assert both is not None
    assert seeds_alone is not None
    assert both.f < seeds_alone.f


def test_a_wald_test_of_a_level_without_results_is_none() -> None:
    y = measurements()
    y[1] = math.nan
    assert wald_test(model_of(y), DUNNETT) is None


def test_an_effect_larger_than_any_error_is_not_called_detectable() -> None:
    model = model_of(np.array([[2.0, 40.0], [3.0, 9.0], [80.0, 5.0], [60.0, 90.0]]))
    estimates = known(compare(model, DUNNETT, 0.05))
    assert all(math.isnan(estimate.detectable) for estimate in estimates)
    assert not any(math.isnan(estimate.low) for estimate in estimates)
