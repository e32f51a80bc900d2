"""``taller-cnn export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from taller_cnn.cli.command import Argument, Option
from taller_cnn.cli.config_options import network, network_options
from taller_cnn.cli.loading import keras_on_torch, load_network, show_model_notices
from taller_cnn.cli.options import DATA_DIR, MODEL, WORKDIR, command
from taller_cnn.cli.terminal import Terminal
from taller_cnn.cli.values import FILE, Key, Value, one_of
from taller_cnn.errors import ModelError, UsageError

if TYPE_CHECKING:
    from taller_cnn.checkpoints import LoadedModel
    from taller_cnn.config import ModelConfig
    from taller_cnn.exports.steps import Pixels

FORMATS = ("html", "onnx", "keras")
PIXELS: tuple[Pixels, ...] = ("normalised", "0-1", "0-255")


@command(
    Argument(
        ["format"],
        help="cli_export.argument.format",
        type=Value(one_of(*FORMATS), Key("cli_export.metavar.format")),
    ),
    MODEL,
    *network_options(),
    Option(
        "--pixels",
        panel="output",
        help="cli_export.option.pixels",
        type=one_of(*PIXELS),
        show_default=PIXELS[0],
    ),
    Option(
        "--output",
        panel="output",
        help="cli_export.option.output",
        type=FILE,
        show_default=Key("cli_export.option.output_default"),
    ),
    DATA_DIR,
    WORKDIR,
)
def export(
    terminal: Terminal,
    *,
    format: str,
    model: Path | None,
    pixels: Pixels | None,
    output: Path | None,
    data_dir: Path | None,
    workdir: Path,
    **fields: Any,
) -> None:
    """Write a trained network in a format of other programs."""
    from taller_cnn.runs import RunFiles

    if format == "html" and pixels:
        raise UsageError("cli_exclusive", one="html", other="--pixels")
    where = RunFiles.in_workdir(workdir)
    file, config = model or where.model, network(fields)
    if format == "html":
        target = output or where.results / f"{file.stem}.html"
        size = _html(terminal, file, config, target, data_dir, workdir)
    else:
        target = output or file.with_suffix(f".{format}")
        loaded = load_network(terminal, file, workdir, config=config)
        size = _write(format, loaded, target, pixels or PIXELS[0])
    terminal.say("cli_export.done", path=target, mb=size / 1e6)
    terminal.say(f"cli_export.next.{format}", "dim")
    terminal.result({"file": str(target), "bytes": size, "model": str(file)})


def _html(
    terminal: Terminal,
    file: Path,
    config: ModelConfig | None,
    target: Path,
    data_dir: Path | None,
    workdir: Path,
) -> int:
    """Write the page with a model in it; returns its size in bytes."""
    from taller_cnn.files import atomic_path
    from taller_cnn.lab.export import export_html
    from taller_cnn.lab.lab import Lab
    from taller_cnn.lab.model_store import read_model
    from taller_cnn.lab.page import STATIC

    lab = Lab.in_folder(workdir, data_dir, terminal.messages.tag)
    stored = read_model("main", file, config)
    show_model_notices(terminal, stored.loaded)
    if stored.safetensors is None:
        raise ModelError("export_ensemble", path=file)
    text = export_html(stored, lab.gallery, lab.page_language, STATIC)
    with atomic_path(target) as temporary:
        # As it was hashed: with the line ends of another system nothing would run.
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return len(text.encode("utf-8"))


def _write(format: str, loaded: LoadedModel, target: Path, pixels: Pixels) -> int:
    """Write a network in a format of another library; returns the size in bytes."""
    if format == "onnx":
        from taller_cnn.exports.onnx_file import write_onnx

        return write_onnx(loaded, target, pixels)
    from taller_cnn.exports.keras_file import write_keras

    keras_on_torch()
    return write_keras(loaded, target, pixels)
