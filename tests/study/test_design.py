"""Designs: which trials a plan comes to, how learning rates are chosen, what identifies a trial."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from small_study import FULL, SAMPLE

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.errors import ConfigError, UsageError
from taller_cnn.model import SimpleCNN, count_parameters
from taller_cnn.study import (
    TRAINING_REVISION,
    Cell,
    Design,
    Plan,
    Question,
    StudyDigits,
    Trial,
    TrialResult,
    build,
    default_plan,
    plan_of,
    thorough_plan,
)
from taller_cnn.study.design import FIRST_RATES, PILOT_SEEDS, RATE_GRID

DEFAULTS_OF_REVISION_3 = {
    "filters": [16, 32],
    "kernel_size": 3,
    "pooling": "max",
    "convs_per_pool": 1,
    "hidden": 128,
    "dropout": 0.25,
    "batch_norm": False,
    "activation": "relu",
    "final_size": 0,
    "epochs": 10.0,
    "batch_size": 64,
    "learning_rate": 1e-3,
    "optimizer": "adam",
    "beta1": 0.9,
    "beta2": 0.999,
    "muon_learning_rate": 0.07,
    "schedule": "constant",
    "warmup": 0.25,
    "label_smoothing": 0.0,
    "first_layer": "learned",
    "middle": False,
    "augmentation": "none",
    "holdout": 5000,
    "seed": 0,
    "device": "auto",
    "precision": "auto",
}


def designed(plan: Plan, digits: StudyDigits = FULL) -> Design:
    return build(plan, digits)


def words(*factors: str, cross: bool = False, seeds: int | None = None) -> Design:
    return designed(plan_of(factors, cross=cross).with_seeds(seeds))


def question(design: Design, name: str) -> Question:
    return next(question for question in design.questions if question.name == name)


def cell_of(design: Design, *levels: str) -> Cell:
    return next(c for q in design.questions for c in q.cells if c.levels == levels)


def trial(**changes: object) -> Trial:
    return Trial(
        model=ModelConfig(**{k: v for k, v in changes.items() if k in ("filters", "hidden")}),  # type: ignore[arg-type]
        train=TrainConfig(epochs=2, **{k: v for k, v in changes.items() if k in ("seed",)}),  # type: ignore[arg-type]
        train_n=int(str(changes.get("train_n", 100))),
        judges=int(str(changes.get("judges", 50))),
        judged_by=changes.get("judged_by", "judges"),  # type: ignore[arg-type]
    )


def pilot(errors: int | None) -> TrialResult:
    """A pilot with so many mistakes; None: it diverged."""
    if errors is None:
        return TrialResult(status="failed", reason="diverged")
    return TrialResult(status="ok", pilot_n=5000, pilot_errors=errors)


def finished(design: Design, errors: Callable[[Cell, float], int | None]) -> dict[str, TrialResult]:
    """What the design's trials come to, run in the order in which they can be."""
    rates = {
        design.key(cell.pilot(rate, seed)): (cell, rate)
        for q in design.questions
        for cell in q.cells
        for rate, seed in itertools.product({*RATE_GRID, *cell.rates}, PILOT_SEEDS)
    }
    results: dict[str, TrialResult] = {}
    while waiting := design.next_trials(results):
        for one in waiting:
            key = design.key(one)
            ok = TrialResult(status="ok", judged_n=20_000, judged_errors=400)
            results[key] = pilot(errors(*rates[key])) if one.is_pilot else ok
    return results


# ------------------------------------------------------------------ pilots and learning rates


def test_each_level_begins_with_pilots_at_two_rates_and_nothing_else() -> None:
    design = words("filters", "layers", cross=True, seeds=3)
    (crossed,) = design.questions
    assert len(crossed.cells) == 5 * 4
    expected = {
        cell.pilot(rate, seed)
        for cell in crossed.cells
        for rate in (1.0, 3.0)
        for seed in (1000, 1001)
    }
    assert set(design.next_trials({})) == expected
    assert len(design.expected_trials({})) == 20 * (6 + 3), "one of two rates is at an edge"
    assert crossed.reference == ("x1", "2")
    assert sum(cell.levels == crossed.reference for cell in crossed.cells) == 1


