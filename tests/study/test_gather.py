"""From a design and its trials' results to arrays."""

import dataclasses
import math

import numpy as np
import pytest

from taller_cnn.study import Design, StudyDigits, Trial, TrialResult, build, plan_of
from taller_cnn.study.analysis import analyse
from taller_cnn.study.gather import gather

DIGITS = StudyDigits(
    name="mnist", source="full", checksum="digits", train_n=55_000, validation_n=5000
)
JUDGED = 20_000


def result_of(trial: Trial) -> TrialResult:
    """A result that tells its trial: its mistakes follow from its rate and seed."""
    wrong = np.zeros(trial.judges, dtype=bool)
    errors = round(100 * trial.train.learning_rate / 0.001) % 400 + 10 * (trial.train.seed % 10)
    wrong[:errors] = True
    if trial.is_pilot:
        return TrialResult(status="ok", pilot_n=5000, pilot_errors=errors)
    return TrialResult(
        status="ok",
        judged_n=trial.judges,
        judged_errors=errors,
        seen_n=100 if trial.sees_digits_again else None,
        seen_errors=1 if trial.sees_digits_again else None,
        judged_wrong=np.packbits(wrong).tobytes(),
        train_seconds=float(trial.train.seed),
        curve=((10, 1.0, None),),
    )


def run(design: Design, results: dict[str, TrialResult], most: int = 10_000) -> None:
    """Run what the design asks for, one after the other."""
    for _ in range(most):
        trials = design.next_trials(results)
        if not trials:
            break
        results[design.key(trials[0])] = result_of(trials[0])


@pytest.fixture
def design() -> Design:
    return build(plan_of(["filters"], cross=False), DIGITS)


def test_a_study_that_has_not_begun_is_all_missing(design: Design) -> None:
    (question,) = gather(design, {})
    levels, seeds = question.errors.shape
    assert question.missing.all()
    assert question.pilot_missing.all()
    assert np.isnan(question.chosen).all()
    assert question.judged_n == question.pilot_n == 0
    assert question.wrong.shape == (levels, seeds, 0)
    assert set(question.status.values()) == {"missing"}
    assert analyse([question]).missing == levels * (seeds + 2 * 2)


def test_a_finished_study_is_in_the_arrays(design: Design) -> None:
    results: dict[str, TrialResult] = {}
    run(design, results)
    (question,) = gather(design, results)
    cells = design.questions[0].cells
    assert not question.missing.any()
    assert question.judged_n == JUDGED
    assert question.pilot_n == 5000
    for level, cell in enumerate(cells):
        rate = design.chosen_rate(cell, results)
        assert rate == question.chosen[level]
        for index, seed in enumerate(question.seeds):
            kept = results[design.key(cell.fresh(rate, seed))]
            assert question.errors[level, index] == pytest.approx(
                (kept.judged_errors or 0) / JUDGED
            )
            assert question.wrong[level, index].tobytes() == kept.judged_wrong
            assert question.train_seconds[level, index] == seed
    assert question.curves[0][0] == ((10, 1.0, None),)
    assert np.isnan(question.seen_errors).all()
    assert analyse([question]).done == len(results)


def test_rates_that_one_level_adds_are_not_missing_at_the_others(design: Design) -> None:
    results: dict[str, TrialResult] = {}
    first, *others = design.questions[0].cells
    for cell in others:
        for rate in (1 / 3, 1.0, 3.0):
            for seed in design.questions[0].pilot_seeds:
                trial = cell.pilot(rate, seed)
                errors = 100 if rate == 1 else 200
                results[design.key(trial)] = TrialResult(
                    status="ok", pilot_n=5000, pilot_errors=errors
                )
    for rate in (1 / 3, 1.0, 3.0):
        for seed in design.questions[0].pilot_seeds:
            trial = first.pilot(rate, seed)
            results[design.key(trial)] = TrialResult(
                status="ok", pilot_n=5000, pilot_errors=round(300 - 50 * rate)
            )
    (question,) = gather(design, results)
    assert question.rates == pytest.approx([1 / 3, 1, 3, 9])
    assert question.pilot_missing[0].sum() == 2
    assert not question.pilot_missing[1:].any()
    assert np.isnan(question.pilot_errors[1:, 3]).all()
    assert math.isnan(question.chosen[0])
    assert (question.chosen[1:] == 1).all()
    assert question.missing[0].all()


def test_a_rate_with_a_missing_pilot_is_never_chosen(design: Design) -> None:
    results: dict[str, TrialResult] = {}
    run(design, results)
    cell = design.questions[0].cells[0]
    rate = design.chosen_rate(cell, results)
    assert rate is not None
    del results[design.key(cell.pilot(1.0, design.questions[0].pilot_seeds[1]))]
    (question,) = gather(design, results)
    assert math.isnan(question.chosen[0])
    assert np.isnan(question.errors[0]).all()
    level = analyse([question]).questions[0].levels[0]
    assert level.missing == 1 + len(question.seeds)


def test_failed_trials_are_told_from_missing_ones(design: Design) -> None:
    results: dict[str, TrialResult] = {}
    run(design, results)
    cell = design.questions[0].cells[1]
    rate = design.chosen_rate(cell, results)
    assert rate is not None
    failed = TrialResult(status="failed", reason="diverged")
    results[design.key(cell.fresh(rate, 0))] = failed
    del results[design.key(cell.fresh(rate, 1))]
    (question,) = gather(design, results)
    assert question.failed[1, 0]
    assert question.missing[1, 1]
    assert (question.failed.sum(), question.missing.sum()) == (1, 1)
    assert np.isnan(question.errors[1, :2]).all()
    study = analyse([question])
    assert (study.failed, study.missing) == (1, 1)


def test_a_factor_with_one_rate_has_no_pilots_and_seen_digits_where_they_repeat() -> None:
    design = build(plan_of(["dropout"], cross=False), DIGITS)
    results: dict[str, TrialResult] = {}
    run(design, results)
    (question,) = gather(design, results)
    assert question.pilot_errors.shape[1:] == (0, 0)
    assert (question.chosen == 1).all()
    assert question.seen_errors == pytest.approx(np.full(question.errors.shape, 0.01))
    assert question.gaps == pytest.approx(question.errors - 0.01)
    assert question.training == next(
        c.base for c in design.questions[0].cells if c.levels == question.reference
    )


def test_trials_that_two_questions_share_have_one_key(design: Design) -> None:
    both = dataclasses.replace(design, questions=(*design.questions, *design.questions))
    results: dict[str, TrialResult] = {}
    run(both, results)
    assert analyse(gather(both, results)).done == len(results)
