"""Results of studies that were never run, as the arrays that an analysis reads."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.study.plan import REGIMES
from taller_cnn.study.results import Curve, QuestionResults
from taller_cnn.study.trial import Trial

JUDGED = 5000
VALIDATION = 5000
PILOTS = 2
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
    """Expected error of a level at the recipe's learning rate."""
    sd: Callable[[tuple[str, ...]], float] = field(default=lambda _: 0.002)
    gap: Callable[[tuple[str, ...]], float] | None = None
    rate_penalty: Callable[[tuple[str, ...], float], float] = field(
        default=lambda _, rate: 0.004 * (rate != 1)
    )
    """Added to the error of pilots at a rate."""


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


def mistakes(share: float, random: np.random.Generator) -> np.ndarray:
    """Which judging digits a trial gets wrong; most are those that every network gets wrong."""
    weight = np.exp(-np.arange(JUDGED) / 300) + 0.002
    count = int(np.clip(round(share * JUDGED), 1, JUDGED))
    wrong = np.zeros(JUDGED, dtype=bool)
    wrong[random.choice(JUDGED, count, replace=False, p=weight / weight.sum())] = True
    return wrong


def made_results(question: MadeQuestion, seed: int = 0) -> QuestionResults:
    """The results of a question, every trial finished."""
    random = np.random.default_rng(seed)
    cells = tuple(itertools.product(*question.levels))
    costs = [convolution_costs(dict(zip(question.factors, cell, strict=True))) for cell in cells]
    rates = question.rates if len(question.rates) > 1 else ()
    tried = [[[rate] * PILOTS for rate in rates] for _ in cells]
    pilots = np.array(tried).reshape(len(cells), len(rates), PILOTS if rates else 0)
    for level, cell in enumerate(cells):
        for index, rate in enumerate(rates):
            expected = question.error(cell) + question.rate_penalty(cell, rate)
            drawn = expected + random.normal(0, question.sd(cell), PILOTS)
            pilots[level, index] = np.round(np.clip(drawn, 0, 1) * VALIDATION) / VALIDATION
    block = random.normal(0, 0.0005, question.seeds)
    sd = np.array([question.sd(cell) for cell in cells])[:, None]
    expected = np.array([question.error(cell) for cell in cells])[:, None] + block
    shares = expected + sd * random.standard_normal((len(cells), question.seeds))
    wrong = np.array([[mistakes(share, random) for share in row] for row in shares])
    errors = wrong.mean(axis=2)
    seen = np.full(errors.shape, math.nan)
    if question.gap is not None:
        gaps = np.array([question.gap(cell) for cell in cells])[:, None]
        seen = errors - gaps - random.normal(0, 0.001, errors.shape)
    chosen = np.ones(len(cells))
    if rates:
        chosen = np.array(rates)[pilots.mean(axis=2).argmin(axis=1)]
    keys = [f"{question.name}/{cell}/{s}" for cell in cells for s in range(question.seeds)]
    keys += [f"{question.name}/{cell}/p{i}" for cell in cells for i in range(PILOTS * len(rates))]
    return QuestionResults(
        name=question.name,
        factors=question.factors,
        regime_name=question.regime,
        regime=REGIMES[question.regime],
        training=Trial(model=ModelConfig(), train=TrainConfig(), train_n=10_000, judges=JUDGED),
        reference=question.reference,
        levels=cells,
        values=tuple(tuple(map(value, cell)) for cell in cells),
        parameters=np.array([cost[0] for cost in costs]),
        macs=np.array([cost[1] for cost in costs]),
        seeds=tuple(range(question.seeds)),
        rates=np.array(rates),
        pilot_errors=pilots,
        pilot_failed=np.zeros(pilots.shape, dtype=bool),
        pilot_missing=np.zeros(pilots.shape, dtype=bool),
        chosen=chosen,
        errors=errors,
        seen_errors=seen,
        failed=np.zeros(errors.shape, dtype=bool),
        missing=np.zeros(errors.shape, dtype=bool),
        wrong=np.packbits(wrong, axis=2),
        judged_n=JUDGED,
        pilot_n=VALIDATION if rates else 0,
        train_seconds=np.repeat([[2 + cost[1] / 1e6] for cost in costs], question.seeds, axis=1),
        peak_memory_mb=np.full(errors.shape, 300.0),
        curves=tuple(
            tuple(curve(e, s) for e, s in zip(*pair, strict=True))
            for pair in zip(errors, seen, strict=True)
        ),
        status=dict.fromkeys(keys, "ok"),
    )


def value(level: str) -> float | None:
    known = number(level)
    return None if math.isnan(known) else known


def curve(error: float, seen: float) -> Curve:
    level = error if math.isnan(seen) else seen
    return tuple(
        (int(n), 3 * level + 2 * math.exp(-n / 1500), error + 0.4 * math.exp(-n / 1200))
        for n in np.linspace(1000, 10_000, 10)
    )


def without(results: QuestionResults, rows: Any, status: str = "missing") -> QuestionResults:
    """The results without the trials that `rows`, an index of ``[level, seed]``, picks."""
    lost = np.zeros(results.errors.shape, dtype=bool)
    lost[rows] = True
    curves = tuple(
        tuple(None if gone else c for c, gone in zip(own, row, strict=True))
        for own, row in zip(results.curves, lost, strict=True)
    )
    keys = np.array(list(results.status)[: lost.size])[lost.ravel()]
    return dataclasses.replace(
        results,
        errors=np.where(lost, math.nan, results.errors),
        seen_errors=np.where(lost, math.nan, results.seen_errors),
        train_seconds=np.where(lost, math.nan, results.train_seconds),
        peak_memory_mb=np.where(lost, math.nan, results.peak_memory_mb),
        wrong=np.where(lost[:, :, None], np.uint8(0), results.wrong),
        failed=results.failed | (lost & (status == "failed")),
        missing=results.missing | (lost & (status == "missing")),
        curves=curves,
        status={**results.status, **dict.fromkeys(keys, status)},
    )


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
        "gap": lambda cell: 0.05 - 0.03 * number(cell[0]),
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


def default_results(**changes: Any) -> tuple[QuestionResults, ...]:
    """Results like the default study's."""
    made = (crossed, held_filters, held_layers, dropout)
    return tuple(made_results(make(**changes)) for make in made)