def test_the_seeds_that_are_compared_follow_at_the_chosen_rate_alone() -> None:
    design = words("kernel=1", seeds=2)
    (asked,) = design.questions
    best = {("1",): 1 / 3, ("3",): 3.0}
    far = {("1",): 1 / 9, ("3",): 9.0}

    def errors(cell: Cell, rate: float) -> int:
        assert min(far[cell.levels], 1.0) <= rate <= max(far[cell.levels], 3.0)
        return 100 if rate == best[cell.levels] else 200

    results = finished(design, errors)
    for cell in asked.cells:
        chosen = design.chosen_rate(cell, results)
        assert chosen == best[cell.levels]
        fresh = [t for _, t in design.cell_trials(asked, cell, results) if not t.is_pilot]
        assert fresh == [cell.fresh(chosen, 0), cell.fresh(chosen, 1)]
        assert {t.train.seed for t in fresh}.isdisjoint(PILOT_SEEDS)
        assert len(design.tried_rates(cell, results)) == {"1": 4, "3": 3}[cell.levels[0]]
    assert design.trials(results) == design.expected_trials(results)
    assert len(results) == (4 * 2 + 2) + (3 * 2 + 2)


def test_no_rate_is_chosen_before_every_pilot_of_the_grid_is_there() -> None:
    design = words("kernel", seeds=1)
    cell = cell_of(design, "3")
    results = {
        design.key(cell.pilot(rate, seed)): pilot(int(100 * abs(rate - 1)) + 100)
        for rate, seed in itertools.product((1 / 3, 1.0, 3.0), PILOT_SEEDS)
    }
    assert design.chosen_rate(cell, results) == 1.0
    for key in results:
        rest = {k: result for k, result in results.items() if k != key}
        assert design.chosen_rate(cell, rest) is None
        assert not any(not t.is_pilot for t in design.next_trials(rest))


@pytest.mark.parametrize(
    ("falls_to", "tried", "chosen"),
    [
        (1.0, (1 / 3, 1, 3), 1.0),
        (9.0, (1, 3, 9, 27), 9.0),
        (1 / 9, (1 / 27, 1 / 9, 1 / 3, 1, 3), 1 / 9),
        (81.0, (1, 3, 9, 27), 27.0),
        (1 / 81, (1 / 27, 1 / 9, 1 / 3, 1, 3), 1 / 27),
    ],
)
def test_the_grid_grows_until_the_best_rate_lies_inside(
    falls_to: float, tried: tuple[float, ...], chosen: float
) -> None:
    design = words("kernel", seeds=1)
    cell = cell_of(design, "5")
    results = finished(
        design, lambda _, rate: round(100 + 50 * max(rate / falls_to, falls_to / rate))
    )
    assert design.tried_rates(cell, results) == pytest.approx(tried)
    assert design.chosen_rate(cell, results) == pytest.approx(chosen)


def test_a_rate_at_which_a_pilot_failed_is_taken_only_where_all_have_failed() -> None:
    design = words("kernel", seeds=1)
    cell = cell_of(design, "3")
    one_fails = finished(design, lambda _, rate: None if rate > 1 else 300 - round(100 * rate))
    key = design.key(cell.pilot(3.0, 1000))
    lucky = {**one_fails, key: pilot(1)}
    assert design.chosen_rate(cell, one_fails) == design.chosen_rate(cell, lucky) == 1.0
    all_fail = finished(design, lambda *_: None)
    assert design.chosen_rate(cell, all_fail) == RATE_GRID[0]
    assert cell.fresh(RATE_GRID[0], 0) in design.trials(all_fail)


def test_which_trials_come_next_hangs_on_the_results_and_not_on_their_order() -> None:
    design = words("kernel", "hidden", seeds=2)

    def errors(cell: Cell, rate: float) -> int:
        return 100 + int(cell.base.macs % 97) + int(40 * abs(rate - cell.base.model.hidden / 64))

    results = finished(design, errors)
    some = dict(reversed(list(results.items())))
    assert design.trials(some) == design.trials(results)
    again = designed(plan_of(["kernel", "hidden"], cross=False).with_seeds(2))
    assert again.trials(results) == design.trials(results)
    assert again.hash == design.hash


