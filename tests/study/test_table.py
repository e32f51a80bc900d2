"""The tidy table of a study, and its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from small_study import SAMPLE

from taller_cnn.errors import MissingExtraError, OutputError
from taller_cnn.study import Design, TrialResult, build, export, plan_of, tabulate

OK = TrialResult(
    status="ok",
    judged_n=1400,
    judged_errors=42,
    seen_n=256,
    seen_errors=3,
    judged_loss=0.1,
    train_seconds=1.5,
    peak_memory_mb=300.0,
    images_seen=128,
    curve=((64, 2.0, None), (128, 1.0, 0.03)),
    judged_wrong=b"\x80\x01",
)


@pytest.fixture(scope="module")
def design() -> Design:
    return build(plan_of(["kernel=1", "pooling=avg"], cross=True).with_seeds(2), SAMPLE)


@pytest.fixture(scope="module")
def table(design: Design) -> pd.DataFrame:
    """The pilots of a cell are done, and one of its seeds; a pilot of another has failed."""
    cell, other = design.questions[0].cells[:2]
    results = {
        design.key(cell.pilot(rate, seed)): TrialResult(
            status="ok", pilot_n=500, pilot_errors=40 if rate == 1 else 60
        )
        for rate in (1 / 3, *cell.rates)
        for seed in (1000, 1001)
    }
    results[design.key(cell.fresh(1.0, 0))] = OK
    failed = TrialResult(status="failed", reason="diverged")
    return tabulate(design, {**results, design.key(other.pilot(1.0, 1000)): failed})


def first(table: pd.DataFrame, status: str, judged_by: str = "judges") -> Any:
    return table[(table["status"] == status) & (table["judged_by"] == judged_by)].iloc[0]


def test_there_is_a_row_for_each_trial_that_is_called_for(
    design: Design, table: pd.DataFrame
) -> None:
    assert len(table) == 3 * 2 + 2 + 3 * 2 * 2
    assert set(table["question"]) == {"kernel-x-pooling"}
    assert table["status"].value_counts().to_dict() == {"missing": 12, "ok": 7, "failed": 1}
    assert table["key"].nunique() == len(table)
    judged = table[table["judged_by"] == "judges"]
    assert judged["rate"].tolist() == [1.0, 1.0]
    assert judged["seed"].tolist() == [0, 1]
    assert sorted(set(table[table["chosen"]]["seed"])) == [0, 1, 1000, 1001]


def test_levels_have_their_numbers_where_there_are_any(table: pd.DataFrame) -> None:
    assert set(zip(table["level_a"], table["value_a"], strict=True)) == {("1", 1.0), ("3", 3.0)}
    assert set(table["level_b"]) == {"max", "avg"}
    assert table["value_b"].isna().all()
    reference = table[table["is_reference"]]
    assert set(zip(reference["level_a"], reference["level_b"], strict=True)) == {("3", "max")}


def test_a_question_of_one_factor_has_no_second_level() -> None:
    one = tabulate(build(plan_of(["kernel"], cross=False), SAMPLE), {})
    assert one["level_b"].tolist() == [None] * len(one)
    assert one["curve"].tolist() == [None] * len(one)
    assert one["judged_loss"].dtype == float


def test_a_finished_trial_has_its_counts(table: pd.DataFrame) -> None:
    row = first(table, "ok")
    assert (row["judged_errors"], row["judged_n"]) == (42, 1400)
    assert (row["seen_errors"], row["seen_n"]) == (3, 256)
    assert pd.isna(row["pilot_n"])
    assert row["curve"] == [(64, 2.0, None), (128, 1.0, 0.03)]
    assert row["judged_wrong"] == b"\x80\x01"
    pilot = first(table, "ok", "validation")
    assert (pilot["pilot_errors"], pilot["pilot_n"]) == (60, 500)


@pytest.mark.parametrize("status", ["failed", "missing"])
def test_costs_are_known_of_trials_without_results(table: pd.DataFrame, status: str) -> None:
    row = first(table, status, "validation")
    assert row["parameters"] > 0
    assert row["macs"] > 0
    assert pd.isna(row["pilot_errors"])
    assert row["curve"] is None
    assert row["reason"] == ("diverged" if status == "failed" else None)


def test_csv_has_every_row_with_points_as_decimal_marks(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    export(table, tmp_path / "estudio.csv")
    read = pd.read_csv(tmp_path / "estudio.csv")
    assert list(read.columns) == [name for name in table.columns if name != "judged_wrong"]
    assert len(read) == len(table)
    row = first(read, "ok")
    assert (row["judged_errors"], row["judged_loss"]) == (42, 0.1)
    assert json.loads(row["curve"]) == [[64, 2.0, None], [128, 1.0, 0.03]]


def test_parquet_is_written_or_the_way_to_it_is_told(table: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "estudio.parquet"
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        with pytest.raises(MissingExtraError, match="pip install pyarrow"):
            export(table, path)
        assert list(tmp_path.iterdir()) == []
    else:
        export(table, path)
        assert len(pd.read_parquet(path)) == len(table)


def test_a_folder_that_cannot_be_written_is_told(table: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        export(table, tmp_path / "file" / "estudio.csv")
