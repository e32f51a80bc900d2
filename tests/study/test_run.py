"""Running a study with real workers: in this process where that is enough, else in others."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from small_study import PLAN, numbers, of_kind, open_store, study

from taller_cnn.data import Digits, DigitsPlace
from taller_cnn.errors import InputError, InterruptedRunError, OutputError, TallerError
from taller_cnn.study import (
    Calibrated,
    Design,
    Event,
    Plan,
    Store,
    StudyDone,
    StudyStarted,
    TrialDone,
    TrialResult,
    WorkerJoined,
    WorkerRefused,
    build,
    missing_trials,
)
from taller_cnn.study import cluster as cluster_module
from taller_cnn.study import run as run_module
from taller_cnn.study import trial as trial_module
from taller_cnn.study.cluster import fetched
from taller_cnn.study.trial import train_trial

# In-process workers share asyncio and dask state with the test, which warn at shutdown.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def design(sample_digits: Digits) -> Design:
    """Two questions that share no trial, 6 + 4."""
    plan = Plan.from_dict(PLAN)
    return build(plan, available=len(sample_digits.train), checksum=sample_digits.checksum)


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a scheduler with one worker of two threads, in this process."""
    with local_scheduler(1, 2) as address:
        yield address


@contextlib.contextmanager
def local_scheduler(workers: int, threads: int) -> Iterator[str]:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=workers,
        threads_per_worker=threads,
        processes=False,
        protocol="tcp://",
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=50,
    ) as cluster:
        yield cluster.scheduler_address


def test_a_study_tells_what_happens_and_keeps_every_result(
    design: Design, place: DigitsPlace, store: Store, scheduler: str, sample_digits: Digits
) -> None:
    events = list(study(design, place, store, scheduler=scheduler))
    assert events[0] == StudyStarted(done=0, of=10, local_workers=0)
    assert of_kind(events, WorkerJoined)[0].worker.slots == 2
    done = of_kind(events, TrialDone)
    assert [event.done for event in done] == list(range(1, 11))
    assert {event.trial for event in done} == set(design.trials())
    assert done[-1].best is not None
    (calibrated,) = of_kind(events, Calibrated)
    assert calibrated.seconds > 0
    before = of_kind(events[: events.index(calibrated)], TrialDone)
    assert calibrated.trials == 10 - len(before)
    # All networks are alike, so one trial is enough; another may end while it is being timed.
    assert 1 <= len(before) <= 3
    assert [event.seconds_left is None for event in done[len(before) :]] == [False] * (
        10 - len(before)
    )
    assert dataclasses.replace(events[-1], seconds=0) == StudyDone(trials=10, failed=0, seconds=0)
    kept = store.results(design)
    torch.set_num_threads(1)
    for trial in design.trials()[::4]:
        alone = train_trial(trial, sample_digits)
        found = kept[design.key(trial)]
        assert found.validation_loss == alone.validation_loss
        assert found.validation_wrong == alone.validation_wrong


def test_the_same_study_again_runs_nothing_and_needs_no_workers(
    design: Design, place: DigitsPlace, store: Store
) -> None:
    for trial in design.trials():
        result = TrialResult(status="ok", validation_error=0.1)
        store.add(design.key(trial), trial, result, {})
    events = list(study(design, place, store))
    assert events[0] == StudyStarted(done=10, of=10, local_workers=0)
    assert [type(event) for event in events] == [StudyStarted, StudyDone]
    assert store.latest_plan() == design.plan


def test_failures_that_another_try_may_avoid_are_tried_again(design: Design, store: Store) -> None:
    one, other, third = design.trials()[:3]
    store.add(design.key(one), one, TrialResult(status="failed", reason="diverged"), {})
    store.add(design.key(other), other, TrialResult(status="failed", reason="memory"), {})
    store.add(design.key(third), third, TrialResult(status="ok"), {})
    missing = missing_trials(design, store)
    assert other in missing
    assert one not in missing
    assert third not in missing


def test_a_trial_that_fails_is_recorded_and_the_study_goes_on(
    design: Design,
    place: DigitsPlace,
    store: Store,
    scheduler: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unlucky = design.trials()[4]

    def sometimes(trial: Any, digits: Digits) -> TrialResult:
        if trial == unlucky:
            raise MemoryError
        return train_trial(trial, digits)

    monkeypatch.setattr(trial_module, "train_trial", sometimes)
    events = list(study(design, place, store, scheduler=scheduler))
    assert events[-1].failed == 1  # type: ignore[union-attr]
    assert store.results()[design.key(unlucky)].reason == "memory"
    monkeypatch.undo()
    events = list(study(design, place, store, scheduler=scheduler))
    assert len(of_kind(events, TrialDone)) == 1
    assert events[-1].failed == 0  # type: ignore[union-attr]


def after(events: Iterator[Event], done: int, action: Callable[[], object]) -> None:
    """Go through `events`, and act once when so many trials are done."""
    for event in events:
        if isinstance(event, TrialDone) and event.done == done:
            action()


def test_stopping_keeps_what_is_finished(
    design: Design, place: DigitsPlace, store: Store, scheduler: str
) -> None:
    stop = threading.Event()
    events = study(design, place, store, scheduler=scheduler, stop=stop)
    with pytest.raises(InterruptedRunError, match="of 10 trials finished") as caught:
        after(events, 3, stop.set)
    assert caught.value.exit_code == 130
    assert len(store.results(design)) == caught.value.values["done"] >= 3


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [("__version__", "0.0.1", "version 0.0.1"), ("TRAINING_REVISION", 99, r"\(99\)")],
)
def test_a_worker_of_another_version_is_refused(
    design: Design,
    place: DigitsPlace,
    store: Store,
    scheduler: str,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: object,
    says: str,
) -> None:
    monkeypatch.setattr(trial_module, name, value)
    events = []
    with pytest.raises(TallerError, match=f"No valid worker.*{says}"):
        events.extend(study(design, place, store, scheduler=scheduler))
    assert store.results() == {}