def test_rates_that_a_plan_gives_are_tried_and_no_others() -> None:
    head = {"rates": [0.25, 1], "levels": [{"name": "a"}, {"name": "b", "model": {"hidden": 9}}]}
    plan = {"factors": {"head": head}, "questions": [{"factors": ["head"], "seeds": 1}]}
    design = designed(Plan.from_dict(plan))
    results = finished(design, lambda _, rate: int(100 * rate))
    assert {design.tried_rates(c, results) for c in design.questions[0].cells} == {(0.25, 1.0)}
    assert len(results) == 2 * (2 * 2 + 1)


@pytest.mark.parametrize("factor", ["dropout", "size", "learning-rate"])
def test_factors_with_one_rate_have_no_pilots(factor: str) -> None:
    design = words(factor, seeds=2)
    assert not any(one.is_pilot for one in design.next_trials({}))
    assert design.trials({}) == design.expected_trials({})
    assert design.questions[0].pilot_seeds == ()


def test_rates_multiply_the_learning_rate_of_the_recipe() -> None:
    cell = words("kernel").questions[0].cells[0]
    rates = {rate: cell.pilot(rate, 1000).train.learning_rate for rate in FIRST_RATES}
    assert rates[3.0] / rates[1.0] == pytest.approx(3)
    assert all(cell.has(cell.pilot(rate, 7)) for rate in rates)
    assert not cell.has(words("kernel").questions[0].cells[1].pilot(1.0, 7))


def test_levels_of_the_rate_are_the_trials_of_the_other_questions() -> None:
    design = words("kernel", "learning-rate", seeds=1)
    levels = {cell.levels[0]: cell for cell in question(design, "learning-rate").cells}
    reference = cell_of(design, "3")
    for name, rate in (("x1/9", 1 / 9), ("x1/3", 1 / 3), ("x1", 1.0), ("x3", 3.0)):
        assert levels[name].fresh(1.0, 0) == reference.fresh(rate, 0)


def test_the_held_layers_share_the_trials_of_two_to_four_layers() -> None:
    assert len(words("layers", "layers-fc1", seeds=1).trials({})) == 2 * 2 * (4 + 1)


# ------------------------------------------------------------------ what a trial trains on


def test_a_design_is_the_same_whenever_it_is_built() -> None:
    one, other = designed(default_plan()), designed(default_plan())
    assert one.trials({}) == other.trials({})
    assert one.hash == other.hash
    assert one.hash != designed(default_plan().with_seeds(3)).hash
    assert one.hash != designed(default_plan(), SAMPLE).hash


@pytest.mark.parametrize(
    ("digits", "judges", "teaching"), [(FULL, 20_000, 35_000), (SAMPLE, 1400, 2100)]
)
def test_digits_that_judge_are_the_same_for_all_trials_and_teach_none(
    digits: StudyDigits, judges: int, teaching: int
) -> None:
    design = designed(thorough_plan(), digits)
    trials = design.expected_trials({})
    assert {one.judges for one in trials} == {judges}
    assert max(one.train_n for one in trials) == teaching
    assert {q.regime.judges for q in design.questions} == {judges}


def test_a_regime_may_say_how_many_digits_judge() -> None:
    plan = {"regimes": {"short": {"judges": 3000}}, "questions": [{"factors": ["kernel"]}]}
    design = designed(Plan.from_dict(plan))
    assert {one.judges for one in design.trials({})} == {3000}
    assert design.questions[0].regime.train_n == 10_000


def test_a_questions_regime_has_the_numbers_that_it_comes_to() -> None:
    plan = thorough_plan()
    regimes = {q.name: q.regime for q in designed(plan).questions}
    assert (regimes["filters-long"].train_n, regimes["filters-long"].steps) == (35_000, 548)
    assert regimes["filters-long"].sees_digits_again
    assert (regimes["kernel"].train_n, regimes["kernel"].steps) == (10_000, 79)
    assert not regimes["kernel"].sees_digits_again
    assert regimes["kernel"].precision == "float32"
    longer = {"regimes": {"short": {"epochs": 3}}, "questions": [{"factors": ["kernel"]}]}
    assert designed(Plan.from_dict(longer)).questions[0].regime.sees_digits_again


