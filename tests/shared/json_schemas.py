"""The schemas of what ``--json`` writes, from ``docs/reference/schemas``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference" / "schemas"


def check(command: str, value: Mapping[str, Any]) -> None:
    """Refuse a result of a command that is not what its schema says, or an error that is none."""
    _validator("error" if "exit_code" in value else command).validate(value)


def schema(name: str) -> dict[str, Any]:
    """The schema of a command, or of errors."""
    read = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert isinstance(read, dict)
    return read


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(schema(name))
