"""The store: what it keeps, what a kill leaves, and files that it cannot read."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from small_study import FULL, SAMPLE

from taller_cnn.errors import BusyError, OutputError
from taller_cnn.study import Design, Store, TrialResult, build, plan_of
from taller_cnn.study.store import TRIALS_FOLDER

OK = TrialResult(
    status="ok",
    judged_n=1400,
    judged_errors=140,
    curve=((64, 2.0, None), (128, 1.0, 0.1)),
    judged_wrong=b"\x00\xff\xfb",
    images_seen=128,
    machine="here",
    processor="some",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "resultados" / "estudio"


@pytest.fixture(scope="module")
def design() -> Design:
    return build(plan_of(["dropout"], cross=False).with_seeds(1), SAMPLE)


def fill(folder: Path, design: Design) -> None:
    with Store(folder, is_writer=True) as store:
        for trial in design.trials({}):
            store.add(design.key(trial), trial, OK)


def files(folder: Path) -> list[Path]:
    return sorted((folder / TRIALS_FOLDER).glob("*.json"))


def test_what_is_added_is_there_when_the_store_is_opened_again(
    folder: Path, design: Design
) -> None:
    fill(folder, design)
    store = Store(folder)
    assert store.notices == []
    assert store.results == {design.key(trial): OK for trial in design.trials({})}
    stored = next(iter(store.trials.values()))
    assert stored.version
    assert stored.created
    assert store.origin(design)[0].startswith(f"taller-cnn {stored.version}, some, ")


def test_a_store_holds_the_studies_of_both_data_sets(folder: Path, design: Design) -> None:
    full = build(plan_of(["dropout"], cross=False).with_seeds(1), FULL)
    fill(folder, design)
    fill(folder, full)
    results = Store(folder).results
    assert len(results) == len(design.trials({})) + len(full.trials({}))
    for either in (design, full):
        assert either.next_trials(results) == []


def test_a_second_try_takes_the_place_of_the_first(folder: Path, design: Design) -> None:
    trial = design.trials({})[0]
    key = design.key(trial)
    with Store(folder, is_writer=True) as store:
        store.add(key, trial, TrialResult(status="failed", reason="memory"))
        store.add(key, trial, OK)
        assert store.results == {key: OK}
    assert len(files(folder)) == 1


def test_the_study_that_was_run_last_is_remembered(folder: Path, design: Design) -> None:
    other = build(plan_of(["activation"], cross=False), FULL)
    with Store(folder, is_writer=True) as store:
        assert store.last_study() is None
        store.remember(design, {"factors": ["dropout"]})
        store.remember(other, {"factors": ["activation"]})
    last = Store(folder).last_study()
    assert last is not None
    assert last.design.trials({}) == other.trials({})
    assert last.design.hash == other.hash
    assert last.design.digits == FULL
    assert last.command == {"factors": ["activation"]}
    (folder / "plan.json").write_text('{"plan": 3}', encoding="utf-8")
    assert Store(folder).last_study() is None


def test_stores_of_two_machines_are_put_together_by_copying_files(
    tmp_path: Path, design: Design
) -> None:
    trials = design.trials({})
    for name, some in (("one", trials[:2]), ("other", trials[2:])):
        with Store(tmp_path / name, is_writer=True) as store:
            for trial in some:
                store.add(design.key(trial), trial, OK)
    for path in files(tmp_path / "other"):
        shutil.copy(path, tmp_path / "one" / TRIALS_FOLDER)
    assert design.next_trials(Store(tmp_path / "one").results) == []
    files(tmp_path / "one")[0].unlink()
    assert len(design.next_trials(Store(tmp_path / "one").results)) == 1


def test_a_store_has_one_writer_and_any_number_of_readers(folder: Path, design: Design) -> None:
    fill(folder, design)
    with Store(folder, is_writer=True):
        with pytest.raises(BusyError):
            Store(folder, is_writer=True)
        assert len(Store(folder).results) == len(design.trials({}))
    Store(folder, is_writer=True).close()


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b'{"result": {"status": "odd"}}', b"[" * 9000]
)
def test_a_file_that_cannot_be_read_is_named_and_counts_as_not_run(
    folder: Path, design: Design, content: bytes
) -> None:
    fill(folder, design)
    damaged = files(folder)[1]
    damaged.write_bytes(content)
    store = Store(folder)
    (notice,) = store.notices
    assert str(damaged) in str(notice)
    assert [design.key(trial) for trial in design.next_trials(store.results)] == [damaged.stem]
    assert damaged.read_bytes() == content, "a reader changes nothing"


def test_files_of_versions_with_more_fields_or_fewer_are_read(folder: Path, design: Design) -> None:
    import json

    fill(folder, design)
    more, fewer = files(folder)[:2]
    told = json.loads(more.read_text(encoding="utf-8"))
    told["result"]["added"] = told["added"] = 1
    more.write_text(json.dumps(told), encoding="utf-8")
    fewer.write_text('{"result": {"status": "ok", "judged_n": 1400, "judged_errors": 1}}')
    store = Store(folder)
    assert store.notices == []
    assert store.results[more.stem] == OK
    assert store.results[fewer.stem].judged_errors == 1


def test_the_file_of_an_earlier_version_is_named_and_left_alone(
    folder: Path, design: Design
) -> None:
    folder.mkdir(parents=True)
    (folder / "estudio.sqlite").write_bytes(b"results of before")
    fill(folder, design)
    store = Store(folder)
    assert [notice.key for notice in store.notices] == ["study_store_old"]
    assert "estudio.sqlite" in str(store.notices[0])
    assert (folder / "estudio.sqlite").read_bytes() == b"results of before"
    assert len(store.results) == len(design.trials({}))


def test_looking_at_a_store_makes_nothing(folder: Path) -> None:
    assert Store(folder).results == {}
    assert not folder.exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Cannot write"):
        Store(tmp_path / "file" / "estudio", is_writer=True)


def test_a_result_that_cannot_be_written_is_told_and_loses_nothing(
    folder: Path, design: Design, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    fill(folder, design)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    with Store(folder, is_writer=True) as store:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match="full"):
            store.add("key", design.trials({})[0], OK)
        monkeypatch.undo()
        assert "key" not in store.results
    assert len(Store(folder).results) == len(design.trials({})) == len(files(folder))


def test_seven_hundred_results_are_read_in_well_under_a_second(
    folder: Path, design: Design
) -> None:
    fill(folder, design)
    large = files(folder)[0]
    bits = TrialResult(status="ok", judged_n=20_000, judged_errors=1, judged_wrong=os.urandom(2500))
    with Store(folder, is_writer=True) as store:
        store.add(large.stem, design.trials({})[0], bits)
    for number in range(706):
        shutil.copy(large, folder / TRIALS_FOLDER / f"{number}.json")
    began = time.process_time()
    assert Store(folder).results["705"] == bits
    assert time.process_time() - began < 0.7


KILLED = """
import sys
from pathlib import Path
from small_study import SAMPLE
from taller_cnn.study import Store, TrialResult, build, plan_of
design = build(plan_of(["dropout"], cross=False), SAMPLE)
trial = design.trials({})[0]
with Store(Path(sys.argv[1]), is_writer=True) as store:
    for n in range(10**9):
        store.add(str(n), trial, TrialResult(status="ok", judged_wrong=bytes(20_000)))
        print(n, flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_kill_at_any_moment_loses_nothing_that_was_kept(folder: Path) -> None:
    shared = str(Path(__file__).parents[1] / "shared")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([shared, *sys.path])}
    for wanted in (0, 3, 17, 40):
        shutil.rmtree(folder, ignore_errors=True)
        command = [sys.executable, "-c", KILLED, str(folder)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if int(line) == wanted:
                    process.send_signal(signal.SIGKILL)
        with Store(folder, is_writer=True) as store:
            assert store.notices == []
            kept = sorted(map(int, store.results))
        assert kept == list(range(len(kept)))
        assert len(kept) > wanted


def test_a_curve_with_a_number_that_is_not_finite_is_never_written(
    folder: Path, design: Design
) -> None:
    trial = design.trials({})[0]
    result = replace(OK, curve=((64, float("nan"), None),))
    with Store(folder, is_writer=True) as store:
        with pytest.raises(ValueError, match="not JSON compliant"):
            store.add(design.key(trial), trial, result)
        assert store.results == {}
    assert not files(folder)
