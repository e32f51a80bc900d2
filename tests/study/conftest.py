"""Tables of studies that were never run, with the columns that `Design.table` has."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from small_study import open_store

from taller_cnn.data import Digits, DigitsPlace
from taller_cnn.study import Store

VALIDATION = 5000
RATES = (1 / 3, 1.0, 3.0)


@dataclass(frozen=True, kw_only=True)
class MadeQuestion:
    """A question and what its trials come to; errors and gaps are fractions."""

    name: str
    factors: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    """Names of the levels of each factor."""
    reference: tuple[str, ...]
    regime: str = "short"
    rates: tuple[float, ...] = RATES
    seeds: int = 4
    error: Callable[[tuple[str, ...]], float] = field(default=lambda _: 0.03)
    """Expected validation error of a level at its best learning rate."""
    sd: Callable[[tuple[str, ...]], float] = field(default=lambda _: 0.002)
    gap: Callable[[tuple[str, ...]], float] = field(default=lambda _: 0.0)
    rate_penalty: float = 0.004
    """Added to the error at any rate but x1."""


def number(level: str) -> float:
    """The value of a level's name; NaN for one without."""
    text = level.removeprefix("x")
    try:
        return float(text) if "/" not in text else float(text[0]) / float(text[2:])
    except ValueError:
        return math.nan


