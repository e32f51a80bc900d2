"""The tidy table of a study, and its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from taller_cnn.errors import MissingExtraError, OutputError
from taller_cnn.study import COLUMNS, Design, TrialResult, build, export, plan_of

OK = TrialResult(
    status="ok",
    validation_error=0.03,
    test_error=0.02,
    seen_error=0.01,
    validation_loss=0.1,
    train_seconds=1.5,
    peak_memory_mb=300.0,
    images_seen=128,
    curve=((64, 2.0, None), (128, 1.0, 0.03)),
    validation_wrong=b"\x80\x01",
)


@pytest.fixture(scope="module")
def design() -> Design:
    plan = plan_of(["kernel=1", "pooling=avg"], cross=True).with_seeds(2)
    return build(plan, available=3500, checksum="digits")


@pytest.fixture(scope="module")
def table(design: Design) -> pd.DataFrame:
    """The first trial is done, the second has failed, the others are missing."""
    one, other = (design.key(trial) for trial in design.trials()[:2])
    return design.table({one: OK, other: TrialResult(status="failed", reason="diverged")})


def first(table: pd.DataFrame, status: str) -> Any:
    return table[table["status"] == status].iloc[0]


def test_there_is_a_row_for_each_question_cell_rate_and_seed(
    design: Design, table: pd.DataFrame
) -> None:
    assert list(table.columns) == list(COLUMNS)
    assert len(table) == 2 * 2 * 3 * 2
    assert set(table["question"]) == {"kernel-x-pooling"}
    assert table["status"].value_counts().to_dict() == {"missing": 22, "ok": 1, "failed": 1}
    assert table["key"].nunique() == len(design.trials())


def test_levels_have_their_numbers_where_there_are_any(table: pd.DataFrame) -> None:
    assert set(zip(table["level_a"], table["value_a"], strict=True)) == {("1", 1.0), ("3", 3.0)}
    assert set(table["level_b"]) == {"max", "avg"}
    assert table["value_b"].isna().all()
    reference = table[table["is_reference"]]
    assert set(zip(reference["level_a"], reference["level_b"], strict=True)) == {("3", "max")}


def test_a_question_of_one_factor_has_no_second_level() -> None:
    one = build(plan_of(["kernel"], cross=False), available=3500, checksum="digits").table({})
    assert one["level_b"].tolist() == [None] * len(one)
    assert one["curve"].tolist() == [None] * len(one)
    assert one["validation_error"].dtype == float


def test_a_finished_trial_has_its_numbers_and_the_gap(table: pd.DataFrame) -> None:
    row = first(table, "ok")
    assert row["gap"] == pytest.approx(0.02)
    assert row["curve"] == [(64, 2.0, None), (128, 1.0, 0.03)]
    assert row["validation_wrong"] == b"\x80\x01"


@pytest.mark.parametrize("status", ["failed", "missing"])
def test_costs_are_known_of_trials_without_results(table: pd.DataFrame, status: str) -> None:
    row = first(table, status)
    assert row["parameters"] > 0
    assert row["macs"] > 0
    assert pd.isna(row["validation_error"])
    assert row["curve"] is None
    assert row["reason"] == ("diverged" if status == "failed" else None)


def test_csv_has_every_row_with_points_as_decimal_marks(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    export(table, tmp_path / "estudio.csv")
    read = pd.read_csv(tmp_path / "estudio.csv", dtype={"validation_wrong": str})
    assert list(read.columns) == list(COLUMNS)
    assert len(read) == len(table)
    row = first(read, "ok")
    assert row["validation_error"] == 0.03
    assert json.loads(row["curve"]) == [[64, 2.0, None], [128, 1.0, 0.03]]
    assert row["validation_wrong"] == "8001"


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
