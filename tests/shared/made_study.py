"""Studies that were never run: answers made by hand, for tests of words and pictures."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from taller_cnn.study.results import (
    Bend,
    Effect,
    Estimate,
    FTest,
    Interaction,
    Level,
    QuestionAnalysis,
    QuestionResults,
    RateResult,
    Spread,
    StudyAnalysis,
    Trend,
)

HALF = 0.3
"""Points from the middle to the end of an interval, where nothing else is asked for."""


def number(level: str) -> float | None:
    """The value of a level's name; None for one without."""
    text = level.removeprefix("x")
    try:
        return float(text) if "/" not in text else float(text[0]) / float(text[2:])
    except ValueError:
        return None


def convolution_costs(levels: Mapping[str, str]) -> tuple[int, int]:
    """Parameters and MACs of the network with these filters and layers, by hand."""
    factor = number(levels.get("filters", levels.get("filters-fc1", "x1"))) or 1
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


def training(
    *,
    digits: int = 10_000,
    epochs: float = 1.0,
    steps: int = 79,
    recipe: str = "quick",
    precision: str = "float32",
) -> Any:
    """What texts read of a trial."""
    train = SimpleNamespace(recipe=recipe, epochs=epochs, precision=precision)
    return SimpleNamespace(train_n=digits, steps=steps, train=train)


SHORT = training()
OVERFIT = training(digits=2_000, epochs=27.0, steps=864, recipe="workshop")
LONG = training(digits=35_000, epochs=2.0, steps=548)

Cell = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class MadeQuestion:
    """A question and its answers; errors and gaps are fractions."""

    factors: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    """Names of the levels of each factor."""
    reference: Cell
    training: Any = field(default_factory=training)
    regime_name: str = "short"
    rates: tuple[float, ...] = (1 / 3, 1.0, 3.0)
    chosen: float = 1.0
    seeds: int = 4
    error: Callable[[Cell], float] = lambda _: 0.03
    gap: Callable[[Cell], float] | None = None
    half: float = HALF
    bends: tuple[Bend, ...] = ()
    interaction: Interaction | None = None

    @property
    def name(self) -> str:
        return "-x-".join(self.factors)

    @property
    def cells(self) -> tuple[Cell, ...]:
        return tuple(itertools.product(*self.levels))


def made(*questions: MadeQuestion, seed: int = 0) -> StudyAnalysis:
    """A study with these answers."""
    random = np.random.default_rng(seed)
    return StudyAnalysis(questions=tuple(_answered(question, random) for question in questions))


def estimate(value: float, half: float = HALF, seeds: int = 4) -> Estimate:
    """A difference in points with its interval; with one seed there is none."""
    if seeds < 2 or math.isnan(value):
        return Estimate(value=value)
    p = 0.001 if abs(value) > half else 0.4
    return Estimate(value=value, low=value - half, high=value + half, p=p, detectable=1.4 * half)


def _answered(question: MadeQuestion, random: np.random.Generator) -> QuestionAnalysis:
    results = _results(question, random)
    levels = tuple(_level(question, results, i) for i in range(len(question.cells)))
    middle = question.cells.index(question.reference)

    def difference(of: Callable[[Cell], float], cell: Cell) -> Estimate:
        value = 100 * (of(cell) - of(question.reference))
        return estimate(value, question.half, question.seeds)

    effects = tuple(
        Effect(
            levels=level.levels,
            error=difference(question.error, level.levels),
            gap=difference(question.gap, level.levels) if question.gap else None,
            parameters_ratio=level.parameters / levels[middle].parameters,
            macs_ratio=level.macs / levels[middle].macs,
        )
        for level in levels
        if not level.is_reference
    )
    return QuestionAnalysis(
        results=results,
        levels=levels,
        effects=effects,
        trends=_trends(question),
        bends=question.bends,
        interaction=question.interaction,
        critical=2.5 if question.seeds > 1 else math.nan,
        df=3 * len(levels) if question.seeds > 1 else 0,
        residual_sd=0.2,
        unequal_spread_p=0.5,
    )


