"""Running a study: what can be run next, pilots first, each result kept as soon as it is there."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taller_cnn.data import DigitsPlace
from taller_cnn.errors import InterruptedRunError, Phrase, TallerError
from taller_cnn.files import check_writable
from taller_cnn.study.cluster import Crew, open_client
from taller_cnn.study.design import Design
from taller_cnn.study.store import Store
from taller_cnn.study.trial import Trial, TrialResult
from taller_cnn.study.worker import (
    SEEN_DIGITS,
    Refusal,
    Requirements,
    curve_epochs,
    program_version,
)

if TYPE_CHECKING:
    from distributed import Future

FREE_BYTES = 50_000_000
"""Free disk asked for before a study; 1,000 trials with their curves and bits take about 5 MB."""
WAIT_SECONDS = 0.5
"""Longest wait before it is seen whether to stop and who has come and gone."""
PATIENCE_SECONDS = 60.0
"""How long to wait for a first worker that may work, or for another one when the last has gone."""

EVALUATION_SHARE = 0.35
"""Time of evaluating an image as a part of that of training on it: forward without backward."""
MACS_ALREADY = 500_000
"""Multiply-accumulates that take as long as what an image costs whatever the network: measured on
AVX2, and good enough to tell about how long the rest takes."""


@dataclass(frozen=True, kw_only=True)
class StudyStarted:
    """What is about to be run."""

    done: int
    """Trials that are in the store already."""
    of: int
    is_forecast: bool
    """Whether learning rates are to be chosen yet: further pilots may follow, and `of` is about."""
    local_workers: int
    """Processes started on this machine; 0 with a scheduler, or with nothing to run."""


@dataclass(frozen=True, kw_only=True)
class WorkerJoined:
    """A worker may be given trials from now on."""

    address: str
    slots: int
    """Trials that it runs at once: its threads."""


@dataclass(frozen=True, kw_only=True)
class WorkerRefused:
    """A worker would give other numbers, or cannot work at all; it is sent home."""

    address: str
    reason: Phrase


@dataclass(frozen=True, kw_only=True)
class WorkerLost:
    """A worker has died or left; what it was doing is done again elsewhere."""

    address: str


@dataclass(frozen=True, kw_only=True)
class TrialDone:
    """A trial is finished and kept."""

    trial: Trial
    result: TrialResult
    done: int
    of: int
    """It grows when pilots at further learning rates follow."""
    is_forecast: bool
    """As in `StudyStarted`."""
    seconds_left: float | None
    """About; None as long as nothing tells."""


@dataclass(frozen=True, kw_only=True)
class StudyDone:
    """All trials of the design are in the store."""

    trials: int
    failed: int
    seconds: float
    """Of this run alone."""


Event = StudyStarted | WorkerJoined | WorkerRefused | WorkerLost | TrialDone | StudyDone


def run_study(
    design: Design,
    place: DigitsPlace,
    store: Store,
    *,
    stop: threading.Event,
    scheduler: str | None = None,
    workers: int | None = None,
) -> Generator[Event, None, None]:
    """Run what is missing of a design; iterate to make it go on.

    Args:
        design: what to run.
        place: where the workers find the digits: absolute paths, the same on every machine.
        store: where results are and are kept.
        stop: when set, what is under way is given up and the study ends.
        scheduler: address of a dask scheduler; None: worker processes on this machine.
        workers: how many of those; None: one for each core.

    Raises:
        InterruptedRunError: `stop` was set; what was finished is kept.
        OutputError: the folder cannot be written, or has too little space.
        TallerError: the scheduler does not answer, or no worker may work.
    """
    began = time.perf_counter()
    check_writable(store.folder, FREE_BYTES)
    study = _Study(design, store, stop)
    local = 0 if scheduler else min(workers or _cores(), study.of - study.done)
    yield StudyStarted(
        done=study.done, of=study.of, is_forecast=study.is_forecast, local_workers=local
    )
    if study.done < study.of:
        needed = Requirements(
            place=place, checksum=design.digits.checksum, version=program_version()
        )
        with open_client(scheduler, local) as client:
            yield from study.run(Crew(client, needed, scheduler))
    results = study.results
    trials = design.trials(results)
    failed = sum(results[design.key(trial)].status != "ok" for trial in trials)
    yield StudyDone(trials=len(trials), failed=failed, seconds=time.perf_counter() - began)


def _cores() -> int:
    """Cores that this process may use, also inside a container."""
    from dask.system import CPU_COUNT

    return int(CPU_COUNT)


class _Study:
    """Hands out trials and takes results in.

    About as many trials are handed out as there are threads: a worker's death counts against every
    trial that dask has given to it, and a kill of this process loses those that are under way.
    """

    def __init__(self, design: Design, store: Store, stop: threading.Event) -> None:
        self._design, self._store, self._stop = design, store, stop
        # What failed in a way that another try may avoid counts as not run.
        self.results = {k: result for k, result in store.results.items() if result.is_final}
        self._pace = _Pace(design)
        self._in_flight: dict[Trial, Future[Any]] = {}
        self._tries = itertools.count()
        self._workers: dict[str, int] = {}
        self._refused: dict[str, Phrase] = {}
        self._count()

    def _count(self) -> None:
        """See what is to be run now, and how far the study is."""
        expected = self._design.expected_trials(self.results)
        self._left = [t for t in expected if self._design.key(t) not in self.results]
        self.of, self.done = len(expected), len(expected) - len(self._left)
        self.is_forecast = len(self._design.trials(self.results)) < self.of

    @property
    def _slots(self) -> int:
        """Trials that all workers together run at once."""
        return sum(self._workers.values())

    def run(self, crew: Crew) -> Generator[Event, None, None]:
        """Run all that is missing."""
        lonely_since = time.perf_counter()
        while True:
            yield from self._look_around(crew)
            if not self._hand_out(crew):
                return
            if self._slots:
                lonely_since = time.perf_counter()
            elif time.perf_counter() - lonely_since > PATIENCE_SECONDS:
                raise self._nobody_works()
            if self._in_flight:
                crew.wait(self._in_flight.values(), WAIT_SECONDS)
            else:
                self._stop.wait(WAIT_SECONDS)
            if self._stop.is_set():
                raise InterruptedRunError("study_interrupted", done=self.done, of=self.of)
            for trial in [t for t, future in self._in_flight.items() if future.done()]:
                yield from self._take_in(trial, crew)

    def _hand_out(self, crew: Crew) -> bool:
        """Give the threads that are free the pilots and then the longest trials that wait.

        Returns:
            Whether anything is under way or waits.
        """
        ready = [t for t in self._design.next_trials(self.results) if t not in self._in_flight]
        ready.sort(key=lambda trial: (trial.is_pilot, self._pace.work(trial)), reverse=True)
        for trial in ready[: max(self._slots - len(self._in_flight), 0)]:
            name = f"trial-{self._design.key(trial)[:16]}-{next(self._tries)}"
            priority = int(self._pace.work(trial) // MACS_ALREADY)
            self._in_flight[trial] = crew.submit(trial.to_dict(), name, priority)
        return bool(ready or self._in_flight)

    def _look_around(self, crew: Crew) -> Generator[Event, None, None]:
        """See who has come and gone."""
        threads = crew.threads()
        present = {a: n for a, n in threads.items() if a not in self._refused}
        before, self._workers = self._workers, present
        for address in before.keys() - threads.keys():
            yield WorkerLost(address=address)
        for address in sorted(present.keys() - before.keys()):
            yield WorkerJoined(address=address, slots=present[address])

    def _nobody_works(self) -> TallerError:
        if not self._refused:
            return TallerError("study_no_workers", seconds=PATIENCE_SECONDS)
        reason = next(reversed(self._refused.values()))
        return TallerError("study_all_refused", n=len(self._refused), reason=reason)

    def _take_in(self, trial: Trial, crew: Crew) -> Generator[Event, None, None]:
        """Keep a result, or have the trial run by another worker."""
        outcome = crew.outcome(self._in_flight[trial])
        if outcome is None:
            return
        self._in_flight.pop(trial).release()
        if isinstance(outcome, Refusal):
            yield from self._refuse(outcome, crew)
            return
        key = self._design.key(trial)
        self._store.add(key, trial, outcome)
        self.results[key] = outcome
        self._pace.learn(trial, outcome)
        self._count()
        yield TrialDone(
            trial=trial,
            result=outcome,
            done=self.done,
            of=self.of,
            is_forecast=self.is_forecast,
            seconds_left=self._pace.seconds_left(self._left, self._slots),
        )

    def _refuse(self, refusal: Refusal, crew: Crew) -> Generator[Event, None, None]:
        """Send a worker home, and say why the first time."""
        address = refusal.address
        if address not in self._refused:
            yield WorkerRefused(address=address, reason=refusal.reason)
        self._refused[address] = refusal.reason
        self._workers.pop(address, None)
        crew.retire(address)


class _Pace:
    """About how long trials take, from those that were run."""

    def __init__(self, design: Design) -> None:
        self._validation_n = design.digits.validation_n
        self._work = self._seconds = 0.0

    def work(self, trial: Trial) -> float:
        """Multiply-accumulates that a trial comes to, with all else counted as such."""
        judging = self._validation_n if trial.is_pilot else trial.judges
        seen = min(trial.train_n, SEEN_DIGITS) if trial.sees_digits_again else 0
        evaluated = judging + seen + len(curve_epochs(trial)) * self._validation_n
        images = trial.images + EVALUATION_SHARE * evaluated
        return images * (trial.macs + MACS_ALREADY)

    def learn(self, trial: Trial, result: TrialResult) -> None:
        """Note what a trial took; one that failed may have ended early."""
        if result.status == "ok" and result.wall_seconds:
            self._work += self.work(trial)
            self._seconds += result.wall_seconds

    def seconds_left(self, trials: list[Trial], slots: int) -> float | None:
        """Seconds until all of `trials` are done, so many at once; None before any was."""
        if not self._work:
            return None
        seconds = [self.work(trial) * self._seconds / self._work for trial in trials]
        # Never shorter than the longest of them, however many workers there are.
        return max(sum(seconds) / max(slots, 1), max(seconds, default=0.0))
