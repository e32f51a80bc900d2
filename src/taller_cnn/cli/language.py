"""Which language the reader gets, known before the commands are built.

The help texts of all options are in the reader's language, so ``--lang`` is looked for before
the command line is parsed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from taller_cnn.errors import UsageError
from taller_cnn.messages import DEFAULT_LANGUAGE, LANGUAGES, Messages

__all__ = ["VARIABLE", "find_language", "language_flags"]

VARIABLE = "TALLER_LANG"
OPTION = "--lang"


def find_language(arguments: Sequence[str], environment: Mapping[str, str]) -> Messages:
    """The texts for ``--lang``, else ``TALLER_LANG``, else Spanish.

    Raises:
        UsageError: the tag that was given is not one of a language that is spoken here.
    """
    given = _last_value(arguments)
    tag = given or environment.get(VARIABLE) or DEFAULT_LANGUAGE
    try:
        return Messages(tag)
    except UsageError:
        shown = f"{OPTION} {tag}" if given else f"{VARIABLE}={tag}"
        raise UsageError("language", value=shown, allowed=", ".join(LANGUAGES)) from None


def language_flags(tag: str) -> list[str]:
    """What makes another command speak `tag` too; nothing where all commands do."""
    return [] if tag == DEFAULT_LANGUAGE else [OPTION, tag]


def _last_value(arguments: Sequence[str]) -> str | None:
    """The value of the last ``--lang X`` or ``--lang=X`` before a lone ``--``."""
    value = None
    for index, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument == OPTION:
            value = next(iter(arguments[index + 1 : index + 2]), value)
        elif argument.startswith(f"{OPTION}="):
            value = argument.removeprefix(f"{OPTION}=")
    return value
