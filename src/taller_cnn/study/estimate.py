"""How long trials take, from a few that were timed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from taller_cnn.study.design import Trial
from taller_cnn.study.trial import SEEN_DIGITS, evaluated_epochs

EVALUATION_SHARE = 0.35
"""Time of evaluating an image as a part of that of training on it: forward without backward."""
MACS_ALREADY = 500_000
"""Multiply-accumulates that take as long as what an image costs whatever the network: a first
guess, from measurements on AVX2, that the calibration replaces."""


@dataclass(frozen=True)
class Evaluated:
    """How many digits each trial is evaluated on."""

    validation: int
    test: int
    train: int = 0
    """Training digits without the held-out ones, which folds share out together with these."""

    def work(self, trial: Trial) -> float:
        """Images that a trial passes through its network, counted as trained ones."""
        times = len(evaluated_epochs(trial))
        seen = min(trial.train_n, SEEN_DIGITS) if trial.has_gap else 0
        judged = self.validation
        if trial.folds:
            judged = math.ceil((self.train + self.validation) / trial.folds)
        images = times * judged + self.test + seen
        return trial.images + EVALUATION_SHARE * images


def calibration_trials(trials: Sequence[Trial], evaluated: Evaluated) -> tuple[Trial, ...]:
    """A small and a large network, each the quickest trial of its kind; one if all are alike."""
    if not trials:
        return ()
    ordered = sorted(trials, key=lambda t: (t.macs, evaluated.work(t)))
    small = ordered[0]
    large = min((t for t in trials if t.macs == ordered[-1].macs), key=evaluated.work)
    return (small,) if small == large else (small, large)


class Clock:
    """Seconds that trials take: a part per image and a part per multiply-accumulate.

    Args:
        evaluated: how many digits each trial is evaluated on.
    """

    def __init__(self, evaluated: Evaluated) -> None:
        self.evaluated = evaluated
        self._per_image = 1e-4
        self._per_mac = self._per_image / MACS_ALREADY
        self._correction = 1.0
        self._expected = self._taken = 0.0

    def calibrate(self, timed: Sequence[tuple[Trial, float]]) -> None:
        """Fit both parts to trials and the seconds they took."""
        if not timed:
            return
        points = sorted((t.macs, seconds / self.evaluated.work(t)) for t, seconds in timed)
        (low, cheap), (high, dear) = points[0], points[-1]
        # Timings of a busy machine may cross; time never falls with the work.
        self._per_mac = max(dear - cheap, 0.0) / (high - low) if high > low else 0.0
        self._per_image = max(cheap - self._per_mac * low, 0.0)

    def learn(self, trial: Trial, seconds: float) -> None:
        """Correct the estimate by what a further trial took."""
        self._expected += self._raw(trial)
        self._taken += seconds
        if self._expected > 0 and self._taken > 0:
            self._correction = self._taken / self._expected

    def seconds(self, trial: Trial) -> float:
        """Seconds that the trial takes on one worker."""
        return self._raw(trial) * self._correction

    def left(self, trials: Iterable[Trial], slots: int) -> float:
        """Seconds until all of `trials` are done on `slots` workers at once."""
        times = [self.seconds(trial) for trial in trials]
        # Never shorter than the longest of them, however many workers there are.
        return max(sum(times) / max(slots, 1), max(times, default=0.0))

    def _raw(self, trial: Trial) -> float:
        return self.evaluated.work(trial) * (self._per_image + self._per_mac * trial.macs)
