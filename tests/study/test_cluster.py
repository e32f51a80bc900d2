"""Workers and schedulers in processes of their own, which are killed and lost."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from small_study import kept, numbers, of_kind, open_store, small_design, study

from taller_cnn.data import Digits, DigitsPlace
from taller_cnn.errors import TallerError
from taller_cnn.study import (
    Design,
    Event,
    Store,
    TrialDone,
    WorkerJoined,
    WorkerLost,
)
from taller_cnn.study.cluster import ALLOWED_FAILURES

# In-process workers share asyncio and dask state with the test, which warn at shutdown.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


def after(events: Iterator[Event], done: int, action: Callable[[], object]) -> None:
    """Go through `events`, and act once when so many trials are done."""
    for event in events:
        if isinstance(event, TrialDone) and event.done == done:
            action()


needs_kill = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
LONGER = {
    "name": "longer",
    "regimes": {
        "short": {"train_n": 1000, "precision": "float32"},
        "overfit": {"train_n": 500, "epochs": 3, "seeds": 3, "precision": "float32"},
    },
    "questions": [
        {"factors": ["kernel"], "levels": {"kernel": ["1"]}, "seeds": 2},
        {"factors": ["dropout"], "levels": {"dropout": ["0"]}},
    ],
}
"""A question with pilots and one without; trials of about a second."""


@pytest.fixture(scope="module")
def longer(sample_digits: Digits) -> Design:
    return small_design(sample_digits, LONGER)


@pytest.fixture(scope="module")
def uninterrupted(
    longer: Design, place: DigitsPlace, tmp_path_factory: pytest.TempPathFactory
) -> pd.DataFrame:
    with open_store(tmp_path_factory.mktemp("whole")) as whole:
        list(study(longer, place, whole, workers=2))
        return numbers(longer, whole)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def children(pid: int) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


@pytest.mark.slow
@needs_kill
def test_a_worker_that_is_killed_has_its_trial_run_again(
    longer: Design,
    place: DigitsPlace,
    store: Store,
    uninterrupted: pd.DataFrame,
) -> None:
    import psutil

    events, kills = [], 0
    for event in study(longer, place, store, workers=2):
        events.append(event)
        if isinstance(event, TrialDone) and event.done == 3:
            workers = [
                process
                for process in psutil.Process().children(recursive=True)
                if "spawn_main" in " ".join(process.cmdline())
            ]
            kill(workers[0].pid)
            kills += 1
    assert kills == 1
    assert len(of_kind(events, WorkerLost)) == 1
    assert len(of_kind(events, WorkerJoined)) == 3, "dask starts another one"
    done = [event.trial for event in of_kind(events, TrialDone)]
    assert len(set(done)) == len(done) == len(longer.trials(store.results))
    pd.testing.assert_frame_equal(numbers(longer, store), uninterrupted)


@pytest.mark.slow
@needs_kill
def test_a_trial_that_kills_every_worker_is_recorded_as_failed(
    place: DigitsPlace, store: Store, sample_digits: Digits
) -> None:
    import psutil

    questions = [{"factors": ["dropout"], "seeds": 1}]
    design = small_design(sample_digits, {**LONGER, "questions": questions})
    lost = 0
    done = []
    for event in study(design, place, store, workers=1):
        if isinstance(event, WorkerJoined) and lost <= ALLOWED_FAILURES:
            lost += 1
            threading.Timer(
                0.1,
                lambda: [
                    kill(p.pid)
                    for p in psutil.Process().children(recursive=True)
                    if "spawn_main" in " ".join(p.cmdline())
                ],
            ).start()
        if isinstance(event, TrialDone):
            done.append(event)
    assert len(kept(design, store)) == 4
    assert lost == ALLOWED_FAILURES + 1
    assert len(done) == 4


COMMAND = [sys.executable, "-m", "taller_cnn", "study", "--source", "sample"]


def command(folder: Path, *words: str) -> list[str]:
    return [*COMMAND, "--workdir", str(folder), "--design", str(folder / "study.toml"), *words]


def write_design(folder: Path) -> None:
    (folder / "study.toml").write_text(
        """
        name = "longer"
        [regimes.short]
        train_n = 1000
        precision = "float32"
        [regimes.overfit]
        train_n = 500
        epochs = 3
        seeds = 3
        precision = "float32"
        [[questions]]
        factors = ["kernel"]
        levels = { kernel = [1] }
        seeds = 2
        [[questions]]
        factors = ["dropout"]
        levels = { dropout = [0] }
        """,
        encoding="utf-8",
    )


def store_of(folder: Path) -> Store:
    return Store(folder / "resultados" / "estudio")


def kept_keys(folder: Path) -> dict[str, str]:
    """Key and time of each trial in the store."""
    return {key: stored.created for key, stored in store_of(folder).trials.items()}


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.05)


@pytest.mark.slow
@needs_kill
def test_the_command_that_is_killed_goes_on_where_it_was(
    workdir: Path, longer: Design, uninterrupted: pd.DataFrame
) -> None:
    write_design(workdir)
    with subprocess.Popen(
        command(workdir), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        wait_for(lambda: len(kept_keys(workdir)) >= 3)
        workers = children(process.pid)
        kill(process.pid)
    before = kept_keys(workdir)
    assert 3 <= len(before) < len(uninterrupted)
    import psutil

    wait_for(
        lambda: (
            not any(
                psutil.pid_exists(p) and psutil.Process(p).status() != "zombie" for p in workers
            )
        ),
        20,
    )
    again = subprocess.run(command(workdir), capture_output=True, text=True, timeout=300)
    assert again.returncode == 0, again.stderr
    after = kept_keys(workdir)
    assert {key: after[key] for key in before} == before, "no trial was run twice"
    store = store_of(workdir)
    assert len(after) == len(longer.trials(store.results))
    pd.testing.assert_frame_equal(numbers(longer, store), uninterrupted)


@pytest.mark.slow
@needs_kill
def test_ctrl_c_says_how_to_go_on_and_leaves_no_process(workdir: Path) -> None:
    write_design(workdir)
    with subprocess.Popen(
        command(workdir, "--lang", "en"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        wait_for(lambda: len(kept_keys(workdir)) >= 1)
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Go on with: taller-cnn study" in output
    assert str(workdir) in output
    assert "Traceback" not in output
    assert "terminate called" not in output


@contextlib.contextmanager
def dask_processes(workers: int, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A scheduler and workers in processes of their own; the scheduler is yielded."""
    quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    cli = [sys.executable, "-m", "dask"]
    address = f"tcp://127.0.0.1:{port}"
    with contextlib.ExitStack() as stack:
        made = []

        def start(*words: str) -> subprocess.Popen[bytes]:
            process = subprocess.Popen([*cli, *words, "--no-dashboard"], **quiet)  # type: ignore[call-overload]
            made.append(process)
            return process  # type: ignore[no-any-return]

        def end() -> None:
            for process in made:
                process.kill()
                process.wait()

        stack.callback(end)
        host = ("--host", "127.0.0.1")
        scheduler = start("scheduler", *host, "--port", str(port))
        for _ in range(workers):
            start("worker", address, *host, "--nthreads", "1", "--no-nanny")
        yield scheduler


@pytest.fixture
def port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.slow
def test_four_workers_of_an_external_scheduler_give_the_same_table(
    longer: Design,
    place: DigitsPlace,
    store: Store,
    uninterrupted: pd.DataFrame,
    port: int,
) -> None:
    with dask_processes(4, port):
        time.sleep(5)
        address = f"tcp://127.0.0.1:{port}"
        events = list(study(longer, place, store, scheduler=address))
    assert len(of_kind(events, WorkerJoined)) == 4
    pd.testing.assert_frame_equal(numbers(longer, store), uninterrupted)


@pytest.mark.slow
def test_a_scheduler_that_is_lost_is_told_and_what_was_finished_is_kept(
    longer: Design, place: DigitsPlace, store: Store, port: int
) -> None:
    with dask_processes(2, port) as scheduler:
        time.sleep(5)
        events = study(longer, place, store, scheduler=f"tcp://127.0.0.1:{port}")
        with pytest.raises(TallerError, match="connection to the scheduler"):
            after(events, 3, scheduler.kill)
    assert len(kept(longer, store)) >= 3
