"""A study of ten trials on the sample, for tests that run it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from taller_cnn.data import Digits, DigitsPlace
from taller_cnn.study import (
    Design,
    Event,
    Plan,
    Store,
    StudyDigits,
    TrialResult,
    build,
    run_study,
    tabulate,
)

FULL = StudyDigits(
    name="mnist", source="full", checksum="digits", train_n=55_000, validation_n=5000
)
SAMPLE = StudyDigits(
    name="mnist", source="sample", checksum="sample", train_n=3500, validation_n=500
)
TIMES = ["train_seconds", "peak_memory_mb"]
PLAN: dict[str, Any] = {
    "name": "small",
    "regimes": {
        "short": {"train_n": 128, "precision": "float32"},
        "overfit": {"train_n": 64, "epochs": 2, "seeds": 2, "precision": "float32"},
    },
    "questions": [
        {"factors": ["learning-rate"], "levels": {"learning-rate": ["x1/3", "x3"]}, "seeds": 2},
        {"factors": ["dropout"], "levels": {"dropout": ["0"]}},
    ],
}
"""Two questions without pilots that share no trial, 6 + 4."""


def small_design(digits: Digits, plan: Mapping[str, Any] = PLAN) -> Design:
    """The design of a plan with these digits."""
    return build(Plan.from_dict(plan), StudyDigits.of(digits))


def open_store(folder: Path) -> Store:
    return Store(folder, is_writer=True)


def study(design: Design, place: DigitsPlace, store: Store, **values: Any) -> Iterator[Event]:
    return run_study(design, place, store, **{"stop": threading.Event(), **values})


def of_kind(events: list[Event], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def kept(design: Design, store: Store) -> dict[str, TrialResult]:
    """The design's results that are in the store, by key."""
    results = store.results
    keys = map(design.key, design.trials(results))
    return {key: results[key] for key in keys if key in results}


def numbers(design: Design, store: Store) -> pd.DataFrame:
    """The table without what depends on the moment."""
    return tabulate(design, store.results).drop(columns=TIMES)