def convolution_costs(levels: dict[str, str]) -> tuple[int, int]:
    """Parameters and MACs of the network with these filters and layers, by hand."""
    factor = number(levels.get("filters", levels.get("filters-fc1", "x1")))
    layers = int(levels.get("layers", levels.get("layers-fc1", "2")))
    filters = [max(1, round(n * factor)) for n in (16, 32, 32, 32)[:layers]]
    if "filters-fc1" in levels or "layers-fc1" in levels:
        filters[-1] = 32
    side, channels, parameters, macs = 28, 1, 0, 0
    for count in filters:
        parameters += count * (9 * channels + 1)
        macs += 9 * channels * count * side * side
        side, channels = (side // 2 if side > 7 else side), count
    side = 7 if "layers-fc1" in levels else side
    fc1 = side * side * channels
    return parameters + 128 * (fc1 + 1) + 1290, macs + 128 * fc1 + 1280


def rows_of(question: MadeQuestion, random: np.random.Generator) -> list[dict[str, Any]]:
    block = random.normal(0, 0.0005, question.seeds)
    rows = []
    for cell in itertools.product(*question.levels):
        named = dict(zip(question.factors, cell, strict=True))
        parameters, macs = convolution_costs(named)
        for rate, seed in itertools.product(question.rates, range(question.seeds)):
            expected = question.error(cell) + question.rate_penalty * (rate != 1)
            chance = expected + block[seed] + random.normal(0, question.sd(cell))
            wrong = np.zeros(VALIDATION, dtype=bool)
            # Most mistakes are on digits that every network gets wrong.
            weight = np.exp(-np.arange(VALIDATION) / 300) + 0.002
            count = int(np.clip(round(chance * VALIDATION), 1, VALIDATION))
            wrong[random.choice(VALIDATION, count, replace=False, p=weight / weight.sum())] = True
            error = count / VALIDATION
            gap = question.gap(cell) + random.normal(0, 0.001)
            cells = [*cell, None][:2]
            rows.append(
                {
                    "question": question.name,
                    "regime": question.regime,
                    "level_a": cells[0],
                    "value_a": number(cells[0]),
                    "level_b": cells[1],
                    "value_b": math.nan if cells[1] is None else number(cells[1]),
                    "is_reference": cell == question.reference,
                    "rate": rate,
                    "seed": seed,
                    "key": f"{question.name}/{cell}/{rate:.3f}/{seed}",
                    "status": "ok",
                    "reason": None,
                    "parameters": parameters,
                    "macs": macs,
                    "epochs": 1.0 if question.regime == "short" else 27.0,
                    "folds": 0,
                    "validation_error": error,
                    "test_error": error + random.normal(0, 0.001),
                    "seen_error": error - gap,
                    "gap": gap,
                    "validation_loss": 3 * error,
                    "train_seconds": 2 + macs / 1e6,
                    "peak_memory_mb": 300.0,
                    "images_seen": 10_000,
                    "curve": curve(error, gap),
                    "validation_wrong": np.packbits(wrong).tobytes(),
                }
            )
    return rows


def curve(error: float, gap: float) -> list[tuple[int, float, float | None]]:
    steps = np.linspace(1000, 10_000, 10)
    return [
        (int(n), 3 * (error - gap) + 2 * math.exp(-n / 1500), error + 0.4 * math.exp(-n / 1200))
        for n in steps
    ]


def made_table(*questions: MadeQuestion, seed: int = 0) -> pd.DataFrame:
    """The table of a study with these questions, every trial finished."""
    random = np.random.default_rng(seed)
    return pd.DataFrame([row for question in questions for row in rows_of(question, random)])


def crossed(**changes: Any) -> MadeQuestion:
    """Filters x layers, where both help and the fewest filters lose most."""

    def error(cell: tuple[str, ...]) -> float:
        return 0.024 - 0.005 * math.log2(number(cell[0])) - 0.004 * (number(cell[1]) - 2)

    values: dict[str, Any] = {
        "name": "filters-x-layers",
        "factors": ("filters", "layers"),
        "levels": (("x1/4", "x1/2", "x1", "x2"), ("1", "2", "3", "4")),
        "reference": ("x1", "2"),
        "error": error,
    }
    return MadeQuestion(**{**values, **changes})


def held_filters(**changes: Any) -> MadeQuestion:
    values: dict[str, Any] = {
        "name": "filters-fc1",
        "factors": ("filters-fc1",),
        "levels": (("x1/4", "x1/2", "x1", "x2"),),
        "reference": ("x1",),
        "error": lambda cell: 0.024 - 0.002 * math.log2(number(cell[0])),
    }
    return MadeQuestion(**{**values, **changes})


def held_layers(**changes: Any) -> MadeQuestion:
    values: dict[str, Any] = {
        "name": "layers-fc1",
        "factors": ("layers-fc1",),
        "levels": (("1", "2", "3", "4"),),
        "reference": ("2",),
        "error": lambda cell: 0.024 - 0.0035 * (number(cell[0]) - 2),
    }
    return MadeQuestion(**{**values, **changes})


def dropout(**changes: Any) -> MadeQuestion:
    """Dropout in a regime that overfits: the gap falls, the error hardly."""
    values: dict[str, Any] = {
        "name": "dropout",
        "factors": ("dropout",),
        "levels": (("0", "0.25", "0.5", "0.75"),),
        "reference": ("0.25",),
        "regime": "overfit",
        "rates": (1.0,),
        "seeds": 8,
        "error": lambda cell: 0.05 - 0.002 * number(cell[0]),
        "gap": lambda cell: 0.05 - 0.01 * number(cell[0]),
    }
    return MadeQuestion(**{**values, **changes})


def size(**changes: Any) -> MadeQuestion:
    """Training-set size: the error falls as a power."""
    values: dict[str, Any] = {
        "name": "size",
        "factors": ("size",),
        "levels": (("500", "1000", "2000", "5000", "10000"),),
        "reference": ("2000",),
        "regime": "overfit",
        "rates": (1.0,),
        "seeds": 5,
        "error": lambda cell: 1.6 * number(cell[0]) ** -0.5,
        "gap": lambda cell: 1.4 * number(cell[0]) ** -0.5,
    }
    return MadeQuestion(**{**values, **changes})


@dataclass(frozen=True)
class Maker:
    """What tests make studies with."""

    table: Callable[..., pd.DataFrame] = made_table
    crossed: Callable[..., MadeQuestion] = crossed
    held_filters: Callable[..., MadeQuestion] = held_filters
    held_layers: Callable[..., MadeQuestion] = held_layers
    dropout: Callable[..., MadeQuestion] = dropout
    size: Callable[..., MadeQuestion] = size
    question: type[MadeQuestion] = MadeQuestion

    def default(self, **changes: Any) -> pd.DataFrame:
        """A table like the default study's."""
        made = (crossed, held_filters, held_layers, dropout)
        return made_table(*(make(**changes) for make in made))


@pytest.fixture(scope="session")
def maker() -> Maker:
    """Makes tables of studies."""
    return Maker()


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """Trials set the threads of their process, which here is the test's."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def place(sample_dir: Path) -> DigitsPlace:
    return DigitsPlace(source="sample", data_dir=sample_dir / "none", sample_dir=sample_dir)


@pytest.fixture
def store(tmp_path: Path, sample_digits: Digits) -> Iterator[Store]:
    with open_store(tmp_path, sample_digits) as opened:
        yield opened
