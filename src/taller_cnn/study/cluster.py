"""Worker processes on dask.distributed: our own on this machine, or those of a scheduler.

Trials are given to workers one by one, each to a worker that has shown that it runs the same
version on the same digits. dask carries them there, brings results back and tells who is alive.
"""

from __future__ import annotations

import asyncio
import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from taller_cnn import __version__
from taller_cnn.data import DigitsPlace
from taller_cnn.errors import InputError, Phrase, TallerError
from taller_cnn.study.design import TRAINING_REVISION
from taller_cnn.study.trial import Introduction, introduce

if TYPE_CHECKING:
    from distributed import Client, Future

Answer = TypeVar("Answer")

SCHEDULER_SECONDS = 10
"""How long a scheduler may take to answer."""

RESULT_SECONDS = 20.0
"""How long to wait for an answer, which is a few kilobytes, before its worker is taken for dead."""

_ADDRESS = re.compile(r"((tcp|tls|ws|wss)://)?[^/\s]+:\d+")

_DASK_SETTINGS: Mapping[str, Any] = {
    # Trials come one at a time, so memory is freed by their end and not by waiting or spilling.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.comm.timeouts.connect": f"{SCHEDULER_SECONDS}s",
}


@dataclass(frozen=True, kw_only=True)
class Worker:
    """A worker process that may run trials."""

    address: str
    slots: int
    """Trials that it runs at once: its threads."""
    introduction: Introduction


@dataclass(frozen=True, kw_only=True)
class WorkerJoined:
    """A worker runs trials from now on."""

    worker: Worker


@dataclass(frozen=True, kw_only=True)
class WorkerRefused:
    """A worker would give other numbers, or cannot work at all."""

    address: str
    reason: Phrase


@dataclass(frozen=True, kw_only=True)
class WorkerLost:
    """A worker has died or left; what it was doing is done again elsewhere."""

    worker: Worker


@contextmanager
def open_client(scheduler: str | None, workers: int) -> Iterator[Client]:
    """Connect to a scheduler, or start one with worker processes on this machine.

    Args:
        scheduler: its address, ``tcp://host:8786`` or ``tls://host:8786``; None: our own.
        workers: processes to start of our own.

    Raises:
        InputError: the address is none, or nobody answers there.
    """
    import dask

    # Before the settings: dask would forget the defaults that come with it along with them.
    from distributed import Client, LocalCluster

    with dask.config.set(_DASK_SETTINGS), _quiet_logs(), warnings.catch_warnings():
        # dask warns of versions that differ; who may work is found out by asking the workers.
        warnings.simplefilter("ignore")
        if scheduler is not None:
            with _connected(scheduler) as client:
                yield client
            return
        with (
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
                preload=["taller_cnn.study.worker_setup"],
            ) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            yield client


@contextmanager
def _connected(scheduler: str) -> Iterator[Client]:
    from distributed import Client

    if not _ADDRESS.fullmatch(scheduler):
        raise InputError("study_scheduler_address", value=scheduler)
    try:
        client = Client(scheduler, timeout=SCHEDULER_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        values = {"address": scheduler, "seconds": SCHEDULER_SECONDS}
        raise InputError("study_no_scheduler", **values) from error
    try:
        yield client
    finally:
        client.close(timeout=2)


@contextmanager
def _quiet_logs() -> Iterator[None]:
    """Keep dask from writing to the terminal; what matters is told as events."""
    names = ("distributed", "asyncio", "tornado")
    known = [n for n in logging.root.manager.loggerDict if n.partition(".")[0] in names]
    loggers = [logging.getLogger(name) for name in {*names, *known}]
    earlier = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, earlier, strict=True):
            logger.setLevel(level)


@dataclass
class Crew:
    """Who may run trials now."""

    client: Client
    place: DigitsPlace
    checksum: str
    """Of the digits that every worker must have."""
    scheduler: str | None = None
    workers: dict[str, Worker] = field(default_factory=dict)
    """By address."""
    refused: dict[str, Phrase] = field(default_factory=dict)
    _asked: dict[str, tuple[int, Future[Introduction]]] = field(default_factory=dict)

    @property
    def slots(self) -> int:
        """Trials that all workers together run at once."""
        return sum(worker.slots for worker in self.workers.values())

    @property
    def is_expected(self) -> bool:
        """Whether a worker is still being asked who it is."""
        return bool(self._asked)

    def update(self) -> list[WorkerJoined | WorkerRefused | WorkerLost]:
        """Find out who has come and gone.

        Raises:
            TallerError: the scheduler does not answer any more.
        """
        alive = self._alive()
        events: list[WorkerJoined | WorkerRefused | WorkerLost] = []
        for address in [known for known in self.workers if known not in alive]:
            events.append(WorkerLost(worker=self.workers.pop(address)))
        self._asked = {a: asked for a, asked in self._asked.items() if a in alive}
        for address, threads in alive.items():
            if not (address in self.workers or address in self.refused or address in self._asked):
                self._asked[address] = threads, self._ask(address)
        for address in [a for a, (_, future) in self._asked.items() if future.done()]:
            events.append(self._hear(address, *self._asked.pop(address)))
        return events

    def submit(self, address: str, function: Any, *arguments: Any) -> Future[Any]:
        """Run a function on one worker and on no other."""
        with self.scheduler_answers():
            return self.client.submit(
                function, *arguments, workers=[address], allow_other_workers=False, pure=False
            )

    @contextmanager
    def scheduler_answers(self) -> Iterator[None]:
        """Tell that the scheduler is gone, if that is why something fails."""
        try:
            yield
        except (OSError, asyncio.CancelledError, RuntimeError) as error:
            raise TallerError("study_scheduler_lost", address=self.scheduler or "-") from error

    def _alive(self) -> dict[str, int]:
        """Address and threads of all workers that the scheduler has."""
        with self.scheduler_answers():
            # While it tries to reach a scheduler that is gone, a client answers nothing.
            if self.client.status != "running":
                raise OSError(self.client.status)
            return dict(self.client.nthreads())

    def _ask(self, address: str) -> Future[Introduction]:
        return self.submit(address, introduce, self.place)

    def _hear(
        self, address: str, threads: int, future: Future[Introduction]
    ) -> WorkerJoined | WorkerRefused:
        found = self._introduced(future)
        if isinstance(found, Phrase):
            self.refused[address] = found
            return WorkerRefused(address=address, reason=found)
        worker = Worker(address=address, slots=threads, introduction=found)
        self.workers[address] = worker
        return WorkerJoined(worker=worker)

    def _introduced(self, future: Future[Introduction]) -> Introduction | Phrase:
        """What a worker says of itself, or why it may not work."""
        found = fetched(future) if future.status == "finished" else None
        if found is None:
            error = future.exception() if future.status == "error" else None
            if isinstance(error, TallerError):
                return Phrase(error.key, error.values)
            reason = f"{type(error).__name__}: {error}" if error else future.status
            return Phrase("study_worker_broken", {"reason": reason})
        ours = f"{__version__} ({TRAINING_REVISION})"
        theirs = f"{found.version} ({found.revision})"
        if theirs != ours:
            return Phrase("study_worker_version", {"found": theirs, "expected": ours})
        if found.checksum != self.checksum:
            values = {"found": found.checksum, "expected": self.checksum}
            return Phrase("study_worker_digits", values)
        return found


def fetched(future: Future[Answer]) -> Answer | None:
    """What a worker answers; None if it died after its work and before the answer was fetched.

    Dask would then wait for that very worker to do it again.
    """
    try:
        return future.result(timeout=RESULT_SECONDS)
    except TimeoutError:
        future.cancel()
        return None
