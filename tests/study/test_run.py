"""Running a study with real workers: in this process where that is enough, else in others."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
import torch
from small_study import kept, numbers, of_kind, open_store, small_design, study

from taller_cnn.data import Digits, DigitsPlace
from taller_cnn.errors import InputError, InterruptedRunError, OutputError, Phrase, TallerError
from taller_cnn.study import (
    Design,
    Event,
    Store,
    StudyDone,
    StudyStarted,
    TrialDone,
    TrialResult,
    WorkerJoined,
    WorkerRefused,
    tabulate,
)
from taller_cnn.study import cluster as cluster_module
from taller_cnn.study import run as run_module
from taller_cnn.study import worker as worker_module
from taller_cnn.study.design import PILOT_SEEDS
from taller_cnn.study.run import _Pace
from taller_cnn.study.worker import Requirements, Shares, share_out, train_trial

if TYPE_CHECKING:
    from distributed import LocalCluster

# In-process workers share asyncio and dask state with the test, which warn at shutdown.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def design(sample_digits: Digits) -> Design:
    """Two questions without pilots that share no trial, 6 + 4."""
    return small_design(sample_digits)


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a scheduler with one worker of two threads, in this process."""
    with local_cluster(1, 2) as cluster:
        yield cluster.scheduler_address


@contextlib.contextmanager
def local_cluster(workers: int, threads: int) -> Iterator[LocalCluster]:
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
        yield cluster


def test_a_study_tells_what_happens_and_keeps_every_result(
    design: Design, place: DigitsPlace, store: Store, scheduler: str, sample_digits: Digits
) -> None:
    events = list(study(design, place, store, scheduler=scheduler))
    assert events[0] == StudyStarted(done=0, of=10, is_forecast=False, local_workers=0)
    assert of_kind(events, WorkerJoined)[0].slots == 2
    done = of_kind(events, TrialDone)
    assert [event.done for event in done] == list(range(1, 11))
    assert {event.trial for event in done} == set(design.trials({}))
    assert all(event.seconds_left > 0 for event in done[:-1])
    assert done[-1].seconds_left == 0
    assert dataclasses.replace(events[-1], seconds=0) == StudyDone(trials=10, failed=0, seconds=0)
    results = store.results
    torch.set_num_threads(1)
    shares = share_out(sample_digits, 1400)
    for trial in design.trials({})[::4]:
        alone, kept_result = train_trial(trial, shares), results[design.key(trial)]
        assert kept_result.judged_loss == alone.judged_loss
        assert kept_result.judged_wrong == alone.judged_wrong


ADAPTIVE = {
    "name": "adaptive",
    "regimes": {"short": {"train_n": 128, "precision": "float32"}},
    "questions": [{"factors": ["kernel"], "levels": {"kernel": ["1"]}, "seeds": 2}],
}


def test_pilots_come_first_and_the_seeds_follow_at_the_rate_they_choose(
    place: DigitsPlace, store: Store, scheduler: str, sample_digits: Digits
) -> None:
    design = small_design(sample_digits, ADAPTIVE)
    events = list(study(design, place, store, scheduler=scheduler))
    assert events[0].is_forecast  # type: ignore[union-attr]
    assert events[0].of == 2 * (3 * 2 + 2)  # type: ignore[union-attr]
    done = of_kind(events, TrialDone)
    assert done[-1].done == done[-1].of == len(design.trials(store.results)) == len(store.results)
    assert not done[-1].is_forecast
    (asked,) = design.questions
    for cell in asked.cells:
        rate = design.chosen_rate(cell, store.results)
        assert rate is not None
        order = [event.trial for event in done if cell.has(event.trial)]
        assert [one.is_pilot for one in order[-2:]] == [False, False]
        assert set(order[-2:]) == {cell.fresh(rate, 0), cell.fresh(rate, 1)}
        assert {one.train.seed for one in order[:-2]} == set(PILOT_SEEDS)


