"""Which files of a study's folder its reports wrote, so that those of an earlier one can go."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from taller_cnn.files import discard, read_json, write_json

RECORD_NAME = "estudio.json"
_REMOVABLE = re.compile(r"[\w-]+\.(png|csv|parquet)")
"""Names in the record that may be removed: in the folder itself, and never the results."""
_TABLES = (".csv", ".parquet")


def replace_earlier(folder: Path, design: str, files: Iterable[Path]) -> None:
    """Remove what an earlier report wrote and this one did not, and record what this one did.

    A table is written only where it is asked for, so that of the same design stays.

    Args:
        folder: of the report.
        design: what stands for the plan and the digits.
        files: that this report wrote.

    Raises:
        OutputError: the record cannot be written.
    """
    record = folder / RECORD_NAME
    earlier = read_json(record)
    present = {path.name for path in files}
    same = isinstance(earlier, dict) and earlier.get("design") == design
    for name in _listed(earlier) - present:
        if same and Path(name).suffix in _TABLES:
            present.add(name)
            continue
        with suppress(OSError):
            discard(folder / name)
        if (folder / name).exists():
            # Open in another program, on Windows; the next report tries again.
            present.add(name)
    write_json(record, {"design": design, "files": sorted(present)})


def _listed(earlier: Any) -> set[str]:
    """The files in a record that may be removed; a record may be damaged or changed by hand."""
    names = earlier.get("files") if isinstance(earlier, dict) else None
    found = names if isinstance(names, list) else []
    return {name for name in found if isinstance(name, str) and _REMOVABLE.fullmatch(name)}
