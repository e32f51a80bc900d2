"""``taller-cnn export``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from taller_cnn.cli.command import Argument, Option
from taller_cnn.cli.config_options import network, network_options
from taller_cnn.cli.loading import show_model_notices
from taller_cnn.cli.options import DATA_DIR, MODEL, WORKDIR, command
from taller_cnn.cli.terminal import Terminal
from taller_cnn.cli.values import FILE, Key, Value, one_of


@command(
    Argument(
        ["format"],
        help="cli_export.argument.format",
        type=Value(one_of("html"), Key("cli_export.metavar.format")),
    ),
    MODEL,
    *network_options(),
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
    output: Path | None,
    data_dir: Path | None,
    workdir: Path,
    **fields: Any,
) -> None:
    """Write the page with a model in it as one file."""
    from taller_cnn.files import atomic_path
    from taller_cnn.lab.export import export_html
    from taller_cnn.lab.lab import Lab
    from taller_cnn.lab.model_store import read_model
    from taller_cnn.lab.page import STATIC
    from taller_cnn.runs import RunFiles

    assert format == "html", "the only one that there is"
    where = RunFiles.in_workdir(workdir)
    file = model or where.model
    lab = Lab.in_folder(workdir, data_dir, terminal.messages.tag)
    stored = read_model("main", file, network(fields))
    show_model_notices(terminal, stored.loaded)
    text = export_html(stored, lab.gallery, lab.page_language, STATIC)
    target = output or where.results / f"{file.stem}.html"
    with atomic_path(target) as temporary:
        # As it was hashed: with the line ends of another system nothing would run.
        temporary.write_text(text, encoding="utf-8", newline="\n")
    size = len(text.encode("utf-8"))
    terminal.say("cli_export.done", path=target, mb=size / 1e6)
    terminal.say("cli_export.next", "dim")
    terminal.result({"file": str(target), "bytes": size, "model": str(file)})
