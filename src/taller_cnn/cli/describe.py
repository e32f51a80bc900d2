"""``taller-cnn describe``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from taller_cnn.cli.command import Option, refuse_together
from taller_cnn.cli.config_options import network, network_options
from taller_cnn.cli.loading import show_model_notices
from taller_cnn.cli.options import command
from taller_cnn.cli.terminal import Terminal
from taller_cnn.cli.values import FILE, FOLDER
from taller_cnn.config import ModelConfig

if TYPE_CHECKING:
    from taller_cnn.model import LayerRow, SimpleCNN


@command(
    *network_options(),
    Option("--model", panel="network", help="cli_describe.option.model", type=FILE),
    Option("--workdir", panel="network", help="cli_describe.option.workdir", type=FOLDER),
)
def describe(
    terminal: Terminal, *, model: Path | None, workdir: Path | None, **fields: Any
) -> None:
    """Show the layers of a network: what each makes and what it costs."""
    from taller_cnn.model import describe as describe_network
    from taller_cnn.runs import RunFiles

    refuse_together("model", "workdir")
    file = model or (workdir and RunFiles.in_workdir(workdir).model)
    config, n_classes = network(fields) or ModelConfig(), 10
    if file:
        trained = _trained(terminal, file, network(fields))
        config, n_classes = trained.config, trained.n_classes
    layers = describe_network(config, n_classes)
    _show(terminal, layers)
    terminal.result(_to_json(config, layers))


def _trained(terminal: Terminal, path: Path, config: ModelConfig | None) -> SimpleCNN:
    """The network of a model file."""
    from taller_cnn.checkpoints import load_model
    from taller_cnn.model import network_inside

    loaded = load_model(path, config)
    show_model_notices(terminal, loaded)
    return network_inside(loaded.model)


def _show(terminal: Terminal, layers: Sequence[LayerRow]) -> None:
    """Print a line per layer, and the sums."""
    say = terminal.messages
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(say("cli_describe.heading.name"), no_wrap=True)
    table.add_column(say("cli_describe.heading.kind"), no_wrap=True)
    for heading in ("output", "parameters"):
        table.add_column(say(f"cli_describe.heading.{heading}"))
    table.add_column(say("cli_describe.heading.macs"), justify="right", no_wrap=True)
    for layer in layers:
        shape = " × ".join(map(str, layer.output_shape))
        kind = say(f"cli_describe.kind.{layer.kind}")
        numbers = (_parameters(terminal, layer), _macs(terminal, layer))
        table.add_row(layer.name, kind, shape, *numbers)
    terminal.show(table)
    parameters, macs = sum(x.parameters for x in layers), sum(x.macs for x in layers)
    terminal.say("cli_describe.total", "bold", parameters=parameters, macs=macs)
    terminal.say("cli_describe.legend", "dim")


def _parameters(terminal: Terminal, layer: LayerRow) -> str:
    """The number and how it comes about."""
    if not layer.parameters:
        return ""
    return f"{layer.arithmetic} = {terminal.messages.number(layer.parameters, 0)}"


def _macs(terminal: Terminal, layer: LayerRow) -> str:
    return terminal.messages.number(layer.macs, 0) if layer.macs else ""


def _to_json(config: ModelConfig, layers: Sequence[LayerRow]) -> dict[str, Any]:
    return {
        "model": config.to_dict(),
        "layers": [vars(layer) for layer in layers],
        "parameters": sum(layer.parameters for layer in layers),
        "macs": sum(layer.macs for layer in layers),
    }
