"""typer's commands, speaking the reader's language where typer speaks English.

typer 0.29 carries its own copy of click in ``typer._click`` and exports neither its exceptions
nor its command base class. This is the one module that knows them: the version is pinned, and a
test provokes every kind of usage error in both languages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, cast

from typer import TyperException, _click
from typer._click.exceptions import BadOptionUsage, BadParameter, MissingParameter, NoSuchOption
from typer._coercion import RuntimeParam
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from taller_cnn.cli.help_page import Parameter, argument_name, show_help
from taller_cnn.cli.values import WrongValue
from taller_cnn.errors import UsageError
from taller_cnn.messages import Messages

__all__ = ["Command", "CommandGroup", "usage_error"]


class _OwnParser(RuntimeParam):
    """Gives a word to its option's own parser.

    typer would go through pydantic, whose import takes longer than all of ``--help``.
    """

    def _coerce_value(self, value: Any, param: Any, ctx: _click.Context) -> Any:
        parser = self.parameter_info.parser
        if parser is None:
            return value
        return tuple(map(parser, value)) if isinstance(value, tuple | list) else parser(value)


def _use_own_parser(parameter: _click.Parameter) -> None:
    assert isinstance(parameter, TyperOption | TyperArgument)
    kind = parameter.type_descriptor
    parameter._runtime_param = _OwnParser(kind.parameter_info, kind.annotation)


class _Localised(_click.Command):
    """Help and leftovers of a command in the reader's language; the terminal is ``ctx.obj``."""

    allow_extra_args = True

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        for parameter in self.params:
            _use_own_parser(parameter)

    def get_help_option(self, ctx: _click.Context) -> TyperOption | None:
        """``--help`` with our text and in our panel."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.help, option.rich_help_panel = "cli.option.help", "general"
            _use_own_parser(option)
        return option

    def format_help(self, ctx: _click.Context, formatter: _click.HelpFormatter) -> None:
        """Print our page; the formatter, of which typer prints the rest, stays empty."""
        parameters = cast("list[Parameter]", self.get_params(ctx))
        commands = self.list_commands(ctx) if isinstance(self, TyperGroup) else []
        show_help(ctx.obj, ctx.command_path, self.help or "", parameters, commands)


class Command(_Localised, TyperCommand):
    """A command of ours."""

    def parse_args(self, ctx: _click.Context, args: list[str]) -> list[str]:
        """Parse, and refuse words that belong to nothing."""
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            raise UsageError("cli_extra_words", words=" ".join(rest), command=ctx.command_path)
        return rest


class CommandGroup(_Localised, TyperGroup):
    """The root; a command is made when it is asked for, because most of the time only one is."""

    def mount(self, names: Sequence[str], make: Callable[[str], Command]) -> None:
        """Take in commands: their names, and what makes the command of a name."""
        self._names, self._make = tuple(names), make

    def list_commands(self, ctx: _click.Context) -> list[str]:
        """The names, in the order of the help page."""
        return list(self._names)

    def get_command(self, ctx: _click.Context, cmd_name: str) -> Command | None:
        """The command of that name, or None."""
        return self._make(cmd_name) if cmd_name in self._names else None

    def resolve_command(
        self, ctx: _click.Context, args: list[str]
    ) -> tuple[str | None, _click.Command | None, list[str]]:
        """The command that the next word names."""
        if args[0] in self._names or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        values = {"name": args[0], "command": ctx.command_path}
        similar = get_close_matches(args[0], self._names, n=1)
        if similar:
            raise UsageError("cli_no_such_command_but", similar=similar[0], **values)
        raise UsageError("cli_no_such_command", allowed=", ".join(self._names), **values)


def usage_error(error: TyperException, messages: Messages) -> UsageError:
    """What typer found wrong with the command line, as an error of ours."""
    context = getattr(error, "ctx", None)
    values: dict[str, Any] = {"command": context.command_path if context else "taller-cnn"}
    if isinstance(error, NoSuchOption):
        if not error.possibilities:
            return UsageError("cli_no_such_option", option=error.option_name, **values)
        values["similar"] = error.possibilities[0]
        return UsageError("cli_no_such_option_but", option=error.option_name, **values)
    if isinstance(error, BadOptionUsage):
        key = "cli_takes_no_value" if _is_flag(context, error.option_name) else "cli_needs_value"
        return UsageError(key, option=error.option_name, **values)
    option = _shown(messages, getattr(error, "param", None))
    if isinstance(error, MissingParameter):
        return UsageError("cli_missing", option=option, **values)
    if isinstance(error, WrongValue):
        return UsageError(error.key, option=option, **error.values, **values)
    assert isinstance(error, BadParameter | TyperException)
    return UsageError("cli_wrong_usage", reason=error.format_message(), **values)


def _is_flag(context: _click.Context | None, option: str) -> bool:
    parameters = context.command.params if context else []
    found = [p for p in parameters if option in (*p.opts, *p.secondary_opts)]
    return any(isinstance(p, TyperOption) and p.is_flag for p in found)


def _shown(messages: Messages, parameter: _click.Parameter | None) -> str:
    """An option by its flag, an argument by what stands for it on the help page."""
    if isinstance(parameter, TyperArgument):
        return argument_name(messages, parameter)
    return parameter.opts[0] if parameter else ""