def test_a_worker_with_other_digits_is_refused(
    design: Design, place: DigitsPlace, store: Store, scheduler: str
) -> None:
    other = dataclasses.replace(design, checksum="0123")
    with pytest.raises(TallerError, match="its digits are others"):
        list(study(other, place, store, scheduler=scheduler))


def test_a_worker_without_digits_is_refused_with_the_reason(
    design: Design, place: DigitsPlace, store: Store, scheduler: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    nowhere = dataclasses.replace(place, sample_dir=tmp_path / "file" / "sample")
    with pytest.raises(TallerError, match="Cannot write"):
        list(study(design, nowhere, store, scheduler=scheduler))


def test_the_study_goes_on_with_the_workers_that_fit(
    design: Design,
    place: DigitsPlace,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def introduce(place: DigitsPlace) -> Any:
        told = trial_module.introduce(place)
        try:
            (tmp_path / "one-has-been-asked").touch(exist_ok=False)
        except FileExistsError:
            return told
        return dataclasses.replace(told, version="0")

    monkeypatch.setattr(cluster_module, "introduce", introduce)
    with local_scheduler(2, 1) as address:
        events = list(study(design, place, store, scheduler=address))
    assert len(of_kind(events, WorkerRefused)) == len(of_kind(events, WorkerJoined)) == 1
    assert "version 0 " in str(of_kind(events, WorkerRefused)[0].reason)
    assert len(store.results(design)) == 10


def test_a_scheduler_without_workers_is_given_up(
    design: Design, place: DigitsPlace, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "PATIENCE_SECONDS", 0.2)
    with local_scheduler(0, 1) as address, pytest.raises(TallerError, match="no worker process"):
        list(study(design, place, store, scheduler=address))


def test_a_scheduler_that_does_not_answer_is_told_with_its_address(
    design: Design, place: DigitsPlace, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "SCHEDULER_SECONDS", 1)
    began = time.monotonic()
    with pytest.raises(InputError, match=r"tcp://127\.0\.0\.1:9") as caught:
        list(study(design, place, store, scheduler="tcp://127.0.0.1:9"))
    assert time.monotonic() - began < 15
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("address", ["foo", "tcp://", "http://host:8786", "tcp://host", ""])
def test_what_is_no_address_is_refused_at_once(
    design: Design, place: DigitsPlace, store: Store, address: str
) -> None:
    with pytest.raises(InputError, match="not the address of a scheduler"):
        list(study(design, place, store, scheduler=address))


def test_too_little_disk_is_told_before_anything_starts(
    design: Design, place: DigitsPlace, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "FREE_BYTES", 10**18)
    with pytest.raises(OutputError, match="MB"):
        list(study(design, place, store))


@pytest.mark.slow
def test_worker_processes_of_our_own_give_the_same_table(
    design: Design,
    place: DigitsPlace,
    store: Store,
    scheduler: str,
    tmp_path: Path,
    sample_digits: Digits,
) -> None:
    events = list(study(design, place, store, workers=2))
    assert events[0] == StudyStarted(done=0, of=10, local_workers=2)
    assert len(of_kind(events, WorkerJoined)) == 2
    table = design.table(store.results(design))
    assert (table["peak_memory_mb"] > 50).all() or not sys.platform.startswith("linux")
    (tmp_path / "other").mkdir()
    with open_store(tmp_path / "other", sample_digits) as other:
        list(study(design, place, other, scheduler=scheduler))
        pd.testing.assert_frame_equal(numbers(design, store), numbers(design, other))


class Gone:
    """The future of a worker that died before its answer was fetched."""

    status = "finished"

    def result(self, timeout: float | None = None) -> TrialResult:
        assert timeout is not None
        raise TimeoutError

    def cancel(self) -> None:
        self.status = "cancelled"


def test_a_result_whose_worker_died_is_not_waited_for_for_ever() -> None:
    gone = Gone()
    assert fetched(gone) is None  # type: ignore[arg-type]
    assert gone.status == "cancelled"


def test_a_worker_that_died_before_it_was_heard_is_refused(place: DigitsPlace) -> None:
    crew = cluster_module.Crew(client=None, place=place, checksum="")  # type: ignore[arg-type]
    heard = crew._hear("tcp://gone:1", 1, Gone())  # type: ignore[arg-type]
    assert isinstance(heard, WorkerRefused)
    assert "cancelled" in str(heard.reason)
    assert (crew.workers, list(crew.refused)) == ({}, ["tcp://gone:1"])
