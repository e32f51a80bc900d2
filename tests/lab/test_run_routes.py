from __future__ import annotations

import json
import math
import pickle
from collections.abc import AsyncIterator
from typing import Any

import pytest

from taller_cnn.config import ModelConfig, TrainConfig, recipe
from taller_cnn.errors import (
    ConfigError,
    DataError,
    DivergedError,
    OutputError,
    Phrase,
    TallerError,
    UsageError,
)
from taller_cnn.lab.lab import Lab
from taller_cnn.lab.problems import LabError
from taller_cnn.lab.runs import Run
from taller_cnn.lab.security import OWNER
from taller_cnn.lab.worker_protocol import TrainingOrder


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"config": {"filters": [0]}}, "/config/filters"),
        ({"config": {"filters": "16"}}, "/config/filters"),
        ({"config": {"filters": [1] * 7}}, "/config/filters"),
        ({"config": {"kernel_size": 4}}, "/config/kernel_size"),
        ({"config": {"dropout": 1}}, "/config/dropout"),
        ({"config": {"path": "/etc"}}, "/config/path"),
        ({"config": 3}, "/config"),
        ({"train": {"recipe": "no"}}, "/train/recipe"),
        ({"train": {"epochs": 0}}, "/train/epochs"),
        ({"train": {"epochs": "1"}}, "/train/epochs"),
        ({"train": {"seed": -1}}, "/train/seed"),
        ({"train": {"seed": True}}, "/train/seed"),
        ({"train": {"device": "cuda"}}, "/train/device"),
        ({"train": {"learning_rate": 1e9}}, "/train/learning_rate"),
        ({"source": "http://x"}, "/source"),
        ({"folder": "/tmp"}, "/folder"),
    ],
)
def test_a_setting_that_cannot_be_is_named(client, body: Any, field: str) -> None:
    answer = client.post("/api/runs", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    ("body", "name", "network", "training"),
    [
        ({}, "quick", {}, {}),
        ({"train": {"recipe": "best"}}, "best", {}, {}),
        ({"train": {"recipe": "best"}, "config": {"filters": [8]}}, "best", {"filters": (8,)}, {}),
        ({"train": {"epochs": None, "seed": 3}}, "quick", {}, {"seed": 3}),
        (
            {"train": {"recipe": "fast", "batch_size": 64}, "config": {"dropout": 0.25}},
            "fast",
            {"dropout": 0.25},
            {"batch_size": 64},
        ),
    ],
)
def test_what_is_not_sent_is_the_recipes(
    own_lab: Lab,
    client_of,
    problem: Any,
    monkeypatch: pytest.MonkeyPatch,
    body: Any,
    name: str,
    network: Any,
    training: Any,
) -> None:
    started: list[Any] = []

    async def start(model: ModelConfig, train: TrainConfig, source: str, **_: Any) -> None:
        started.append((model, train))
        raise LabError(409, "lab_busy")

    monkeypatch.setattr(own_lab.runs, "start", start)
    problem(client_of(own_lab).post("/api/runs", json=body), 409, "lab_busy")
    assert started == [recipe(name, model=network, train=training)]


def test_the_form_has_the_ranges_and_the_recipes_of_the_configuration(client) -> None:
    form = client.get("/api/runs/form").json()
    fields = {field["name"]: field for field in form["fields"]}
    assert (fields["dropout"]["least"], fields["dropout"]["below"]) == (0, 1)
    assert (fields["epochs"]["above"], fields["epochs"]["most"]) == (0, 10_000)
    assert (fields["hidden"]["whole"], fields["dropout"]["whole"]) == (True, False)
    assert fields["kernel_size"]["options"] == [1, 3, 5, 7]
    assert fields["schedule"]["options"] == ["constant", "one-cycle"]
    assert (fields["filters"]["kind"], fields["filters"]["most"]) == ("list", 1024)
    assert fields["batch_norm"]["kind"] == "switch"
    for name, values in form["recipes"].items():
        model, train = recipe(name)
        assert values["config"] == model.to_dict()
        assert values["train"] == train.to_dict()


def test_whatever_the_form_has_can_be_asked_for(own_lab, client_of, problem, monkeypatch) -> None:
    started: list[Any] = []

    async def start(model: ModelConfig, train: TrainConfig, source: str, **_: Any) -> None:
        started.append((model, train))
        raise LabError(409, "lab_busy")

    monkeypatch.setattr(own_lab.runs, "start", start)
    asking = client_of(own_lab)
    form = asking.get("/api/runs/form").json()
    body: dict[str, Any] = {"config": {}, "train": {"recipe": "quick"}}
    for field in form["fields"]:
        # Everything as in another recipe.
        body[field["group"]][field["name"]] = form["recipes"]["best"][field["group"]][field["name"]]
    problem(asking.post("/api/runs", json=body), 409, "lab_busy")
    ((model, train),) = started
    assert model.filters == recipe("best")[0].filters
    assert (train.schedule, train.label_smoothing) == ("one-cycle", 0.05)


def test_the_documentation_gives_no_default_that_is_the_recipes(client) -> None:
    new_run = client.get("/openapi.json").json()["components"]["schemas"]["NewRun"]
    fields = new_run["properties"]["config"]["properties"]
    assert fields.keys() == ModelConfig().to_dict().keys()
    assert not any("default" in field for field in fields.values())


