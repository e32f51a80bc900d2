from __future__ import annotations

from typing import Annotated

import pytest
import typer
from typer.main import get_command

from taller_cnn.cli.terminal import Terminal
from taller_cnn.cli.typer_words import Command, usage_error
from taller_cnn.cli.values import whole_number
from taller_cnn.errors import UsageError
from taller_cnn.messages import Messages


def copy(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="cli.metavar.file", help="cli.option.model")],
    times: Annotated[int, typer.Option("--times", help="cli.option.dataset")],
) -> None:
    """A command with what ours do not have: an argument and an option that must be given."""


def copy_command() -> Command:
    app = typer.Typer(add_completion=False)
    app.command("copy", cls=Command, help="cli_data.help")(copy)
    command = get_command(app)
    assert isinstance(command, Command)
    return command


def usage(*words: str, language: str = "es") -> UsageError:
    messages = Messages(language)
    with pytest.raises(typer.TyperException) as error:
        copy_command().make_context("x copy", list(words), obj=Terminal(messages))
    return usage_error(error.value, messages)


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("es", "Falta ARCHIVO. Ayuda: x copy --help"), ("en", "FILE is missing. Help: x copy --help")],
)
def test_a_missing_argument_is_named_as_on_the_help_page(language: str, sentence: str) -> None:
    error = usage(language=language)
    assert (error.exit_code, error.text(Messages(language))) == (2, sentence)


def test_a_missing_option_is_named_by_its_flag() -> None:
    assert usage("a").text(Messages("es")) == "Falta --times. Ayuda: x copy --help"


def test_an_argument_has_its_place_on_the_help_page(capsys) -> None:
    with pytest.raises(typer.Exit):
        copy_command().make_context("copy", ["--help"], obj=Terminal(Messages("es")))
    page = capsys.readouterr().out
    assert "Uso: copy ARCHIVO [OPCIONES]" in page
    assert page.index("Argumentos") < page.index("ARCHIVO ", page.index("Argumentos"))
    assert page.index("Argumentos") < page.index("General")


def test_values_that_may_be_repeated_are_each_read_by_the_parser() -> None:
    def command(
        sizes: Annotated[list[int], typer.Option("--size", parser=whole_number)],
        words: Annotated[list[str] | None, typer.Argument()] = None,
    ) -> None:
        seen.append((sizes, words))

    seen: list[tuple[list[int], list[str] | None]] = []
    app = typer.Typer(add_completion=False)
    app.command(cls=Command)(command)
    words = ["--size", "2", "a", "b", "--size", "3"]
    with get_command(app).make_context("x", words, obj=Terminal(Messages("es"))) as context:
        context.command.invoke(context)
    assert seen == [([2, 3], ["a", "b"])]


def test_what_typer_may_say_one_day_is_passed_on() -> None:
    error = usage_error(typer.TyperException("Something new."), Messages("es"))
    assert error.key == "cli_wrong_usage"
    assert "Something new." in error.text(Messages("es"))
