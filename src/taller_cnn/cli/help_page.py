"""Help pages in the reader's language, drawn from what typer knows about a command.

typer's own pages have English words in them ("Usage", "Options", "[default: ]"), and importing
their renderer takes longer than everything else that ``--help`` does. The texts that typer is
given are message keys; here they become words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from typer.core import TyperArgument, TyperOption

from taller_cnn.cli.options import PANELS
from taller_cnn.cli.terminal import Terminal
from taller_cnn.messages import Messages

__all__ = ["Parameter", "argument_name", "show_help"]

Parameter = TyperOption | TyperArgument
Row = tuple[Text, Text]

FLAG_WIDTH = 30
"""Widest flag that still has its value beside it; leaves 44 of 80 columns for the text."""
LEAST_TEXT_WIDTH = 24
"""Columns that a text needs beside its flag; with less it goes below, indented."""


def show_help(
    terminal: Terminal,
    name: str,
    help_key: str,
    parameters: Sequence[Parameter],
    commands: Sequence[str] = (),
) -> None:
    """Print the help page of a command.

    Args:
        terminal: where, and in which language.
        name: the command as one types it, e.g. ``taller-cnn train``.
        help_key: key of the message that explains it.
        parameters: its arguments and options, with ``--help``.
        commands: names of the commands under it; ``cli_<name>.help`` explains each.
    """
    say = terminal.messages
    terminal.show(Padding(_usage(say, name, parameters, commands), (1, 1)))
    terminal.show(Padding(Text(say(help_key)), (0, 1, 1, 1)))
    panels = _panels(say, parameters, commands)
    rows = [row for key in PANELS for row in panels.get(key, [])]
    width = max(max(map(len, flags.plain.splitlines())) for flags, _ in rows)
    for key in PANELS:
        if key in panels:
            _show_panel(terminal, say(f"cli.panel.{key}"), panels[key], width)


def argument_name(messages: Messages, parameter: Parameter) -> str:
    """What stands for an argument or an option's value, e.g. ``CARPETA``."""
    name = parameter.metavar or parameter.name.upper()
    return messages(name) if messages.has(name) else name


def _usage(
    say: Messages, name: str, parameters: Sequence[Parameter], commands: Sequence[str]
) -> Text:
    arguments = [_in_usage(say, p) for p in parameters if isinstance(p, TyperArgument)]
    if commands:
        arguments.append(say("cli.usage.command"))
    words = " ".join([name, *arguments, say("cli.usage.options")])
    return Text.assemble((say("cli.usage.label") + " ", "bold yellow"), (words, "bold"))


def _in_usage(say: Messages, argument: TyperArgument) -> str:
    """``FILE``, in brackets if it may be left out, with dots if there may be several.

    A name that comes with brackets already says so itself.
    """
    name = argument_name(say, argument)
    if name.startswith("["):
        return name
    name += "..." if argument.nargs != 1 else ""
    return name if argument.required else f"[{name}]"


def _panels(
    say: Messages, parameters: Sequence[Parameter], commands: Sequence[str]
) -> dict[str, list[Row]]:
    """The rows of each panel."""
    panels: dict[str, list[Row]] = {}
    if commands:
        panels["commands"] = [(Text(name, "bold cyan"), _summary(say, name)) for name in commands]
    for parameter in parameters:
        other = "arguments" if isinstance(parameter, TyperArgument) else "general"
        key = parameter.rich_help_panel or other
        panels.setdefault(key, []).append(_parameter_row(say, parameter))
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


def _parameter_row(say: Messages, parameter: Parameter) -> Row:
    text = Text(say(parameter.help or ""))
    for note in _notes(say, parameter):
        text.append(f" [{note}]", "dim")
    return _flags(say, parameter), text


def _flags(say: Messages, parameter: Parameter) -> Text:
    """``--epochs NUMBER``, on two lines if one would be too long."""
    value = argument_name(say, parameter)
    if isinstance(parameter, TyperArgument):
        return Text(value, "bold yellow")
    separator = "/" if parameter.secondary_opts else ", "
    names = sorted(parameter.opts, key=len, reverse=True) + parameter.secondary_opts
    flags = Text(separator.join(names), "bold cyan")
    if parameter.is_flag:
        return flags
    gap = " " if len(flags) + len(value) < FLAG_WIDTH else "\n  "
    return flags.append(gap).append(value, "yellow")


def _notes(say: Messages, parameter: Parameter) -> Iterable[str]:
    """What stands in brackets behind the text: environment variable and default."""
    if isinstance(parameter.envvar, str):
        yield say("cli.environment_variable", name=parameter.envvar)
    shown, default = parameter.show_default, parameter.default
    if isinstance(shown, str):
        yield say("cli.default", value=say(shown) if say.has(shown) else shown)
    elif default is not None and not isinstance(default, bool):
        yield say("cli.default", value=default)


def _summary(say: Messages, command: str) -> Text:
    """The first paragraph of a command's help."""
    return Text(say(f"cli_{command}.help").partition("\n")[0])
