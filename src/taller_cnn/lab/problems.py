"""What the lab refuses, as HTTP answers: problem details (RFC 9457) in the reader's language."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from taller_cnn.errors import (
    BusyError,
    ConfigError,
    DataError,
    DivergedError,
    ModelError,
    OutputError,
    Phrase,
    TallerError,
    UsageError,
)
from taller_cnn.messages import LANGUAGES, Messages

MEDIA_TYPE = "application/problem+json"
MOST_BODY = 10_000_000
"""Bytes of a request's body."""
MOST_FIELDS = 20
"""Wrong fields that an answer names: no form has more, and a body of nothing else has a million."""
MOST_SHOWN = 40
"""Characters of a value that are told."""


class LabError(TallerError):
    """A request that is refused.

    Args:
        status: of the HTTP answer.
        key: message key, as in every `TallerError`.
        pointer: the field that is wrong: a JSON pointer into the body, or ``?name`` for a query
            parameter; empty if it is no field.
        **values: what the message names.
    """

    def __init__(self, status: int, key: str, /, pointer: str = "", **values: object) -> None:
        super().__init__(key, **values)
        self.status = status
        self.pointer = pointer


class WrongField(BaseModel):
    """One field of the request that cannot be taken."""

    field: str = Field(description="JSON pointer into the body, or ?name of a query parameter")
    detail: str


class Problem(BaseModel):
    """Problem details, RFC 9457."""

    type: str = Field(description="urn:taller-cnn:problem:<key>")
    key: str
    title: str
    status: int
    detail: str
    errors: list[WrongField] | None = None


_STATUS: tuple[tuple[type[TallerError], int], ...] = (
    (ModelError, 409),
    (UsageError, 422),
    (DivergedError, 422),
    (BusyError, 409),
    (DataError, 409),
    (OutputError, 507),
)
_OF_FRAMEWORK = {404: "lab_no_such_address", 405: "lab_no_such_method", 413: "lab_body"}
"""Messages for what the framework refuses by itself; the rest is a body that it cannot read."""


def status_of(error: TallerError) -> int:
    """The HTTP status of an error; 500 for what no request should cause."""
    if isinstance(error, LabError):
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def problem_of(error: TallerError, messages: Messages) -> Problem:
    """An error as problem details, in the language of `messages`."""
    detail = error.text(messages)
    pointer = error.pointer if isinstance(error, LabError) else ""
    if isinstance(error, ConfigError) and "field" in error.values:
        pointer = f"/{error.values['field']}"
    errors = [WrongField(field=pointer, detail=detail)] if pointer else None
    status = status_of(error)
    title = f"lab.problem.{status}"
    return Problem(
        type=f"urn:taller-cnn:problem:{error.key}",
        key=error.key,
        title=messages(title if messages.has(title) else "lab.problem.other"),
        status=status,
        detail=detail,
        errors=errors,
    )


def problem_response(error: Exception, messages: Messages) -> Response:
    """The answer to a request that ended in an error of any kind; a fault tells no insides."""
    headers: dict[str, str] = {}
    if isinstance(error, RequestValidationError):
        problem = _wrong_fields(error.errors()[:MOST_FIELDS], messages)
    elif isinstance(error, HTTPException):
        problem = problem_of(_refusal_of_framework(error.status_code), messages)
        headers.update(error.headers or {})
    elif isinstance(error, TallerError):
        problem = problem_of(error, messages)
    else:
        problem = problem_of(TallerError("lab_fault"), messages)
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    # ASCII, because what was sent may hold what UTF-8 cannot.
    body = json.dumps(problem.model_dump(exclude_none=True), ensure_ascii=True)
    return Response(body, problem.status, headers, media_type=MEDIA_TYPE)


def _refusal_of_framework(status: int) -> LabError:
    if status not in _OF_FRAMEWORK:
        return LabError(400, "lab_json")
    return LabError(status, _OF_FRAMEWORK[status], most_mb=MOST_BODY / 1e6)


