"""A message suggests only options that the command has which says it."""

from __future__ import annotations

import ast
import re
import shutil
import string
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest
import torch
from PIL import Image, ImageDraw

import taller_cnn
from taller_cnn.cli.app import COMMANDS, build
from taller_cnn.cli.command import flags_of, python_name
from taller_cnn.cli.config_options import network_options
from taller_cnn.messages import LANGUAGES, Messages

SOURCE = Path(taller_cnn.__file__).parent
OPTION = re.compile(r"--[a-z][a-z0-9-]*")
ANOTHER_COMMAND = re.compile(rf"taller-cnn ({'|'.join(COMMANDS)})\b((?: --?[a-z][\w-]*| [\w<>]+)*)")

NAMED_COMMAND = re.compile(r"taller-cnn ([a-z]{2,})\b")
PAGE_TEXTS = sorted((SOURCE / "locale").glob("*/lab_page.toml"))
LESSON = SOURCE.parents[1] / "pytorch" / "cnn_pytorch.py"


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
    waiting = [f"taller_cnn.cli.{python_name(command)}", "taller_cnn.cli.failures"]
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
    keys |= {f"errors.{text}" for text in strings if known.has(f"errors.{text}")}
    return frozenset(keys | help_keys(command))


def help_keys(command: str) -> set[str]:
    """Keys of a command's help page, and of what else its own catalogue has."""
    root = build()
    built = root.get_command(click.Context(root), command)
    assert built is not None
    helps = {p.help for p in built.params if isinstance(p, click.Option) and p.help}
    file = SOURCE / "locale" / "en" / f"cli_{command}.toml"
    return helps | set(leaves(f"cli_{command}", tomllib.loads(file.read_text(encoding="utf-8"))))


def leaves(key: str, entry: object) -> Iterator[str]:
    """Keys of the texts in a table; plural forms are one text."""
    if isinstance(entry, dict) and "other" not in entry:
        for name, below in entry.items():
            yield from leaves(f"{key}.{name}", below)
    else:
        yield key


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
    wrong |= {name for name in NAMED_COMMAND.findall(text) if name not in COMMANDS}
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


@pytest.mark.parametrize("path", PAGE_TEXTS, ids=lambda path: path.parent.name)
def test_the_page_names_only_commands_and_options_that_there_are(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ANOTHER_COMMAND.search(text)
    # Outside of a command line, what begins with two dashes is a comment or a CSS variable.
    lines = "\n".join(re.findall(r"taller-cnn [^\"(.]*", text))
    assert strange(lines, "lab") == set()


def test_the_lesson_names_only_options_that_it_has() -> None:
    source = LESSON.read_text(encoding="utf-8")
    has = set(re.findall(r'add_argument\("(--[a-z-]+)"', source)) | {"--help"}
    assert has > {"--help"}
    of_others = ANOTHER_COMMAND.sub("", source)
    assert set(OPTION.findall(of_others)) - has == set()
    assert (
        strange("\n".join(match[0] for match in ANOTHER_COMMAND.finditer(source)), "lab") == set()
    )


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


# -------------------------------------------------------------- options of the network

NETWORK_FLAGS = frozenset(flag for option in network_options() for flag in option.opts)
USES_A_NETWORK = ("evaluate", "describe", "predict", "explain", "export", "lab")


@pytest.mark.parametrize("command", USES_A_NETWORK)
def test_who_uses_a_network_takes_its_options(command: str) -> None:
    assert flags(command) >= NETWORK_FLAGS


@pytest.mark.parametrize("language", LANGUAGES)
def test_weights_without_a_description_ask_for_options_by_their_names(language: str) -> None:
    """The walk above can only look after options that are named."""
    for key in ("errors.model_unknown", "errors.model_mismatch"):
        names = set(OPTION.findall(said(key, Messages(language, flags("predict")))))
        assert {"--filters", "--kernel-size", "--hidden"} <= names, key


@pytest.fixture(scope="module")
def bare(trained_workdir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder whose network has no description and other shapes than the lesson's."""
    folder = tmp_path_factory.mktemp("bare")
    shutil.copytree(trained_workdir / "data", folder / "data")
    (folder / "modelo").mkdir()
    state = torch.load(trained_workdir / "modelo" / "cnn_mnist.pt", weights_only=True)
    torch.save(dict(state), folder / "modelo" / "cnn_mnist.pt")
    drawing = Image.new("L", (280, 280), 255)
    ImageDraw.Draw(drawing).line((140, 40, 140, 240), fill=0, width=20)
    drawing.save(folder / "one.png")
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", "--source", "sample"),
        ("describe",),
        ("predict", "one.png"),
        ("explain", "--source", "sample", "--only", "network"),
        ("export", "html"),
    ],
    ids=lambda words: words[0],
)
def test_what_is_advised_works(
    cli, bare: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(bare)
    command = (*words, "--workdir", bare)
    refused = cli(*command)
    assert refused.code == 2
    assert "--filters" in refused.err
    wrong = cli(*command, "--filters", "5", "--json")
    assert (wrong.code, wrong.json["kind"]) == (2, "model_mismatch")
    assert cli(*command, "--filters", "4", "--hidden", "16").code == 0


def test_the_lab_takes_the_options_of_its_folders_network(cli, bare: Path) -> None:
    from taller_cnn.config import ModelConfig
    from taller_cnn.errors import ModelError
    from taller_cnn.lab.lab import Lab

    config = ModelConfig(filters=(4,), hidden=16)
    lab = Lab.in_folder(bare, config=config)
    assert lab.models.get("main").card.config == config
    with pytest.raises(ModelError) as refused:
        Lab.in_folder(bare).models.get("main")
    assert refused.value.key == "model_unknown"
    outcome = cli("lab", "--no-browser", "--workdir", bare, "--filters", "5", "--json")
    assert (outcome.code, outcome.json["kind"]) == (2, "model_mismatch")


def test_options_that_a_description_contradicts_are_left_aside_and_told(
    cli, trained_workdir: Path, tmp_path: Path
) -> None:
    output = ("--output", tmp_path / "page.html", "--lang", "en")
    outcome = cli("export", "html", "--workdir", trained_workdir, "--filters", "5", *output)
    assert outcome.code == 0
    assert "were ignored" in outcome.sentences


def test_the_robust_network_is_always_described(cli, bare: Path) -> None:
    words = ("predict", bare / "one.png", "--robust", "--filters", "4", "--workdir", bare)
    outcome = cli(*words, "--json")
    assert (outcome.code, outcome.json["kind"]) == (2, "cli_exclusive")
