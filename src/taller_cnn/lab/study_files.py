"""What a study has left in ``resultados/estudio``: its pictures, and its table if exported."""

from __future__ import annotations

import csv
from pathlib import Path

from taller_cnn.errors import OutputError, Phrase
from taller_cnn.lab.problems import LabError
from taller_cnn.lab.schemas import Study, StudyPicture, StudyTable
from taller_cnn.reasons import os_reason

TABLE_NAME = "estudio.csv"
PICTURES_URL = "/api/study/pictures"
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
            StudyPicture(name=path.stem, url=f"{PICTURES_URL}/{path.stem}")
            for path in _pictures(folder)
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


def study_picture(folder: Path, name: str) -> Path:
    """The file of a picture that `read_study` names.

    Raises:
        LabError: there is no such picture.
    """
    for path in _pictures(folder):
        if path.stem == name:
            return path
    raise LabError(404, "lab_no_such_address")


def _pictures(folder: Path) -> list[Path]:
    """The pictures of a study, as many and as large as a page shows."""
    paths = sorted(folder.glob("[!.]*.png"))[:MOST_PICTURES]
    return [path for path in paths if path.stat().st_size <= MOST_PICTURE_BYTES]


def _table(path: Path) -> StudyTable | None:
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", newline="", errors="replace") as file:
        rows = [row for row, _ in zip(csv.reader(file), range(MOST_ROWS + 1), strict=False)]
    return StudyTable(columns=rows[0], rows=rows[1:]) if rows else None
