"""Help pages in the reader's language, drawn from what click knows about a command.

click's own pages have English words in them ("Usage", "Options", "[default: ]"). The texts that
its commands and options were given are message keys; here they become words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from taller_cnn.cli.command import Argument, Option
from taller_cnn.cli.terminal import Terminal
from taller_cnn.cli.values import Key, Value
from taller_cnn.messages import Messages

PANELS = ("arguments", "commands", "model", "training", "network", "data", "output", "general")
"""The groups of a help page, top to bottom; the titles are ``cli.panel.<name>``."""
FLAG_WIDTH = 30
"""Widest flag that still has its value beside it; leaves 44 of 80 columns for the text."""
LEAST_TEXT_WIDTH = 24
"""Columns that a text needs beside its flag; with less it goes below, indented."""

Row = tuple[Text, Text]


def show_help(context: click.Context) -> None:
    """Print the help page of the command that `context` is of."""
    terminal: Terminal = context.obj
    say, command = terminal.messages, context.command
    commands = command.list_commands(context) if isinstance(command, click.Group) else []
    terminal.show(Padding(_usage(say, context.command_path, command.params, commands), (1, 1)))
    terminal.show(Padding(Text(say(command.help or "")), (0, 1, 1, 1)))
    panels = _panels(say, command.params, commands)
    rows = [row for key in PANELS for row in panels.get(key, [])]
    width = max(max(map(len, flags.plain.splitlines())) for flags, _ in rows)
    for key in PANELS:
        if key in panels:
            _show_panel(terminal, say(f"cli.panel.{key}"), panels[key], width)


def value_name(messages: Messages, parameter: click.Parameter) -> str:
    """What stands for an argument or an option's value, e.g. ``CARPETA``."""
    kind = parameter.type
    return _words(messages, kind.metavar if isinstance(kind, Value) else parameter.name.upper())


def _words(messages: Messages, text: str) -> str:
    return messages(text) if isinstance(text, Key) else text


def _usage(
    say: Messages, name: str, parameters: Sequence[click.Parameter], commands: Sequence[str]
) -> Text:
    arguments = [_in_usage(say, p) for p in parameters if isinstance(p, Argument)]
    if commands:
        arguments.append(say("cli.usage.command"))
    words = " ".join([name, *arguments, say("cli.usage.options")])
    return Text.assemble((say("cli.usage.label") + " ", "bold yellow"), (words, "bold"))


def _in_usage(say: Messages, argument: Argument) -> str:
    """``FILE``, in brackets if it may be left out, with dots if there may be several.

    A name that comes with brackets already says so itself.
    """
    name = value_name(say, argument)
    if name.startswith("["):
        return name
    name += "..." if argument.nargs != 1 else ""
    return name if argument.required else f"[{name}]"


def _panels(
    say: Messages, parameters: Sequence[click.Parameter], commands: Sequence[str]
) -> dict[str, list[Row]]:
    """The rows of each panel."""
    panels: dict[str, list[Row]] = {}
    if commands:
        panels["commands"] = [(Text(name, "bold cyan"), _summary(say, name)) for name in commands]
    for parameter in parameters:
        assert isinstance(parameter, Argument | Option)
        text = Text(say(parameter.help or ""))
        if isinstance(parameter, Argument):
            row = Text(value_name(say, parameter), "bold yellow"), text
        else:
            row = _flags(say, parameter), text.append("".join(_notes(say, parameter)), "dim")
        panels.setdefault(parameter.panel, []).append(row)
    return panels


def _show_panel(terminal: Terminal, title: str, rows: list[Row], width: int) -> None:
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    if terminal.out.width - width < LEAST_TEXT_WIDTH:
        for flags, text in rows:
            table.add_row(flags)
            table.add_row(Padding(text, (0, 0, 0, 4)))
    else:
        table.add_column(width=width, no_wrap=True)
        table.add_column(ratio=1)
        for row in rows:
            table.add_row(*row)
    terminal.show(Panel(table, title=Text(title), title_align="left", border_style="dim"))


def _flags(say: Messages, parameter: Option) -> Text:
    """``--epochs NUMBER``, on two lines if one would be too long."""
    separator = "/" if parameter.secondary_opts else ", "
    names = sorted(parameter.opts, key=len, reverse=True) + parameter.secondary_opts
    flags = Text(separator.join(names), "bold cyan")
    if parameter.is_flag:
        return flags
    value = value_name(say, parameter)
    gap = " " if len(flags) + len(value) < FLAG_WIDTH else "\n  "
    return flags.append(gap).append(value, "yellow")


def _notes(say: Messages, parameter: Option) -> Iterable[str]:
    """What stands in brackets behind the text: environment variable and default."""
    if isinstance(parameter.envvar, str):
        yield f" [{say('cli.environment_variable', name=parameter.envvar)}]"
    shown = parameter.show_default if isinstance(parameter.show_default, str) else None
    default = _words(say, shown) if shown else parameter.default
    if default is not None and not isinstance(default, bool):
        yield f" [{say('cli.default', value=default)}]"


def _summary(say: Messages, command: str) -> Text:
    """The first paragraph of a command's help."""
    return Text(say(f"cli_{command}.help").partition("\n")[0])
