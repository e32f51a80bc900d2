"""A study of ten trials on the sample, for tests that run it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from taller_cnn.data import Digits, DigitsPlace
from taller_cnn.study import (
    Design,
    Evaluated,
    Event,
    Store,
    StoreDigits,
    run_study,
)

EVALUATED = Evaluated(validation=500, test=1000)
TIMES = ["train_seconds", "peak_memory_mb"]
PLAN: dict[str, Any] = {
    "name": "small",
    "regimes": {"short": {"train_n": 128}, "overfit": {"train_n": 64, "epochs": 2, "seeds": 2}},
    "questions": [
        {"factors": ["learning-rate"], "levels": {"learning-rate": ["x1/3", "x3"]}, "seeds": 2},
        {"factors": ["dropout"], "levels": {"dropout": ["0"]}},
    ],
}


def open_store(folder: Path, digits: Digits) -> Store:
    identity = StoreDigits(name="mnist", checksum=digits.checksum, train_n=len(digits.train))
    return Store(folder / "estudio.sqlite", identity)


def study(design: Design, place: DigitsPlace, store: Store, **values: Any) -> Iterator[Event]:
    values = {"evaluated": EVALUATED, "stop": threading.Event(), **values}
    return run_study(design, place, store, **values)


def of_kind(events: list[Event], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def numbers(design: Design, store: Store) -> pd.DataFrame:
    """The table without what depends on the moment."""
    return design.table(store.results(design)).drop(columns=TIMES)
