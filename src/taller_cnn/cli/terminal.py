"""Where a command's words go, and in which language: the terminal, a pipe, or JSON.

The help texts of all options are in the reader's language, and wrong usage is told in JSON too:
``--lang`` and ``--json`` are looked for before the command line is parsed.
"""

from __future__ import annotations

import codecs
import errno
import io
import json
import os
import sys
import unicodedata
from collections.abc import Mapping, Sequence, Set
from typing import IO, TYPE_CHECKING, Any, cast

from rich.console import Console
from rich.text import Text

from taller_cnn.errors import UsageError
from taller_cnn.messages import DEFAULT_LANGUAGE, LANGUAGES, LanguageError, Messages

if TYPE_CHECKING:
    from rich.console import RenderableType

    from taller_cnn.errors import TallerError

LANGUAGE_VARIABLE = "TALLER_LANG"
LANGUAGE_OPTION = "--lang"
JSON_OPTION = "--json"

_PLAIN_SIGNS = {"×": "x", "·": "-", "→": "->", "—": "-", "–": "-", "…": "...", "¿": "", "¡": ""}
_PLAIN_SIGNS |= {"«": '"', "»": '"', "“": '"', "”": '"', "≤": "<=", "≥": ">=", "•": "*", "█": "#"}
# A pipe that nobody reads any more; Windows has its own name for it.
_CLOSED = (errno.EPIPE, errno.EINVAL) if os.name == "nt" else (errno.EPIPE,)


# ------------------------------------------------------------------ before the parsing


def find_language(arguments: Sequence[str], environment: Mapping[str, str]) -> Messages:
    """The texts for ``--lang``, else ``TALLER_LANG``, else Spanish.

    Raises:
        UsageError: the tag that was given is not one of a language that is spoken here.
    """
    given = _last_value(arguments)
    tag = given or environment.get(LANGUAGE_VARIABLE) or DEFAULT_LANGUAGE
    try:
        return Messages(tag)
    except LanguageError:
        shown = f"{LANGUAGE_OPTION} {tag}" if given else f"{LANGUAGE_VARIABLE}={tag}"
        raise UsageError("language", value=shown, allowed=", ".join(LANGUAGES)) from None


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether ``--json`` is asked for, so that wrong usage is told in JSON too."""
    return JSON_OPTION in _before_dashes(arguments)


def _last_value(arguments: Sequence[str]) -> str | None:
    """The value of the last ``--lang X`` or ``--lang=X`` before a lone ``--``."""
    value = None
    words = _before_dashes(arguments)
    for index, word in enumerate(words):
        if word == LANGUAGE_OPTION:
            value = next(iter(words[index + 1 : index + 2]), value)
        elif word.startswith(f"{LANGUAGE_OPTION}="):
            value = word.removeprefix(f"{LANGUAGE_OPTION}=")
    return value


def _before_dashes(arguments: Sequence[str]) -> Sequence[str]:
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


# -------------------------------------------------------------------------- the streams


class ClosedOutputError(Exception):
    """Nobody reads standard output any more: there is nothing more to say, and nobody to tell."""


class _Output:
    """Standard output, whatever it is at the moment; a closed one raises `ClosedOutputError`."""

    def write(self, text: str) -> int:
        try:
            return sys.stdout.write(text)
        except OSError as error:
            raise _as_closed(error) from error

    def flush(self) -> None:
        try:
            sys.stdout.flush()
        except OSError as error:
            raise _as_closed(error) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stdout, name)


def _as_closed(error: OSError) -> Exception:
    return ClosedOutputError() if error.errno in _CLOSED else error


OUTPUT = cast("IO[str]", _Output())
"""What is written for the reader, or the program that asked for JSON."""


def prepare_streams() -> None:
    """Let any text be written whatever the terminal's character set.

    What it lacks (a Windows console, a pipe, ``LANG=C``) is written in plain letters.
    """
    codecs.register_error("plain-letters", _plain_letters)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plain-letters")


def _plain_letters(error: UnicodeError) -> tuple[str, int]:
    """A codec error handler: ``é`` becomes ``e``, ``→`` becomes ``->``, the unknown ``?``."""
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    return "".join(map(_plain_letter, text)), error.end


def _plain_letter(letter: str) -> str:
    base = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return _PLAIN_SIGNS.get(letter, base or "?")


# ------------------------------------------------------------------------- the terminal


class Terminal:
    """What a command prints with, in the reader's language.

    With `json`, standard output carries one JSON object and nothing else: whatever is said to
    people goes to standard error. Brackets in names of files and levels are no markup.
    """

    def __init__(self, messages: Messages, *, json: bool = False) -> None:
        self.messages = messages
        self.json = json
        plain: dict[str, Any] = {"highlight": False, "emoji": False, "markup": False}
        self.out = Console(stderr=True, **plain) if json else Console(file=OUTPUT, **plain)
        # In a file or a pipe a sentence is one line; a terminal gets its words kept whole.
        self.out.soft_wrap = not self.out.is_terminal
        self.err = Console(stderr=True, soft_wrap=True, **plain)

    def speak_for(self, options: Set[str]) -> None:
        """From now on messages are those of a command, which suggests only options it has."""
        self.messages = Messages(self.messages.tag, options)

    def say(self, key: str, style: str = "", **values: object) -> None:
        """Print one message."""
        self.out.print(Text(self.messages(key, **values), style=style))

    def show(self, content: RenderableType) -> None:
        """Print a table or a panel, fitted to the width."""
        self.out.print(content, soft_wrap=False)

    def notice(self, text: str) -> None:
        """Print what the reader must know, in a frame."""
        from rich.panel import Panel

        title = self.messages("cli.notice")
        panel = Panel(Text(text), title=Text(title, style="bold"), border_style="bold yellow")
        self.out.print(panel, soft_wrap=False)

    def result(self, value: Mapping[str, Any]) -> None:
        """Write a command's result, if JSON was asked for."""
        if self.json:
            self._write_json(value)

    def failure(self, error: TallerError) -> None:
        """Say what went wrong: to the reader and, if JSON was asked for, to the program."""
        text = error.text(self.messages)
        interrupted = error.exit_code == 130
        label = "" if interrupted else self.messages("cli.error") + " "
        style = "bold yellow" if interrupted else "bold red"
        self.err.print(Text.assemble((label, style), (text, style if interrupted else "")))
        if self.json:
            self._write_json({"error": text, "kind": error.key, "exit_code": error.exit_code})

    def _write_json(self, value: Mapping[str, Any]) -> None:
        # Outside UTF-8 a letter that cannot be written would be replaced, so all are escaped.
        plain = codecs.lookup(sys.stdout.encoding or "ascii").name != "utf-8"
        OUTPUT.write(json.dumps(value, ensure_ascii=plain, allow_nan=False) + "\n")
        OUTPUT.flush()
