"""The command line as a whole: its commands, and what leaves the program.

Exit codes: 0 done, 1 it failed, 2 wrong usage or input, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from taller_cnn.cli.command import LazyGroup, Option, python_name
from taller_cnn.cli.failures import exit_code_of
from taller_cnn.cli.options import LANG
from taller_cnn.cli.terminal import OUTPUT, Terminal, find_language, prepare_streams, wants_json
from taller_cnn.commands import PROGRAM
from taller_cnn.errors import UsageError
from taller_cnn.messages import Messages
from taller_cnn.process import prepare_process

COMMANDS = (
    "train",
    "evaluate",
    "data",
    "describe",
    "study",
    "explain",
    "predict",
    "lab",
    "export",
    "import",
    "doctor",
)
"""In the order of the help page. Each is the command of that name in the module of that name, or,
where Python has the word for itself, of that name with an underscore after it."""


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave the program.

    Args:
        argv: the words after the program's name; by default those of the process.
    """
    prepare_streams()
    prepare_process()
    sys.exit(_run(list(sys.argv[1:] if argv is None else argv)))


def build() -> LazyGroup:
    """The root with its commands."""
    modules = {name: f"taller_cnn.cli.{python_name(name)}" for name in COMMANDS}
    version = Option(
        "--version",
        panel="general",
        help="cli.option.version",
        is_eager=True,
        expose_value=False,
        callback=_show_version,
    )
    return LazyGroup(PROGRAM, modules, _without_command, [version, LANG])


def _run(arguments: list[str]) -> int:
    json = wants_json(arguments)
    try:
        terminal = Terminal(find_language(arguments, os.environ), json=json)
    except UsageError as error:
        return exit_code_of(error, Terminal(Messages(), json=json))
    try:
        with build().make_context(PROGRAM, arguments, obj=terminal) as context:
            context.command.invoke(context)
        OUTPUT.flush()
    except BaseException as error:
        return exit_code_of(error, terminal)
    return 0


def _show_version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    from taller_cnn import __version__

    if wanted:
        OUTPUT.write(f"{PROGRAM} {__version__}\n")
        context.exit()


def _without_command(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        from taller_cnn.cli.help_page import show_help

        show_help(context)
