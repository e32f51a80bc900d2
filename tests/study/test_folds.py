"""Cross-validation: every training digit judged by a network that has not seen it."""

from __future__ import annotations

import dataclasses
import math
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from small_study import EVALUATED

from taller_cnn.data import Digits
from taller_cnn.messages import Messages
from taller_cnn.study import Plan, Store, StoreDigits, Trial, build, read_plan
from taller_cnn.study import trial as trial_module
from taller_cnn.study.analysis import QuestionAnalysis, analyse
from taller_cnn.study.estimate import Evaluated
from taller_cnn.study.report import write_report
from taller_cnn.study.trial import evaluated_epochs, in_folds, train_trial

FOLDS = 4
RAW: dict[str, Any] = {
    "name": "own",
    "regimes": {
        "shared": {"recipe": "quick", "train_n": 64, "epochs": 2, "seeds": FOLDS, "folds": FOLDS}
    },
    "factors": {
        "head": {
            "regime": "shared",
            "rates": [1],
            "levels": [
                {"name": "usual"},
                {"name": "small", "model": {"hidden": 16}, "rates": [0.5, 2]},
            ],
        }
    },
    "questions": [{"factors": ["head"]}],
}
PLAN = Plan.from_dict(RAW)


def design(available: int = 3500, held_out: int = 500, checksum: str = "digits") -> Any:
    return build(PLAN, available=available, checksum=checksum, held_out=held_out)


def numbered(digits: Digits) -> Digits:
    """The same labels, and in the first pixels of each image its number."""
    parts, start = [], 0
    for split in (digits.train, digits.validation):
        images = torch.zeros_like(split.images)
        number = torch.arange(start, start + len(split))
        images[:, 0, 0, 0], images[:, 0, 0, 1] = number // 256, number % 256
        parts.append(dataclasses.replace(split, images=images))
        start += len(split)
    return dataclasses.replace(digits, train=parts[0], validation=parts[1])


def numbers(images: torch.Tensor) -> list[int]:
    return (images[:, 0, 0, 0].long() * 256 + images[:, 0, 0, 1].long()).tolist()