def test_in_the_short_regime_no_digit_is_seen_twice() -> None:
    for part in designed(default_plan()).questions:
        for cell in part.cells:
            assert cell.base.sees_digits_again == (part.regime_name == "overfit")


def test_questions_of_overfitting_run_where_there_can_be_some() -> None:
    regimes = {part.name: part.regime_name for part in designed(thorough_plan()).questions}
    assert {regimes[name] for name in ("dropout", "hidden", "size")} == {"overfit"}
    assert regimes["filters-x-layers"] == "short"
    assert words("filters", "dropout", cross=True).questions[0].regime_name == "overfit"


def test_a_question_asked_in_two_regimes_has_two_names() -> None:
    names = [part.name for part in designed(thorough_plan()).questions]
    assert len(set(names)) == len(names)
    assert {"dropout", "dropout-full"} <= set(names)


def test_sizes_train_for_the_same_number_of_steps_and_see_all_their_digits() -> None:
    design = words("size")
    assert [cell.values[0] for cell in design.questions[0].cells][-1] == 35_000
    for cell in design.questions[0].cells:
        assert cell.base.steps == 864
        assert cell.base.images >= cell.base.train_n == cell.values[0]


def test_sizes_that_the_steps_of_the_regime_cannot_show_are_left_out_with_a_notice() -> None:
    plan = {"questions": [{"factors": ["size"], "regime": "short"}]}
    design = designed(Plan.from_dict(plan))
    kept = [cell.levels[0] for cell in design.questions[0].cells]
    assert kept == ["500", "1000", "2000", "5000", "10000"]
    for cell in design.questions[0].cells:
        assert cell.base.steps == 79
        assert cell.base.images >= cell.base.train_n == cell.values[0]
    assert "20000, 35000. The regime trains on only 10,112" in str(design.notices[0])


def test_a_regime_too_short_for_the_reference_size_is_refused() -> None:
    plan = {"regimes": {"short": {"train_n": 500}}}
    plan["questions"] = [{"factors": ["size"], "regime": "short"}]  # type: ignore[assignment]
    with pytest.raises(UsageError, match="trains on only 512 images"):
        designed(Plan.from_dict(plan))


def test_sizes_beyond_the_digits_there_are_are_left_out_with_a_notice() -> None:
    design = designed(plan_of(["size"], cross=False), SAMPLE)
    assert [cell.levels for cell in design.questions[0].cells] == [("500",), ("1000",), ("2000",)]
    assert "5000, 10000, 20000, 35000. There are only 2,100" in str(design.notices[0])


def test_too_few_digits_for_the_reference_are_refused() -> None:
    with pytest.raises(UsageError, match="only 1,200 digits"):
        designed(plan_of(["size"], cross=False), dataclasses.replace(SAMPLE, train_n=2000))


# ------------------------------------------------------------------ crossing


@pytest.mark.parametrize("pair", [("filters", "filters-fc1"), ("layers", "layers-fc1")])
def test_factors_that_change_the_same_thing_are_not_crossed(pair: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="both change the same thing"):
        words(*pair, cross=True)


def crossed_with_own(changes: list[dict[str, object]], factor: str, levels: list[str]) -> Plan:
    """An own factor of two levels with these changes, crossed with one of the program's."""
    own = [{"name": name, **change} for name, change in zip("ab", changes, strict=True)]
    question = {"factors": ["own", factor], "levels": {factor: levels}}
    return Plan.from_dict({"factors": {"own": {"levels": own}}, "questions": [question]})


WIDTHS = [{"model": {"filters": [16, 32]}}, {"model": {"filters": [64, 64]}}]


