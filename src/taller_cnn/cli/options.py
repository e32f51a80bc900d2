"""Options that several commands share.

Here ``help``, ``metavar``, ``rich_help_panel`` and ``show_default`` may be message keys:
`taller_cnn.cli.help_page` puts the reader's words in their place.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from taller_cnn.cli.language import VARIABLE as LANGUAGE_VARIABLE
from taller_cnn.cli.values import one_of, path
from taller_cnn.messages import DEFAULT_LANGUAGE, LANGUAGES

__all__ = [
    "PANELS",
    "DataDir",
    "Dataset",
    "Device",
    "ModelFile",
    "Source",
    "Workdir",
    "choice",
    "extended",
    "panel",
    "with_shared_options",
]

DATASETS = ("mnist", "fashion-mnist", "kmnist")
SOURCES = ("auto", "full", "sample")
DATA_DIR_VARIABLE = "TALLER_DATA_DIR"

PANELS = (
    "arguments",
    "commands",
    "model",
    "training",
    "network",
    "data",
    "output",
    "general",
)
"""The groups of a help page, top to bottom; the titles are ``cli.panel.<name>``."""


def panel(name: str, flag: str, **settings: Any) -> Any:
    """A typer option in the help panel `name`."""
    return typer.Option(flag, rich_help_panel=name, **settings)


def choice(name: str, flag: str, help_key: str, allowed: tuple[str, ...], **settings: Any) -> Any:
    """A typer option that takes one of some words."""
    parser, metavar = one_of(*allowed), "|".join(allowed)
    return panel(name, flag, help=help_key, metavar=metavar, parser=parser, **settings)


Dataset = Annotated[str, choice("data", "--dataset", "cli.option.dataset", DATASETS)]
Source = Annotated[str, choice("data", "--source", "cli.option.source", SOURCES)]
DataDir = Annotated[
    Path | None,
    panel(
        "data",
        "--data-dir",
        help="cli.option.data_dir",
        metavar="cli.metavar.folder",
        parser=path,
        envvar=DATA_DIR_VARIABLE,
        show_default="cli.option.data_dir_default",
    ),
]
ModelFile = Annotated[
    Path | None,
    panel(
        "model",
        "--model",
        help="cli.option.model",
        metavar="cli.metavar.file",
        parser=path,
        show_default="cli.option.model_default",
    ),
]
Device = Annotated[
    str,
    panel("model", "--device", help="config.device", metavar="cli.metavar.text", parser=str),
]
Workdir = Annotated[
    Path,
    panel(
        "output",
        "--workdir",
        help="cli.option.workdir",
        metavar="cli.metavar.folder",
        parser=path,
        show_default="cli.option.workdir_default",
    ),
]
Lang = Annotated[
    str,
    panel(
        "general",
        "--lang",
        help="cli.option.lang",
        metavar="|".join(LANGUAGES),
        parser=str,
        envvar=LANGUAGE_VARIABLE,
    ),
]
Json = Annotated[bool, panel("output", "--json", help="cli.option.json")]


def with_shared_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that are read before the commands are built."""
    shared = {"json": (Json, False), "lang": (Lang, DEFAULT_LANGUAGE)}
    return extended(function, shared, passed=False)


def extended(
    function: Callable[..., None], extra: Mapping[str, tuple[Any, Any]], *, passed: bool
) -> Callable[..., None]:
    """`function` with more options for typer to read.

    Args:
        function: a command; its ``**fields`` take the place of the options that are passed on.
        extra: type and default by parameter name.
        passed: whether `function` gets their values.
    """
    keyword, rest = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD
    own = inspect.signature(function, eval_str=True).parameters.values()
    kept = [p.replace(kind=keyword) for p in own if p.kind is not rest]
    added = [
        inspect.Parameter(name, keyword, default=default, annotation=hint)
        for name, (hint, default) in extra.items()
    ]

    @functools.wraps(function)
    def call(**values: Any) -> None:
        function(**{k: v for k, v in values.items() if passed or k not in extra})

    vars(call)["__signature__"] = inspect.Signature([*added, *kept] if passed else [*kept, *added])
    # typer reads both, and the signature has the types already.
    call.__annotations__ = {}
    return call
