"""Running a study: what is missing, longest first, each result kept as soon as it is there."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from taller_cnn.data import DigitsPlace
from taller_cnn.errors import InterruptedRunError, TallerError
from taller_cnn.files import check_writable
from taller_cnn.study.cluster import (
    Crew,
    WorkerJoined,
    WorkerLost,
    WorkerRefused,
    fetched,
    open_client,
)
from taller_cnn.study.design import Design, Trial
from taller_cnn.study.estimate import Clock, Evaluated, calibration_trials
from taller_cnn.study.standing import Standing, Standings
from taller_cnn.study.store import Store
from taller_cnn.study.trial import FINAL_REASONS, TrialResult, run_trial

if TYPE_CHECKING:
    from distributed import Future

FREE_BYTES = 50_000_000
"""Free disk asked for before a study; 1,000 trials with their curves take about 2 MB."""
MOST_TRIES = 3
"""Workers that may die under a trial before it is taken for the cause."""
POLL_SECONDS = 0.02
CREW_SECONDS = 0.5
"""Time between two questions to the scheduler about who is alive."""
PATIENCE_SECONDS = 60.0
"""How long to wait for a first worker, or for another one when the last has gone."""


@dataclass(frozen=True, kw_only=True)
class StudyStarted:
    """What is about to be run."""

    done: int
    """Trials that are in the store already."""
    of: int
    local_workers: int
    """Processes started on this machine; 0 with a scheduler."""


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """How long the rest will take, before anything long starts."""

    trials: int
    slots: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class TrialDone:
    """A trial is finished and kept."""

    trial: Trial
    result: TrialResult
    done: int
    of: int
    seconds_left: float | None
    """None before the time is estimated."""
    best: Standing | None
    """Best level so far of the question that the trial belongs to; None before any."""
    worst: Standing | None


@dataclass(frozen=True, kw_only=True)
class StudyDone:
    """All trials of the design are in the store."""

    trials: int
    failed: int
    seconds: float
    """Of this run alone."""


Event = (
    StudyStarted | WorkerJoined | WorkerRefused | WorkerLost | Calibrated | TrialDone | StudyDone
)


def missing_trials(design: Design, store: Store) -> list[Trial]:
    """Trials that are not in the store, or failed in a way that another try may avoid."""
    results = store.results(design)
    return [trial for trial in design.trials() if _is_missing(results.get(design.key(trial)))]


def _is_missing(result: TrialResult | None) -> bool:
    return result is None or (result.status != "ok" and result.reason not in FINAL_REASONS)


def run_study(
    design: Design,
    place: DigitsPlace,
    store: Store,
    *,
    evaluated: Evaluated,
    stop: threading.Event,
    scheduler: str | None = None,
    workers: int | None = None,
) -> Generator[Event, None, None]:
    """Run what is missing of a design; iterate to make it go on.

    Args:
        design: what to run.
        place: where the workers find the digits: absolute paths, the same on every machine.
        store: where results are and are kept.
        evaluated: how many validation and test digits there are.
        stop: when set, what is under way is given up and the study ends.
        scheduler: address of a dask scheduler; None: worker processes on this machine.
        workers: how many of those; None: one for each core.

    Raises:
        InterruptedRunError: `stop` was set; what was finished is kept.
        OutputError: the folder cannot be written, or has too little space.
        TallerError: the scheduler does not answer, or no worker may work.
    """
    began = time.perf_counter()
    check_writable(store.path.parent, FREE_BYTES)
    with ExitStack() as stack:
        store.remember(design)
        missing = missing_trials(design, store)
        total = len(design.trials())
        local = 0 if scheduler else min(workers or _cores(), len(missing))
        yield StudyStarted(done=total - len(missing), of=total, local_workers=local)
        if missing:
            client = stack.enter_context(open_client(scheduler, local))
            crew = Crew(client, place, design.checksum, scheduler)
            yield from _Dispatcher(design, store, crew, evaluated, stop).run(missing)
    failed = sum(result.status != "ok" for result in store.results(design).values())
    yield StudyDone(trials=total, failed=failed, seconds=time.perf_counter() - began)


def _cores() -> int:
    """Cores that this process may use, also inside a container."""
    from dask.system import CPU_COUNT

    return int(CPU_COUNT)


@dataclass(kw_only=True)
class _Running:
    """A trial under way."""

    trial: Trial
    address: str
    future: Future[TrialResult]
    since: float = field(default_factory=time.perf_counter)


class _Dispatcher:
    """Hands out trials and takes results in."""

    def __init__(
        self,
        design: Design,
        store: Store,
        crew: Crew,
        evaluated: Evaluated,
        stop: threading.Event,
    ) -> None:
        self._design, self._store, self._crew, self._stop = design, store, crew, stop
        self._evaluated = evaluated
        self._clock = Clock(evaluated)
        self._standings = Standings(design, store.results(design))
        self._queue: list[Trial] = []
        self._running: list[_Running] = []
        self._tries: dict[Trial, int] = {}
        self._of = len(design.trials())
        self._done = 0
        self._calibrating: set[Trial] = set()
        self._asked_at = -CREW_SECONDS
        self._lonely_since = time.perf_counter()

    def run(self, missing: Sequence[Trial]) -> Generator[Event, None, None]:
        """Run all of `missing`."""
        self._done = self._of - len(missing)
        self._calibrating = set(calibration_trials(missing, self._evaluated))
        # The last of the queue is run first. Nothing long starts before the time is estimated:
        # what runs beside the calibration are the quickest trials.
        self._queue = sorted(
            missing, key=lambda t: (t in self._calibrating, -self._evaluated.work(t))
        )
        timed: list[tuple[Trial, float]] = []
        for event in self._drain():
            yield event
            if not isinstance(event, TrialDone):
                continue
            trial, seconds = event.trial, event.result.wall_seconds
            if trial in self._calibrating:
                self._calibrating.remove(trial)
                timed += [(trial, seconds)] if seconds else []
                if not self._calibrating:
                    yield from self._calibrate(timed)
            elif seconds and self._is_calibrated:
                self._clock.learn(trial, seconds)

    @property
    def _is_calibrated(self) -> bool:
        return not self._calibrating

    def _calibrate(self, timed: Sequence[tuple[Trial, float]]) -> Generator[Event, None, None]:
        """Say how long the rest takes, and have the longest run first from here on."""
        self._clock.calibrate(timed)
        self._queue.sort(key=self._clock.seconds)
        if self._queue:
            yield Calibrated(
                trials=len(self._queue) + len(self._running),
                slots=max(self._crew.slots, 1),
                seconds=self._seconds_left(),
            )

    def _drain(self) -> Generator[Event, None, None]:
        """Run what is in the queue until nothing is left."""
        while self._queue or self._running:
            yield from self._update_crew()
            self._hand_out()
            self._stop.wait(POLL_SECONDS)
            if self._stop.is_set():
                raise InterruptedRunError("study_interrupted", done=self._done, of=self._of)
            for running in [r for r in self._running if r.future.done()]:
                self._running.remove(running)
                yield from self._take_in(running)

    def _update_crew(self) -> Generator[Event, None, None]:
        """See who has come and gone, and take back what the dead were doing."""
        if time.perf_counter() - self._asked_at < CREW_SECONDS:
            return
        self._asked_at = time.perf_counter()
        for event in self._crew.update():
            yield event
            if isinstance(event, WorkerLost):
                lost = [r for r in self._running if r.address == event.worker.address]
                for running in lost:
                    self._running.remove(running)
                    running.future.cancel()
                    yield from self._try_again(running)
        self._check_crew()

    def _check_crew(self) -> None:
        """Give up if nobody can work, and nobody is to be expected soon."""
        crew = self._crew
        if crew.workers or crew.is_expected:
            self._lonely_since = time.perf_counter()
        elif crew.refused:
            reason = next(reversed(crew.refused.values()))
            raise TallerError("study_all_refused", n=len(crew.refused), reason=reason)
        elif time.perf_counter() - self._lonely_since > PATIENCE_SECONDS:
            raise TallerError("study_no_workers", seconds=PATIENCE_SECONDS)

    def _hand_out(self) -> None:
        """Give each free slot the longest trial that waits.

        No trial waits at a worker, so that a kill loses only those that are being run.
        """
        for address, worker in self._crew.workers.items():
            busy = sum(running.address == address for running in self._running)
            for _ in range(worker.slots - busy):
                if not self._queue:
                    return
                trial = self._queue.pop()
                alone = worker.slots == 1
                future = self._crew.submit(
                    address, run_trial, trial.to_dict(), self._crew.place, alone
                )
                self._running.append(_Running(trial=trial, address=address, future=future))

    def _take_in(self, running: _Running) -> Generator[Event, None, None]:
        """Keep a result, or try again where dask brings none."""
        if running.future.status != "finished":
            yield from self._try_again(running)
            return
        with self._crew.scheduler_answers():
            result = fetched(running.future)
        if result is None:
            yield from self._try_again(running)
        else:
            yield self._keep(running, result)

    def _try_again(self, running: _Running) -> Generator[Event, None, None]:
        """Put a trial back, unless it has taken too many workers with it."""
        trial = running.trial
        self._tries[trial] = self._tries.get(trial, 0) + 1
        if self._tries[trial] < MOST_TRIES:
            self._queue.append(trial)
        else:
            yield self._keep(running, TrialResult(status="failed", reason="lost"))

    def _keep(self, running: _Running, result: TrialResult) -> TrialDone:
        trial, key = running.trial, self._design.key(running.trial)
        worker = self._crew.workers.get(running.address)
        processor = worker.introduction.processor if worker else ""
        told = {"machine": result.machine, "processor": processor}
        self._store.add(key, trial, result, told)
        self._done += 1
        best, worst = self._standings.add(key, result)
        return TrialDone(
            trial=trial,
            result=result,
            done=self._done,
            of=self._of,
            seconds_left=self._seconds_left() if self._is_calibrated else None,
            best=best,
            worst=worst,
        )

    def _seconds_left(self) -> float:
        left = self._clock.left(self._queue, self._crew.slots)
        now = time.perf_counter()
        under_way = [self._clock.seconds(r.trial) - (now - r.since) for r in self._running]
        return left + sum(max(s, 0.0) for s in under_way) / max(self._crew.slots, 1)
