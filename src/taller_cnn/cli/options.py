"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from taller_cnn.cli.command import Command, Option
from taller_cnn.cli.terminal import LANGUAGE_VARIABLE
from taller_cnn.cli.values import FILE, FOLDER, TEXT, Key, Value, one_of
from taller_cnn.commands import command_line
from taller_cnn.messages import DEFAULT_LANGUAGE, LANGUAGES

if TYPE_CHECKING:
    import click

DATASETS = ("mnist", "fashion-mnist", "kmnist")
SOURCES = ("auto", "full", "sample")
DATA_DIR_VARIABLE = "TALLER_DATA_DIR"

_DATASET = Value(str, "|".join((*DATASETS, "PATH")))
DATASET = Option(
    "--dataset",
    panel="data",
    help="cli.option.dataset",
    type=_DATASET,
    default=DATASETS[0],
)
RESIZED = Option("--only-resize", panel="data", help="cli.option.only_resize", default=None)
DATASET_OF_MODEL = Option(
    "--dataset",
    panel="data",
    help="cli.option.dataset",
    type=_DATASET,
    show_default=Key("cli_evaluate.option.dataset_default"),
)
SOURCE = Option(
    "--source", panel="data", help="cli.option.source", type=one_of(*SOURCES), default=SOURCES[0]
)
DATA_DIR = Option(
    "--data-dir",
    panel="data",
    help="cli.option.data_dir",
    type=FOLDER,
    envvar=DATA_DIR_VARIABLE,
    show_default=Key("cli.option.data_dir_default"),
)
MODEL = Option(
    "--model",
    panel="model",
    help="cli.option.model",
    type=FILE,
    show_default=Key("cli.option.model_default"),
)
DEVICE = Option("--device", panel="model", help="config.device", type=TEXT, default="auto")
WORKDIR = Option(
    "--workdir",
    panel="output",
    help="cli.option.workdir",
    type=FOLDER,
    default=Path(),
    show_default=Key("cli.option.workdir_default"),
)
# Read before the command line is parsed, and known here so that it may be given.
LANG = Option(
    "--lang",
    panel="general",
    help="cli.option.lang",
    type=Value(str, "|".join(LANGUAGES)),
    default=DEFAULT_LANGUAGE,
    envvar=LANGUAGE_VARIABLE,
    expose_value=False,
)
JSON = Option("--json", panel="output", help="cli.option.json", expose_value=False)


def command(*parameters: click.Parameter) -> Callable[[Callable[..., None]], Command]:
    """Make a command of a function, with its parameters and those that all commands have.

    The function gets the `Terminal`, and the value of each parameter by its name.
    """

    def make(function: Callable[..., None]) -> Command:
        return Command(function.__name__.rstrip("_"), function, [*parameters, JSON, LANG])

    return make


def next_command(name: str, *words: str, lang: str, **options: object) -> str:
    """A command of ours to go on with, in the reader's language; what is usual is left out."""
    usual = {"dataset": DATASETS[0], "source": SOURCES[0], "workdir": Path()}
    usual["lang"] = DEFAULT_LANGUAGE
    return command_line(name, *words, options={**options, "lang": lang}, defaults=usual)
