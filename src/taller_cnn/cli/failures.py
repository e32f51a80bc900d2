"""From what went wrong to a sentence and an exit code."""

from __future__ import annotations

import errno
import os
import sys

import typer

from taller_cnn.cli.config_options import as_flag
from taller_cnn.cli.terminal import Terminal
from taller_cnn.cli.typer_words import usage_error
from taller_cnn.errors import InterruptedRunError, OutputError, TallerError

__all__ = ["exit_code_of"]

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
# A pipe that nobody reads any more; Windows has its own name for it.
_CLOSED = (errno.EPIPE, errno.EINVAL) if os.name == "nt" else (errno.EPIPE,)


def exit_code_of(error: BaseException, terminal: Terminal) -> int:
    """Tell the reader what went wrong.

    Returns:
        The exit code of the program.

    Raises:
        BaseException: `error` again, if it is a fault of the program and not of its use.
    """
    if isinstance(error, typer.Exit):
        return error.exit_code
    if _is_closed_pipe(error):
        _silence_output()
        return 1
    known = _as_taller_error(error, terminal)
    if known is None:
        raise error
    terminal.failure(known, _text(known, terminal))
    return known.exit_code


def _as_taller_error(error: BaseException, terminal: Terminal) -> TallerError | None:
    """An error that its reader can do something about, or None."""
    if isinstance(error, TallerError):
        return error
    if isinstance(error, typer.TyperException):
        return usage_error(error, terminal.messages)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return InterruptedRunError("cli_interrupted")
    if _is_out_of_memory(error):
        return TallerError("cli_no_memory")
    if isinstance(error, OSError) and error.errno in _DISK:
        from taller_cnn.files import os_reason

        path = error.filename or "?"
        return OutputError("cannot_write", path=path, reason=os_reason(error))
    return None


def _text(error: TallerError, terminal: Terminal) -> str:
    """The error's sentence, with an option where it names a field of a configuration."""
    values = dict(error.values)
    if "field" in values:
        values["field"] = as_flag(str(values["field"]))
    return type(error)(error.key, **values).text(terminal.messages)


def _is_out_of_memory(error: BaseException) -> bool:
    """torch tells a full memory as a RuntimeError."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("out of memory" in text or "allocate memory" in text)
    )


def _is_closed_pipe(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in _CLOSED


def _silence_output() -> None:
    """Keep Python from failing again when it flushes standard output on its way out."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