def test_every_digit_is_in_one_fold_and_the_classes_are_in_proportion(
    sample_digits: Digits,
) -> None:
    digits = numbered(sample_digits)
    total = len(digits.train) + len(digits.validation)
    judged = []
    for fold in range(3):
        split = in_folds(digits, 3, fold)
        own, others = numbers(split.validation.images), numbers(split.train.images)
        assert sorted(own + others) == list(range(total))
        assert len(own) in (total // 3, total // 3 + 1)
        shares = split.validation.labels.bincount() / split.train.labels.bincount()
        assert shares.tolist() == pytest.approx([0.5] * 10, abs=0.01)
        assert own == numbers(in_folds(digits, 3, fold).validation.images)
        judged += own
    assert sorted(judged) == list(range(total))


def test_a_trial_is_judged_by_its_fold_and_trains_on_none_of_it(
    sample_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    digits = numbered(sample_digits)
    trained: list[int] = []
    judged: list[int] = []
    train, evaluate = trial_module.train, trial_module.evaluate

    def spy_train(model: Any, given: Digits, config: Any) -> Any:
        trained.extend(numbers(given.train.images))
        return train(model, given, config)

    def spy_evaluate(model: Any, split: Any, scale: Any, **values: Any) -> Any:
        if split is not digits.test:
            judged.extend(numbers(split.images))
        return evaluate(model, split, scale, **values)

    monkeypatch.setattr(trial_module, "train", spy_train)
    monkeypatch.setattr(trial_module, "evaluate", spy_evaluate)
    one = design().questions[0].cells[0].trials[(1.0, 2)]
    result = train_trial(dataclasses.replace(one, train_n=3000), digits)
    assert judged == numbers(in_folds(digits, FOLDS, 2).validation.images)
    assert len(trained) == len(set(trained)) == 3000
    assert not set(trained) & set(judged)
    wrong = np.unpackbits(np.frombuffer(result.validation_wrong or b"", np.uint8))
    assert wrong.sum() / 1000 == result.validation_error
    assert result.seen_error is None, "the gap is not what folds are for"


def test_a_fold_judges_once_however_many_epochs_there_are() -> None:
    one = design().trials()[0]
    longer = dataclasses.replace(one, train=one.train.replace(epochs=27))
    assert evaluated_epochs(longer) == {27}


def test_seeds_take_the_folds_in_turn_and_all_levels_share_them() -> None:
    (question,) = build(PLAN.with_seeds(6), available=3500, checksum="", held_out=500).questions
    for cell in question.cells:
        assert {seed: t.fold for (_, seed), t in cell.trials.items()} == {
            0: 0,
            1: 1,
            2: 2,
            3: 3,
            4: 0,
            5: 1,
        }


@pytest.mark.parametrize(("available", "held_out", "left"), [(55_000, 5_000, 45_000), (70, 9, 59)])
def test_what_is_trained_on_is_what_the_largest_fold_leaves(
    available: int, held_out: int, left: int
) -> None:
    plan = Plan.from_dict(
        {**RAW, "regimes": {"shared": {**RAW["regimes"]["shared"], "train_n": 0}}}
    )
    trials = build(plan, available=available, checksum="", held_out=held_out).trials()
    assert {trial.train_n for trial in trials} == {left}


def test_a_level_has_learning_rates_of_its_own() -> None:
    usual, small = design().questions[0].cells
    assert (usual.rates, small.rates) == ((1.0,), (0.5, 2.0))
    rates = {rate: t.train.learning_rate for (rate, _), t in small.trials.items()}
    assert rates[2.0] == pytest.approx(4 * rates[0.5])


@pytest.mark.parametrize(("optimizer", "other"), [("muon", 2.0), ("adamw", 1.0)])
def test_a_rate_is_a_multiple_of_muons_own_rate_too(optimizer: str, other: float) -> None:
    level = {**RAW["factors"]["head"]["levels"][1], "train": {"optimizer": optimizer}}
    head = {**RAW["factors"]["head"], "levels": [{"name": "usual"}, level]}
    plan = Plan.from_dict({**RAW, "factors": {"head": head}})
    cell = build(plan, available=3500, checksum="", held_out=500).questions[0].cells[1]
    twice, usual = cell.trials[(2.0, 0)].train, design().trials()[0].train
    assert twice.learning_rate == pytest.approx(2 * usual.learning_rate)
    assert twice.muon_learning_rate == pytest.approx(other * usual.muon_learning_rate)


def test_folds_are_part_of_what_identifies_a_trial_and_nothing_changes_without() -> None:
    one = design().trials()[0]
    without = dataclasses.replace(one, folds=0)
    keys = {dataclasses.replace(one, folds=folds).key("x") for folds in (0, 2, FOLDS)}
    assert len(keys) == 3
    assert "folds" not in without.to_dict()
    for trial in (one, without):
        assert Trial.from_dict(trial.to_dict()) == trial


def test_a_plan_with_folds_is_the_same_when_it_is_read_again() -> None:
    assert Plan.from_dict(PLAN.to_dict()) == PLAN
    assert PLAN.to_dict()["regimes"]["shared"]["folds"] == FOLDS
    assert "folds" not in PLAN.to_dict()["regimes"]["short"]
    assert "precision" not in PLAN.to_dict()["regimes"]["short"]


def test_the_time_of_a_trial_counts_the_digits_of_its_fold() -> None:
    counts = Evaluated(validation=500, test=1000, train=3500)
    one = design().trials()[0]
    work = counts.work(one) - one.images
    assert work / (counts.work(dataclasses.replace(one, folds=8)) - one.images) == pytest.approx(
        (1000 + 1000) / (1000 + 500)
    )
    assert EVALUATED.work(dataclasses.replace(one, folds=0)) > one.images


def test_a_store_of_a_version_without_folds_learns_how_many_are_held_out(tmp_path: Path) -> None:
    path = tmp_path / "estudio.sqlite"
    with Store(path, StoreDigits(name="mnist", checksum="digits", train_n=3500)):
        pass
    with sqlite3.connect(path) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM meta")}
    assert "held_out" not in names, "as the earlier version wrote it"
    known = StoreDigits(name="mnist", checksum="digits", train_n=3500, held_out=500)
    with Store(path, known) as store:
        assert store.notices == ()
    existing = Store.existing(path)
    assert existing is not None
    with existing:
        assert existing.digits == known


def test_the_ablation_judges_every_digit_and_names_its_levels_in_both_languages() -> None:
    plan = read_plan(Path(__file__).parents[2] / "benchmarks" / "best_ablation.toml")
    built = build(plan, available=55_000, checksum="digits", held_out=5_000)
    cells = {cell.levels[0]: cell for cell in built.questions[0].cells}
    for name, cell in cells.items():
        assert {trial.train_n for trial in cell.trials.values()} == {48_000}
        assert {trial.fold for trial in cell.trials.values()} == set(range(5))
        for language in ("es", "en"):
            assert Messages(language).has(f"study_report.level_name.without.{name}")
    whole, fewer = (cells[n].trials[(1.0, 0)] for n in ("nothing", "second-convolutions"))
    assert fewer.parameters == pytest.approx(whole.parameters, rel=0.05)


def packed(wrong: np.ndarray) -> bytes:
    return np.packbits(wrong).tobytes()


def made_table(wrong: np.ndarray, folds: int, factor: str = "head") -> pd.DataFrame:
    """A question's table, from which digits are wrong ``[levels, seeds, digits]``."""
    rows = []
    for level, seed in np.ndindex(wrong.shape[:2]):
        own = wrong[level, seed]
        rows.append(
            {
                "question": factor,
                "regime": "shared",
                "level_a": "abcdefghij"[level],
                "value_a": math.nan,
                "level_b": None,
                "value_b": math.nan,
                "is_reference": level == 0,
                "rate": 1.0,
                "seed": seed,
                "key": f"{level}/{seed}",
                "status": "ok",
                "reason": None,
                "parameters": 100,
                "macs": 100,
                "epochs": 2.0,
                "folds": folds,
                "validation_error": own.mean(),
                "test_error": 0.01,
                "seen_error": math.nan,
                "gap": math.nan,
                "validation_loss": 0.1,
                "train_seconds": 1.0,
                "peak_memory_mb": 100.0,
                "images_seen": 100,
                "curve": [(100, 0.5, None), (200, 0.2, own.mean())],
                "validation_wrong": packed(own),
            }
        )
    return pd.DataFrame(rows)


def drawn(levels: int, seeds: int, digits: int = 800) -> np.ndarray:
    random = np.random.default_rng(1)
    return random.random((levels, seeds, digits)) < 0.05 * np.arange(1, levels + 1)[:, None, None]


def only(table: pd.DataFrame) -> QuestionAnalysis:
    (question,) = analyse(table).questions
    return question


def test_with_a_seed_for_each_fold_the_folds_are_paired() -> None:
    wrong = drawn(2, FOLDS)
    found = only(made_table(wrong, FOLDS))
    difference = 100 * (wrong[1].mean(axis=1) - wrong[0].mean(axis=1))
    (effect,) = found.effects
    assert effect.error.value == pytest.approx(difference.mean())
    # The analysis allows for unequal spreads: the paired error, times the root of S / (S - 1).
    expected = stats.sem(difference) * math.sqrt(FOLDS / (FOLDS - 1))
    assert effect.error.standard_error == pytest.approx(expected)
    assert (found.df, found.folds, found.seeds) == (FOLDS - 1, FOLDS, FOLDS)
    assert effect.gap is None
    assert found.trends == ()


def test_trials_of_one_fold_are_no_further_evidence_about_its_digits() -> None:
    wrong = drawn(3, 2 * FOLDS)
    twice = only(made_table(wrong, FOLDS))
    means = wrong.mean(axis=2).reshape(3, 2, FOLDS).mean(axis=1)
    assert twice.df == 2 * (FOLDS - 1)
    assert twice.seeds == 2 * FOLDS
    values = [effect.error.value for effect in twice.effects]
    assert values == pytest.approx(list(100 * (means[1:] - means[0]).mean(axis=1)))
    alike = only(made_table(np.concatenate([wrong[:, :FOLDS]] * 2, axis=1), FOLDS))
    once = only(made_table(wrong[:, :FOLDS], FOLDS))
    assert [e.error.low for e in alike.effects] == pytest.approx(
        [e.error.low for e in once.effects]
    )


def test_the_digits_of_all_folds_are_counted_and_paired() -> None:
    wrong = drawn(2, FOLDS, digits=801)
    found = only(made_table(wrong, FOLDS))
    assert [level.judged for level in found.levels] == [FOLDS * 801] * 2
    pairs = stats.ttest_rel(100.0 * wrong[1].ravel(), 100.0 * wrong[0].ravel())
    (effect,) = found.effects
    expected = tuple(pairs.confidence_interval(0.95))
    assert (effect.images_low, effect.images_high) == pytest.approx(expected)
    without = only(made_table(wrong, 0))
    assert [level.judged for level in without.levels] == [801] * 2


def test_a_fold_that_is_missing_is_left_out_of_the_count() -> None:
    table = made_table(drawn(2, FOLDS), FOLDS)
    lost = (table["level_a"] == "b") & (table["seed"] == 3)
    table.loc[lost, "status"] = "missing"
    table.loc[lost, "validation_error"] = math.nan
    table.loc[lost, "validation_wrong"] = None
    found = only(table)
    assert [level.judged for level in found.levels] == [FOLDS * 800, 3 * 800]
    assert found.df == FOLDS - 2


@pytest.mark.parametrize(
    ("language", "says", "never"),
    [
        ("es", ("3.200 dígitos distintos", "4 partes", "Validación cruzada |"), "red del taller"),
        ("en", ("3,200 different digits", "4 folds", "Cross-validation |"), "workshop's network"),
    ],
)
def test_the_report_says_what_judged_and_calls_nothing_the_workshops(
    tmp_path: Path, language: str, says: tuple[str, ...], never: str
) -> None:
    table = made_table(drawn(3, FOLDS), FOLDS)
    files = write_report(PLANNED, table, analyse(table), tmp_path, Messages(language))
    text = files["markdown"].read_text(encoding="utf-8")
    for words in says:
        assert words in text
    assert never not in text


def test_the_report_tells_differences_in_digits_of_all_folds(tmp_path: Path) -> None:
    wrong = drawn(2, FOLDS)
    table = made_table(wrong, FOLDS)
    files = write_report(PLANNED, table, analyse(table), tmp_path, Messages("en"))
    more = int(wrong[1].sum()) - int(wrong[0].sum())
    assert f"| +{more} (" in files["markdown"].read_text(encoding="utf-8")


@dataclasses.dataclass(frozen=True)
class _Planned:
    name: str = "own"
    hash: str = "0123456789abcdef"


PLANNED = _Planned()
