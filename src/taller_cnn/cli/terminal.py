"""Where a command's words go: the terminal, a pipe, or JSON for another program."""

from __future__ import annotations

import codecs
import io
import json
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from taller_cnn.errors import TallerError
    from taller_cnn.messages import Messages

__all__ = ["JSON_OPTION", "Terminal", "prepare_streams", "wants_json"]

JSON_OPTION = "--json"

_PLAIN_SIGNS = {"×": "x", "·": "-", "→": "->", "—": "-", "–": "-", "…": "...", "¿": "", "¡": ""}
_PLAIN_SIGNS |= {"«": '"', "»": '"', "“": '"', "”": '"', "≤": "<=", "≥": ">=", "•": "*", "█": "#"}


class Terminal:
    """What a command prints with, in the reader's language.

    With `json`, standard output carries one JSON object and nothing else: whatever is said to
    people goes to standard error.
    """

    def __init__(self, messages: Messages, *, json: bool = False) -> None:
        self.messages = messages
        self.json = json
        self.out = Console(stderr=json, highlight=False, emoji=False)
        # In a file or a pipe a sentence is one line; a terminal gets its words kept whole.
        self.out.soft_wrap = not self.out.is_terminal
        self.err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)

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

    def failure(self, error: TallerError, text: str) -> None:
        """Say what went wrong: to the reader and, if JSON was asked for, to the program."""
        interrupted = error.exit_code == 130
        label = "" if interrupted else self.messages("cli.error") + " "
        style = "bold yellow" if interrupted else "bold red"
        self.err.print(Text.assemble((label, style), (text, style if interrupted else "")))
        if self.json:
            self._write_json({"error": text, "kind": error.key, "exit_code": error.exit_code})

    def _write_json(self, value: Mapping[str, Any]) -> None:
        # Outside UTF-8 a letter that cannot be written would be replaced, so all are escaped.
        plain = codecs.lookup(sys.stdout.encoding or "ascii").name != "utf-8"
        sys.stdout.write(json.dumps(value, ensure_ascii=plain, allow_nan=False) + "\n")


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether ``--json`` is asked for, so that wrong usage is told in JSON too."""
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return JSON_OPTION in own


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
