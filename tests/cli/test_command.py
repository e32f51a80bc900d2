from __future__ import annotations

import click
import pytest

from taller_cnn.cli.app import COMMANDS, build
from taller_cnn.cli.command import Argument, Command, Option, flags_of, refuse_together
from taller_cnn.cli.failures import usage_error
from taller_cnn.cli.help_page import value_name
from taller_cnn.cli.terminal import Terminal
from taller_cnn.cli.values import FILE, INTEGER, Key, Value
from taller_cnn.errors import UsageError
from taller_cnn.messages import Messages


def copy_command() -> Command:
    """A command with what ours do not have: an argument and an option that must be given."""
    source = Argument(["source"], type=FILE, help="cli.option.model")
    times = Option(
        "--times", panel="general", help="cli.option.dataset", type=INTEGER, required=True
    )
    return Command("data", lambda *_, **__: None, [source, times])


def usage(*words: str, language: str = "es") -> UsageError:
    messages = Messages(language)
    with pytest.raises(click.UsageError) as error:
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
    with pytest.raises(click.exceptions.Exit):
        copy_command().make_context("copy", ["--help"], obj=Terminal(Messages("es")))
    page = capsys.readouterr().out
    assert "Uso: copy ARCHIVO [OPCIONES]" in page
    assert page.index("Argumentos") < page.index("ARCHIVO ", page.index("Argumentos"))
    assert page.index("Argumentos") < page.index("General")


def test_values_that_may_be_repeated_are_each_read_by_the_parser() -> None:
    seen: list[tuple[object, object]] = []

    def remember(_terminal: Terminal, size: tuple[int, ...], words: tuple[str, ...]) -> None:
        seen.append((size, words))

    size = Option("--size", panel="general", help="", type=INTEGER, multiple=True)
    arguments = Argument(["words"], nargs=-1, type=Value(str.upper, Key("cli.metavar.text")))
    command = Command("data", remember, [size, arguments])
    typed = ["--size", "2", "a", "b", "--size", "3"]
    with command.make_context("x", typed, obj=Terminal(Messages("es"))) as context:
        command.invoke(context)
    assert seen == [((2, 3), ("A", "B"))]


def test_what_click_may_say_one_day_is_passed_on() -> None:
    error = usage_error(click.UsageError("Something new."), Messages("es"))
    assert error.key == "cli_wrong_usage"
    assert "Something new." in error.text(Messages("es"))


@pytest.mark.parametrize("literal", ["es|en", "x" * 300, "cli.metavar.file", "con", "a/../b"])
def test_only_a_key_is_looked_up_among_the_messages(literal: str) -> None:
    """A file system refuses some of these as the name of a catalogue (Windows: ``es|en``)."""
    option = Option("--x", panel="general", help="", type=Value(str, literal))
    assert value_name(Messages("es"), option) == literal
    assert not Messages("es").has(f"{literal}.text")


def test_no_text_of_a_command_is_a_key_by_its_looks_alone() -> None:
    """``help`` is always a key; where a literal may stand, a key says that it is one."""
    root = build()
    context = click.Context(root)
    known = Messages("es")
    for name in COMMANDS:
        command = root.get_command(context, name)
        assert command is not None
        for parameter in command.params:
            assert known.has(parameter.help or ""), parameter.name
            shown = [getattr(parameter, "show_default", None)]
            shown += [parameter.type.metavar] if isinstance(parameter.type, Value) else []
            for text in (text for text in shown if isinstance(text, str)):
                assert known.has(text) == isinstance(text, Key), (name, parameter.name, text)


def test_the_options_of_a_command_are_known() -> None:
    root = build()
    train = root.get_command(click.Context(root), "train")
    assert train is not None
    flags = flags_of(train)
    assert {"--batch-norm", "--no-batch-norm", "--help", "-h", "--json"} <= flags
    assert "--single" not in flags


def test_options_that_contradict_each_other_are_refused_only_if_both_are_typed() -> None:
    options = [Option(f"--{name}", panel="general", help="") for name in ("one", "two", "three")]
    command = Command("data", lambda *_, **__: None, options)

    def refused(*words: str) -> bool:
        terminal = Terminal(Messages("es"))
        with command.make_context("x", list(words), obj=terminal):
            try:
                refuse_together("one", "two")
            except UsageError:
                return True
        return False

    assert refused("--two", "--one")
    assert not refused("--one", "--three")
    assert not refused("--two")
    with (
        command.make_context("x", ["--one", "--two"], obj=Terminal(Messages("es"))),
        pytest.raises(UsageError, match=r"^--one and --two do not go together"),
    ):
        refuse_together("one", "two")
