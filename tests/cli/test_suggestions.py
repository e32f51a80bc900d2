"""A message suggests only options that the command has which says it."""

from __future__ import annotations

import ast
import re
import string
from functools import cache
from pathlib import Path

import click
import pytest

import taller_cnn
from taller_cnn.cli.app import COMMANDS, build
from taller_cnn.cli.command import flags_of
from taller_cnn.messages import LANGUAGES, Messages

SOURCE = Path(taller_cnn.__file__).parent
OPTION = re.compile(r"--[a-z][a-z0-9-]*")
ANOTHER_COMMAND = re.compile(rf"taller-cnn ({'|'.join(COMMANDS)})\b((?: --?[a-z][\w-]*| [\w<>]+)*)")


@cache
def flags(command: str) -> frozenset[str]:
    root = build()
    built = root.get_command(click.Context(root), command)
    assert built is not None
    return flags_of(built)


# ------------------------------------------------- which texts a command may come to say


@cache
def tree(module: str) -> ast.Module | None:
    """The source of a module of ours; None of what is none."""
    place = SOURCE.parent.joinpath(*module.split("."))
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return ast.parse(path.read_text(encoding="utf-8"))
    return None


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def running(node: ast.AST) -> list[ast.AST]:
    """The node and all below it, but for what only type checkers read."""
    children = [child for child in ast.iter_child_nodes(node) if not is_for_types(child)]
    return [node, *(below for child in children for below in running(child))]


def imported(module: str) -> set[str]:
    """Names that a module imports, at its top or inside a function; some are no modules."""
    names = set()
    for node in running(tree(module) or ast.Module([], [])):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
        elif isinstance(node, ast.Import):
            names |= {name.name for name in node.names}
    return {name for name in names if name.startswith("taller_cnn.")}


@cache
def reached(command: str) -> frozenset[str]:
    """Modules that a command may come to run."""
    known: set[str] = set()
    waiting = [f"taller_cnn.cli.{command}", "taller_cnn.cli.failures"]
    while waiting:
        module = waiting.pop()
        if module not in known and tree(module) is not None:
            known.add(module)
            waiting += imported(module) | {module.rpartition(".")[0]}
    return frozenset(known)


@cache
def sayable(command: str) -> frozenset[str]:
    """Keys of the texts that are named in those modules."""
    known = Messages("es")
    strings = {
        node.value
        for module in reached(command)
        for node in running(tree(module) or ast.Module([], []))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    keys = {text for text in strings if "." in text and " " not in text and known.has(text)}
    return frozenset(keys | {f"errors.{text}" for text in strings if known.has(f"errors.{text}")})


# ------------------------------------------------------------------------ what it says

SAMPLES = {"d": 12_345, "time": 75, "%": 0.5, ".": 0.123, "~": 1e-5}


def said(key: str, messages: Messages) -> str:
    """A text with something in each place."""
    template = messages.template(key)
    forms = template.values() if isinstance(template, dict) else [template]
    values = {
        name: SAMPLES.get(spec or "", SAMPLES.get((spec or " ")[0], f"<{name}>"))
        for text in forms
        for _, name, spec, _ in string.Formatter().parse(text)
        if name
    }
    return messages(key, **values)


def strange(text: str, command: str) -> set[str]:
    """Options in a text that the command has not; of another command that is named, its own."""
    wrong = set()
    for name, words in ANOTHER_COMMAND.findall(text):
        wrong |= set(OPTION.findall(words)) - flags(name)
    return wrong | (set(OPTION.findall(ANOTHER_COMMAND.sub("", text))) - flags(command))


def test_the_walk_reaches_what_each_command_may_raise() -> None:
    assert {"errors.data_unavailable", "errors.diverged"} <= sayable("predict")
    assert "errors.lab_port" in sayable("lab")
    assert "errors.lab_port" not in sayable("train")
    assert len(sayable("train")) > 50


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("command", COMMANDS)
def test_no_message_suggests_an_option_that_the_command_has_not(
    command: str, language: str
) -> None:
    messages = Messages(language, flags(command))
    wrong = {key: strange(said(key, messages), command) for key in sayable(command)}
    assert {key: options for key, options in wrong.items() if options} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_that_names_an_option_can_be_said_by_some_command(language: str) -> None:
    """A part in brackets that no command ever says would be dead."""
    for key in set().union(*map(sayable, COMMANDS)):
        template = Messages(language).template(key)
        for text in template.values() if isinstance(template, dict) else [template]:
            for part in re.findall(r"\[\[(.*?)(?:\|\||\]\])", text):
                options = set(OPTION.findall(part))
                assert options, (key, part)
                assert any(options <= flags(c) for c in COMMANDS if key in sayable(c)), key


def test_missing_digits_suggest_the_sample_only_where_it_can_be_asked_for(
    cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from taller_cnn.errors import DataError
    from taller_cnn.reader import robust

    def none(*_: object, **__: object) -> object:
        values = {"folder": tmp_path, "reason": "x", "files": "y", "remedy": "z"}
        raise DataError("data_unavailable", **values)

    monkeypatch.setattr(robust, "robust_network", none)
    picture = tmp_path / "d.png"
    from PIL import Image

    Image.new("L", (28, 28), 255).save(picture)
    outcome = cli("predict", picture, "--robust", "--workdir", tmp_path)
    assert outcome.code == 1
    assert "--data-dir" in outcome.err
    assert "--source" not in outcome.err
