"""Worker processes on dask.distributed: our own on this machine, or those of a scheduler.

dask carries trials to workers, runs those of a dead worker again on another, gives up on one that
takes too many workers with it, and tells who is alive.
"""

from __future__ import annotations

import asyncio
import logging
import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from taller_cnn.errors import InputError, Phrase, TallerError
from taller_cnn.study.trial import TrialResult
from taller_cnn.study.worker import Refusal, Requirements, work

if TYPE_CHECKING:
    from distributed import Client, Future

SCHEDULER_SECONDS = 10
"""How long a scheduler may take to answer."""
RESULT_SECONDS = 20.0
"""How long to wait for a result, which is a few kilobytes, before it is taken for lost."""
ALLOWED_FAILURES = 2
"""Workers that may die under a trial before the next one makes it the cause."""

_ADDRESS = re.compile(r"((tcp|tls|ws|wss)://)?[^/\s]+:\d+")

_DASK_SETTINGS: Mapping[str, Any] = {
    # Trials come one at a time, so memory is freed by their end and not by waiting or spilling.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.comm.timeouts.connect": f"{SCHEDULER_SECONDS}s",
    "distributed.scheduler.allowed-failures": ALLOWED_FAILURES,
}


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
        # dask warns of versions that differ; who may work is found out by the first trial.
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


class Crew:
    """The workers of a dask client, as the study needs them.

    Args:
        client: connected.
        needed: what every worker must have.
        scheduler: address for messages; None where the scheduler is our own.

    Every method raises `TallerError` when the scheduler does not answer any more.
    """

    def __init__(self, client: Client, needed: Requirements, scheduler: str | None = None) -> None:
        self._client, self._needed, self._scheduler = client, needed, scheduler

    def threads(self) -> dict[str, int]:
        """Address and threads of all workers that the scheduler has."""
        with self._scheduler_answers():
            # While it tries to reach a scheduler that is gone, a client answers nothing.
            if self._client.status != "running":
                raise OSError(self._client.status)
            return dict(self._client.nthreads())

    def submit(self, spec: Mapping[str, Any], key: str, priority: int) -> Future[Any]:
        """Have a trial run by any worker.

        Args:
            spec: the trial, as `Trial.to_dict` gives it.
            key: a name for dask, another one for each try.
            priority: the highest is run first.
        """
        with self._scheduler_answers():
            return self._client.submit(work, spec, self._needed, key=key, priority=priority)

    def wait(self, futures: Collection[Future[Any]], seconds: float) -> None:
        """Wait until one of them is done, or so long."""
        from distributed import wait

        with self._scheduler_answers(), self._client.as_current():
            try:
                wait(list(futures), timeout=seconds, return_when="FIRST_COMPLETED")
            except TimeoutError:
                return

    def outcome(self, future: Future[Any]) -> TrialResult | Refusal | None:
        """What became of a trial that is done.

        Returns:
            Its result; why it was not run at all; None where its worker died before the result was
            fetched, so that dask is running it again.
        """
        from distributed import KilledWorker

        with self._scheduler_answers():
            if future.status == "finished":
                try:
                    answer: TrialResult | Refusal = future.result(timeout=RESULT_SECONDS)
                except TimeoutError:
                    return None
                return answer
            if future.status != "error":
                raise OSError(future.status)
            error = future.exception(timeout=RESULT_SECONDS)
            if isinstance(error, KilledWorker):
                return TrialResult(status="failed", reason="lost")
            # The worker could not even begin: it lacks the program, or has quite another version.
            told = f"{type(error).__name__}: {error}"[:300]
            reason = Phrase("study_worker_broken", {"reason": told})
            return Refusal(address=self._erred_on(future.key), reason=reason)

    def _erred_on(self, key: str) -> str:
        """The worker on which a task failed; empty if the scheduler does not know."""
        # A lambda travels whole: the scheduler may have none of this program.
        addresses = self._client.run_on_scheduler(
            lambda key, dask_scheduler=None: sorted(dask_scheduler.tasks[key].erred_on), key
        )
        return addresses[0] if addresses else ""

    def retire(self, address: str) -> None:
        """Send a worker home that may not work; its place is not taken by another of its kind."""
        with self._scheduler_answers():
            self._client.retire_workers([address], close_workers=True)

    @contextmanager
    def _scheduler_answers(self) -> Iterator[None]:
        """Tell that the scheduler is gone, if that is why something fails."""
        try:
            yield
        except (OSError, asyncio.CancelledError, RuntimeError) as error:
            raise TallerError("study_scheduler_lost", address=self._scheduler or "-") from error
