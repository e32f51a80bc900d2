"""Tables of a plan, and how what is wrong in one is told: with its key, in a message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from taller_cnn.errors import Phrase, TallerError, UsageError

MOST_MULTIPLE = 1024


class Table(BaseModel):
    """A table of a plan: only keys that mean something, and nothing that changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def refused(phrase: Phrase, at: str = "") -> PydanticCustomError:
    """What a validator raises: the reader gets the phrase, with the key it stands at.

    Args:
        phrase: what is wrong.
        at: key below the one that the validator is of.
    """
    return PydanticCustomError("plan", "{phrase}", {"phrase": phrase, "at": at})


@contextmanager
def blamed(at: str = "") -> Iterator[None]:
    """Have errors that know nothing of the plan told with the key they come from."""
    try:
        yield
    except TallerError as error:
        raise refused(Phrase(error.key, error.values), at) from error


def _as_written(value: object) -> object:
    """A name that looks like a number may be written as one."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:.12g}" if number else value


Name = Annotated[str, BeforeValidator(_as_written)]
Whole = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True)]
Multiple = Annotated[float, Field(strict=True, gt=0, le=MOST_MULTIPLE)]
"""Of the learning rate."""


def _sorted_rates(rates: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(sorted(set(rates)))


Rates = Annotated[tuple[Multiple, ...], AfterValidator(_sorted_rates)]


def key_error(error: ValidationError, root: type[Table]) -> UsageError:
    """The error for the reader: the first thing that is wrong, with its key.

    Args:
        error: as pydantic tells it.
        root: the table that was read.
    """
    # A key that is misspelt is missing too, and the name that means nothing helps more.
    first = min(error.errors(), key=lambda details: details["type"] != "extra_forbidden")
    return UsageError("study_design_key", key=_key_of(first), reason=_reason_of(first, root))


def _key_of(error: ErrorDetails) -> str:
    """The full name of the key that is wrong, e.g. ``questions[1].seeds``; lists count from 1."""
    key = ""
    for part in error["loc"]:
        key += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
    at = error.get("ctx", {}).get("at", "")
    return f"{key}.{at}".strip(".")


def _reason_of(error: ErrorDetails, root: type[Table]) -> Phrase:
    """What is wrong, for the reader's language."""
    context = error.get("ctx", {})
    match error["type"]:
        case "plan":
            phrase = context["phrase"]
            assert isinstance(phrase, Phrase)
            return phrase
        case "missing":
            return Phrase("study_design_missing")
        case "extra_forbidden":
            allowed = ", ".join(_table_at(root, error["loc"][:-1]).model_fields)
            return Phrase("study_design_unknown", {"allowed": allowed})
        case "greater_than_equal" | "less_than_equal":
            table, field = _table_at(root, error["loc"][:-1]), error["loc"][-1]
            limits = {k: v for m in table.model_fields[str(field)].metadata for k, v in _limits(m)}
            return Phrase("config_range", {"field": field, "value": error["input"], **limits})
        case _:
            return Phrase("study_design_type", {"value": error["input"]})


def _limits(metadata: object) -> list[tuple[str, object]]:
    """The ends of a field's range, as messages call them."""
    names = (("least", "ge"), ("most", "le"))
    return [(word, getattr(metadata, end)) for word, end in names if hasattr(metadata, end)]


def _table_at(root: type[Table], loc: Sequence[int | str]) -> type[Table]:
    """The kind of table that stands at a place of a plan."""
    kind: Any = root
    for part in loc:
        if isinstance(kind, type) and issubclass(kind, Table):
            kind = kind.model_fields[str(part)].annotation
        else:
            # A mapping by name, or a list: what it is of is the last type or the first.
            kind = next(k for k in reversed(get_args(kind)) if k is not Ellipsis)
    assert isinstance(kind, type)
    assert issubclass(kind, Table)
    return kind
