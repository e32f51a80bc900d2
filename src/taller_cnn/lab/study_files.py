"""What a study has left in ``resultados/estudio``: its pictures, and its table if exported."""

from __future__ import annotations

import base64
import csv
from pathlib import Path

from taller_cnn.errors import OutputError, Phrase
from taller_cnn.lab.schemas import Study, StudyPicture, StudyTable
from taller_cnn.reasons import os_reason

TABLE_NAME = "estudio.csv"
MOST_PICTURES = 40
MOST_PICTURE_BYTES = 5_000_000
MOST_ROWS = 2000


def read_study(folder: Path) -> Study:
    """The study in `folder`, if there is one.

    Raises:
        OutputError: a file of it cannot be read.
    """
    try:
        pictures = [
            StudyPicture(name=p.stem, png=base64.b64encode(p.read_bytes()).decode("ascii"))
            for p in sorted(folder.glob("*.png"))[:MOST_PICTURES]
            if p.stat().st_size <= MOST_PICTURE_BYTES
        ]
        table = _table(folder / TABLE_NAME)
    except csv.Error as error:
        reason = Phrase("reason_damaged")
        raise OutputError("lab_unreadable", path=folder / TABLE_NAME, reason=reason) from error
    except OSError as error:
        raise OutputError("lab_unreadable", path=folder, reason=os_reason(error)) from error
    if not pictures and table is None:
        return Study(available=False)
    return Study(
        available=True, pictures=pictures, table=table, table_source="csv" if table else None
    )


def _table(path: Path) -> StudyTable | None:
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", newline="", errors="replace") as file:
        rows = [row for row, _ in zip(csv.reader(file), range(MOST_ROWS + 1), strict=False)]
    return StudyTable(columns=rows[0], rows=rows[1:]) if rows else None
