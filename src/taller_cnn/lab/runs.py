"""Trainings from the page: one at a time, in a process of its own, watched by the lab."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import DigitsPlace
from taller_cnn.errors import OutputError, TallerError
from taller_cnn.files import folder_lock, os_reason
from taller_cnn.lab.history import EventHistory
from taller_cnn.lab.problems import ConflictError, FieldError, NotFoundError
from taller_cnn.lab.schemas import RunState
from taller_cnn.lab.shelf import Shelf
from taller_cnn.lab.wire import TrainingOrder, error_from_json, to_line

__all__ = ["ACTIVE", "Run", "Runs"]

ACTIVE: tuple[RunState, ...] = ("starting", "running", "paused")
KEEPABLE: tuple[RunState, ...] = ("finished", "stopped")
GRACE_SECONDS = 60.0
"""A training that nobody has listened to for so long is stopped."""
STOP_SECONDS = 10.0
"""A process that has been told to end and has not after so long is killed."""
LONGEST_LINE = 1 << 22
"""Bytes of an event at most: a snapshot of 1,024 filters of 7 x 7 has 270,000."""


class Run:
    """One training; made by `Runs.start`."""

    def __init__(self, order: TrainingOrder, resources: ExitStack) -> None:
        self.id = secrets.token_hex(6)
        self.order, self.resources = order, resources
        self.state: RunState = "starting"
        self.step = self.steps = 0
        self.error: TallerError | None = None
        self.model: str | None = None
        self.history = EventHistory()
        self.process: asyncio.subprocess.Process | None = None
        self.reader: asyncio.Task[None] | None = None
        self.watcher: asyncio.Task[None] | None = None

    @property
    def active(self) -> bool:
        """Whether its process is at work."""
        return self.state in ACTIVE

    def become(self, state: RunState, error: TallerError | None = None) -> None:
        """Change the state and tell those who listen; the error's words are found later."""
        self.state, self.error = state, error
        known = {"step": self.step, "steps": self.steps, "model": self.model}
        self.history.add("state", {"state": state, **known, "error": error})

    def tell(self, action: str) -> None:
        """Send a command to the process, if it is still there to take it."""
        if self.process is not None and self.process.stdin is not None:
            with suppress(OSError, RuntimeError):
                self.process.stdin.write(to_line({"action": action}))

    def take(self, event: Mapping[str, Any]) -> None:
        """Follow one event of the process."""
        name, data = event["event"], event["data"]
        self.step = data.get("step", self.step)
        if name == "started":
            self.steps = data["steps"]
            self.history.add(name, data)
            self.become("running")
        elif name in ("paused", "continued"):
            self.become("paused" if name == "paused" else "running")
        elif name == "end":
            error = error_from_json(data["error"]) if "error" in data else None
            self.become(data["state"], error)
        else:
            self.history.add(name, data)


