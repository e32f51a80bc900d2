from __future__ import annotations

import json

import pytest

from taller_cnn.errors import (
    BusyError,
    ConfigError,
    DataError,
    DivergedError,
    ModelError,
    OutputError,
    Phrase,
    TallerError,
)
from taller_cnn.lab.problems import (
    LabError,
    problem_of,
    problem_response,
    status_of,
    wanted_messages,
)
from taller_cnn.messages import Messages


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (LabError(404, "lab_unknown_model", value="x"), 404),
        (LabError(422, "lab_name_missing", pointer="/name"), 422),
        (BusyError("busy", path="x"), 409),
        (OutputError("cannot_write", path="x", reason=Phrase("reason_disk_full")), 507),
        (DivergedError("lab_diverged", epoch=1, step=2, suggestion=0.1), 422),
        (ModelError("no_model", path="x"), 409),
        (TallerError("lab_fault"), 500),
    ],
)
def test_every_kind_of_error_has_its_status(error: TallerError, status: int) -> None:
    found = problem_of(error, Messages("es"))
    assert (found.status, status_of(error)) == (status, status)
    assert found.detail == error.text(Messages("es"))


def test_a_full_disk_is_told_in_words() -> None:
    error = OutputError("cannot_write", path="x", reason=Phrase("reason_disk_full"))
    assert "no queda espacio en el disco" in problem_of(error, Messages("es")).detail


def test_a_configuration_names_its_field() -> None:
    error = ConfigError("config_range", field="seed", value=-1, least=0, most=9)
    found = problem_of(error, Messages("en"))
    assert found.errors is not None
    assert found.errors[0].field == "/seed"


def test_whatever_was_sent_can_be_told() -> None:
    error = LabError(404, "lab_unknown_model", value="\ud800ñ\0")
    value = json.loads(problem_response(error, Messages("en")).body)
    assert "\ud800ñ" in value["detail"]
    assert "errors" not in value


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "es"),
        ("en-GB,en;q=0.9", "en"),
        ("fr, en", "en"),
        ("*", "es"),
        ("es_ES", "es"),
        (";;,,=", "es"),
        ("en;q=0.1, es", "es"),
        ("es;q=0.2,en;q=0.7", "en"),
        ("en;q=0", "es"),
        ("fr;q=1, en ; q=0.5, es;q=0.4", "en"),
        ("en;q=nonsense", "en"),
        ("en-" + "x" * 5000, "en"),
    ],
)
def test_the_language_is_the_one_that_is_wanted_most(header: str, language: str) -> None:
    messages = wanted_messages(header, "es")
    assert messages.language == language
    assert messages("lab.problem.404")


@pytest.mark.parametrize("header", ["en", "es-MX", "fr"])
@pytest.mark.parametrize(
    "error",
    [
        OutputError("cannot_write", path="x", reason="y"),
        OutputError("disk_full", path="x", free_mb=1, needed_mb=2),
        BusyError("busy", path="x"),
        DataError("data_no_sample", dataset="x"),
        ModelError("model_mismatch", path="x", reason="y"),
        DataError("data_unavailable", folder="x", reason="y", remedy="z", files="f"),
    ],
)
def test_no_answer_advises_an_option_that_a_page_has_not(error: TallerError, header: str) -> None:
    assert "--" not in problem_of(error, wanted_messages(header, "es")).detail
