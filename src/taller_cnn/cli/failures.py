"""From what went wrong to a sentence and an exit code."""

from __future__ import annotations

import errno
import sys

import click

from taller_cnn.cli.command import flags_of
from taller_cnn.cli.habits import similar_option, similar_word
from taller_cnn.cli.terminal import ClosedOutputError, LostOutputError, Terminal, silence
from taller_cnn.cli.values import WrongValue
from taller_cnn.commands import PROGRAM
from taller_cnn.errors import InterruptedRunError, OutputError, Phrase, TallerError, UsageError
from taller_cnn.messages import Messages
from taller_cnn.reasons import os_reason, system_number

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def exit_code_of(error: BaseException, terminal: Terminal) -> int:
    """Tell the reader what went wrong.

    Returns:
        The exit code of the program.

    Raises:
        BaseException: `error` again, if it is a fault of the program and not of its use.
    """
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, ClosedOutputError | LostOutputError):
        silence(sys.stdout)
    if isinstance(error, ClosedOutputError):
        return 1
    known = _as_taller_error(error, terminal.messages)
    if known is None:
        raise error
    try:
        terminal.failure(known)
    except (ClosedOutputError, LostOutputError):
        silence(sys.stdout)
    return known.exit_code


def _as_taller_error(error: BaseException, messages: Messages) -> TallerError | None:
    """An error that its reader can do something about, or None."""
    if isinstance(error, TallerError):
        return _with_suggestion(error)
    if isinstance(error, click.ClickException):
        return _with_suggestion(usage_error(error, messages))
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return InterruptedRunError("cli_interrupted")
    if _is_out_of_memory(error):
        return TallerError("cli_no_memory")
    if isinstance(error, OSError) and system_number(error) in _DISK:
        path = error.filename or "?"
        return OutputError("cannot_write", path=path, reason=os_reason(error))
    return None


def usage_error(error: click.ClickException, messages: Messages) -> UsageError:
    """What click found wrong with the command line, as an error of ours."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else PROGRAM
    match error:
        case click.NoSuchCommand(command_name=name):
            assert context is not None
            names = context.command.list_commands(context)
            if similar := similar_word(name, names):
                but = {"name": name, "similar": similar, "command": command}
                return UsageError("cli_no_such_command_but", **but)
            allowed = ", ".join(names)
            return UsageError("cli_no_such_command", name=name, allowed=allowed, command=command)
        case click.NoSuchOption(option_name=option):
            flags = flags_of(context.command) if context else frozenset()
            if similar := similar_option(option, flags):
                but = {"option": option, "similar": similar, "command": command}
                return UsageError("cli_no_such_option_but", **but)
            return UsageError("cli_no_such_option", option=option, command=command)
        case click.BadOptionUsage(option_name=option):
            key = "cli_takes_no_value" if _is_flag(context, option) else "cli_needs_value"
            return UsageError(key, option=option, command=command)
        case WrongValue(param=parameter, key=key, values=values):
            option = _shown(messages, parameter)
            return UsageError(key, option=option, command=command, **values)
        case click.MissingParameter(param=parameter):
            return UsageError("cli_missing", option=_shown(messages, parameter), command=command)
        case _:
            return UsageError("cli_wrong_usage", reason=error.format_message(), command=command)


def _with_suggestion(error: TallerError) -> TallerError:
    """The error, with the word that is meant where it lists the words that could be."""
    value, allowed = error.values.get("value"), error.values.get("allowed")
    if not isinstance(value, str) or not isinstance(allowed, str):
        return error
    similar = similar_word(value, allowed.split(", "))
    if similar is None:
        return error
    shown = Phrase("did_you_mean", {"allowed": allowed, "similar": similar})
    return type(error)(error.key, **{**error.values, "allowed": shown})


def _is_flag(context: click.Context | None, option: str) -> bool:
    parameters = context.command.params if context else []
    named = [p for p in parameters if option in (*p.opts, *p.secondary_opts)]
    return any(isinstance(p, click.Option) and p.is_flag for p in named)


def _shown(messages: Messages, parameter: click.Parameter | None) -> str:
    """An option by its flag, an argument by what stands for it on the help page."""
    if isinstance(parameter, click.Argument):
        from taller_cnn.cli.help_page import value_name

        return value_name(messages, parameter)
    return parameter.opts[0] if parameter else ""


def _is_out_of_memory(error: BaseException) -> bool:
    """torch tells a full memory as a RuntimeError."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("out of memory" in text or "allocate memory" in text)
    )
