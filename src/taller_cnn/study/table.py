"""A study's results as one tidy table, which the analysis reads and the reader can export."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taller_cnn.errors import MissingExtraError
from taller_cnn.files import atomic_path

if TYPE_CHECKING:
    import pandas as pd

    from taller_cnn.study.design import Cell, Design, Question, Trial
    from taller_cnn.study.trial import TrialResult

COLUMNS = (
    "question",
    "regime",
    "level_a",
    "value_a",
    "level_b",
    "value_b",
    "is_reference",
    "rate",
    "seed",
    "key",
    "status",
    "reason",
    "parameters",
    "macs",
    "epochs",
    "folds",
    "validation_error",
    "test_error",
    "seen_error",
    "gap",
    "validation_loss",
    "train_seconds",
    "peak_memory_mb",
    "images_seen",
    "curve",
    "validation_wrong",
)
_NUMBERS = (
    "value_a",
    "value_b",
    "rate",
    "epochs",
    "validation_error",
    "test_error",
    "seen_error",
    "gap",
    "validation_loss",
    "train_seconds",
    "peak_memory_mb",
    "images_seen",
)
EXPORTS = ("csv", "parquet")


def tabulate(design: Design, results: Mapping[str, TrialResult]) -> pd.DataFrame:
    """One row per question, cell, learning rate and seed.

    Columns (`COLUMNS`): errors, ``gap`` = validation - seen error and ``rate`` are fractions or
    multiples; ``value_a`` and ``value_b`` the levels' numbers; ``status`` is ok, failed or
    missing; ``curve`` a list of (images seen, training loss in nats, validation error or None);
    ``validation_wrong`` the validation digits got wrong as `numpy.packbits` of booleans; with
    ``folds`` above 0 both are of fold ``seed`` modulo ``folds`` and not of the held-out digits.
    Where there is nothing to tell, numbers are NaN and the rest None.

    Args:
        design: what was to be run.
        results: what was run, by key.
    """
    import pandas as pd

    rows = list(_rows(design, results))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table[list(_NUMBERS)] = table[list(_NUMBERS)].astype("float64")
    for name in ("level_b", "reason", "curve", "validation_wrong"):
        # pandas would turn None into NaN in a column that has nothing else.
        table[name] = pd.Series([row[name] for row in rows], dtype=object)
    return table


def _rows(design: Design, results: Mapping[str, TrialResult]) -> Iterator[dict[str, Any]]:
    for question in design.questions:
        for cell in question.cells:
            for (rate, seed), trial in cell.trials.items():
                key = design.key(trial)
                yield {
                    **_place(question, cell, rate, seed),
                    "key": key,
                    **_outcome(trial, results.get(key)),
                }


def _place(question: Question, cell: Cell, rate: float, seed: int) -> dict[str, Any]:
    crossed = len(cell.levels) > 1
    return {
        "question": question.name,
        "regime": question.regime,
        "level_a": cell.levels[0],
        "value_a": cell.values[0],
        "level_b": cell.levels[1] if crossed else None,
        "value_b": cell.values[1] if crossed else None,
        "is_reference": cell.levels == question.reference,
        "rate": rate,
        "seed": seed,
    }


def _outcome(trial: Trial, result: TrialResult | None) -> dict[str, Any]:
    known = {
        "parameters": trial.parameters,
        "macs": trial.macs,
        "epochs": trial.train.epochs,
        "folds": trial.folds,
    }
    if result is None:
        return {**dict.fromkeys(COLUMNS[COLUMNS.index("status") :]), "status": "missing", **known}
    errors = (result.validation_error, result.seen_error)
    gap = None if None in errors else errors[0] - errors[1]  # type: ignore[operator]
    return {**vars(result), **known, "gap": gap, "curve": result.curve and list(result.curve)}


def export(table: pd.DataFrame, path: Path) -> None:
    """Write the table as CSV or Parquet, as the path's ending says.

    The curve is JSON and the packed bits of CSV are hexadecimal.

    Raises:
        MissingExtraError: Parquet needs a library that is not installed.
        OutputError: the file cannot be written.
    """
    written = table.copy()
    written["curve"] = [value and json.dumps(value, allow_nan=False) for value in table["curve"]]
    if path.suffix == ".csv":
        written["validation_wrong"] = [value and value.hex() for value in table["validation_wrong"]]
        with atomic_path(path) as temporary:
            written.to_csv(temporary, index=False)
        return
    with atomic_path(path) as temporary:
        try:
            written.to_parquet(temporary, index=False)
        except ImportError as error:
            raise MissingExtraError("study_no_parquet", command="pip install pyarrow") from error
