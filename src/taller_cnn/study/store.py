"""The results of studies in one SQLite file.

Each finished trial is a transaction of its own, so that a kill at any moment loses nothing that
was finished. The rollback journal, and not the write-ahead log, because the latter needs memory
shared by all who open the file, which a home folder on the network does not have. There is one
writer, who holds the folder's lock for as long as the store is open.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from taller_cnn import __version__
from taller_cnn.errors import OutputError, Phrase
from taller_cnn.files import folder_lock
from taller_cnn.reasons import os_reason
from taller_cnn.study.design import TRAINING_REVISION, Design, Trial, build
from taller_cnn.study.plan import Plan
from taller_cnn.study.trial import TrialResult

STORE_NAME = "estudio.sqlite"
FORMAT = 1
BUSY_SECONDS = 30.0

_COLUMNS = tuple(f.name for f in fields(TrialResult))
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE trials (
    key TEXT PRIMARY KEY, spec TEXT NOT NULL, provenance TEXT NOT NULL, {", ".join(_COLUMNS)}
);
CREATE TABLE designs (hash TEXT PRIMARY KEY, plan TEXT NOT NULL, used TEXT NOT NULL);
"""


@dataclass(frozen=True, kw_only=True)
class StoreDigits:
    """The digits that a store's trials were trained on."""

    name: str
    checksum: str
    train_n: int
    """Training digits, without the held-out ones."""
    source: str = "full"
    """`full` or `sample`."""
    held_out: int = 0
    """Training digits held out for validation, which folds share out too."""


class _UnusableError(Exception):
    """The file is not a store for these digits; the argument is a `Phrase` that says why."""


