"""Designs: which trials a plan comes to, and what identifies a trial."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from taller_cnn.config import ModelConfig, TrainConfig, recipe
from taller_cnn.errors import ConfigError, UsageError
from taller_cnn.model import SimpleCNN, count_parameters
from taller_cnn.study import (
    Design,
    Plan,
    Trial,
    build,
    default_plan,
    plan_of,
    read_plan,
    thorough_plan,
)
from taller_cnn.study.design import TRAINING_REVISION

FULL = 55_000
DEFAULTS_OF_REVISION_1 = {
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
    "cut_amiss": 0.0,
    "holdout": 5000,
    "seed": 0,
    "device": "auto",
    "precision": "auto",
}


def designed(plan: Plan, available: int = FULL) -> Design:
    return build(plan, available=available, checksum="digits")


def question(design: Design, name: str):
    return next(question for question in design.questions if question.name == name)


def trial(**changes: object) -> Trial:
    return Trial(
        model=ModelConfig(**{k: v for k, v in changes.items() if k in ("filters", "hidden")}),  # type: ignore[arg-type]
        train=TrainConfig(epochs=2, **{k: v for k, v in changes.items() if k in ("seed",)}),  # type: ignore[arg-type]
        train_n=int(str(changes.get("train_n", 100))),
    )


def test_every_cell_has_every_rate_with_the_same_seeds() -> None:
    design = designed(plan_of(["filters", "layers"], cross=True).with_seeds(3))
    (crossed,) = design.questions
    assert len(crossed.cells) == 5 * 4
    for cell in crossed.cells:
        assert set(cell.trials) == {(rate, s) for rate in (1 / 3, 1.0, 3.0) for s in range(3)}
    assert crossed.reference == ("x1", "2")
    assert sum(cell.levels == crossed.reference for cell in crossed.cells) == 1


def test_rates_multiply_the_learning_rate_of_the_recipe() -> None:
    design = designed(plan_of(["kernel"], cross=False))
    cell = design.questions[0].cells[0]
    rates = {rate: trial.train.learning_rate for (rate, _), trial in cell.trials.items()}
    assert rates[3.0] / rates[1.0] == pytest.approx(3)
    assert rates[1.0] / rates[1 / 3] == pytest.approx(3)


def test_levels_of_the_rate_are_the_trials_of_the_other_questions() -> None:
    design = designed(plan_of(["kernel", "learning-rate"], cross=False).with_seeds(1))
    kernel = {t for c in question(design, "kernel").cells for t in c.trials.values()}
    rate = {t for c in question(design, "learning-rate").cells for t in c.trials.values()}
    assert len(kernel & rate) == 3, "x1/3, x1 and x3 of the workshop's network"
    assert len(design.trials()) == len(kernel | rate) == 12 + 2


def test_the_held_layers_share_the_trials_of_two_to_four_layers() -> None:
    design = designed(plan_of(["layers", "layers-fc1"], cross=False).with_seeds(1))
    assert len(design.trials()) == 3 * (4 + 1)


def test_a_design_is_the_same_whenever_it_is_built() -> None:
    one, other = designed(default_plan()), designed(default_plan())
    assert one.trials() == other.trials()
    assert one.hash == other.hash
    assert one.hash != designed(default_plan().with_seeds(3)).hash


def test_in_the_short_regime_no_digit_is_seen_twice() -> None:
    design = designed(default_plan())
    for part in design.questions:
        for cell in part.cells:
            for one in cell.trials.values():
                assert (one.images > one.train_n) == (part.regime == "overfit")


def test_questions_of_overfitting_run_where_there_can_be_some() -> None:
    design = designed(thorough_plan())
    regimes = {part.name: part.regime for part in design.questions}
    assert {regimes[name] for name in ("dropout", "hidden", "size")} == {"overfit"}
    assert regimes["filters-x-layers"] == "short"
    assert designed(plan_of(["filters", "dropout"], cross=True)).questions[0].regime == "overfit"


def test_a_question_asked_in_two_regimes_has_two_names() -> None:
    names = [part.name for part in designed(thorough_plan()).questions]
    assert len(set(names)) == len(names)
    assert {"dropout", "dropout-full"} <= set(names)


def test_sizes_train_for_the_same_number_of_steps_and_see_all_their_digits() -> None:
    design = designed(plan_of(["size"], cross=False))
    for cell in design.questions[0].cells:
        for one in cell.trials.values():
            assert one.steps == 864
            assert one.images >= one.train_n == cell.values[0]


def test_sizes_beyond_the_digits_there_are_are_left_out_with_a_notice() -> None:
    design = designed(plan_of(["size"], cross=False), available=3500)
    assert [cell.levels for cell in design.questions[0].cells] == [("500",), ("1000",), ("2000",)]
    assert "5000, 10000, 20000, 55000" in str(design.notices[0])


def test_too_few_digits_for_the_reference_are_refused() -> None:
    with pytest.raises(UsageError, match="only 1,000 digits"):
        designed(plan_of(["size"], cross=False), available=1000)


def test_a_regime_takes_the_digits_there_are() -> None:
    design = designed(default_plan(), available=3500)
    assert max(one.train_n for one in design.trials()) == 3500


@pytest.mark.parametrize("pair", [("filters", "filters-fc1"), ("layers", "layers-fc1")])
def test_factors_that_change_the_same_thing_are_not_crossed(pair: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="both change the same thing"):
        designed(plan_of(pair, cross=True))


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
    assert len(design.trials()) == 2 * 2 * 3


@pytest.mark.parametrize("pair", [("filters", "layers-fc1"), ("filters-fc1", "layers")])
def test_crossed_levels_that_are_the_same_trials_are_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match=r"x1/4 \+ 1 and x1/2 \+ 1 are the same trials"):
        designed(plan_of(pair, cross=True))
    words = [f"{name}=2,3" if "layers" in name else name for name in pair]
    assert designed(plan_of(words, cross=True)), "with two convolutions there is one to widen"


def test_more_layers_than_the_family_has_are_refused() -> None:
    assert designed(plan_of(["layers=6"], cross=False))
    with pytest.raises(ConfigError, match="7 convolutions"):
        designed(plan_of(["layers=7"], cross=False))


def test_a_kernel_that_the_family_lacks_is_refused() -> None:
    with pytest.raises(ConfigError, match="kernel_size is 4"):
        designed(plan_of(["kernel=4"], cross=False))


def test_the_sizes_are_below_the_number_that_asks_for_confirmation() -> None:
    assert len(designed(default_plan()).trials()) < len(designed(thorough_plan()).trials()) < 1000


def test_a_trial_knows_what_its_network_costs() -> None:
    one = trial()
    assert one.parameters == count_parameters(SimpleCNN(one.model)) == 206_922
    assert one.macs == 28**2 * 16 * 9 + 14**2 * 32 * 16 * 9 + 1568 * 128 + 128 * 10


def test_the_ablation_takes_one_ingredient_at_a_time_from_the_best_recipe() -> None:
    file = Path(__file__).parents[2] / "benchmarks" / "best_ablation.toml"
    (asked,) = designed(read_plan(file)).questions
    best_model, best_train = recipe("best")
    found = {}
    for cell in asked.cells:
        one = cell.trials[1.0, 0]
        ours = one.model.to_dict() | one.train.to_dict()
        theirs = best_model.to_dict() | best_train.to_dict()
        apart = {"epochs", "device", "precision"}
        found[cell.levels[0]] = {k for k in ours if ours[k] != theirs[k]} - apart
    assert found.pop("nothing") == set()
    assert all(found.values())
    assert len({frozenset(changed) for changed in found.values()}) == len(found) == 8


def test_images_are_counted_with_ragged_batches() -> None:
    one = trial(train_n=100)
    assert one.steps_per_epoch == 2
    assert [one.images_after(step) for step in range(5)] == [0, 64, 100, 164, 200]


@pytest.mark.parametrize("change", [{"hidden": 64}, {"seed": 1}, {"train_n": 99}])
def test_whatever_changes_the_numbers_changes_the_key(change: dict[str, object]) -> None:
    assert trial(**change).key("digits") != trial().key("digits")
    assert trial().key("digits") != trial().key("other digits")


def test_the_recipes_name_is_not_part_of_the_key() -> None:
    renamed = dataclasses.replace(trial(), train=trial().train.replace(recipe="fast"))
    assert renamed.key("digits") == trial().key("digits")


def test_a_trial_survives_its_dictionary() -> None:
    assert Trial.from_dict(trial(seed=3).to_dict()) == trial(seed=3)


def test_the_defaults_that_keys_rely_on_are_those_of_the_revision() -> None:
    # A key leaves out fields that have their default. If one of these defaults changes, raise
    # TRAINING_REVISION and write the new default here. A new field is added here as well; it
    # needs no new revision if its default leaves the numbers as they were.
    defaults = ModelConfig().to_dict() | TrainConfig().to_dict()
    del defaults["recipe"]
    assert defaults == DEFAULTS_OF_REVISION_1
    assert TRAINING_REVISION == 1
