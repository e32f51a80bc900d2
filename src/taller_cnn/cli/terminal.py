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
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from rich.cells import cell_len
from rich.console import Console, Group
from rich.padding import Padding
from rich.text import Text

from taller_cnn.errors import OutputError, UsageError
from taller_cnn.messages import DEFAULT_LANGUAGE, LANGUAGES, LanguageError, Messages
from taller_cnn.reasons import os_reason

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from taller_cnn.errors import TallerError

LANGUAGE_VARIABLE = "TALLER_LANG"
LANGUAGE_OPTION = "--lang"
JSON_OPTION = "--json"

_PLAIN_SIGNS = {"×": "x", "·": "-", "→": "->", "—": "-", "–": "-", "…": "...", "¿": "", "¡": ""}
_PLAIN_SIGNS |= {"«": '"', "»": '"', "“": '"', "”": '"', "≤": "<=", "≥": ">=", "•": "*", "█": "#"}
LEAST_WIDTH, DEFAULT_WIDTH = 20, 80
"""Columns that a line is laid out for at least, and where the terminal does not say how many."""
LONGEST_NUMBER = 16
"""Characters of the longest word that a table has whole."""
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


class LostOutputError(OutputError):
    """Standard output is there and cannot be written, for example because the disk is full."""


class _Output:
    """Standard output, whatever it is at the moment.

    Raises:
        ClosedOutputError, LostOutputError: it cannot be written.
    """

    def write(self, text: str) -> int:
        try:
            return sys.stdout.write(text)
        except OSError as error:
            raise _without_output(error) from error

    def flush(self) -> None:
        try:
            sys.stdout.flush()
        except OSError as error:
            raise _without_output(error) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stdout, name)


def _without_output(error: OSError) -> Exception:
    if error.errno in _CLOSED:
        return ClosedOutputError()
    return LostOutputError("cli_output_lost", reason=os_reason(error))


class _Errors:
    """Standard error, whatever it is; one that cannot be written is no reason to stop the work."""

    def write(self, text: str) -> int:
        try:
            return sys.stderr.write(text)
        except OSError:
            silence(sys.stderr)
            return len(text)

    def flush(self) -> None:
        try:
            sys.stderr.flush()
        except OSError:
            silence(sys.stderr)

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


OUTPUT = cast("IO[str]", _Output())
"""What is written for the reader, or the program that asked for JSON."""
ERRORS = cast("IO[str]", _Errors())
"""What is told beside the result."""


def silence(stream: IO[str]) -> None:
    """Let a stream that cannot be written lead nowhere: Python flushes it again on its way out."""
    # A stream of a test or an editor has no number of the system's.
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def prepare_streams() -> None:
    """Let any text be written, whatever the terminal's character set and the streams.

    What a terminal lacks (a Windows console, a pipe, ``LANG=C``) is written in plain letters. A
    stream that the system does not give (a service, ``pythonw``, ``>&-``) leads nowhere.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None or stream.closed:
            # In this order each takes the number that is free, so that no file gets it later.
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
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


# ------------------------------------------------------------------------------- tables


def _has_room(console: Console, table: Table) -> bool:
    """Whether headings and numbers are whole in a table as wide as the console."""
    lines = console.render_lines(table, pad=False)
    shown = {word for line in lines for part in line for word in part.text.split()}
    return all(
        word in shown
        for column in table.columns
        for cell in (column.header if table.show_header else "", *column.cells)
        for word in str(cell).split()
        # Long ones are paths, which are folded.
        if cell_len(word) <= LONGEST_NUMBER
        if cell is column.header or any(letter.isdigit() for letter in word)
    )


def _column_by_column(table: Table) -> Group:
    """The rows one below the other: the first cell, then a line for each of the others."""
    lines: list[RenderableType] = []
    headings = [str(column.header) if table.show_header else "" for column in table.columns]
    for row, cells in zip(
        table.rows, zip(*(x.cells for x in table.columns), strict=True), strict=True
    ):
        first, *others = ((cell if isinstance(cell, Text) else Text(str(cell))) for cell in cells)
        lines.append(Text(first.plain.strip(), style=row.style or first.style or "bold"))
        for heading, cell in zip(headings[1:], others, strict=True):
            # A column without a heading in a table that has others is a drawing.
            if cell.plain.strip() and (heading or not table.show_header):
                label = Text(f"{heading.strip()}: " if heading else "", "dim")
                lines.append(Padding(label + cell, (0, 0, 0, 2), expand=False))
    return Group(*lines)


# ------------------------------------------------------------------------- the terminal


def _console(stream: IO[str]) -> Console:
    """A console that takes brackets as they are, at least `LEAST_WIDTH` columns wide."""
    console = Console(file=stream, highlight=False, emoji=False, markup=False)
    # Some systems give a window without a size as one of 0 columns.
    if console.width < LEAST_WIDTH:
        console.width = max(console.width, LEAST_WIDTH) if console.width else DEFAULT_WIDTH
    return console


class Terminal:
    """What a command prints with, in the reader's language.

    With `json`, standard output carries one JSON object and nothing else: whatever is said to
    people goes to standard error. Brackets in names of files and levels are no markup.
    """

    def __init__(self, messages: Messages, *, json: bool = False) -> None:
        self.messages = messages
        self.json = json
        self.out = _console(ERRORS if json else OUTPUT)
        # In a file or a pipe a sentence is one line; a terminal gets its words kept whole.
        self.out.soft_wrap = not self.out.is_terminal
        self.err = _console(ERRORS)
        self.err.soft_wrap = True

    def speak_for(self, options: Set[str]) -> None:
        """From now on messages are those of a command, which suggests only options it has."""
        self.messages = Messages(self.messages.tag, options)

    def say(self, key: str, style: str = "", **values: object) -> None:
        """Print one message."""
        self.out.print(Text(self.messages(key, **values), style=style))

    def show(self, content: RenderableType) -> None:
        """Print a table or a panel, fitted to the width.

        A table that would be too narrow for its numbers has each column on a line of its own.
        """
        from rich.table import Table

        if isinstance(content, Table) and not _has_room(self.out, content):
            content = _column_by_column(content)
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
