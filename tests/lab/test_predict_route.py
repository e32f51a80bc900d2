from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taller_cnn.data import Digits
from taller_cnn.lab.lab import Lab
from taller_cnn.model import network_inside

ZEROS = [[0] * 28] * 28


def image_with(value: Any) -> list:
    rows = [list(row) for row in ZEROS]
    rows[2][5] = value
    return rows


@pytest.fixture
def refused(client, problem: Any) -> Callable[[bytes], str]:
    """Asks with a body that is refused, and gives the field that is named."""

    def ask(body: bytes) -> str:
        answer = client.post("/api/predict", content=body)
        told = problem(answer, 422, answer.json()["key"])
        field: str = told["errors"][0]["field"]
        return field

    return ask


def test_one_image_and_several_are_taken(client, tiny_digits: Digits) -> None:
    images = tiny_digits.test.images[:3, 0].tolist()
    one = client.post("/api/predict", json={"image": images[0]}).json()
    several = client.post("/api/predict", json={"images": images, "model": "main"}).json()
    assert one["model"] == several["model"] == "main"
    assert len(several["predictions"]) == 3
    assert one["predictions"][0]["digit"] == several["predictions"][0]["digit"]
    for prediction in several["predictions"]:
        assert sum(prediction["probabilities"]) == pytest.approx(1, abs=1e-5)
        best = int(np.argmax(prediction["probabilities"]))
        assert prediction["digit"] == best


def test_answers_that_are_not_finite_are_a_problem_and_no_json_without_numbers(
    lab_dir: Path, client_of, problem
) -> None:
    lab = Lab.in_folder(lab_dir, lab_dir / "data", "en")
    # Loading refuses such weights; a single image may still be too much for others.
    network = network_inside(lab.models.get("main").loaded.model)
    network.fc2.bias.data[3] = float("nan")
    answer = client_of(lab).post("/api/predict", json={"image": image_with(200)})
    problem(answer, 409, "model_overflows")


def test_an_empty_image_is_no_class(client) -> None:
    answer = client.post("/api/predict", json={"image": ZEROS}).json()
    assert answer["predictions"] == [{"digit": None, "probabilities": None}]


@pytest.mark.parametrize(
    "value", [-1, 256, 255.5, 255.0000001, 1e39, "9", None, True, [1], 10**400, 10**19]
)
def test_a_pixel_that_is_no_grey_level_is_named(refused: Any, value: Any) -> None:
    assert refused(json.dumps({"image": image_with(value)}).encode()) == "/image/2/5"
    body = json.dumps({"images": [ZEROS, image_with(value)]}).encode()
    assert refused(body) == "/images/1/2/5"


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_not_a_number_is_named(refused: Any, word: str) -> None:
    text = json.dumps({"image": image_with(123456)}).replace("123456", word)
    assert refused(text.encode()) == "/image/2/5"


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ({"image": ZEROS[:27]}, "/image"),
        ({"image": [*ZEROS[:27], [0] * 29]}, "/image/27"),
        ({"image": 5}, "/image"),
        ({"images": []}, "/images"),
        ({"images": [ZEROS] * 1001}, "/images"),
        ({"images": [ZEROS, 3]}, "/images/1"),
        ({"image": ZEROS, "other": 1}, "/other"),
        ({"image": ZEROS, "model": 7}, "/model"),
        ({"image": [28] * 28}, "/image/0"),
        ({}, "/image"),
        ({"image": ZEROS, "images": [ZEROS]}, "/image"),
        ([1], "/"),
        (None, "/"),
    ],
)
def test_a_wrong_shape_is_named(refused: Any, value: Any, pointer: str) -> None:
    assert refused(json.dumps(value).encode()) == pointer


def test_a_body_that_is_not_json_is_told(client, problem: Any) -> None:
    for body in (b"", b"{", b"\xff", b"[" * 100_000):
        problem(client.post("/api/predict", content=body), 400, "lab_json")


def test_a_body_is_json_whatever_its_type_is_called(client) -> None:
    body = json.dumps({"image": ZEROS})
    for name in ("application/json", "application/x-www-form-urlencoded", "text/plain"):
        answer = client.post("/api/predict", content=body, headers={"Content-Type": name})
        assert answer.status_code == 200


def test_an_unknown_model_is_told(client, problem: Any) -> None:
    for name in ("nobody", "../main", "a/b"):
        answer = client.post("/api/predict", json={"image": ZEROS, "model": name})
        problem(answer, 404, "lab_unknown_model")


def test_without_a_model_the_way_to_one_is_told(own_lab: Lab, client_of, problem: Any) -> None:
    answer = client_of(own_lab).post("/api/predict", json={"image": ZEROS})
    told = problem(answer, 409, "lab_no_model")
    assert "taller-cnn train" in told["detail"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=20,
)


@given(anything | st.fixed_dictionaries({"image": anything}, optional={"model": anything}))
def test_whatever_comes_is_taken_or_refused_and_never_a_fault(client, value: Any) -> None:
    answer = client.post("/api/predict", content=json.dumps(value).encode())
    assert answer.status_code in (200, 400, 404, 422)
