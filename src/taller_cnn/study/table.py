"""A study's results as one tidy table for other programs, one row per trial of a question."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taller_cnn.errors import MissingExtraError
from taller_cnn.files import atomic_path
from taller_cnn.study.design import Design, Question, Results
from taller_cnn.study.trial import Cell, Trial, TrialResult

if TYPE_CHECKING:
    import pandas as pd

EXPORTS = ("csv", "parquet")
_OUTCOMES = {
    "pilot_n": "Int64",
    "pilot_errors": "Int64",
    "judged_n": "Int64",
    "judged_errors": "Int64",
    "seen_n": "Int64",
    "seen_errors": "Int64",
    "judged_loss": "float64",
    "train_seconds": "float64",
    "peak_memory_mb": "float64",
    "images_seen": "Int64",
}
"""What a result has as numbers, and the type of the column: counts may be missing."""


def tabulate(design: Design, results: Results) -> pd.DataFrame:
    """One row per question, cell, learning rate and seed, pilots too.

    Errors are counts beside the number of digits; ``rate`` is a multiple of the recipe's;
    ``chosen`` says whether the level is compared at it; ``value_a`` and ``value_b`` are the
    levels' numbers; ``status`` is ok, failed or missing; ``curve`` a list of (images seen,
    training loss in nats, fraction wrong of the validation digits or None); ``judged_wrong`` the
    judging digits got wrong as `numpy.packbits` of booleans. What there is nothing to tell of is
    missing or None.

    Args:
        design: what was to be run.
        results: what was run, by key.
    """
    import pandas as pd

    rows = list(_rows(design, results))
    table = pd.DataFrame(rows)
    for name, kind in {**_OUTCOMES, "value_a": "float64", "value_b": "float64"}.items():
        table[name] = table[name].astype(kind)  # type: ignore[call-overload]
    for name in ("level_b", "reason", "curve", "judged_wrong"):
        # pandas would turn None into NaN in a column that has nothing else.
        table[name] = pd.Series([row[name] for row in rows], dtype=object)
    return table


def _rows(design: Design, results: Results) -> Iterator[dict[str, Any]]:
    for question in design.questions:
        for cell in question.cells:
            chosen = design.chosen_rate(cell, results)
            for rate, trial in design.cell_trials(question, cell, results):
                place = _place(question, cell)
                outcome = _outcome(trial, design.key(trial), results)
                yield {**place, "rate": rate, "chosen": rate == chosen, **outcome}


def _place(question: Question, cell: Cell) -> dict[str, Any]:
    crossed = len(cell.levels) > 1
    return {
        "question": question.name,
        "regime": question.regime_name,
        "level_a": cell.levels[0],
        "value_a": cell.values[0],
        "level_b": cell.levels[1] if crossed else None,
        "value_b": cell.values[1] if crossed else None,
        "is_reference": cell.levels == question.reference,
    }


def _outcome(trial: Trial, key: str, results: Results) -> dict[str, Any]:
    result = results.get(key)
    told = result or TrialResult(status="failed")
    return {
        "seed": trial.train.seed,
        "judged_by": trial.judged_by,
        "key": key,
        "status": result.status if result else "missing",
        "reason": told.reason,
        "parameters": trial.parameters,
        "macs": trial.macs,
        "train_n": trial.train_n,
        "epochs": trial.train.epochs,
        **{name: getattr(told, name) for name in _OUTCOMES},
        "curve": told.curve and list(told.curve),
        "judged_wrong": told.judged_wrong,
    }


def export(table: pd.DataFrame, path: Path) -> None:
    """Write the table as CSV or Parquet, as the path's ending says.

    The curve is JSON; the packed bits are in Parquet alone.

    Raises:
        MissingExtraError: Parquet needs a library that is not installed.
        OutputError: the file cannot be written.
    """
    written = table.copy()
    written["curve"] = [value and json.dumps(value, allow_nan=False) for value in table["curve"]]
    if path.suffix == ".csv":
        with atomic_path(path) as temporary:
            written.drop(columns="judged_wrong").to_csv(temporary, index=False)
        return
    with atomic_path(path) as temporary:
        try:
            written.to_parquet(temporary, index=False)
        except ImportError as error:
            raise MissingExtraError("study_no_parquet", command="pip install pyarrow") from error
