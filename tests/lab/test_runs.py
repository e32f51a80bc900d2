"""Real processes; the quick test does in one training what the slow ones do apart."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from taller_cnn.config import ModelConfig, TrainConfig, recipe
from taller_cnn.errors import BusyError
from taller_cnn.lab.lab import Lab
from taller_cnn.lab.problems import status_of
from taller_cnn.lab.runs import Run, Runs

PATIENCE = 60.0


def configs(**train: Any) -> tuple[ModelConfig, TrainConfig]:
    network = ModelConfig(filters=(2,), hidden=8).to_dict()
    return recipe("quick", model=network, train={"epochs": 2000, "precision": "float32", **train})


async def until(happened: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.02)


def alive(process_id: int) -> bool:
    """Whether a process runs, and is not just the memory of one that has ended."""
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def trained(runs: Runs, script: Callable[[Run], Awaitable[None]], **train: Any) -> Run:
    """Start a training, do something with it, and close the lab."""

    async def main() -> Run:
        run = await runs.start(*configs(**train), "sample")
        try:
            with run.history.listen():
                await script(run)
        finally:
            await runs.close()
        return run

    return asyncio.run(main())


def test_a_training_is_paused_continued_stopped_and_kept(refused, own_lab: Lab) -> None:
    runs, states = own_lab.runs, []

    async def script(run: Run) -> None:
        assert run.process is not None
        states.append(run.state)
        with refused(409):
            await runs.act(run.id, "pause")
        await until(lambda: run.step > 0)
        with refused(409):
            await runs.start(*configs(), "sample")
        with refused(409):
            await runs.act(run.id, "keep", "mine")
        for action in ("pause", "continue"):
            states.append((await runs.act(run.id, action)).state)
        await runs.act(run.id, "stop")
        await until(lambda: not run.active)
        states.append(run.state)
        with refused(422):
            await runs.act(run.id, "keep")
        with refused(422):
            await runs.act(run.id, "keep", "../../mine")
        states.append((await runs.act(run.id, "keep", "mine")).state)
        await until(lambda: not alive(run.process.pid))

    run = trained(runs, script)
    assert states == ["starting", "paused", "running", "stopped", "kept"]
    assert own_lab.models.default == run.model == "mine"
    card = own_lab.models.get("mine").card
    assert card.config.filters == (2,)
    assert card.test is not None
    assert card.test.n == 1000
    assert not list(runs.folder.glob("*/"))


@pytest.mark.parametrize("paused", [False, True])
def test_a_discarded_training_ends_as_that_and_leaves_nothing(own_lab: Lab, paused: bool) -> None:
    async def script(run: Run) -> None:
        assert run.process is not None
        await until(lambda: run.step > 0)
        if paused:
            await own_lab.runs.act(run.id, "pause")
        await own_lab.runs.discard(run.id)
        assert not alive(run.process.pid)
        assert own_lab.runs.present is None
        with run.history.listen() as happening:
            told = [event async for event in happening]
        states = [event.data["state"] for event in told if event.name == "state"]
        assert states == ["paused" if paused else "running"]
        assert told[-1].name == "discarded"

    run = trained(own_lab.runs, script)
    assert (run.state, run.error) == ("discarded", None)
    assert own_lab.models.ids() == []
    assert not list(own_lab.runs.folder.glob("*/"))


def test_another_training_does_not_throw_an_unkept_one_away_unasked(
    refused: Any, own_lab: Lab
) -> None:
    async def script(run: Run) -> None:
        await until(lambda: not run.active)
        with refused(409, "has not been kept"):
            await own_lab.runs.start(*configs(), "sample")
        assert own_lab.runs.present is run
        other = await own_lab.runs.start(*configs(), "sample", replace=True)
        assert own_lab.runs.present is other
        assert (run.state, run.order.folder.exists()) == ("discarded", False)

    trained(own_lab.runs, script, epochs=0.1)


def test_a_training_that_cannot_begin_says_why(own_lab: Lab) -> None:
    async def main() -> Run:
        # Of which there is nothing in this folder.
        run = await own_lab.runs.start(*configs(), "full")
        await until(lambda: not run.active)
        await own_lab.runs.close()
        return run

    run = asyncio.run(main())
    assert run.error is not None
    assert (run.error.key, status_of(run.error)) == ("data_unavailable", 409)


def test_what_is_not_there_cannot_be_steered(refused, own_lab: Lab) -> None:
    for work in (own_lab.runs.act("x", "pause"), own_lab.runs.discard("../x")):
        with refused(404):
            asyncio.run(work)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_training_that_nobody_watches_is_stopped_and_can_still_be_kept(own_lab: Lab) -> None:
    runs = Runs(own_lab.models, own_lab.gallery.place, grace=0.5)

    async def main() -> None:
        run = await runs.start(*configs(), "sample")
        await until(lambda: run.state == "stopped")
        await runs.act(run.id, "keep", "forgotten")
        await runs.close()

    asyncio.run(main())
    assert own_lab.models.ids() == ["forgotten"]


@pytest.mark.slow
def test_a_process_that_dies_is_told(own_lab: Lab) -> None:
    async def script(run: Run) -> None:
        await until(lambda: run.step > 0)
        assert run.process is not None
        run.process.kill()
        await until(lambda: run.state == "failed")

    run = trained(own_lab.runs, script)
    assert run.error is not None
    assert run.error.key == "lab_process_ended"


@pytest.mark.slow
def test_two_labs_do_not_train_in_one_folder(own_lab: Lab) -> None:
    other = Runs(own_lab.models, own_lab.gallery.place)

    async def script(run: Run) -> None:
        with pytest.raises(BusyError):
            await other.start(*configs(), "sample")

    trained(own_lab.runs, script)


KILLED = """
import asyncio, sys
from pathlib import Path
from taller_cnn.config import ModelConfig, recipe
from taller_cnn.lab.lab import Lab
from taller_cnn.lab.problems import status_of

async def main():
    lab = Lab.in_folder(Path(sys.argv[1]), Path(sys.argv[1]) / "data")
    network = ModelConfig(filters=(2,), hidden=8).to_dict()
    run = await lab.runs.start(*recipe("quick", model=network, train={"epochs": 9000}), "sample")
    with run.history.listen():
        while run.step == 0:
            await asyncio.sleep(0.02)
        print(run.process.pid, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="processes are looked at in /proc")
def test_a_killed_lab_leaves_no_process_and_no_model(own_lab: Lab, workdir: Path) -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(workdir)], stdout=subprocess.PIPE, text=True
    )
    with server:
        assert server.stdout is not None
        child = int(server.stdout.readline())
        server.send_signal(signal.SIGKILL)
    end = time.monotonic() + 10
    while alive(child):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert own_lab.models.ids() == []
    left = list(own_lab.runs.folder.glob("*/"))

    async def script(run: Run) -> None:
        await until(lambda: run.state == "running")

    trained(own_lab.runs, script)
    assert not any(folder.exists() for folder in left)


@pytest.mark.slow
def test_a_folder_that_was_kept_aside_is_not_touched(own_lab: Lab, save_small) -> None:
    save_small(own_lab.models.kept / "mine" / "cnn_mnist.pt")

    async def script(run: Run) -> None:
        await until(lambda: run.step > 0)

    trained(own_lab.runs, script)
    assert own_lab.models.ids() == ["mine"]
    shutil.rmtree(own_lab.models.kept)
