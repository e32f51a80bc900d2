"""``taller-cnn export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from taller_cnn.cli.options import DataDir, ModelFile, Workdir, data_folder, panel
from taller_cnn.cli.terminal import Terminal
from taller_cnn.cli.values import one_of, path

__all__ = ["export"]

FORMATS = ("html",)

Format = Annotated[
    str,
    typer.Argument(
        help="cli_export.argument.format",
        metavar="cli_export.metavar.format",
        parser=one_of(*FORMATS),
        show_default=False,
    ),
]
Output = Annotated[
    Path | None,
    panel(
        "output",
        "--output",
        help="cli_export.option.output",
        metavar="cli.metavar.file",
        parser=path,
        show_default="cli_export.option.output_default",
    ),
]


def export(
    context: typer.Context,
    format: Format,
    model: ModelFile = None,
    output: Output = None,
    data_dir: DataDir = None,
    workdir: Workdir = Path(),
) -> None:
    """Write the page with a model in it as one file."""
    from taller_cnn.files import atomic_path
    from taller_cnn.lab.export import export_html
    from taller_cnn.lab.lab import Lab
    from taller_cnn.lab.model_store import read_model
    from taller_cnn.lab.page import STATIC
    from taller_cnn.runs import Workdir as RunFiles

    terminal: Terminal = context.obj
    where = RunFiles(workdir)
    path = model or where.model
    lab = Lab.in_folder(workdir, data_folder(data_dir, workdir), terminal.messages.tag)
    text = export_html(read_model("main", path), lab.gallery, lab.page_language, STATIC)
    target = output or where.results / f"{path.stem}.html"
    with atomic_path(target) as temporary:
        # As it was hashed: with the line ends of another system nothing would run.
        temporary.write_text(text, encoding="utf-8", newline="\n")
    size = len(text.encode("utf-8"))
    terminal.say("cli_export.done", path=target, mb=size / 1e6)
    terminal.say("cli_export.next", "dim")
    terminal.result({"file": str(target), "bytes": size, "model": str(path)})
