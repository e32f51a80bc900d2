"""``taller-cnn import``."""

from __future__ import annotations

from pathlib import Path

from taller_cnn.cli.command import Argument, Option
from taller_cnn.cli.loading import keras_on_torch, show_model_notices
from taller_cnn.cli.options import WORKDIR, command, next_command
from taller_cnn.cli.terminal import Terminal
from taller_cnn.cli.values import FILE, Key, Value, one_of, path
from taller_cnn.errors import ModelError


@command(
    Argument(
        ["format"],
        help="cli_import.argument.format",
        type=Value(one_of("keras"), Key("cli_import.metavar.format")),
    ),
    Argument(
        ["file"],
        help="cli_import.argument.file",
        type=Value(path, Key("cli_import.metavar.file")),
    ),
    Option(
        "--output",
        panel="output",
        help="cli_import.option.output",
        type=FILE,
        show_default=Key("cli_import.option.output_default"),
    ),
    WORKDIR,
)
def import_(
    terminal: Terminal, *, format: str, file: Path, output: Path | None, workdir: Path
) -> None:
    """Take in a network from another program."""
    from taller_cnn.checkpoints import save_model
    from taller_cnn.exports.keras_file import read_keras
    from taller_cnn.model import SimpleCNN, count_parameters
    from taller_cnn.runs import RunFiles

    assert format == "keras", "the only one that there is"
    keras_on_torch()
    loaded = read_keras(file)
    show_model_notices(terminal, loaded)
    network, info = loaded.model, loaded.info
    assert isinstance(network, SimpleCNN)
    assert info is not None
    target = output or RunFiles.in_workdir(workdir, info.dataset).model
    if target.exists():
        raise ModelError("import_there", path=target)
    save_model(network, target, info)
    parameters = count_parameters(network)
    terminal.say("cli_import.done", path=target, parameters=parameters)
    there = {"model": output} if output else {"workdir": workdir, "dataset": info.dataset}
    again = next_command("evaluate", lang=terminal.messages.tag, **there)
    terminal.say("cli_import.next", "dim", command=again)
    terminal.result(
        {
            "file": str(target),
            "from": str(file),
            "model": info.model.to_dict(),
            "parameters": parameters,
            "known": not loaded.notices,
        }
    )
