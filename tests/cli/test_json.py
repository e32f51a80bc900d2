"""``docs/reference/schemas`` describes what ``--json`` writes; `Outcome.json` checks it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import json_schemas
import jsonschema
import pytest

from taller_cnn.cli.app import COMMANDS

NAMES = (*COMMANDS, "error")
DOCS = json_schemas.FOLDER.parent


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema of an object inside a schema."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


def test_every_command_has_a_schema_and_no_other_is_there() -> None:
    assert {path.stem for path in json_schemas.FOLDER.iterdir()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_one_and_takes_nothing_that_it_does_not_describe(name: str) -> None:
    schema = json_schemas.schema(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    for part in objects(schema):
        assert part.get("additionalProperties") is not None, part
        named = part.get("properties", {})
        # What is the same for each split is described once, above them.
        if set(named) != {"train", "validation", "test"}:
            assert [field for field in named if "description" not in named[field]] == []


def test_a_result_with_another_field_or_without_one_is_refused() -> None:
    good = {"parts": [], "left_out": {}, "not_written": [], "files": {}}
    json_schemas.check("explain", good)
    for bad in ({**good, "extra": 1}, {"parts": []}, {**good, "parts": [1]}):
        with pytest.raises(jsonschema.ValidationError):
            json_schemas.check("explain", bad)


@pytest.mark.parametrize("page", ["json.es.md", "json.en.md"])
def test_the_pages_name_every_schema(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    assert all(f"(schemas/{name}.json)" in text for name in NAMES)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["data", "--source", "sample"], 0),
        (["describe"], 0),
        (["study", "--list"], 0),
        (["study", "kernel", "--seeds", "1", "--dry-run", "--source", "sample"], 0),
        (["evaluate"], 2),
        (["train", "--zzz"], 2),
        (["study", "--report"], 1),
    ],
)
def test_what_a_command_writes_is_what_its_schema_says(
    cli, workdir, words: list[str], code: int
) -> None:
    place = [] if words == ["describe"] else ["--workdir", workdir]
    outcome = cli(*words, *place, "--json")
    assert outcome.code == code
    assert outcome.json
