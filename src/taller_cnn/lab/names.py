"""Names of kept models: what a client may call one, so that no path ever comes from it."""

from __future__ import annotations

import re

__all__ = ["NAME_PATTERN", "RESERVED", "is_name"]

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,39}$"
RESERVED = ("main", "robust")
"""Ids of the models outside the lab's own folder."""

_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])")
"""Names that Windows keeps for itself, in every folder."""


def is_name(text: str) -> bool:
    """Whether a kept model can be called so."""
    # fullmatch, because "$" also matches before a line feed at the end.
    known = re.fullmatch(NAME_PATTERN.strip("^$"), text) is not None
    return known and text not in RESERVED and not _DEVICES.fullmatch(text)
