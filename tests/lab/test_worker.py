from __future__ import annotations

import base64
import errno
import os
import queue
import threading
from pathlib import Path
from typing import Any

import pytest

from taller_cnn.checkpoints import load_model
from taller_cnn.config import ModelConfig, recipe
from taller_cnn.data import DigitsPlace
from taller_cnn.errors import Phrase
from taller_cnn.lab.worker import Actions, work
from taller_cnn.lab.worker_protocol import Action, TrainingOrder


class Lab:
    """The other side of the wire, in this process."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.sent: queue.Queue[Action | None] = queue.Queue()
        self.actions = Actions(self.receive, lambda: None)
        self.on: dict[str, Any] = {}
        self.listener = threading.Thread(target=self.actions.listen, daemon=True)
        self.listener.start()

    def receive(self) -> Action:
        action = self.sent.get()
        if action is None:
            raise EOFError
        return action

    def send(self, action: Action) -> None:
        self.sent.put(action)

    def leave(self) -> None:
        self.sent.put(None)

    def tell(self, name: str, data: Any) -> None:
        self.events.append((name, dict(data)))
        if name in self.on:
            self.on.pop(name)()

    def told(self, name: str) -> list[dict[str, Any]]:
        return [data for found, data in self.events if found == name]


@pytest.fixture
def lab():
    made = Lab()
    yield made
    made.leave()
    made.listener.join(5)


def order(workdir: Path, folder: str = "out", **train: Any) -> TrainingOrder:
    network = ModelConfig(filters=(2,), hidden=8).to_dict()
    fields = {"epochs": 0.5, "precision": "float32", **train}
    model, training = recipe("quick", model=network, train=fields)
    return TrainingOrder(
        model=model,
        train=training,
        place=DigitsPlace.in_workdir(workdir, source="sample", mirrors=()),
        folder=workdir / folder,
    )


def test_a_short_training_tells_points_of_its_curve(lab: Lab, workdir: Path) -> None:
    work(order(workdir, epochs=0.5), lab.actions, lab.tell)
    points = lab.told("point")
    epochs = [point["epoch"] for point in points]
    assert len(points) >= 8
    assert epochs == sorted(set(epochs))
    assert points[-1]["loss"] == lab.told("epoch")[0]["train_loss"]
    asked = [point["validation"] for point in points if point["validation"]]
    assert len(asked) == 4
    assert all(0 < score["accuracy"] < 1 for score in asked)


def test_a_training_tells_all_that_the_page_shows_and_leaves_a_model(
    lab: Lab, workdir: Path
) -> None:
    asked = order(workdir, epochs=2, seed=3)
    work(asked, lab.actions, lab.tell)
    names = [name for name, _ in lab.events]
    assert names[0] == "started"
    assert names[1] == "snapshot"
    assert names[-3:] == ["snapshot", "result", "end"]
    started = lab.told("started")[0]
    assert (started["train_n"], started["validation_n"], started["test_n"]) == (3500, 500, 1000)
    assert started["samples"]["labels"] == [c for c in range(10) for _ in range(2)]
    assert [epoch["epoch"] for epoch in lab.told("epoch")] == [1, 2]
    first, last = lab.told("snapshot")[0], lab.told("snapshot")[-1]
    assert (first["step"], last["step"]) == (0, started["steps"])
    assert first["conv1"]["shape"] == [2, 1, 3, 3]
    assert first["conv1"]["values"] != last["conv1"]["values"]
    result = lab.told("result")[0]
    for split in ("test", "validation"):
        assert result[split]["accuracy"] == lab.told("epoch")[-1][split]["accuracy"]
    assert (result["test"]["n"], result["validation"]["n"]) == (1000, 500)
    assert lab.told("end") == [{"state": "finished"}]
    kept = load_model(asked.folder / "cnn_mnist.pt")
    assert kept.info is not None
    assert kept.info.model == asked.model
    assert kept.info.metrics["test"] == result["test"]


def test_the_digits_that_are_watched_are_held_out(lab: Lab, workdir: Path) -> None:
    asked = order(workdir)
    lab.on["started"] = lambda: setattr(lab.actions, "stop", True)
    work(asked, lab.actions, lab.tell)
    shown = base64.b64decode(lab.told("started")[0]["samples"]["images"])
    images = {shown[start : start + 28 * 28] for start in range(0, len(shown), 28 * 28)}
    held_out = asked.place.load(asked.train.holdout).validation
    assert len(images) == 20
    assert images <= {image.numpy().tobytes() for image in held_out.images}


def test_the_same_seed_begins_with_the_same_weights(workdir: Path) -> None:
    begun = []
    for folder, seed in (("a", 5), ("b", 5), ("c", 6)):
        lab = Lab()
        lab.on["started"] = lambda lab=lab: lab.actions.__setattr__("stop", True)
        work(order(workdir, folder, seed=seed), lab.actions, lab.tell)
        snapshot = lab.told("snapshot")[0]["conv1"]["values"]
        begun.append((lab.told("started")[0]["initial"], snapshot))
        lab.leave()
    assert begun[0] == begun[1]
    assert begun[0][0] != begun[2][0]
    assert begun[0][1] != begun[2][1]


def test_a_training_that_is_stopped_keeps_what_it_has_learned(lab: Lab, workdir: Path) -> None:
    asked = order(workdir, epochs=500)
    lab.on["progress"] = lambda: lab.send("stop")
    work(asked, lab.actions, lab.tell)
    result = lab.told("result")[0]
    assert 0 < result["step"] < result["steps"]
    assert lab.told("end") == [{"state": "stopped"}]
    assert (asked.folder / "cnn_mnist.pt").exists()


def test_a_paused_training_waits_until_it_may_go_on(lab: Lab, workdir: Path) -> None:
    def pause() -> None:
        lab.send("pause")
        lab.on["paused"] = lambda: threading.Timer(0.3, lab.send, ["continue"]).start()
        lab.on["continued"] = lambda: lab.send("stop")

    lab.on["progress"] = pause
    work(order(workdir, epochs=500), lab.actions, lab.tell)
    paused, continued = lab.told("paused")[0], lab.told("continued")[0]
    assert paused["step"] == continued["step"]
    assert lab.told("end") == [{"state": "stopped"}]


def test_a_paused_training_can_be_stopped(lab: Lab, workdir: Path) -> None:
    lab.on["progress"] = lambda: lab.send("pause")
    lab.on["paused"] = lambda: lab.send("stop")
    work(order(workdir, epochs=500), lab.actions, lab.tell)
    assert lab.told("end") == [{"state": "stopped"}]


def test_a_loss_that_is_no_number_is_told_and_nothing_is_left(
    lab: Lab, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The largest rate that is allowed does not overflow float32 in so few steps.
    monkeypatch.setattr("taller_cnn.training.loop.lr_scale", lambda *_: 1e40)
    asked = order(workdir, learning_rate=0.5)
    work(asked, lab.actions, lab.tell)
    end = lab.told("end")[0]
    assert (end["state"], end["error"].key) == ("diverged", "lab_diverged")
    assert end["error"].values["suggestion"] == pytest.approx(0.05)
    assert not (asked.folder / "cnn_mnist.pt").exists()


def test_a_network_that_is_stopped_when_its_last_step_has_spoilt_it_is_not_kept(
    lab: Lab, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The loss is told before the step that spoils the weights.
    monkeypatch.setattr("taller_cnn.training.loop.PROGRESS_SECONDS", 0.0)
    monkeypatch.setattr("taller_cnn.training.loop.lr_scale", lambda *_: 1e40)
    lab.on["progress"] = lambda: setattr(lab.actions, "stop", True)
    asked = order(workdir)
    work(asked, lab.actions, lab.tell)
    assert lab.told("progress")[0]["step"] == 1
    assert lab.told("end")[0]["state"] == "diverged"
    assert lab.told("result") == []
    assert not (asked.folder / "cnn_mnist.pt").exists()


def test_a_folder_that_cannot_be_written_is_told(lab: Lab, workdir: Path) -> None:
    (workdir / "out").write_text("a file where the folder should be", encoding="utf-8")
    work(order(workdir), lab.actions, lab.tell)
    end = lab.told("end")[0]
    assert (end["state"], end["error"].key) == ("failed", "cannot_write")


def test_a_disk_that_fills_up_meanwhile_is_told_and_leaves_no_model(
    lab: Lab, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    asked = order(workdir)
    work(asked, lab.actions, lab.tell)
    error = lab.told("end")[0]["error"]
    assert error.key == "cannot_write"
    assert error.values["reason"] == Phrase("reason_disk_full")
    assert list(asked.folder.iterdir()) == []


def test_when_the_lab_is_gone_the_process_ends() -> None:
    gone = threading.Event()
    sent: list[Action] = ["pause"]

    def receive() -> Action:
        if not sent:
            raise EOFError
        return sent.pop()

    Actions(receive, gone.set).listen()
    assert gone.is_set()
