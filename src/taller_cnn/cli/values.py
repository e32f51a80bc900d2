"""From words on the command line to values, and what stands for a value on a help page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


class Key(str):
    """Key of a message; a plain string in the same place is shown as it is."""

    __slots__ = ()


class WrongValue(click.BadParameter):
    """A word on the command line that is not what its option takes.

    Args:
        key: key of the error message, which says what the option takes.
        value: the word that was given.
        **values: what else the message names.
    """

    def __init__(self, key: str, value: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = {"value": value, **values}


class Value(click.ParamType[Any]):
    """What an option or an argument takes; a default is a value already.

    Args:
        parse: from a word to the value.
        metavar: what stands for it on the help page.
    """

    name = "value"

    def __init__(self, parse: Callable[[str], Any], metavar: str) -> None:
        self._parse = parse
        self.metavar = metavar

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value of a word.

        Raises:
            WrongValue: the word is not one.
        """
        return self._parse(value) if isinstance(value, str) else value


def whole_number(text: str) -> int:
    """``64`` as a number."""
    try:
        return int(text)
    except ValueError:
        raise WrongValue("cli_expected_integer", text) from None


def number(text: str) -> float:
    """``0.001`` or ``0,001`` as a number.

    A comma before three digits may group thousands or mark decimals: unless only zeros stand
    before it, such a number is refused.
    """
    whole, comma, decimals = text.partition(",")
    if comma and len(decimals) == 3 and whole.lstrip("+-").strip("0"):
        raise WrongValue("cli_expected_number", text)
    try:
        return float(text.replace(",", ".", 1))
    except ValueError:
        raise WrongValue("cli_expected_number", text) from None


def whole_numbers(text: str) -> tuple[int, ...]:
    """``16,32`` as numbers."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise WrongValue("cli_expected_integers", text) from None


def names(text: str) -> tuple[str, ...]:
    """``filters,errors`` as names."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def path(text: str | Path) -> Path:
    """A path; ``~`` is the home folder also where the shell leaves it alone."""
    if not str(text):
        raise WrongValue("cli_expected_path", "")
    return home_path(text)


def home_path(text: str | Path) -> Path:
    """A path from the home folder where it begins with ``~``, or with ``~`` and a user here."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def count(text: str) -> int:
    """``2`` as a number of things, at least one."""
    value = whole_number(text)
    if value < 1:
        raise WrongValue("cli_expected_count", text)
    return value


def one_of(*allowed: str) -> Value:
    """One of some words."""

    def parse(text: str) -> str:
        if text not in allowed:
            raise WrongValue("cli_expected_choice", text, allowed=", ".join(allowed))
        return text

    return Value(parse, "|".join(allowed))


INTEGER = Value(whole_number, Key("cli.metavar.integer"))
COUNT = Value(count, Key("cli.metavar.integer"))
INTEGERS = Value(whole_numbers, Key("cli.metavar.integers"))
NUMBER = Value(number, Key("cli.metavar.number"))
TEXT = Value(str, Key("cli.metavar.text"))
FILE = Value(path, Key("cli.metavar.file"))
FOLDER = Value(path, Key("cli.metavar.folder"))
