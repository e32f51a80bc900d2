"""The results of studies on disk: a file for each trial, named by its key.

A key stands for all that a trial's numbers depend on, the digits too, so that a folder may hold
the trials of several studies and data sets. Results of two machines are put together by copying
files, and a trial is repeated by deleting its file. There is one writer, who holds the folder's
lock for as long as the store is open.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from taller_cnn import __version__
from taller_cnn.errors import OutputError, Phrase
from taller_cnn.files import atomic_path, folder_lock, read_json, write_json
from taller_cnn.reasons import os_reason
from taller_cnn.study.design import Design, build
from taller_cnn.study.plan import Plan
from taller_cnn.study.trial import StudyDigits, Trial, TrialResult

TRIALS_FOLDER = "entrenamientos"
PLAN_NAME = "plan.json"
OLD_NAME = "estudio.sqlite"
"""What versions before training revision 3 kept results in."""


class StoredTrial(BaseModel):
    """A trial's result, and where it comes from; keys of other versions are passed over."""

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    result: TrialResult
    version: str = ""
    """Of the program that ran the study."""
    created: str = ""
    """Local time with offset, as ISO 8601."""
    spec: Mapping[str, Any] | None = None
    """The trial, for whoever opens the file."""


@dataclass(frozen=True, kw_only=True)
class LastStudy:
    """The study that was run last in a folder."""

    design: Design
    command: Mapping[str, Any]
    """What was typed to get it: words and options by name."""


class Store:
    """The finished trials in a folder of studies.

    A file that cannot be read is as if it were not there; `notices` names it.

    Args:
        folder: of the studies; made if need be when something is written.
        is_writer: whether results are to be added; the folder is locked until the store is closed.

    Raises:
        BusyError: another process writes there.
        OutputError: the folder cannot be read or written.
    """

    def __init__(self, folder: Path, *, is_writer: bool = False) -> None:
        self.folder = folder
        self.notices: list[Phrase] = []
        self._lock = ExitStack()
        if is_writer:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                reason = os_reason(error)
                raise OutputError("cannot_write", path=folder, reason=reason) from error
            self._lock.enter_context(folder_lock(folder))
        if (folder / OLD_NAME).exists():
            self.notices.append(Phrase("study_store_old", {"path": folder / OLD_NAME}))
        self._trials = dict(self._read_all())

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
        """Let others write."""
        self._lock.close()

    @property
    def trials(self) -> Mapping[str, StoredTrial]:
        """All trials by key."""
        return self._trials

    @property
    def results(self) -> dict[str, TrialResult]:
        """All results by the trial's key."""
        return {key: stored.result for key, stored in self._trials.items()}

    def add(self, key: str, trial: Trial, result: TrialResult) -> None:
        """Keep a result, in place of an earlier one of the same trial.

        Raises:
            OutputError: it cannot be written.
        """
        now = datetime.now().astimezone().isoformat(timespec="microseconds")
        stored = StoredTrial(result=result, version=__version__, created=now, spec=trial.to_dict())
        # pydantic's own writer would turn a number that is not finite into null.
        text = json.dumps(stored.model_dump(mode="json"), allow_nan=False)
        with atomic_path(self._path(key)) as temporary:
            temporary.write_text(text, encoding="utf-8")
        self._trials[key] = stored

    def origin(self, design: Design) -> list[str]:
        """Where the design's results come from: versions and processors, with counts and days."""
        keys = map(design.key, design.trials(self.results))
        stored = [self._trials[key] for key in keys if key in self._trials]
        counts = Counter((s.version, s.result.processor, s.created[:10]) for s in stored)
        return [
            f"taller-cnn {version}, {processor}, {day} ({n})"
            for (version, processor, day), n in sorted(counts.items())
        ]

    def remember(self, design: Design, command: Mapping[str, Any]) -> None:
        """Note that this design is being run, so that its report can be made without it.

        Args:
            design: the study.
            command: what was typed to get it: words and options by name, as JSON types.

        Raises:
            OutputError: it cannot be written.
        """
        kept = {"plan": design.plan.to_dict(), "digits": vars(design.digits), "command": command}
        write_json(self.folder / PLAN_NAME, kept)

    def last_study(self) -> LastStudy | None:
        """The study that was run last; None where none was or its record is damaged.

        Raises:
            UsageError: a version wrote it that knew other factors.
        """
        kept = read_json(self.folder / PLAN_NAME)
        if not isinstance(kept, dict) or not {"plan", "digits", "command"} <= kept.keys():
            return None
        try:
            digits = TypeAdapter(StudyDigits).validate_python(kept["digits"])
        except ValidationError:
            return None
        design = build(Plan.from_dict(kept["plan"]), digits)
        return LastStudy(design=design, command=kept["command"])

    def _path(self, key: str) -> Path:
        return self.folder / TRIALS_FOLDER / f"{key}.json"

    def _read_all(self) -> list[tuple[str, StoredTrial]]:
        trials = []
        # What a kill left half-written begins with a point.
        for path in sorted((self.folder / TRIALS_FOLDER).glob("[!.]*.json")):
            try:
                trials.append((path.stem, StoredTrial.model_validate_json(path.read_bytes())))
            except ValidationError:
                self._note_unreadable(path, Phrase("reason_damaged"))
            except OSError as error:
                self._note_unreadable(path, os_reason(error))
        return trials

    def _note_unreadable(self, path: Path, reason: Phrase | str) -> None:
        self.notices.append(Phrase("study_store_unreadable", {"path": path, "reason": reason}))
