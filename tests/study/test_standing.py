"""Which levels are said to lead while a study runs."""

from __future__ import annotations

from taller_cnn.study import Design, TrialResult, build, plan_of
from taller_cnn.study.standing import Standing, Standings

DESIGN = build(
    plan_of(["filters=x1/2", "layers=1"], cross=False).with_seeds(2),
    available=3500,
    checksum="digits",
)


def result(error: float) -> TrialResult:
    return TrialResult(status="ok", validation_error=error)


def key(design: Design, question: int, level: str, rate: float, seed: int) -> str:
    (cell,) = (c for c in design.questions[question].cells if c.levels == (level,))
    return design.key(cell.trials[rate, seed])


def test_each_level_stands_with_its_best_learning_rate() -> None:
    standings = Standings(DESIGN, {})
    standings.add(key(DESIGN, 0, "x1/2", 3.0, 0), result(0.9))
    standings.add(key(DESIGN, 0, "x1/2", 1.0, 0), result(0.10))
    standings.add(key(DESIGN, 0, "x1/2", 1.0, 1), result(0.20))
    best, worst = standings.add(key(DESIGN, 0, "x1", 1.0, 0), result(0.05))
    assert best == Standing(question="filters", levels=("x1",), validation_error=0.05, trials=1)
    assert worst is not None
    assert (worst.levels, worst.trials) == (("x1/2",), 2)
    assert abs(worst.validation_error - 0.15) < 1e-12


def test_failures_do_not_count() -> None:
    standings = Standings(DESIGN, {})
    failed = TrialResult(status="failed", reason="diverged")
    assert standings.add(key(DESIGN, 0, "x1", 1.0, 0), failed) == (None, None)


def test_what_the_store_has_counts_and_questions_are_apart() -> None:
    before = {key(DESIGN, 0, "x1/2", 1.0, 0): result(0.5), key(DESIGN, 1, "1", 1.0, 0): result(0.9)}
    best, worst = Standings(DESIGN, before).add(key(DESIGN, 0, "x1", 1.0, 0), result(0.1))
    assert best is not None
    assert worst is not None
    assert (best.levels, worst.levels) == (("x1",), ("x1/2",))
