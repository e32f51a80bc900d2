"""Why a field of a request cannot be taken, in the reader's words instead of pydantic's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from taller_cnn.errors import Phrase

__all__ = ["KNOWN", "reason_of"]

MOST_SHOWN = 40
"""Characters of a value that are told."""

KNOWN: Mapping[str, str] = {
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
    return Phrase(KNOWN.get(error["type"], "field_other"), values)


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