@pytest.mark.parametrize(
    ("own", "factor", "levels", "told"),
    [
        (WIDTHS, "layers", ["1", "2"], "filters and the other layers"),
        (WIDTHS, "filters", ["x1", "x2"], "filters and the other filter_factor"),
        ([{"train": {"epochs": n}} for n in (5, 50)], "size", ["500"], "epochs and the other tr"),
        ([{}, {"train": {"batch_size": 8}}], "size", ["500"], "batch_size and the other train_n"),
    ],
)
def test_own_factors_that_another_would_undo_are_not_crossed_with_it(
    own: list[dict[str, object]], factor: str, levels: list[str], told: str
) -> None:
    with pytest.raises(UsageError, match=told) as caught:
        designed(crossed_with_own(own, factor, levels))
    assert f"own and {factor} cannot be crossed" in str(caught.value)


def test_own_factors_that_nothing_undoes_are_crossed_into_different_trials() -> None:
    own = [{"model": {"hidden": 16}}, {"train": {"epochs": 2}, "model": {"filters": [8, 8]}}]
    design = designed(crossed_with_own(own, "kernel", ["3", "5"]).with_seeds(1))
    assert len(design.trials({})) == 2 * 2 * 2 * 2


@pytest.mark.parametrize("pair", [("filters", "layers-fc1"), ("filters-fc1", "layers")])
def test_crossed_levels_that_are_the_same_trials_are_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match=r"x1/4 \+ 1 and x1/2 \+ 1 are the same trials"):
        words(*pair, cross=True)
    some = [f"{name}=2,3" if "layers" in name else name for name in pair]
    assert words(*some, cross=True), "with two convolutions there is one to widen"


def test_more_layers_than_the_family_has_are_refused() -> None:
    assert words("layers=6")
    with pytest.raises(ConfigError, match="7 convolutions"):
        words("layers=7")


def test_a_kernel_that_the_family_lacks_is_refused() -> None:
    with pytest.raises(ConfigError, match="kernel_size is 4"):
        words("kernel=4")


def test_the_sizes_are_below_the_number_that_asks_for_confirmation() -> None:
    default, thorough = (designed(p).expected_trials({}) for p in (default_plan(), thorough_plan()))
    assert len(default) < len(thorough) < 1000
    assert set(designed(default_plan()).trials({})) <= set(designed(thorough_plan()).trials({}))


# ------------------------------------------------------------------ a trial


def test_a_trial_knows_what_its_network_costs() -> None:
    one = trial()
    assert one.parameters == count_parameters(SimpleCNN(one.model)) == 206_922
    assert one.macs == 28**2 * 16 * 9 + 14**2 * 32 * 16 * 9 + 1568 * 128 + 128 * 10


def test_images_are_counted_with_ragged_batches() -> None:
    one = trial(train_n=100)
    assert one.steps_per_epoch == 2
    assert [one.images_after(step) for step in range(5)] == [0, 64, 100, 164, 200]
    assert one.sees_digits_again
    assert not dataclasses.replace(one, train=one.train.replace(epochs=1)).sees_digits_again


@pytest.mark.parametrize(
    "change",
    [{"hidden": 64}, {"seed": 1}, {"train_n": 99}, {"judges": 49}, {"judged_by": "validation"}],
)
def test_whatever_changes_the_numbers_changes_the_key(change: Mapping[str, Any]) -> None:
    assert trial(**change).key("digits") != trial().key("digits")
    assert trial().key("digits") != trial().key("other digits")


def test_the_recipes_name_is_not_part_of_the_key() -> None:
    renamed = dataclasses.replace(trial(), train=trial().train.replace(recipe="fast"))
    assert renamed.key("digits") == trial().key("digits")


def test_a_trial_survives_its_dictionary() -> None:
    one = trial(seed=3, judged_by="validation")
    assert Trial.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_the_defaults_that_keys_rely_on_are_those_of_the_revision() -> None:
    # A key leaves out fields that have their default. If one of these defaults changes, raise
    # TRAINING_REVISION and write the new default here. A new field is added here as well; it
    # needs no new revision if its default leaves the numbers as they were.
    defaults = ModelConfig().to_dict() | TrainConfig().to_dict()
    del defaults["recipe"]
    assert defaults == DEFAULTS_OF_REVISION_3
    assert TRAINING_REVISION == 3
