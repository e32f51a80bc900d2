"""From a design and the results of its trials to arrays."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from taller_cnn.study.design import Design, Question, Results
from taller_cnn.study.results import Bools, Bytes, Floats, QuestionResults, Status
from taller_cnn.study.trial import Cell, TrialResult

Rows = list[list[TrialResult | None]]
"""The results of each level's trials; None for one that has not run."""


def gather(design: Design, results: Results) -> tuple[QuestionResults, ...]:
    """What the trials of each question came to, as far as they have run.

    Args:
        design: the study.
        results: of its trials, by their key.
    """
    return tuple(_question(design, question, results) for question in design.questions)


def _question(design: Design, question: Question, results: Results) -> QuestionResults:
    cells = question.cells
    reference = next((cell for cell in cells if cell.levels == question.reference), cells[0])
    return QuestionResults(
        name=question.name,
        factors=question.factors,
        regime_name=question.regime_name,
        regime=question.regime,
        training=reference.base,
        reference=question.reference,
        levels=tuple(cell.levels for cell in cells),
        values=tuple(cell.values for cell in cells),
        parameters=np.array([cell.parameters for cell in cells]),
        macs=np.array([cell.macs for cell in cells]),
        seeds=question.seeds,
        **_of_pilots(design, question, results),
        **_of_seeds(design, question, results),
        status=dict(_statuses(design, question, results)),
    )


def _of_pilots(design: Design, question: Question, results: Results) -> dict[str, Any]:
    """The arrays of the pilots, ``[L, R, P]``."""
    tried = [_tried(design, cell, results) for cell in question.cells]
    rates = sorted(set().union(*tried))
    shape = (len(tried), len(rates), len(question.pilot_seeds))
    rows: Rows = [
        [
            results.get(design.key(cell.pilot(rate, seed))) if rate in of_cell else None
            for rate, seed in itertools.product(rates, question.pilot_seeds)
        ]
        for cell, of_cell in zip(question.cells, tried, strict=True)
    ]
    is_tried = np.array([[rate in of_cell for rate in rates] for of_cell in tried], dtype=np.bool_)
    return {
        "rates": np.array(rates, dtype=float),
        "pilot_errors": _numbers(rows, lambda r: _share(r.pilot_errors, r.pilot_n)).reshape(shape),
        "pilot_failed": _are(rows, "failed").reshape(shape),
        "pilot_missing": _are(rows, "missing").reshape(shape) & is_tried.reshape(*shape[:2], 1),
        "pilot_n": max((one.pilot_n or 0 for row in rows for one in row if one), default=0),
    }


def _of_seeds(design: Design, question: Question, results: Results) -> dict[str, Any]:
    """The arrays of the trials that are compared, ``[L, S]``."""
    chosen = [design.chosen_rate(cell, results) for cell in question.cells]
    rows: Rows = [
        [
            None if rate is None else results.get(design.key(cell.fresh(rate, seed)))
            for seed in question.seeds
        ]
        for cell, rate in zip(question.cells, chosen, strict=True)
    ]
    judged_n = max((one.judged_n or 0 for row in rows for one in row if one), default=0)
    return {
        "chosen": np.array([math.nan if rate is None else rate for rate in chosen]),
        "errors": _numbers(rows, lambda r: _share(r.judged_errors, r.judged_n)),
        "seen_errors": _numbers(rows, lambda r: _share(r.seen_errors, r.seen_n)),
        "failed": _are(rows, "failed"),
        "missing": _are(rows, "missing"),
        "wrong": _packed(rows, judged_n),
        "judged_n": judged_n,
        "train_seconds": _numbers(rows, lambda r: r.train_seconds),
        "peak_memory_mb": _numbers(rows, lambda r: r.peak_memory_mb),
        "curves": tuple(tuple(one.curve if one else None for one in row) for row in rows),
    }


def _tried(design: Design, cell: Cell, results: Results) -> tuple[float, ...]:
    """Multiples of the learning rate that the cell has pilots at; none if it has no pilots."""
    return design.tried_rates(cell, results) if cell.has_pilots else ()


def _share(errors: int | None, count: int | None) -> float | None:
    return None if errors is None or not count else errors / count


def _numbers(rows: Rows, number: Callable[[TrialResult], float | None]) -> Floats:
    """A number of each trial; NaN where it has none."""
    known = [[number(result) if result else None for result in row] for row in rows]
    return np.array(known, dtype=float)


def _are(rows: Rows, status: Status) -> Bools:
    known = [[(result.status if result else "missing") == status for result in row] for row in rows]
    return np.array(known, dtype=np.bool_)


def _packed(rows: Rows, judged_n: int) -> Bytes:
    """Packed bits of which digits are wrong, ``[L, S, bytes]``; zeros without a result."""
    size = math.ceil(judged_n / 8)
    packed = b"".join((r and r.judged_wrong) or bytes(size) for row in rows for r in row)
    return np.frombuffer(packed, dtype=np.uint8).reshape(len(rows), len(rows[0]), size)


def _statuses(design: Design, question: Question, results: Results) -> Iterator[tuple[str, Status]]:
    """The status of each trial that the question is known to need, by its key."""
    for cell in question.cells:
        rates = _tried(design, cell, results)
        pilots = [cell.pilot(r, seed) for r in rates for seed in question.pilot_seeds]
        chosen = design.chosen_rate(cell, results)
        fresh = [cell.fresh(1.0 if chosen is None else chosen, seed) for seed in question.seeds]
        for trial in pilots if chosen is None else (*pilots, *fresh):
            result = results.get(design.key(trial))
            yield design.key(trial), (result.status if result else "missing")
        if chosen is None:
            for trial in fresh:
                # Its key hangs on the rate; it is one trial that is missing, whatever the rate.
                yield f"{design.key(trial)}, at a rate to be chosen", "missing"
