"""The store: what it keeps, what a kill leaves, and files that it does not take for its own."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from taller_cnn.errors import BusyError, OutputError
from taller_cnn.study import Design, Store, StoreDigits, TrialResult, build, plan_of

DIGITS = StoreDigits(name="mnist", checksum="digits", train_n=3500)
OTHERS = StoreDigits(name="kmnist", checksum="others", train_n=3500)
WORKER = {"machine": "here", "processor": "some"}
OK = TrialResult(
    status="ok",
    validation_error=0.1,
    curve=((64, 2.0, None), (128, 1.0, 0.1)),
    validation_wrong=b"\x00\xff",
    images_seen=128,
    machine="here",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "resultados" / "estudio" / "estudio.sqlite"


@pytest.fixture(scope="module")
def design() -> Design:
    return build(plan_of(["kernel"], cross=False).with_seeds(1), available=3500, checksum="digits")


def fill(path: Path, design: Design, digits: StoreDigits = DIGITS) -> None:
    with Store(path, digits) as store:
        for trial in design.trials():
            store.add(design.key(trial), trial, OK, WORKER)


def test_what_is_added_is_there_when_the_store_is_opened_again(path: Path, design: Design) -> None:
    fill(path, design)
    with Store(path, DIGITS) as store:
        assert store.notices == ()
        assert store.results(design) == {design.key(trial): OK for trial in design.trials()}
        told = next(iter(store.provenance(design).values()))
    assert told["machine"] == "here"
    assert told["version"]
    assert told["created"]


def test_a_store_holds_several_designs_of_the_same_digits(path: Path, design: Design) -> None:
    fill(path, design)
    other = build(plan_of(["activation"], cross=False), available=3500, checksum="digits")
    with Store(path, DIGITS) as store:
        shared = set(map(other.key, other.trials())) & set(map(design.key, design.trials()))
        assert set(store.results(other)) == shared
        assert len(shared) == 3, "the workshop's network at three rates"


def test_a_second_try_takes_the_place_of_the_first(path: Path, design: Design) -> None:
    trial = design.trials()[0]
    key = design.key(trial)
    with Store(path, DIGITS) as store:
        store.add(key, trial, TrialResult(status="failed", reason="memory"), WORKER)
        store.add(key, trial, OK, WORKER)
        assert store.results() == {key: OK}


def test_the_plan_that_was_run_last_is_remembered(path: Path, design: Design) -> None:
    other = build(plan_of(["activation"], cross=False), available=3500, checksum="digits")
    with Store(path, DIGITS) as store:
        assert store.latest_plan() is None
        store.remember(design)
        store.remember(other)
        assert store.latest_plan() == other.plan
        store.remember(design)
        assert store.latest_plan() == design.plan


def test_there_is_one_file_and_no_write_ahead_log(path: Path, design: Design) -> None:
    fill(path, design)
    assert sorted(file.name for file in path.parent.iterdir()) == [
        ".taller-cnn.lock",
        "estudio.sqlite",
    ]
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_a_store_has_one_writer_and_any_number_of_readers(path: Path, design: Design) -> None:
    fill(path, design)
    with Store(path, DIGITS):
        with pytest.raises(BusyError):
            Store(path, OTHERS)
        reader = Store.existing(path)
        assert reader is not None
        with reader:
            assert len(reader.results()) == len(design.trials())
    assert not list(path.parent.glob("*.broken*")), "a store in use is not kept aside"
    Store(path, DIGITS).close()


def test_a_store_that_is_just_being_made_is_not_there_yet(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.touch()
    assert Store.existing(path) is None
    with Store(path, DIGITS) as store:
        assert store.notices == ()


def spoil_head(path: Path) -> None:
    path.write_bytes(b"no database" + path.read_bytes()[11:])


def spoil_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for start in range(4096, len(content), 4096):
        content[start : start + 64] = b"\xff" * 64
    path.write_bytes(bytes(content))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:6000])


def other_format(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE name = 'format'")
    connection.close()


def lacks_a_column(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE trials DROP COLUMN curve")
    connection.close()


def other_program(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (spoil_head, "damaged"),
        (spoil_middle, "damaged"),
        (cut, "damaged"),
        (other_format, "format 99"),
        (lacks_a_column, "not a study"),
        (other_program, "not a study"),
    ],
)
def test_a_file_that_cannot_be_used_is_kept_aside_and_told(
    path: Path, design: Design, spoil: Callable[[Path], None], says: str
) -> None:
    fill(path, design)
    spoil(path)
    content = path.read_bytes()
    with pytest.raises(OutputError, match=says):
        Store.existing(path)
    with Store(path, DIGITS) as store:
        (notice,) = store.notices
        assert store.results() == {}
    assert says in str(notice)
    assert path.with_name("estudio.sqlite.broken").read_bytes() == content


@pytest.mark.skipif(os.name != "posix", reason="pipes that have a name")
def test_a_pipe_in_the_place_of_the_store_is_refused_and_stays_where_it_is(path: Path) -> None:
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    with pytest.raises(OutputError, match="neither a file nor a pipe nor a device"):
        Store(path, DIGITS)
    assert path.is_fifo()
    assert not list(path.parent.glob("*.broken*"))


def test_a_study_of_other_digits_is_kept_aside_whole(path: Path, design: Design) -> None:
    fill(path, design)
    with Store(path, OTHERS) as store:
        assert "another set of digits" in str(store.notices[0])
    kept = path.with_name("estudio.sqlite.broken")
    with Store(kept, DIGITS) as store:
        assert len(store.results(design)) == len(design.trials())


def test_nothing_that_was_kept_aside_is_overwritten(path: Path, design: Design) -> None:
    for _ in range(3):
        fill(path, design)
        spoil_head(path)
    fill(path, design)
    kept = sorted(file.name for file in path.parent.glob("*.broken*"))
    assert kept == ["estudio.sqlite.broken", "estudio.sqlite.broken.1", "estudio.sqlite.broken.2"]


def test_looking_at_a_store_changes_nothing(path: Path, design: Design) -> None:
    assert Store.existing(path) is None
    assert not path.exists()
    fill(path, design)
    before = path.read_bytes()
    store = Store.existing(path)
    assert store is not None
    with store:
        assert store.digits == DIGITS
        assert len(store.results(design)) == len(design.trials())
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Cannot write"):
        Store(tmp_path / "file" / "estudio.sqlite", DIGITS)


def test_a_full_disk_is_told_and_loses_nothing(path: Path, design: Design) -> None:
    fill(path, design)
    trial = design.trials()[0]
    with Store(path, DIGITS) as store:
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        large = TrialResult(status="ok", validation_wrong=b"\xff" * 100_000)
        with pytest.raises(OutputError, match="full"):
            store.add("key", trial, large, WORKER)
    with Store(path, DIGITS) as store:
        assert len(store.results()) == len(design.trials())


KILLED = """
import sys
from pathlib import Path
from taller_cnn.study import Store, StoreDigits, TrialResult, build, plan_of
design = build(plan_of(["kernel"], cross=False), available=3500, checksum="digits")
digits = StoreDigits(name="mnist", checksum="digits", train_n=3500)
trial = design.trials()[0]
with Store(Path(sys.argv[1]), digits) as store:
    for n in range(10**9):
        result = TrialResult(status="ok", validation_wrong=bytes(20_000))
        store.add(str(n), trial, result, {})
        print(n, flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_kill_at_any_moment_loses_nothing_that_was_kept(path: Path) -> None:
    for wanted in (0, 3, 17, 40):
        path.unlink(missing_ok=True)
        command = [sys.executable, "-c", KILLED, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if int(line) == wanted:
                    process.send_signal(signal.SIGKILL)
        with Store(path, DIGITS) as store:
            assert store.notices == ()
            kept = sorted(map(int, store.results()))
        assert kept == list(range(len(kept)))
        assert len(kept) > wanted


def test_a_curve_with_a_number_that_is_not_finite_is_never_written(
    path: Path, design: Design
) -> None:
    trial = design.trials()[0]
    result = replace(OK, curve=((64, float("nan"), None),))
    with Store(path, DIGITS) as store:
        with pytest.raises(ValueError, match="not JSON compliant"):
            store.add(design.key(trial), trial, result, WORKER)
        assert store.results(design) == {}