def test_the_same_study_again_runs_nothing_and_needs_no_workers(
    design: Design, place: DigitsPlace, store: Store
) -> None:
    for trial in design.trials({}):
        store.add(design.key(trial), trial, TrialResult(status="ok", judged_n=9, judged_errors=1))
    events = list(study(design, place, store))
    assert events[0] == StudyStarted(done=10, of=10, is_forecast=False, local_workers=0)
    assert [type(event) for event in events] == [StudyStarted, StudyDone]


def test_failures_that_another_try_may_avoid_are_tried_again(
    design: Design, place: DigitsPlace, store: Store, scheduler: str
) -> None:
    one, other, *rest = design.trials({})
    store.add(design.key(one), one, TrialResult(status="failed", reason="diverged"))
    store.add(design.key(other), other, TrialResult(status="failed", reason="memory"))
    for trial in rest:
        store.add(design.key(trial), trial, TrialResult(status="ok"))
    events = list(study(design, place, store, scheduler=scheduler))
    assert [event.trial for event in of_kind(events, TrialDone)] == [other]
    assert events[-1].failed == 1  # type: ignore[union-attr]


def test_a_trial_that_fails_is_recorded_and_the_study_goes_on(
    design: Design,
    place: DigitsPlace,
    store: Store,
    scheduler: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unlucky = design.trials({})[4]

    def sometimes(trial: Any, shares: Shares) -> TrialResult:
        if trial == unlucky:
            raise MemoryError
        return train_trial(trial, shares)

    monkeypatch.setattr(worker_module, "train_trial", sometimes)
    events = list(study(design, place, store, scheduler=scheduler))
    assert events[-1].failed == 1  # type: ignore[union-attr]
    assert store.results[design.key(unlucky)].reason == "memory"
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
    assert len(kept(design, store)) == caught.value.values["done"] >= 3


# ------------------------------------------------------------------ workers that may not work


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "PATIENCE_SECONDS", 0.2)


@pytest.mark.usefixtures("short_patience")
def test_a_worker_of_another_version_is_refused(
    design: Design, place: DigitsPlace, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "program_version", lambda: "9.9 (99)")
    with (
        local_cluster(1, 2) as cluster,
        pytest.raises(TallerError, match=r"No valid worker.*9\.9 \(99\) is used here"),
    ):
        list(study(design, place, store, scheduler=cluster.scheduler_address))
    assert store.results == {}


@pytest.mark.usefixtures("short_patience")
def test_a_worker_with_other_digits_is_refused(
    design: Design, place: DigitsPlace, store: Store
) -> None:
    digits = dataclasses.replace(design.digits, checksum="0123")
    other = dataclasses.replace(design, digits=digits)
    with (
        local_cluster(1, 1) as cluster,
        pytest.raises(TallerError, match="its digits are others"),
    ):
        list(study(other, place, store, scheduler=cluster.scheduler_address))