def _trends(question: MadeQuestion) -> tuple[Trend, ...]:
    """Slope of the errors over the numbers of a factor, at the reference of the other."""
    trends = []
    for at, factor in enumerate(question.factors):
        units = {"filters": "doubling", "layers": "layer"}
        per: Any = units.get(factor.removesuffix("-fc1"))
        if per is None or len(question.levels[at]) < 3:
            continue
        values = [number(level) or 0 for level in question.levels[at]]
        x = np.log2(values) if per == "doubling" else np.array(values)
        cells = [
            (*question.reference[:at], level, *question.reference[at + 1 :])
            for level in question.levels[at]
        ]
        slope = float(np.polyfit(x, [100 * question.error(cell) for cell in cells], 1)[0])
        error = estimate(slope, question.half / 3, question.seeds)
        trends.append(Trend(factor=factor, per=per, error=error, gap=None, values=tuple(values)))
    return tuple(trends)


def _results(question: MadeQuestion, random: np.random.Generator) -> QuestionResults:
    cells, seeds = question.cells, question.seeds
    shape = len(cells), seeds
    errors = np.array([[question.error(cell)] * seeds for cell in cells])
    errors = np.clip(errors + random.normal(0, 0.001, shape), 0.0005, None)
    seen = np.full(shape, np.nan)
    if question.gap:
        seen = errors - np.array([[question.gap(cell)] * seeds for cell in cells])
        seen = np.clip(seen + random.normal(0, 0.0005, shape), 0, None)
    rates = np.array(question.rates if len(question.rates) > 1 else ())
    pilots = np.array([[[question.error(c)] * 2 for _ in rates] for c in cells])
    pilots = pilots.reshape(len(cells), len(rates), 2)
    pilots += 0.004 * (rates != question.chosen)[None, :, None]
    named = [dict(zip(question.factors, cell, strict=True)) for cell in cells]
    costs = np.array([convolution_costs(levels) for levels in named])
    n = question.training.train_n
    return QuestionResults(
        name=question.name,
        factors=question.factors,
        regime_name=question.regime_name,
        regime=SimpleNamespace(),  # type: ignore[arg-type]
        training=question.training,
        reference=question.reference,
        levels=cells,
        values=tuple(tuple(map(number, cell)) for cell in cells),
        parameters=costs[:, 0],
        macs=costs[:, 1],
        seeds=tuple(range(seeds)),
        rates=rates,
        pilot_errors=pilots,
        pilot_failed=np.zeros(pilots.shape, dtype=bool),
        pilot_missing=np.zeros(pilots.shape, dtype=bool),
        chosen=np.full(len(cells), question.chosen),
        errors=errors,
        seen_errors=seen,
        failed=np.zeros(shape, dtype=bool),
        missing=np.zeros(shape, dtype=bool),
        wrong=np.zeros((*shape, 2500), dtype=np.uint8),
        judged_n=20_000,
        pilot_n=5_000,
        train_seconds=np.full(shape, 2.0),
        peak_memory_mb=np.full(shape, 300.0),
        curves=tuple(tuple(curve(float(e), n) for e in row) for row in errors),
        status={f"{question.name}/{c}/{s}": "ok" for c in cells for s in range(seeds)},
    )


def curve(error: float, digits: int) -> tuple[tuple[int, float, float | None], ...]:
    """Ten points: digits seen, training loss, error."""
    steps = np.linspace(digits / 10, digits, 10)
    return tuple(
        (
            int(x),
            3 * error + 2 * math.exp(-10 * x / digits),
            error + 0.4 * math.exp(-8 * x / digits),
        )
        for x in steps
    )


def _level(question: MadeQuestion, results: QuestionResults, at: int) -> Level:
    rates = tuple(
        RateResult(rate=float(rate), validation_error=spread(row), failed=0, missing=0)
        for rate, row in zip(results.rates, results.pilot_errors[at], strict=True)
    )
    return Level(
        levels=results.levels[at],
        values=results.values[at],
        is_reference=results.levels[at] == question.reference,
        rate=question.chosen,
        rates=rates,
        failed=0,
        missing=0,
        error=spread(results.errors[at]),
        seen_error=spread(results.seen_errors[at]),
        gap=spread(results.gaps[at]),
        parameters=int(results.parameters[at]),
        macs=int(results.macs[at]),
        train_seconds=2.0,
        peak_memory_mb=300.0,
    )


