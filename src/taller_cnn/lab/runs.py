"""Trainings from the page: one at a time, in a process of its own, watched by the lab."""

from __future__ import annotations

import asyncio
import multiprocessing
import secrets
import shutil
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import DigitsPlace
from taller_cnn.errors import OutputError, TallerError
from taller_cnn.files import folder_lock
from taller_cnn.lab.history import EventHistory
from taller_cnn.lab.model_store import ModelStore
from taller_cnn.lab.problems import LabError
from taller_cnn.lab.schemas import RunState
from taller_cnn.lab.security import OWNER, Visitor
from taller_cnn.lab.worker import run_worker
from taller_cnn.lab.worker_protocol import Action, TrainingOrder
from taller_cnn.reasons import os_reason

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

ACTIVE: tuple[RunState, ...] = ("starting", "running", "paused")
KEEPABLE: tuple[RunState, ...] = ("finished", "stopped")
GRACE_SECONDS = 60.0
"""A training that nobody has listened to for so long is stopped."""
STOP_SECONDS = 10.0
"""A process that has been told to end and has not after so long is killed."""


class Run:
    """One training; made by `Runs.start`."""

    def __init__(self, order: TrainingOrder, resources: ExitStack, owner: str) -> None:
        self.id = secrets.token_hex(6)
        self.order, self.resources = order, resources
        self.owner = owner
        """The `Visitor.person` who started it."""
        self.state: RunState = "starting"
        self.step = self.steps = 0
        self.error: TallerError | None = None
        self.model: str | None = None
        self.history = EventHistory()
        self.process: BaseProcess | None = None
        self.pipe: Connection[Any, Any] | None = None
        self._follower: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def active(self) -> bool:
        """Whether its process is at work."""
        return self.state in ACTIVE

    def become(self, state: RunState, error: TallerError | None = None) -> None:
        """Change the state and tell those who listen; the error's words are found later."""
        self.state, self.error = state, error
        known = {"step": self.step, "steps": self.steps, "model": self.model}
        self.history.add("state", {"state": state, **known, "error": error})

    def tell(self, action: Action) -> None:
        """Send an action to the process, if it is still there to take it."""
        if self.pipe is not None:
            with suppress(OSError):
                self.pipe.send(action)

    def take(self, name: str, data: Mapping[str, Any]) -> None:
        """Follow one event of the process; of a training that is thrown away, none."""
        if self.state == "discarded":
            return
        self.step = data.get("step", self.step)
        if name == "started":
            self.steps = data["steps"]
            self.history.add(name, data)
            self.become("running")
        elif name in ("paused", "continued"):
            self.become("paused" if name == "paused" else "running")
        elif name == "end":
            self.become(data["state"], data.get("error"))
        else:
            self.history.add(name, data)

    async def begin(self, grace: float) -> None:
        """Start the process and follow it; stop it when nobody has listened for `grace` seconds."""
        process, pipe = await asyncio.to_thread(_start_process, self.order)
        self.process, self.pipe = process, pipe
        self.become("starting")
        self._follower = asyncio.create_task(self._follow(process, pipe))
        self._watcher = asyncio.create_task(self._stop_if_alone(grace))

    async def _follow(self, process: BaseProcess, pipe: Connection[Any, Any]) -> None:
        """Take what the process tells until it has ended."""
        loop = asyncio.get_running_loop()
        told: asyncio.Queue[tuple[str, Mapping[str, Any]] | None] = asyncio.Queue()

        def read() -> None:
            # Half a message at the end is an OSError too; a RuntimeError, that the loop is gone.
            with suppress(EOFError, OSError, RuntimeError):
                while True:
                    loop.call_soon_threadsafe(told.put_nowait, pipe.recv())
            process.join()
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(told.put_nowait, None)

        # One that nobody has to wait for when the program ends.
        threading.Thread(target=read, daemon=True).start()
        while (event := await told.get()) is not None:
            self.take(*event)
        pipe.close()
        if self.active:
            self.become("failed", TallerError("lab_process_ended", code=process.exitcode))

    async def _stop_if_alone(self, grace: float) -> None:
        while self.active:
            await asyncio.sleep(min(1.0, grace / 4))
            alone = self.history.listeners == 0
            if alone and time.monotonic() - self.history.alone_since > grace:
                self.tell("stop")

    async def discard(self) -> None:
        """End the process, wait until it is gone, and throw away what it made."""
        kept = self.state == "kept"
        if not kept:
            # From now on the end of the process is no failure.
            self.state = "discarded"
        if self._watcher is not None:
            self._watcher.cancel()
        if self.process is not None and self._follower is not None:
            self.process.terminate()
            _, alive = await asyncio.wait([self._follower], timeout=STOP_SECONDS)
            if alive:
                self.process.kill()
                await self._follower
        if not kept:
            self.history.add("discarded", {})
        self.history.end()
        self.resources.close()


