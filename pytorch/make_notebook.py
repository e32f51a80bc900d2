"""Make the lesson's notebook from its script: the same cells, without what only a program needs.

A notebook runs from top to bottom, so the guard ``if __name__ == "__main__":`` goes and what it
guards moves to the margin; cells with the tag ``program`` (the command line) are left out.

    python pytorch/make_notebook.py
"""

import re
import textwrap
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

SCRIPT = Path(__file__).with_name("cnn_pytorch.py")
GUARD = re.compile(r'^if __name__ == "__main__":\n((?:(?:    .*)?\n?)+)', re.MULTILINE)


def without_guard(source: str) -> str:
    """The source of a cell with what its guard holds at the margin."""
    return GUARD.sub(lambda guarded: textwrap.dedent(guarded[1]), source)


def notebook_of(script: Path) -> NotebookNode:
    """The notebook of a percent-format script; its cells are numbered, so that it is always equal."""
    notebook = jupytext.read(script)
    cells = [cell for cell in notebook.cells if "program" not in cell.metadata.get("tags", [])]
    for number, cell in enumerate(cells):
        cell.id, cell.metadata = f"cell-{number:02}", NotebookNode()
        if cell.cell_type == "code":
            cell.source = without_guard(cell.source)
    notebook.cells = cells
    notebook.metadata = NotebookNode(kernelspec=notebook.metadata.kernelspec)
    return notebook


if __name__ == "__main__":
    nbformat.write(notebook_of(SCRIPT), SCRIPT.with_suffix(".ipynb"))
