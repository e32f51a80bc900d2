"""Which levels lead while a study is running, by validation error alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

from taller_cnn.study.design import Cell, Design, Question
from taller_cnn.study.trial import TrialResult


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A level with the mean of its trials so far, at its best learning rate."""

    question: str
    levels: tuple[str, ...]
    validation_error: float
    """Fraction wrong, 0 to 1."""
    trials: int


class Standings:
    """Best and worst levels of each question so far."""

    def __init__(self, design: Design, results: Mapping[str, TrialResult]) -> None:
        self._design = design
        self._errors: dict[str, float] = {}
        self._question_of: dict[str, Question] = {}
        for question in reversed(design.questions):
            for cell in question.cells:
                for trial in cell.trials.values():
                    self._question_of[design.key(trial)] = question
        for key, result in results.items():
            self._note(key, result)

    def add(self, key: str, result: TrialResult) -> tuple[Standing | None, Standing | None]:
        """Count a result in; best and worst of the first question that it belongs to."""
        self._note(key, result)
        question = self._question_of[key]
        standings = [s for cell in question.cells if (s := self._standing(question, cell))]
        by_error = sorted(standings, key=lambda standing: standing.validation_error)
        return (by_error[0], by_error[-1]) if by_error else (None, None)

    def _note(self, key: str, result: TrialResult) -> None:
        if result.validation_error is not None:
            self._errors[key] = result.validation_error

    def _standing(self, question: Question, cell: Cell) -> Standing | None:
        groups = [list(self._cell_errors(cell, rate)) for rate in cell.rates]
        means = [(fmean(group), len(group)) for group in groups if group]
        if not means:
            return None
        error, trials = min(means)
        return Standing(
            question=question.name, levels=cell.levels, validation_error=error, trials=trials
        )

    def _cell_errors(self, cell: Cell, rate: float) -> Iterable[float]:
        for (trial_rate, _), trial in cell.trials.items():
            key = self._design.key(trial)
            if trial_rate == rate and key in self._errors:
                yield self._errors[key]