def test_not_a_number_is_no_setting(client) -> None:
    text = '{"train": {"learning_rate": NaN}}'
    answer = client.post("/api/runs", content=text, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "/train/learning_rate"


def test_a_body_over_the_limit_that_comes_in_pieces_is_too_large(client, problem: Any) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(12):
            yield b"x" * 1_000_000

    headers = {"Content-Type": "application/json"}
    answer = client.post("/api/runs", content=pieces(), headers=headers)
    problem(answer, 413, "lab_body")
    assert answer.headers["connection"] == "close"


def test_a_training_that_is_not_there_is_told(client, problem: Any) -> None:
    for method, path, body in (
        ("GET", "/api/runs/abc/events", None),
        ("PATCH", "/api/runs/abc", {"action": "pause"}),
        ("DELETE", "/api/runs/abc", None),
    ):
        problem(client.request(method, path, json=body), 404, "lab_unknown_run")


def test_an_action_that_is_none_is_named(client, problem: Any) -> None:
    answer = client.request("PATCH", "/api/runs/abc", json={"action": "explode"})
    told = problem(answer, 422, "lab_field")
    assert told["errors"][0]["field"] == "/action"


@pytest.fixture
def ended(own_lab: Lab) -> tuple[Lab, Run]:
    """A lab with a training that has come to grief, without its process."""
    from contextlib import ExitStack
    from dataclasses import replace

    model, train = recipe("quick")
    order = TrainingOrder(
        model=model,
        train=train,
        place=replace(own_lab.gallery.place, source="sample"),
        folder=own_lab.runs.folder / "x",
    )
    run = own_lab.runs.present = Run(order, ExitStack(), OWNER.person)
    run.take("started", {"steps": 9})
    run.take("progress", {"step": 4, "loss": 2.0})
    error = DivergedError("lab_diverged", epoch=0.5, step=5, suggestion=0.001)
    run.become("diverged", error)
    run.history.end()
    return own_lab, run


def test_events_are_told_in_the_readers_language(ended: tuple[Lab, Run], client_of) -> None:
    lab, run = ended
    answer = client_of(lab).get(f"/api/runs/{run.id}/events", headers={"Accept-Language": "es-ES"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    blocks = [dict(line.split(": ", 1) for line in block.splitlines())
              for block in answer.text.strip().split("\n\n")]  # fmt: skip
    assert [block["event"] for block in blocks] == ["started", "progress", "state"]
    state = json.loads(blocks[-1]["data"])
    assert (state["state"], state["step"], state["steps"]) == ("diverged", 4, 9)
    assert state["problem"]["key"] == "lab_diverged"
    assert "0,001" in state["problem"]["detail"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OutputError("cannot_write", path="x", reason=Phrase("reason_disk_full")), 507),
        (DataError("data_no_sample", dataset="x"), 409),
        (ConfigError("holdout_too_large", field="holdout", value=9, total=8, most=7), 422),
        (UsageError("lab_memory"), 422),
        (TallerError("lab_process_ended", code=-9), 500),
    ],
)
def test_why_a_training_failed_keeps_its_own_answer(
    ended: tuple[Lab, Run], client_of, error: TallerError, status: int
) -> None:
    lab, run = ended
    run.become("running")
    run.take("end", {"state": "failed", "error": pickle.loads(pickle.dumps(error))})
    told = client_of(lab).get("/api/health").json()["run"]
    assert (told["state"], told["problem"]["key"]) == ("failed", error.key)
    assert told["problem"]["status"] == status


def test_a_number_that_json_has_no_word_for_is_null(ended: tuple[Lab, Run], client_of) -> None:
    lab, run = ended
    run.history.add("progress", {"step": 5, "loss": math.nan})
    text = client_of(lab).get(f"/api/runs/{run.id}/events").text
    assert '"loss": null' in text
    assert "NaN" not in text


def test_who_comes_back_gets_only_what_is_new(ended: tuple[Lab, Run], client_of) -> None:
    lab, run = ended
    asking = client_of(lab)
    everything = ["started", "progress", "state"]
    for header, names in (("3", ["state"]), ("nonsense", everything), ("9" * 5000, everything)):
        answer = asking.get(f"/api/runs/{run.id}/events", headers={"Last-Event-ID": header})
        found = [line[7:] for line in answer.text.splitlines() if line.startswith("event: ")]
        assert found == names


def test_a_page_that_is_loaded_again_finds_its_training(ended: tuple[Lab, Run], client_of) -> None:
    lab, run = ended
    status = client_of(lab).get("/api/health").json()["run"]
    assert (status["id"], status["state"], status["step"]) == (run.id, "diverged", 4)
    assert status["train"]["recipe"] == "quick"
    assert status["problem"]["key"] == "lab_diverged"


def test_a_training_without_a_network_cannot_be_kept(
    ended: tuple[Lab, Run], client_of, problem: Any
) -> None:
    lab, run = ended
    body = {"action": "keep", "name": "mine"}
    problem(client_of(lab).request("PATCH", f"/api/runs/{run.id}", json=body), 409, "lab_run_state")


def test_a_training_can_be_thrown_away(ended: tuple[Lab, Run], client_of) -> None:
    lab, run = ended
    answer = client_of(lab).request("DELETE", f"/api/runs/{run.id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert lab.runs.present is None
