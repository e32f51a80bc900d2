"""The command line as a whole: its commands, and what leaves the program.

Exit codes: 0 done, 1 it failed, 2 wrong usage or input, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, NoReturn

import typer
from typer.main import get_command

from taller_cnn.cli.failures import exit_code_of
from taller_cnn.cli.language import find_language
from taller_cnn.cli.options import Lang, panel, with_shared_options
from taller_cnn.cli.terminal import Terminal, prepare_streams, wants_json
from taller_cnn.cli.typer_words import Command, CommandGroup
from taller_cnn.errors import UsageError
from taller_cnn.messages import Messages
from taller_cnn.process import prepare_process

__all__ = ["COMMANDS", "build", "command", "main"]

PROGRAM = "taller-cnn"
_SETTINGS = {"help_option_names": ["--help", "-h"]}

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
)
"""In the order of the help page. Each is the function of that name in the module of that name,
explained by ``help`` in ``cli_<name>.toml``; it is imported when it is asked for."""


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave the program.

    Args:
        argv: the words after the program's name; by default those of the process.
    """
    prepare_streams()
    prepare_process()
    sys.exit(_run(list(sys.argv[1:] if argv is None else argv)))


def build() -> CommandGroup:
    """The root with its commands."""
    app = typer.Typer(
        add_completion=False, cls=CommandGroup, help="cli.help", context_settings=_SETTINGS
    )
    app.callback(invoke_without_command=True)(_root)
    root = get_command(app)
    assert isinstance(root, CommandGroup)
    root.mount(COMMANDS, command)
    return root


def command(name: str) -> Command:
    """One of `COMMANDS`, with the options that all of them have."""
    function = getattr(import_module(f"taller_cnn.cli.{name}"), name)
    app = typer.Typer(add_completion=False)
    app.command(name, cls=Command, help=f"cli_{name}.help")(with_shared_options(function))
    built = get_command(app)
    assert isinstance(built, Command)
    return built


def _run(arguments: list[str]) -> int:
    json = wants_json(arguments)
    try:
        terminal = Terminal(find_language(arguments, os.environ), json=json)
    except UsageError as error:
        return exit_code_of(error, Terminal(Messages(), json=json))
    try:
        with build().make_context(PROGRAM, arguments, obj=terminal) as context:
            context.command.invoke(context)
        sys.stdout.flush()
    except BaseException as error:
        return exit_code_of(error, terminal)
    return 0


def _show_version(value: bool) -> None:
    from taller_cnn import __version__

    if value:
        sys.stdout.write(f"{PROGRAM} {__version__}\n")
        raise typer.Exit


def _root(
    context: typer.Context,
    version: Annotated[
        bool,
        panel(
            "general",
            "--version",
            help="cli.option.version",
            callback=_show_version,
            is_eager=True,
        ),
    ] = False,
    lang: Lang = "es",
) -> None:
    if context.invoked_subcommand is None:
        context.get_help()