def _wrong_fields(errors: Sequence[Any], messages: Messages) -> Problem:
    """Every wrong field that the framework has found in a request."""
    first = errors[0]
    # A body of no bytes at all is "missing".
    if first["type"] == "json_invalid" or (first["type"], first["loc"]) == ("missing", ("body",)):
        return problem_of(LabError(400, "lab_json"), messages)
    fields = [
        WrongField(field=_pointer(error["loc"]), detail=reason_of(error).text(messages))
        for error in errors
    ]
    told = problem_of(LabError(422, "lab_field", reason=reason_of(first)), messages)
    return told.model_copy(update={"errors": fields})


def _pointer(place: tuple[int | str, ...]) -> str:
    """Where a field is: a JSON pointer, or ``?name`` for a query parameter."""
    part, *rest = place
    if part == "query":
        return f"?{place[-1]}"
    return "".join(f"/{name}" for name in rest) or "/"


REASONS: Mapping[str, str] = {
    "missing": "field_missing",
    "extra_forbidden": "field_unknown",
    "string_type": "field_text",
    "string_too_long": "field_text_long",
    "list_type": "field_list",
    "too_short": "field_list_short",
    "too_long": "field_list_long",
    "float_type": "field_number",
    "float_parsing": "field_number",
    "finite_number": "field_finite",
    "greater_than_equal": "field_least",
    "less_than_equal": "field_most",
    "int_type": "field_whole",
    "int_parsing": "field_whole",
    "int_parsing_size": "field_whole",
    "int_from_float": "field_whole",
    "bool_type": "field_yes_or_no",
    "bool_parsing": "field_yes_or_no",
    "literal_error": "field_one_of",
    "dict_type": "field_object",
    "model_type": "field_object",
    "model_attributes_type": "field_object",
}
"""The phrase for each kind of error that pydantic finds in a request of the lab."""

LIMITS = {
    "ge": "least",
    "le": "most",
    "min_length": "n",
    "max_length": "n",
    "actual_length": "has",
}
"""What the phrases call pydantic's limits."""


def reason_of(error: Mapping[str, Any]) -> Phrase:
    """The words for one of the errors that pydantic lists.

    Args:
        error: with its ``type``, ``input`` and, for some types, ``ctx``.
    """
    context = error.get("ctx", {})
    values: dict[str, object] = {"value": _shown(error["input"])}
    values |= {ours: context[name] for name, ours in LIMITS.items() if name in context}
    if "expected" in context:
        # 'test' or 'validation'
        values["allowed"] = ", ".join(re.findall(r"'([^']*)'", context["expected"]))
    return Phrase(REASONS.get(error["type"], "field_other"), values)


def _shown(value: object) -> str:
    """A value as JSON, of lists and objects only that they are some."""
    if isinstance(value, list | dict):
        return "[…]" if isinstance(value, list) else "{…}"
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        # Bytes, or more figures than Python writes.
        return "…"
    return text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "…"


def wanted_messages(header: str, default: str) -> Messages:
    """The texts in the language that an ``Accept-Language`` header (RFC 9110, 12.5.4) likes best.

    They are for a page, which has none of the options of a command.

    Args:
        header: its value; empty if there is none.
        default: language tag to take if none of the wanted ones is there.
    """
    for tag, _ in sorted(_weighted_tags(header), key=lambda wanted: -wanted[1]):
        if tag.split("-")[0].lower() in LANGUAGES and tag.replace("-", "").isalnum():
            return Messages(tag, frozenset())
    return Messages(default, frozenset())


def _weighted_tags(header: str) -> Iterator[tuple[str, float]]:
    """The language tags of a header with their weights, without those of weight 0: not wanted."""
    for part in header.split(","):
        tag, _, parameters = part.partition(";")
        weight = re.search(r"\bq\s*=\s*([01](?:\.\d{0,3})?)", parameters)
        if weight is None or float(weight[1]) > 0:
            yield tag.strip(), float(weight[1]) if weight else 1.0


def documented(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with, for its documentation."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {code: {"model": Problem, "content": content} for code in codes}
