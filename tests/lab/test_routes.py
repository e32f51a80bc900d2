from __future__ import annotations

import base64
import zlib
from typing import Any

import pytest
from safetensors.numpy import load

from taller_cnn.data import DigitsPlace
from taller_cnn.lab.gallery import Gallery
from taller_cnn.lab.lab import Lab


def test_a_fresh_lab_says_that_it_has_nothing_yet(client_of, own_lab: Lab) -> None:
    asking = client_of(own_lab)
    health = asking.get("/api/health").json()
    assert (health["status"], health["models"], health["run"]) == ("ok", 0, None)
    assert asking.get("/api/models").json() == {"default": None, "models": [], "unreadable": []}
    assert asking.get("/api/study").json()["available"] is False


def test_pictures_of_the_study_have_an_address(client_of, own_lab: Lab) -> None:
    own_lab.study_folder.mkdir(parents=True)
    (own_lab.study_folder / "filters.png").write_bytes(b"png")
    asking = client_of(own_lab)
    (picture,) = asking.get("/api/study").json()["pictures"]
    answer = asking.get(picture["url"])
    assert (answer.content, answer.headers["content-type"]) == (b"png", "image/png")
    assert asking.get("/api/study/pictures/other").status_code == 404
    assert asking.get("/api/study/pictures/..%2F..%2Frun").status_code == 404


def test_the_models_are_listed_with_what_is_known_of_them(client) -> None:
    listed = client.get("/api/models").json()
    assert listed["default"] == "main"
    card = listed["models"][0]
    assert card["config"]["filters"] == [4]
    assert card["layers"][1] == {
        "name": "conv1",
        "kind": "conv",
        "output_shape": [4, 28, 28],
        "parameters": 40,
        "arithmetic": "4 × (1 × 3 × 3 + 1)",
        "macs": 28224,
    }


def test_weights_come_as_safetensors_and_only_once(client, shared_lab: Lab) -> None:
    answer = client.get("/api/models/main")
    assert answer.headers["content-type"] == "application/octet-stream"
    weights = load(answer.content)
    assert weights["conv1.weight"].shape == (4, 1, 3, 3)
    assert weights["fc1.weight"].shape == (16, 4 * 14 * 14)
    again = client.get("/api/models/main", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["nobody", "..%2f..%2fetc", "%2e%2e", "a%00b"])
def test_an_unknown_model_is_told(client, problem: Any, path: str) -> None:
    for rest in ("", "/mistakes", "/page"):
        answer = client.get(f"/api/models/{path}{rest}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_damaged_model_is_listed_as_such(client_of, own_lab: Lab) -> None:
    path = own_lab.models.folder / "cnn_mnist.pt"
    path.parent.mkdir()
    path.write_bytes(b"")
    listed = client_of(own_lab).get("/api/models", headers={"Accept-Language": "es"}).json()
    assert listed["models"] == []
    assert listed["unreadable"][0]["id"] == "main"
    assert "vacío" in listed["unreadable"][0]["detail"]


def test_mistakes_are_wrong_and_the_surest_come_first(client, shared_lab: Lab) -> None:
    found = client.get("/api/models/main/mistakes?limit=20").json()
    digits = shared_lab.gallery.digits().test
    assert (found["n"], found["source"], found["split"]) == (1000, "sample", "test")
    mistakes = found["mistakes"]
    assert len(mistakes) == 20
    assert found["errors"] > 20
    for mistake in mistakes:
        assert mistake["label"] == int(digits.labels[mistake["index"]]) != mistake["predicted"]
        assert mistake["probability"] > mistake["label_probability"]
    sure = [mistake["probability"] for mistake in mistakes]
    assert sure == sorted(sure, reverse=True)
    images = base64.b64decode(found["images"])
    assert images[:784] == digits.images[mistakes[0]["index"]].numpy().tobytes()
    assert len(images) == 20 * 784


def test_digits_come_with_their_labels(client) -> None:
    first = client.get("/api/digits").json()
    assert len(first["labels"]) == 100
    assert len(base64.b64decode(first["images"])) == 78400
    drawn = client.get("/api/digits?n=7&seed=3&split=validation").json()
    assert (len(drawn["labels"]), drawn["split"]) == (7, "validation")


def test_the_digits_for_training_in_the_page_come_packed(client) -> None:
    told = client.get("/api/training-digits").json()
    assert (told["dataset"], told["source"]) == ("mnist", "sample")
    assert told["class_names"] == [str(c) for c in range(10)]
    assert 0 < told["mean"] < told["std"] < 1
    for split, n in (("train", 3500), ("test", 1000)):
        assert len(told[split]["labels"]) == n
        assert len(zlib.decompress(base64.b64decode(told[split]["images"]))) == n * 784


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("n=0", "?n"),
        ("n=1001", "?n"),
        ("n=x", "?n"),
        ("split=train", "?split"),
        ("seed=-1", "?seed"),
    ],
)
def test_a_query_that_cannot_be_taken_is_named(
    client, problem: Any, query: str, field: str
) -> None:
    told = problem(client.get(f"/api/digits?{query}"), 422, "lab_field")
    assert [error["field"] for error in told["errors"]] == [field]


