"""The API against its own description."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error

from taller_cnn.lab.app import create_app
from taller_cnn.lab.lab import Lab


class _NoRuns:
    """Starts no process: what a training does is tried elsewhere."""

    async def start(self, *arguments: Any, replace: bool, visitor: Any) -> Any:
        from taller_cnn.lab.problems import LabError

        raise LabError(409, "lab_busy")


@pytest.fixture(scope="module")
def fuzzed(lab_dir: Path) -> Any:
    """The application, which starts no process."""
    lab = Lab.in_folder(lab_dir, lab_dir / "data", "en")
    lab.runs.start = _NoRuns().start  # type: ignore[method-assign]
    return create_app(lab)


def fuzz(app: Any, examples: int) -> int:
    """Ask every route `examples` times whatever its description allows, and more."""
    schema = schemathesis.openapi.from_asgi(
        "/openapi.json", app, headers={"Host": "127.0.0.1:8000"}
    )
    asked = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @hypothesis.settings(
            max_examples=examples, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )  # fmt: skip
        @hypothesis.given(case=operation.as_strategy())
        def ask(case: schemathesis.Case) -> None:
            nonlocal asked
            case.call_and_validate(headers={"Host": "127.0.0.1:8000"}, checks=[not_a_server_error])
            asked += 1

        ask()
    return asked


def test_nothing_that_the_description_allows_is_a_fault_of_the_lab(fuzzed: Any) -> None:
    assert fuzz(fuzzed, 4) >= 26


@pytest.mark.slow
def test_nothing_at_length_is_a_fault_of_the_lab(fuzzed: Any) -> None:
    assert fuzz(fuzzed, 60) >= 400
