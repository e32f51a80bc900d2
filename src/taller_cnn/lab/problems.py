"""What the lab refuses, as HTTP answers: problem details (RFC 9457) in the reader's language."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from taller_cnn.errors import (
    BusyError,
    ConfigError,
    DataError,
    ModelError,
    OutputError,
    TallerError,
    UsageError,
)
from taller_cnn.messages import LANGUAGES, Messages

__all__ = [
    "ConflictError",
    "FieldError",
    "ForbiddenError",
    "FormatError",
    "LabError",
    "MediaTypeError",
    "MethodError",
    "NotFoundError",
    "Problem",
    "TooLargeError",
    "UnauthorisedError",
    "documented",
    "problem_bytes",
    "problem_of",
    "status_of",
    "wanted_messages",
]

MEDIA_TYPE = "application/problem+json"


class LabError(TallerError):
    """A request that is refused."""

    status: ClassVar[int] = 400


class FormatError(LabError):
    """A body that is not JSON."""


class UnauthorisedError(LabError):
    """The token is missing."""

    status = 401


class ForbiddenError(LabError):
    """The request comes from another site, or is meant for another host."""

    status = 403


class NotFoundError(LabError):
    """There is no such thing."""

    status = 404


class MethodError(LabError):
    """The address is known, but not with this method."""

    status = 405


class ConflictError(LabError):
    """Not possible in the present state."""

    status = 409


class TooLargeError(LabError):
    """A body or a picture over the limit."""

    status = 413


class MediaTypeError(LabError):
    """Not a kind of file that is read here."""

    status = 415


class FieldError(LabError):
    """A value that cannot be taken.

    Args:
        key: message key, as in every `TallerError`.
        pointer: the field: a JSON pointer into the body, or ``?name`` for a query parameter.
        **values: what the message names.
    """

    status = 422

    def __init__(self, key: str, /, pointer: str = "", **values: object) -> None:
        super().__init__(key, **values)
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
    (BusyError, 409),
    (DataError, 409),
    (OutputError, 507),
)


def status_of(error: TallerError) -> int:
    """The HTTP status of an error; 500 for what no request should cause."""
    if isinstance(error, LabError):
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def wanted_messages(header: str, default: str) -> Messages:
    """The texts in the first language of an ``Accept-Language`` header that there is.

    Args:
        header: its value; empty if there is none.
        default: language tag to take if none of the wanted ones is there.
    """
    for part in header.split(","):
        tag = part.partition(";")[0].strip()
        if tag.split("-")[0].lower() in LANGUAGES and tag.replace("-", "").isalnum():
            return Messages(tag)
    return Messages(default)


def problem_of(
    error: TallerError, messages: Messages, *, prefix: str = "", status: int | None = None
) -> Problem:
    """An error as problem details.

    Args:
        error: what went wrong.
        messages: the reader's texts.
        prefix: pointer to the part of the body that configuration fields are in.
        status: the HTTP status, if it is not the one of this kind of error.
    """
    code = status or status_of(error)
    detail = error.text(messages)
    pointer = error.pointer if isinstance(error, FieldError) else ""
    if isinstance(error, ConfigError) and "field" in error.values:
        pointer = f"{prefix}/{error.values['field']}"
    errors = [WrongField(field=pointer, detail=detail)] if pointer else None
    return problem(error.key, code, detail, messages, errors)


def problem(
    key: str,
    status: int,
    detail: str,
    messages: Messages,
    errors: Sequence[WrongField] | None = None,
) -> Problem:
    """Problem details from their parts."""
    title = f"lab.problem.{status}"
    return Problem(
        type=f"urn:taller-cnn:problem:{key}",
        key=key,
        title=messages(title if messages.has(title) else "lab.problem.other"),
        status=status,
        detail=detail,
        errors=list(errors) if errors else None,
    )


def documented(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with, for its documentation."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {code: {"model": Problem, "content": content} for code in codes}


def problem_bytes(found: Problem | Mapping[str, Any]) -> bytes:
    """The JSON of problem details, in ASCII: what was sent may hold what UTF-8 cannot."""
    value = found.model_dump(exclude_none=True) if isinstance(found, Problem) else dict(found)
    return json.dumps(value, ensure_ascii=True, allow_nan=False).encode("ascii")
