"""``taller-cnn describe``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from taller_cnn.cli import values
from taller_cnn.cli.config_options import network, network_options
from taller_cnn.cli.notices import show_model_notices
from taller_cnn.cli.options import panel
from taller_cnn.cli.terminal import Terminal
from taller_cnn.config import ModelConfig

if TYPE_CHECKING:
    from taller_cnn.model import LayerRow

__all__ = ["describe"]

LEAST_WIDTH_FOR_KINDS = 60
"""Columns of a terminal that has room for the kind of each layer."""

TrainedModel = Annotated[
    Path | None,
    panel(
        "network",
        "--model",
        help="cli_describe.option.model",
        metavar="cli.metavar.file",
        parser=values.path,
    ),
]

TrainedWorkdir = Annotated[
    Path | None,
    panel(
        "network",
        "--workdir",
        help="cli_describe.option.workdir",
        metavar="cli.metavar.folder",
        parser=values.path,
    ),
]


@network_options
def describe(
    context: typer.Context,
    model: TrainedModel = None,
    workdir: TrainedWorkdir = None,
    **fields: Any,
) -> None:
    """Show the layers of a network: what each makes and what it costs."""
    from taller_cnn.model import describe as describe_network
    from taller_cnn.runs import RunFiles

    terminal: Terminal = context.obj
    path = model or (workdir and RunFiles.in_workdir(workdir).model)
    config = network(fields)
    if path:
        config = _trained(terminal, path, config)
    config = config or ModelConfig()
    layers = describe_network(config)
    _show(terminal, layers)
    terminal.result(_to_json(config, layers))


def _trained(terminal: Terminal, path: Path, config: ModelConfig | None) -> ModelConfig:
    """The network of a model file."""
    from taller_cnn.checkpoints import load_model
    from taller_cnn.model import network_inside

    loaded = load_model(path, config)
    show_model_notices(terminal, loaded)
    return network_inside(loaded.model).config


def _show(terminal: Terminal, layers: Sequence[LayerRow]) -> None:
    """Print a line per layer, and the sums."""
    say = terminal.messages
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    # A number must never be cut; without room for all columns, the names say the kinds.
    with_kind = terminal.out.width >= LEAST_WIDTH_FOR_KINDS
    table.add_column(say("cli_describe.heading.name"), no_wrap=True)
    if with_kind:
        table.add_column(say("cli_describe.heading.kind"), no_wrap=True)
    for heading in ("output", "parameters"):
        table.add_column(say(f"cli_describe.heading.{heading}"))
    table.add_column(say("cli_describe.heading.macs"), justify="right", no_wrap=True)
    for layer in layers:
        shape = " × ".join(map(str, layer.output_shape))
        kind = [say(f"cli_describe.kind.{layer.kind}")] if with_kind else []
        numbers = (_parameters(terminal, layer), _macs(terminal, layer))
        table.add_row(layer.name, *kind, shape, *numbers)
    terminal.show(table)
    parameters, macs = sum(x.parameters for x in layers), sum(x.macs for x in layers)
    terminal.say("cli_describe.total", "bold", parameters=parameters, macs=macs)
    terminal.say("cli_describe.legend", "dim")


def _parameters(terminal: Terminal, layer: LayerRow) -> str:
    """The number and how it comes about."""
    if not layer.parameters:
        return ""
    return terminal.messages(
        "cli_describe.parameters", n=layer.parameters, arithmetic=layer.arithmetic
    )


def _macs(terminal: Terminal, layer: LayerRow) -> str:
    return terminal.messages("cli_describe.macs", n=layer.macs) if layer.macs else ""


def _to_json(config: ModelConfig, layers: Sequence[LayerRow]) -> dict[str, Any]:
    return {
        "model": config.to_dict(),
        "layers": [vars(layer) for layer in layers],
        "parameters": sum(layer.parameters for layer in layers),
        "macs": sum(layer.macs for layer in layers),
    }