def _start_process(order: TrainingOrder) -> tuple[BaseProcess, Connection[Any, Any]]:
    """The process, and this side of its pipe."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    # Only the process keeps its side open, so that the pipe ends when the process does.
    with theirs:
        process = context.Process(target=run_worker, args=(order, theirs), daemon=True)
        process.start()
    return process, ours


class Runs:
    """The trainings of one lab.

    A training that has ended is kept, without its process, until it is kept as a model, thrown
    away or followed by another; its files are in ``<kept>/.runs/<id>/``.

    Args:
        models: where models are kept.
        place: where the digits are.
        grace: seconds that a training goes on with nobody listening.
    """

    def __init__(
        self, models: ModelStore, place: DigitsPlace, *, grace: float = GRACE_SECONDS
    ) -> None:
        self.models, self.place, self.grace = models, place, grace
        self.folder = models.kept / ".runs"
        self.present: Run | None = None
        self._changing = asyncio.Lock()
        """Held while a training begins, is kept or thrown away: one after the other."""

    def get(self, run_id: str) -> Run:
        """The training of that id.

        Raises:
            LabError: there is none (404).
        """
        if self.present is None or self.present.id != run_id:
            raise LabError(404, "lab_unknown_run", value=run_id[:40])
        return self.present

    async def start(
        self,
        model: ModelConfig,
        train: TrainConfig,
        source: str,
        *,
        replace: bool = False,
        visitor: Visitor = OWNER,
    ) -> Run:
        """Begin a training.

        Args:
            model: the network.
            train: how it is trained.
            source: `auto`, `full` or `sample`.
            replace: whether to throw away the last training if it could still be kept.
            visitor: who starts it.

        Raises:
            LabError: another one is at work, or could still be kept (409), or it is not the
                visitor's to throw away (403).
            BusyError: another lab trains in the same folder.
            OutputError: the folder cannot be written.
        """
        async with self._changing:
            if self.present is not None and self.present.active:
                raise LabError(409, "lab_busy")
            if self.present is not None and self.present.state in KEEPABLE:
                if not visitor.may_steer(self.present.owner):
                    raise LabError(403, "lab_unkept_of_other")
                if not replace:
                    raise LabError(409, "lab_unkept")
            await self._throw_away()
            with ExitStack() as opened:
                order = self._prepare(model, train, source, opened)
                run = Run(order, opened, visitor.person)
                await run.begin(self.grace)
                run.resources = opened.pop_all()
            self.present = run
            return run

    def _prepare(
        self, model: ModelConfig, train: TrainConfig, source: str, opened: ExitStack
    ) -> TrainingOrder:
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
        return TrainingOrder(
            model=model,
            train=train,
            place=replace(self.place, source=source),
            folder=folder,
        )

    async def act(
        self,
        run_id: str,
        action: Action | Literal["keep"],
        name: str | None = None,
        visitor: Visitor = OWNER,
    ) -> Run:
        """Pause, continue, stop or keep a training.

        Raises:
            LabError: there is none of that id (404), it is not the visitor's (403), its state does
                not allow that (409), or the name is missing or cannot be taken (422, 409).
        """
        self._of_visitor(run_id, visitor)
        if action == "keep":
            async with self._changing:
                run = self._in_state(run_id, action, KEEPABLE)
                return await self._keep(run, name, as_default=visitor.role == "teacher")
        allowed: dict[Action, tuple[RunState, ...]] = {
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
            raise LabError(409, "lab_run_state", state=run.state, action=action)
        return run

    async def _keep(self, run: Run, name: str | None, *, as_default: bool) -> Run:
        if name is None:
            raise LabError(422, "lab_name_missing", pointer="/name")
        # A pupil's network is nobody else's to begin with.
        keep = partial(self.models.keep, run.order.folder, name, as_default=as_default)
        await asyncio.to_thread(keep)
        run.model = name
        run.become("kept")
        run.history.end()
        run.resources.close()
        return run

    def _of_visitor(self, run_id: str, visitor: Visitor) -> None:
        """Refuse to change a training that somebody else has started.

        Raises:
            LabError: there is none of that id (404), or it is not the visitor's (403).
        """
        if not visitor.may_steer(self.get(run_id).owner):
            raise LabError(403, "lab_run_of_other")

    async def discard(self, run_id: str, visitor: Visitor = OWNER) -> None:
        """End a training and throw away what it made.

        Raises:
            LabError: there is none of that id (404), or it is not the visitor's (403).
        """
        async with self._changing:
            self._of_visitor(run_id, visitor)
            await self._throw_away()

    async def close(self) -> None:
        """End everything, because the lab does."""
        async with self._changing:
            await self._throw_away()

    async def _throw_away(self) -> None:
        run, self.present = self.present, None
        if run is not None:
            await run.discard()


async def _settled(run: Run, state: RunState, seconds: float = 2.0) -> None:
    """Wait a little for the state to change, so that the answer has the new one."""
    end = time.monotonic() + seconds
    while run.state == state and time.monotonic() < end:
        await asyncio.sleep(0.01)