def test_without_digits_the_way_to_them_is_told(client_of, own_lab: Lab, problem: Any) -> None:
    raw = own_lab.gallery.place.data_dir / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-images-idx3-ubyte").write_bytes(b"damaged")
    answer = client_of(own_lab).get("/api/digits")
    assert answer.status_code == 409
    assert answer.json()["key"].startswith("data_")


def test_an_address_with_nothing_says_so(client, problem: Any) -> None:
    problem(client.get("/api/nothing"), 404, "lab_no_such_address")
    told = problem(client.post("/api/study"), 405, "lab_no_such_method")
    assert "/docs" in told["detail"]


def test_a_network_is_opened_renamed_and_deleted(
    own_lab: Lab, client_of, save_small, workdir, problem: Any
) -> None:
    asking = client_of(own_lab)
    save_small(workdir / "x.pt", seed=6)
    data = (workdir / "x.pt").read_bytes()
    answer = asking.post("/api/models?name=mine", content=data)
    assert (answer.status_code, answer.json()["seed"]) == (201, 6)
    problem(asking.post("/api/models?name=mine", content=data), 409, "lab_name_taken")
    problem(asking.post("/api/models?name=MINE!", content=data), 422, "lab_name")
    problem(asking.post("/api/models?name=bad", content=b"x"), 409, "model_unreadable")
    answer = asking.request("PATCH", "/api/models/mine", json={"name": "yours"})
    assert (answer.status_code, answer.json()["id"]) == (200, "yours")
    assert asking.request("DELETE", "/api/models/yours").status_code == 204
    problem(asking.get("/api/models/yours"), 404, "lab_unknown_model")


def test_an_ensemble_answers_and_says_which_networks_to_look_into(
    own_lab: Lab, client_of, save_small, workdir, problem: Any
) -> None:
    for seed in (1, 2):
        save_small(workdir / "modelo" / "ensemble_mnist" / f"seed{seed}.pt", seed=seed)
    asking = client_of(own_lab)
    body = {"image": [[0] * 27 + [255]] * 28, "model": "ensemble_mnist"}
    together = asking.post("/api/predict", json=body).json()["predictions"][0]["probabilities"]
    alone = [
        asking.post("/api/predict", json={**body, "model": f"ensemble_mnist.seed{seed}"}).json()[
            "predictions"
        ][0]["probabilities"]
        for seed in (1, 2)
    ]
    assert together == pytest.approx([sum(pair) / 2 for pair in zip(*alone, strict=True)], abs=1e-5)
    for path in ("/api/models/ensemble_mnist", "/api/models/ensemble_mnist/page"):
        assert "ensemble_mnist.seed2" in problem(asking.get(path), 409, "lab_ensemble")["detail"]


def test_a_network_is_judged_on_its_own_data_set(
    own_lab: Lab, client_of, save_small, workdir, problem: Any
) -> None:
    save_small(workdir / "modelo" / "cnn_kmnist.pt", dataset="kmnist")
    asking = client_of(own_lab)
    # They are not on this disk: better no answer than one on other pictures.
    own_lab.galleries["kmnist"] = Gallery(
        DigitsPlace.in_workdir(workdir, workdir / "nothing", dataset="kmnist", mirrors=())
    )
    answer = asking.get("/api/models/cnn_kmnist/mistakes")
    assert (answer.status_code, "kmnist" in answer.text.lower()) == (409, True)
    assert asking.get("/api/digits?dataset=kmnist").status_code == 409


def test_models_are_measured_on_the_same_images(shared_lab: Lab, client) -> None:
    scores = client.get("/api/models/main/scores").json()
    mistakes = client.get("/api/models/main/mistakes?limit=1000").json()
    assert (scores["dataset"], scores["source"], scores["n"]) == ("mnist", "sample", 1000)
    assert scores["errors"] == mistakes["errors"]
    rows = scores["confusion"]
    assert [sum(row) for row in rows] == [each["n"] for each in scores["classes"]]
    assert [rows[i][i] for i in range(10)] == [each["correct"] for each in scores["classes"]]
    assert [each["name"] for each in scores["classes"]] == list("0123456789")
    wrong = mistakes["mistakes"][0]
    assert rows[wrong["label"]][wrong["predicted"]] > 0