class Store:
    """The finished trials of one data set.

    A file that is damaged, of another format or of other digits is kept aside as
    ``estudio.sqlite.broken`` and a new one begun; `notices` says so.

    Args:
        path: the file; its folder is made.
        digits: what the trials are trained on.

    Raises:
        BusyError: another process has a store open in the folder.
        OutputError: the folder or the file cannot be read or written.
    """

    def __init__(self, path: Path, digits: StoreDigits) -> None:
        self.path, self.digits = path, digits
        self.notices: tuple[Phrase, ...] = ()
        self._open_things = ExitStack()
        with self._disk(), ExitStack() as opened:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Before the file is looked at: one that is in use must not be kept aside.
            opened.enter_context(folder_lock(path.parent))
            if path.exists() and not path.is_file():
                # Neither written into, as it is no sequence, nor moved away.
                raise OutputError("cannot_write", path=path, reason=Phrase("reason_special"))
            try:
                self._connection = _open(path, digits)
            except _UnusableError as error:
                kept = _set_aside(path)
                reason = error.args[0]
                self.notices = (
                    Phrase("study_store_aside", {"path": path, "kept": kept, "reason": reason}),
                )
                self._connection = _open(path, digits)
            opened.callback(self._connection.close)
            self._open_things = opened.pop_all()

    @classmethod
    def existing(cls, path: Path) -> Store | None:
        """The store in `path` whatever its digits, left as it is; None where there is none.

        Raises:
            OutputError: the file cannot be read, is damaged or no store.
        """
        if not path.exists():
            return None
        store = cls.__new__(cls)
        store.path, store.notices = path, ()
        with store._disk():
            # What a study that is just starting has made so far.
            if path.stat().st_size == 0:
                return None
            try:
                store._connection = _open(path, None)
            except _UnusableError as error:
                raise OutputError(
                    "study_store_unusable", path=path, reason=error.args[0]
                ) from error
            meta = _meta(store._connection)
        store._open_things = ExitStack()
        store._open_things.callback(store._connection.close)
        store.digits = StoreDigits(
            name=meta["dataset"],
            checksum=meta["checksum"],
            train_n=int(meta["train_n"]),
            source=meta["source"],
            # A store that was never opened by a version with folds has no trials in folds.
            held_out=int(meta.get("held_out", 0)),
        )
        return store

    def design(self, plan: Plan) -> Design:
        """The trials of a plan with the digits of this store."""
        known = self.digits
        return build(
            plan, available=known.train_n, checksum=known.checksum, held_out=known.held_out
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._open_things.close()

    def add(self, key: str, trial: Trial, result: TrialResult, worker: Mapping[str, str]) -> None:
        """Keep a finished trial, in place of an earlier try.

        Raises:
            OutputError: the disk is full or the file cannot be written.
        """
        provenance = {"created": _now(), "version": __version__, **worker}
        values = {name: getattr(result, name) for name in _COLUMNS}
        values["curve"] = json.dumps(result.curve, allow_nan=False)
        row = (key, json.dumps(trial.to_dict()), json.dumps(provenance), *values.values())
        names = ", ".join(("key", "spec", "provenance", *values))
        marks = ", ".join("?" * len(row))
        with self._disk(), self._connection:
            self._connection.execute(
                f"INSERT OR REPLACE INTO trials ({names}) VALUES ({marks})", row
            )

    def results(self, design: Design | None = None) -> dict[str, TrialResult]:
        """What was run, by key: of a design, or all."""
        wanted = None if design is None else {design.key(trial) for trial in design.trials()}
        with self._disk():
            rows = self._connection.execute(f"SELECT key, {', '.join(_COLUMNS)} FROM trials")
            return {
                key: _result(values) for key, *values in rows if wanted is None or key in wanted
            }

    def provenance(self, design: Design | None = None) -> dict[str, dict[str, str]]:
        """When, where and by which version each trial was run, by key."""
        wanted = None if design is None else {design.key(trial) for trial in design.trials()}
        with self._disk():
            rows = self._connection.execute("SELECT key, provenance FROM trials")
            return {key: json.loads(text) for key, text in rows if wanted is None or key in wanted}

    def origin(self, design: Design) -> list[str]:
        """Where the design's results come from: versions and processors, with counts and days."""
        counts = Counter(
            (told["version"], told.get("processor", ""), told["created"][:10])
            for told in self.provenance(design).values()
        )
        return [
            f"taller-cnn {version}, {processor}, {day} ({n})"
            for (version, processor, day), n in sorted(counts.items())
        ]

    def remember(self, design: Design) -> None:
        """Note that this design is being run, so that its report can be made without it."""
        row = (design.hash, json.dumps(design.plan.to_dict()), _now())
        with self._disk(), self._connection:
            self._connection.execute("INSERT OR REPLACE INTO designs VALUES (?, ?, ?)", row)

    def latest_plan(self) -> Plan | None:
        """The plan that was run last, or None.

        Raises:
            UsageError: it was written by a version that knew other factors.
        """
        with self._disk():
            row = self._connection.execute(
                "SELECT plan FROM designs ORDER BY used DESC, rowid DESC LIMIT 1"
            ).fetchone()
        return None if row is None else Plan.from_dict(json.loads(row[0]))

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError("cannot_write", path=self.path, reason=os_reason(error)) from error
        except sqlite3.Error as error:
            raise OutputError("cannot_write", path=self.path, reason=str(error)) from error


def _open(path: Path, digits: StoreDigits | None) -> sqlite3.Connection:
    """Open a store of `digits`, or of any; a new one is begun only for digits that are known."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS)
    try:
        # The first thing that reads the file, and where one that is no database is found out.
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = FULL")
        if not tables and digits is not None:
            _create(connection, digits)
        _check(connection, digits)
        if digits is not None:
            _note_held_out(connection, digits)
    except sqlite3.OperationalError as error:
        connection.close()
        # The code of an error is its kind in the lowest byte and a detail above it.
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_ERROR:
            raise _UnusableError(Phrase("study_store_foreign")) from error
        raise
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _UnusableError(Phrase("study_store_damaged")) from error
    except _UnusableError:
        connection.close()
        raise
    return connection


def _create(connection: sqlite3.Connection, digits: StoreDigits) -> None:
    meta = {
        "format": str(FORMAT),
        "dataset": digits.name,
        "checksum": digits.checksum,
        "train_n": str(digits.train_n),
        "source": digits.source,
        "revision": str(TRAINING_REVISION),
        "version": __version__,
        "created": _now(),
    }
    with connection:
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())


def _note_held_out(connection: sqlite3.Connection, digits: StoreDigits) -> None:
    """Add what stores of versions without folds do not say."""
    if digits.held_out and "held_out" not in _meta(connection):
        row = ("held_out", str(digits.held_out))
        with connection:
            connection.execute("INSERT INTO meta VALUES (?, ?)", row)


def _meta(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT name, value FROM meta"))


def _check(connection: sqlite3.Connection, digits: StoreDigits | None) -> None:
    """Make sure that the file is whole and belongs to these digits."""
    (state,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if state != "ok":
        raise _UnusableError(Phrase("study_store_damaged"))
    meta = _meta(connection)
    if meta.get("format") != str(FORMAT):
        values = {"found": meta.get("format", "?"), "known": FORMAT}
        raise _UnusableError(Phrase("study_store_format", values))
    if not {"dataset", "checksum", "train_n", "source"} <= meta.keys():
        raise _UnusableError(Phrase("study_store_foreign"))
    if digits is not None and meta["checksum"] != digits.checksum:
        values = {"found": meta["dataset"], "checksum": meta["checksum"]}
        raise _UnusableError(Phrase("study_store_other", values))
    connection.execute(f"SELECT key, spec, provenance, {', '.join(_COLUMNS)} FROM trials LIMIT 1")
    connection.execute("SELECT hash, plan, used FROM designs LIMIT 1")


def _set_aside(path: Path) -> Path:
    """Move the file to a name that nothing has yet, with the journal that belongs to it."""
    number = 0
    kept = path.with_name(f"{path.name}.broken")
    while kept.exists():
        number += 1
        kept = path.with_name(f"{path.name}.broken.{number}")
    path.rename(kept)
    journal = path.with_name(f"{path.name}-journal")
    if journal.exists():
        journal.rename(kept.with_name(f"{kept.name}-journal"))
    return kept


def _result(values: list[Any]) -> TrialResult:
    fields_ = dict(zip(_COLUMNS, values, strict=True))
    curve = json.loads(fields_["curve"] or "null")
    fields_["curve"] = None if curve is None else tuple(tuple(point) for point in curve)
    return TrialResult(**fields_)


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="microseconds")
