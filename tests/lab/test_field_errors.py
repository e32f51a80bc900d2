from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from taller_cnn.lab.problems import MOST_FIELDS, REASONS, reason_of
from taller_cnn.lab.schemas import NewRun, PredictRequest, RunAction
from taller_cnn.messages import LANGUAGES, Messages

ZEROS = [[0] * 28] * 28

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=12,
)


def first(model: type[BaseModel], value: Any) -> Any:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(value)
    return caught.value.errors(include_url=False)[0]


@pytest.mark.parametrize(
    ("value", "es", "en"),
    [
        (
            {"image": [[300, *[0] * 27], *ZEROS[1:]]},
            "es 300 y debe ser 255 como máximo",
            "it is 300 and must be at most 255",
        ),
        (
            {"image": ZEROS[1:]},
            "la longitud de la lista es 27 y debe ser 28 como mínimo",
            "the list has the length 27, which must be at least 28",
        ),
        (
            {"image": [["9", *[0] * 27], *ZEROS[1:]]},
            'es "9" y debe ser un número',
            'it is "9" and must be a number',
        ),
        (
            {"imagen": 1},
            "no hay ningún campo con ese nombre",
            "there is no field of that name",
        ),
        (
            {"model": "m" * 41},
            "el texto debe tener como mucho 40 caracteres",
            "the text must have at most 40 characters",
        ),
        ([1], "es […] y debe ser un objeto JSON", "it is […] and must be a JSON object"),
    ],
)
def test_the_words_are_the_readers(value: Any, es: str, en: str) -> None:
    reason = reason_of(first(PredictRequest, value))
    assert [reason.text(Messages(tag)) for tag in ("es", "en")] == [es, en]


def test_a_choice_lists_what_there_is_to_choose() -> None:
    reason = reason_of(first(RunAction, {"action": "dance"}))
    assert reason.text(Messages("es")) == (
        'es "dance" y debe ser uno de estos valores: pause, continue, stop, keep'
    )


def test_a_long_value_is_cut_and_an_endless_number_is_not_written() -> None:
    assert "…" in reason_of(first(RunAction, {"action": "a" * 100})).text(Messages("en"))
    told = reason_of(first(PredictRequest, {"model": 10**5000})).text(Messages("en"))
    assert told == "it is … and must be a text"


@pytest.mark.parametrize("model", [PredictRequest, NewRun, RunAction])
@given(data=st.data())
def test_every_error_of_a_request_has_words_of_its_own(model: Any, data: st.DataObject) -> None:
    fields = st.sampled_from([*model.model_fields, "other"])
    value = data.draw(anything | st.dictionaries(fields, anything))
    try:
        model.model_validate(value)
    except ValidationError as error:
        for found in error.errors(include_url=False):
            assert found["type"] in REASONS
            for language in LANGUAGES:
                assert found["msg"] not in reason_of(found).text(Messages(language))


@pytest.mark.parametrize(
    ("method", "path", "body", "field", "words"),
    [
        ("GET", "/api/digits?n=muchos", None, "?n", "número entero"),
        ("GET", "/api/digits?split=train", None, "?split", "test, validation"),
        ("POST", "/api/readings?single=quizás", None, "?single", "true o false"),
        ("POST", "/api/runs", {"train": {"epochs": "3"}}, "/train/epochs", "debe ser un número"),
        ("PATCH", "/api/runs/x", {}, "/action", "falta"),
        ("POST", "/api/predict", {"image": [28] * 28}, "/image/0", "debe ser una lista"),
    ],
)
def test_each_route_says_it_in_spanish(
    client, problem: Any, method: str, path: str, body: Any, field: str, words: str
) -> None:
    content = {} if body is None else {"content": json.dumps(body)}
    headers = {"Accept-Language": "es", "Content-Type": "application/json"}
    answer = client.request(method, path, headers=headers, **content)
    told = problem(answer, 422, "lab_field")
    assert told["errors"][0]["field"] == field
    assert words in told["errors"][0]["detail"]
    assert words in told["detail"]


def test_of_a_body_of_wrong_fields_the_first_are_told(client) -> None:
    answer = client.post("/api/runs", json={f"field{i}": 1 for i in range(5000)})
    assert answer.status_code == 422
    told = [error["field"] for error in answer.json()["errors"]]
    assert told == [f"/field{i}" for i in range(MOST_FIELDS)]
