"""Commands, options and arguments: click's, with texts that are message keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from taller_cnn.errors import UsageError

if TYPE_CHECKING:
    from taller_cnn.cli.terminal import Terminal
    from taller_cnn.cli.values import Value


class Option(click.Option):
    """An option in a panel of the help page.

    Args:
        *flags: how it is typed, and its name where the flag is not a good one.
        panel: one of `taller_cnn.cli.help_page.PANELS`.
        help: key of the message that explains it.
        type: what it takes; None for a flag.
        **settings: as for `click.Option`; ``show_default`` may be a `Key`.
    """

    def __init__(
        self, *flags: str, panel: str, help: str, type: Value | None = None, **settings: Any
    ) -> None:
        is_switch = type is None and not any("/" in flag for flag in flags)
        if not settings.get("required"):
            settings.setdefault("default", False if is_switch else None)
        super().__init__(flags, is_flag=type is None, type=type, help=help, **settings)
        self.panel = panel


class Argument(click.Argument):
    """An argument, whose type is a `Value`; ``help`` is a message key."""

    panel = "arguments"


def _show_help(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from taller_cnn.cli.help_page import show_help

        show_help(context)
        context.exit()


def _help_option() -> Option:
    return Option(
        "--help",
        "-h",
        panel="general",
        help="cli.option.help",
        is_eager=True,
        expose_value=False,
        callback=_show_help,
    )


class Command(click.Command):
    """A command; ``context.obj`` is the `Terminal` that it prints with.

    Args:
        name: what is typed; ``cli_<name>.help`` explains it.
        callback: gets the terminal and the values of the parameters.
        params: its options and arguments, in the order of the help page, without ``--help``.
    """

    def __init__(
        self, name: str, callback: Callable[..., None], params: list[click.Parameter]
    ) -> None:
        super().__init__(
            name,
            callback=click.pass_obj(callback),
            params=[*params, _help_option()],
            help=f"cli_{name}.help",
            add_help_option=False,
            # They are refused below, in the reader's language.
            context_settings={"allow_extra_args": True},
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, and refuse words that belong to nothing."""
        words = list(args)
        with _spoken_by(self, ctx):
            try:
                rest = super().parse_args(ctx, args)
            except click.NoSuchOption as error:
                # Of -lr, click names the first letter.
                begun = (w for w in words if w.startswith(error.option_name))
                typed = next(begun, error.option_name).partition("=")[0]
                raise click.NoSuchOption(typed, ctx=ctx) from error
        if rest:
            raise UsageError("cli_extra_words", words=" ".join(rest), command=ctx.command_path)
        return rest


def python_name(command: str) -> str:
    """What a command's function and module are called: its name, but for words of Python."""
    return f"{command}_" if iskeyword(command) else command


class LazyGroup(click.Group):
    """The root; a command's module is imported when the command is asked for.

    Args:
        name: of the program; ``cli.help`` explains it.
        commands: by each command's name, the module that has it, under its `python_name`.
        callback: called where no command is named.
        params: its options, without ``--help``.
    """

    def __init__(
        self,
        name: str,
        commands: Mapping[str, str],
        callback: Callable[..., None],
        params: list[click.Parameter],
    ) -> None:
        super().__init__(
            name,
            callback=click.pass_context(callback),
            params=[*params, _help_option()],
            help="cli.help",
            add_help_option=False,
            invoke_without_command=True,
        )
        self._modules = commands

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the help page."""
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        if cmd_name not in self._modules:
            return None
        command = getattr(import_module(self._modules[cmd_name]), python_name(cmd_name))
        assert isinstance(command, click.Command)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words before the command's name."""
        with _spoken_by(self, ctx):
            return super().parse_args(ctx, args)


@contextmanager
def _spoken_by(command: click.Command, context: click.Context) -> Iterator[None]:
    """Let messages suggest only options of this command, and let errors know whose they are."""
    terminal: Terminal = context.obj
    terminal.speak_for(flags_of(command))
    try:
        yield
    except click.UsageError as error:
        error.ctx = error.ctx or context
        raise


def flags_of(command: click.Command) -> frozenset[str]:
    """Every option that a command has, as it is typed."""
    return frozenset(
        flag
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for flag in (*parameter.opts, *parameter.secondary_opts)
    )


def refuse_together(first: str, *others: str) -> None:
    """Refuse options of the running command that contradict each other.

    Args:
        first: name of an option's value.
        *others: names of values that mean nothing beside it.

    Raises:
        UsageError: `first` and one of `others` were both typed.
    """
    context = click.get_current_context()
    flags = {parameter.name: parameter for parameter in context.command.params}

    def is_typed(name: str) -> bool:
        return context.get_parameter_source(name) is ParameterSource.COMMANDLINE

    def shown(name: str) -> str:
        parameter = flags[name]
        return parameter.opts[0] if isinstance(parameter, click.Option) else name.upper()

    for other in others:
        if is_typed(first) and is_typed(other):
            raise UsageError("cli_exclusive", one=shown(first), other=shown(other))
