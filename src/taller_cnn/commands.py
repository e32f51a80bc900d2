"""The command line as one types it: what messages and pages tell people to run next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

PROGRAM = "taller-cnn"


def command_line(
    *words: str, options: Mapping[str, object], defaults: Mapping[str, object] | None = None
) -> str:
    """A ``taller-cnn`` command, quoted for the shell.

    Args:
        words: the command's name and its arguments.
        options: values by the option's name with underscores. None and defaults are left out;
            True and False are ``--name`` and ``--no-name``.
        defaults: what options are that are not given.
    """
    defaults = defaults or {}
    line = [PROGRAM, *words]
    for name, value in options.items():
        if value is None or (name in defaults and value == defaults[name]):
            continue
        line += (
            [typed(name, value)] if isinstance(value, bool) else [flag_of(name), typed(name, value)]
        )
    return shlex.join(line)


def flag_of(name: str) -> str:
    """The option of a name with underscores: ``--batch-size``."""
    return "--" + name.replace("_", "-")


def typed(name: str, value: object) -> str:
    """An option's value as one types it, numbers with all their digits; a flag as itself."""
    if isinstance(value, bool):
        return flag_of(name if value else f"no_{name}")
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