class Runs:
    """The trainings of one lab.

    A training that has ended is kept, without its process, until it is kept as a model, thrown
    away or followed by another; its files are in ``<kept>/.runs/<id>/``.

    Args:
        shelf: where models are kept.
        place: where the digits are.
        grace: seconds that a training goes on with nobody listening.
    """

    def __init__(self, shelf: Shelf, place: DigitsPlace, *, grace: float = GRACE_SECONDS) -> None:
        self.shelf, self.place, self.grace = shelf, place, grace
        self.folder = shelf.kept / ".runs"
        self.present: Run | None = None
        self._starting = asyncio.Lock()

    def get(self, run_id: str) -> Run:
        """The training of that id.

        Raises:
            NotFoundError: there is none.
        """
        if self.present is None or self.present.id != run_id:
            raise NotFoundError("lab_unknown_run", value=run_id[:40])
        return self.present

    async def start(self, model: ModelConfig, train: TrainConfig, source: str) -> Run:
        """Begin a training; one that has ended without being kept is thrown away.

        Raises:
            ConflictError: another one is at work.
            BusyError: another lab trains in the same folder.
            OutputError: the folder cannot be written.
        """
        async with self._starting:
            if self.present is not None and self.present.active:
                raise ConflictError("lab_busy")
            await self._throw_away()
            with ExitStack() as opened:
                run = self._prepare(model, train, source, opened)
                run.process = await _process(run.order)
                run.resources = opened.pop_all()
            self.present = run
            run.become("starting")
            run.reader = asyncio.create_task(_read(run, run.process))
            run.watcher = asyncio.create_task(self._watch(run))
            return run

    def _prepare(
        self, model: ModelConfig, train: TrainConfig, source: str, opened: ExitStack
    ) -> Run:
        """The order and its folder, which is this lab's alone as long as `opened` is."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError("cannot_write", path=self.folder, reason=os_reason(error)) from error
        opened.enter_context(folder_lock(self.folder))
        # What a lab that was killed has left.
        for left in self.folder.glob("*/"):
            shutil.rmtree(left, ignore_errors=True)
        folder = self.folder / secrets.token_hex(6)
        opened.callback(shutil.rmtree, folder, ignore_errors=True)
        order = TrainingOrder(
            model=model,
            train=train,
            place=replace(self.place, source=source),
            folder=folder,
        )
        return Run(order, opened)

    async def _watch(self, run: Run) -> None:
        """Stop a training that nobody listens to any more."""
        while run.active:
            await asyncio.sleep(min(1.0, self.grace / 4))
            alone = run.history.listeners == 0
            if alone and time.monotonic() - run.history.alone_since > self.grace:
                run.tell("stop")

    async def act(self, run_id: str, action: str, name: str | None = None) -> Run:
        """Pause, continue, stop or keep a training.

        Raises:
            NotFoundError: there is none of that id.
            ConflictError: its state does not allow that.
            FieldError: the name is missing or cannot be taken.
        """
        if action == "keep":
            # One after the other, and not while another training begins.
            async with self._starting:
                return await self._keep(self._in_state(run_id, action, KEEPABLE), name)
        allowed: dict[str, tuple[RunState, ...]] = {
            "pause": ("running",),
            "continue": ("paused",),
            "stop": ACTIVE,
        }
        run = self._in_state(run_id, action, allowed[action])
        run.tell(action)
        await _settled(run, run.state)
        return run

    def _in_state(self, run_id: str, action: str, allowed: tuple[RunState, ...]) -> Run:
        run = self.get(run_id)
        if run.state not in allowed:
            raise ConflictError("lab_run_state", state=run.state, action=action)
        return run

    async def _keep(self, run: Run, name: str | None) -> Run:
        if name is None:
            raise FieldError("lab_name_missing", pointer="/name")
        await asyncio.to_thread(self.shelf.keep, run.order.folder, name)
        run.model = name
        run.become("kept")
        run.history.end()
        run.resources.close()
        return run

    async def discard(self, run_id: str) -> None:
        """End a training and throw away what it made.

        Raises:
            NotFoundError: there is none of that id.
        """
        self.get(run_id)
        async with self._starting:
            await self._throw_away()

    async def _throw_away(self) -> None:
        run, self.present = self.present, None
        if run is not None:
            await _end(run)
            if run.state != "kept":
                run.history.add("discarded", {})
            run.history.end()
            run.resources.close()

    async def close(self) -> None:
        """End everything, because the lab does."""
        async with self._starting:
            await self._throw_away()


async def _process(order: TrainingOrder) -> asyncio.subprocess.Process:
    """Start the process and give it its order."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "taller_cnn.lab.worker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LONGEST_LINE,
        # Ctrl-C in the terminal is for the lab, which then ends its training.
        start_new_session=os.name == "posix",
    )
    assert process.stdin is not None
    process.stdin.write(to_line(order.to_json()))
    return process


async def _read(run: Run, process: asyncio.subprocess.Process) -> None:
    """Follow the process to its end."""
    assert process.stdout is not None
    try:
        while line := await process.stdout.readline():
            run.take(json.loads(line))
    except ValueError:
        # Half a line, or one beyond all limits: nothing after it can be trusted.
        with suppress(ProcessLookupError):
            process.kill()
    code = await process.wait()
    if run.active:
        run.become("failed", TallerError("lab_process_ended", code=code))


async def _settled(run: Run, state: RunState, seconds: float = 2.0) -> None:
    """Wait a little for the state to change, so that the answer has the new one."""
    end = time.monotonic() + seconds
    while run.state == state and time.monotonic() < end:
        await asyncio.sleep(0.01)


async def _end(run: Run) -> None:
    """End the process of a training, and wait until it is gone."""
    if run.watcher is not None:
        run.watcher.cancel()
    process = run.process
    if process is not None and process.returncode is None:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
    if run.reader is not None:
        run.reader.cancel()
        with suppress(asyncio.CancelledError):
            await run.reader