def spread(values: Any) -> Spread:
    """Mean and standard deviation of what is known."""
    known = values[~np.isnan(values)]
    mean = float(known.mean()) if len(known) else math.nan
    sd = float(known.std(ddof=1)) if len(known) > 1 else math.nan
    return Spread(mean=mean, sd=sd, n=len(known))


def with_levels(question: QuestionAnalysis, change: Callable[[Level], Level]) -> QuestionAnalysis:
    """The question with other levels."""
    return replace(question, levels=tuple(change(level) for level in question.levels))


def study_of(*questions: QuestionAnalysis) -> StudyAnalysis:
    """A study of these questions."""
    return StudyAnalysis(questions=questions)


# ------------------------------------------------------------------------ usual questions


def _question(usual: Mapping[str, Any], changes: Mapping[str, Any]) -> MadeQuestion:
    return MadeQuestion(**{**usual, **changes})


def bend(factor: str, difference: float, half: float = HALF) -> Bend:
    """Slope above the reference less slope below it, in points."""
    return Bend(
        factor=factor,
        per="layer" if factor.startswith("layers") else "doubling",
        below=-difference,
        above=0.0,
        error=estimate(difference, half),
    )


def interaction(points: float, log_odds: float) -> Interaction:
    """Of filters and layers, with these p-values."""
    tests: Sequence[FTest] = [FTest(f=2.0, df=9, df_residual=45, p=p) for p in (points, log_odds)]
    return Interaction(factors=("filters", "layers"), points=tests[0], log_odds=tests[1])


def crossed(**changes: Any) -> MadeQuestion:
    """Filters x layers, where both help and the fewest filters lose most."""

    def error(cell: Cell) -> float:
        return 0.024 - 0.005 * math.log2(number(cell[0]) or 1) - 0.004 * (int(cell[1]) - 2)

    usual = {
        "factors": ("filters", "layers"),
        "levels": (("x1/4", "x1/2", "x1", "x2"), ("1", "2", "3", "4")),
        "reference": ("x1", "2"),
        "error": error,
        "interaction": interaction(0.4, 0.6),
    }
    return _question(usual, changes)


def held_filters(**changes: Any) -> MadeQuestion:
    usual = {
        "factors": ("filters-fc1",),
        "levels": (("x1/4", "x1/2", "x1", "x2"),),
        "reference": ("x1",),
        "error": lambda cell: 0.024 - 0.002 * math.log2(number(cell[0]) or 1),
    }
    return _question(usual, changes)


def held_layers(**changes: Any) -> MadeQuestion:
    usual = {
        "factors": ("layers-fc1",),
        "levels": (("1", "2", "3", "4"),),
        "reference": ("2",),
        "error": lambda cell: 0.024 - 0.0035 * (int(cell[0]) - 2),
    }
    return _question(usual, changes)


def dropout(**changes: Any) -> MadeQuestion:
    """Dropout where there is overfitting: the gap falls, the error hardly."""
    usual = {
        "factors": ("dropout",),
        "levels": (("0", "0.25", "0.5", "0.75"),),
        "reference": ("0.25",),
        "training": OVERFIT,
        "regime_name": "overfit",
        "rates": (1.0,),
        "seeds": 8,
        "error": lambda cell: 0.05 - 0.002 * float(cell[0]),
        "gap": lambda cell: 0.05 - 0.016 * float(cell[0]),
    }
    return _question(usual, changes)


def size(**changes: Any) -> MadeQuestion:
    """Training-set size: the error falls as a power."""
    usual = {
        "factors": ("size",),
        "levels": (("500", "1000", "2000", "5000", "10000", "35000"),),
        "reference": ("2000",),
        "training": OVERFIT,
        "regime_name": "overfit",
        "rates": (1.0,),
        "seeds": 5,
        "error": lambda cell: 1.6 * float(cell[0]) ** -0.5,
        "gap": lambda cell: 1.4 * float(cell[0]) ** -0.5,
    }
    return _question(usual, changes)


def default(**changes: Any) -> StudyAnalysis:
    """A study like the default one."""
    return made(*(make(**changes) for make in (crossed, held_filters, held_layers, dropout)))
