from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from taller_cnn.config import recipe
from taller_cnn.lab.app import create_app
from taller_cnn.lab.lab import Lab
from taller_cnn.lab.runs import Run
from taller_cnn.lab.security import COOKIE, Access
from taller_cnn.lab.worker_protocol import TrainingOrder

ACCESS = Access(token="t" * 43, class_key="abcd-2345")
Headers = dict[str, str]


def cookie(value: str) -> Headers:
    return {"Cookie": f"{COOKIE}={value}"}


TEACHER, ANA, LUIS = (cookie(ACCESS.cookie(role)) for role in ("teacher", "pupil", "pupil"))
PERSON_ANA = ANA["Cookie"].split(".")[1]

PUPILS_MAY = {
    ("get", "/api/health"),
    ("get", "/api/digits"),
    ("get", "/api/study"),
    ("get", "/api/study/pictures/{name}"),
    ("post", "/api/predict"),
    ("post", "/api/readings"),
    ("get", "/api/models"),
    ("get", "/api/models/{model_id}"),
    ("get", "/api/models/{model_id}/mistakes"),
    ("get", "/api/models/{model_id}/scores"),
    ("get", "/api/models/{model_id}/page"),
    ("post", "/api/runs"),
    ("get", "/api/runs/form"),
    ("get", "/api/runs/{run_id}/events"),
}
"""What a pupil may ask whoever has started what."""
OF_ITS_STARTER = {("patch", "/api/runs/{run_id}"), ("delete", "/api/runs/{run_id}")}
OF_THE_TEACHER = {
    ("post", "/api/models"),
    ("patch", "/api/models/{model_id}"),
    ("delete", "/api/models/{model_id}"),
}


@pytest.fixture
def class_lab(own_lab: Lab, client_of: Callable[..., Any]) -> tuple[Any, Run]:
    """A lab of two roles, with a training of Ana's that has ended, without its process."""
    model, train = recipe("quick")
    place = replace(own_lab.gallery.place, source="sample")
    folder = own_lab.runs.folder / "x"
    order = TrainingOrder(model=model, train=train, place=place, folder=folder)
    run = own_lab.runs.present = Run(order, ExitStack(), PERSON_ANA)
    run.become("finished")
    return client_of(create_app(own_lab, ACCESS)), run


def operations(asking: Any) -> set[tuple[str, str]]:
    paths = asking.get("/openapi.json", headers=TEACHER).json()["paths"]
    return {(method, path) for path, methods in paths.items() for method in methods}


def ask(asking: Any, operation: tuple[str, str], run: Run, headers: Headers) -> Any:
    method, path = operation
    filled = path.format(run_id=run.id, model_id="nobodys", name="x")
    body = {"action": "keep", "name": "mine"} if method == "patch" else None
    if path == "/api/models/{model_id}":
        body = {"name": "other"} if method == "patch" else None
    if operation == ("post", "/api/models"):
        filled += "?name=mine"
    return asking.request(method.upper(), filled, json=body, headers=headers)


def test_every_route_is_of_somebody(class_lab: tuple[Any, Run]) -> None:
    asking, _ = class_lab
    assert operations(asking) == PUPILS_MAY | OF_ITS_STARTER | OF_THE_TEACHER


def test_a_stranger_gets_nothing_of_any_route(class_lab: tuple[Any, Run], problem: Any) -> None:
    asking, run = class_lab
    for operation in operations(asking):
        for headers in ({}, {"Authorization": "Bearer abcd-2345"}):
            problem(ask(asking, operation, run, headers), 401, "lab_token")


def test_a_pupil_is_refused_what_is_not_a_pupils(class_lab: tuple[Any, Run]) -> None:
    asking, run = class_lab
    listening = ("get", "/api/runs/{run_id}/events")
    for operation in operations(asking) - {listening}:
        status = ask(asking, operation, run, LUIS).status_code
        assert (status == 403) is (operation not in PUPILS_MAY), operation


@pytest.mark.parametrize(("who", "status"), [(LUIS, 403), (ANA, 204), (TEACHER, 204)])
def test_a_training_is_discarded_by_its_starter_or_the_teacher(
    class_lab: tuple[Any, Run], who: Headers, status: int
) -> None:
    asking, run = class_lab
    assert asking.request("DELETE", f"/api/runs/{run.id}", headers=who).status_code == status


@pytest.mark.parametrize("action", ["pause", "continue", "stop", "keep"])
def test_others_watch(class_lab: tuple[Any, Run], problem: Any, action: str) -> None:
    asking, run = class_lab
    body = {"action": action, "name": "mine"}
    answer = asking.request("PATCH", f"/api/runs/{run.id}", json=body, headers=LUIS)
    problem(answer, 403, "lab_run_of_other")
    told = asking.get("/api/health", headers=LUIS).json()
    assert (told["run"]["yours"], told["run"]["state"]) == (False, "finished")
    assert asking.get("/api/health", headers=ANA).json()["run"]["yours"]


def test_an_unkept_training_of_somebody_else_is_not_thrown_away(
    class_lab: tuple[Any, Run], problem: Any
) -> None:
    asking, _ = class_lab
    for replaced in (True, False):
        answer = asking.post("/api/runs", json={"replace": replaced}, headers=LUIS)
        problem(answer, 403, "lab_unkept_of_other")
    problem(asking.post("/api/runs", json={}, headers=ANA), 409, "lab_unkept")


def test_only_the_teacher_is_told_the_key_of_the_class(class_lab: tuple[Any, Run]) -> None:
    asking, _ = class_lab
    told = {
        who["role"]: who["class_key"]
        for who in (asking.get("/api/health", headers=h).json() for h in (TEACHER, ANA))
    }
    assert told == {"teacher": "abcd-2345", "pupil": None}


def test_on_a_machine_of_ones_own_everything_is_ones_own(own_lab: Lab, client_of: Any) -> None:
    told = client_of(own_lab).get("/api/health").json()
    assert (told["role"], told["class_key"]) == ("teacher", None)