@pytest.mark.usefixtures("short_patience")
def test_a_worker_without_digits_is_refused_with_the_reason(
    design: Design, place: DigitsPlace, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    nowhere = dataclasses.replace(place, sample_dir=tmp_path / "file" / "sample")
    with (
        local_cluster(1, 1) as cluster,
        pytest.raises(TallerError, match="Cannot write"),
    ):
        list(study(design, nowhere, store, scheduler=cluster.scheduler_address))


@pytest.mark.usefixtures("short_patience")
def test_a_worker_that_cannot_even_begin_is_refused_with_what_python_says(
    design: Design, place: DigitsPlace, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacks_the_program(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'taller_cnn.study.worker'")

    monkeypatch.setattr(cluster_module, "work", lacks_the_program)
    with (
        local_cluster(2, 1) as cluster,
        pytest.raises(TallerError, match=r"refused: 2.*No module named"),
    ):
        list(study(design, place, store, scheduler=cluster.scheduler_address))
    assert store.results == {}


def refuse_the_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the first worker that is given a trial be of another version."""
    objection = worker_module.objection

    def first_objects(needed: Requirements) -> Phrase | None:
        from distributed import get_worker

        me = get_worker().address
        try:
            with (folder / "first").open("x") as file:
                file.write(me)
        except FileExistsError:
            pass
        if (folder / "first").read_text() == me:
            needed = dataclasses.replace(needed, version="0")
        return objection(needed)

    monkeypatch.setattr(worker_module, "objection", first_objects)


def test_the_study_goes_on_with_the_workers_that_fit(
    design: Design,
    place: DigitsPlace,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    refuse_the_first(tmp_path, monkeypatch)
    with local_cluster(2, 1) as cluster:
        events = list(study(design, place, store, scheduler=cluster.scheduler_address))
    (refused,) = of_kind(events, WorkerRefused)
    assert "and 0 is used here" in str(refused.reason)
    assert len(kept(design, store)) == 10


def test_a_refused_first_worker_leaves_the_next_one_time_to_start(
    design: Design,
    place: DigitsPlace,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    refuse_the_first(tmp_path, monkeypatch)
    events = []
    with local_cluster(1, 1) as cluster:
        for event in study(design, place, store, scheduler=cluster.scheduler_address):
            events.append(event)
            if isinstance(event, WorkerRefused):
                threading.Timer(1.5, cluster.scale, args=[2]).start()
    assert len(of_kind(events, WorkerRefused)) == 1
    assert len(of_kind(events, WorkerJoined)) >= 2
    assert len(kept(design, store)) == 10


@pytest.mark.usefixtures("short_patience")
def test_a_scheduler_without_workers_is_given_up(
    design: Design, place: DigitsPlace, store: Store
) -> None:
    with (
        local_cluster(0, 1) as cluster,
        pytest.raises(TallerError, match="no worker process"),
    ):
        list(study(design, place, store, scheduler=cluster.scheduler_address))


# ------------------------------------------------------------------ addresses, disk, time


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


def test_the_time_left_goes_by_what_trials_took(design: Design) -> None:
    pace = _Pace(design)
    trials = list(design.trials({}))
    assert pace.seconds_left(trials, 2) is None
    pace.learn(trials[0], TrialResult(status="failed", reason="memory", wall_seconds=0.1))
    assert pace.seconds_left(trials, 2) is None
    for trial in trials[:3]:
        seconds = pace.work(trial) / 1e9
        pace.learn(trial, TrialResult(status="ok", wall_seconds=seconds))
    work = [pace.work(trial) / 1e9 for trial in trials]
    assert pace.seconds_left(trials, 2) == pytest.approx(sum(work) / 2)
    assert pace.seconds_left(trials, 10_000) == pytest.approx(max(work)), "never less than one"
    assert pace.seconds_left([], 2) == 0


@pytest.mark.slow
def test_worker_processes_of_our_own_give_the_same_table(
    design: Design, place: DigitsPlace, store: Store, scheduler: str, tmp_path: Path
) -> None:
    events = list(study(design, place, store, workers=2))
    assert events[0].local_workers == 2  # type: ignore[union-attr]
    assert len(of_kind(events, WorkerJoined)) == 2
    table = tabulate(design, store.results)
    assert (table["peak_memory_mb"] > 50).all() or not sys.platform.startswith("linux")
    with open_store(tmp_path / "other") as other:
        list(study(design, place, other, scheduler=scheduler))
        pd.testing.assert_frame_equal(numbers(design, store), numbers(design, other))


class Gone:
    """The future of a trial whose worker died before its result was fetched."""

    status = "finished"

    def result(self, timeout: float | None = None) -> TrialResult:
        assert timeout is not None
        raise TimeoutError


def test_a_result_whose_worker_died_is_not_waited_for_for_ever(place: DigitsPlace) -> None:
    needed = Requirements(place=place, checksum="", version="")
    crew = cluster_module.Crew(None, needed)  # type: ignore[arg-type]
    assert crew.outcome(Gone()) is None  # type: ignore[arg-type]
