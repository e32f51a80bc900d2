from __future__ import annotations

import base64
from pathlib import Path

import pytest

from taller_cnn.errors import OutputError
from taller_cnn.lab.study_files import MOST_ROWS, read_study


def test_where_there_is_no_study_there_is_none(tmp_path: Path) -> None:
    assert read_study(tmp_path / "estudio").available is False


def test_pictures_and_table_are_read(tmp_path: Path) -> None:
    (tmp_path / "filters.png").write_bytes(b"png")
    (tmp_path / "estudio.csv").write_text('a,b\n1,"x,y"\n', encoding="utf-8")
    found = read_study(tmp_path)
    assert found.available
    assert found.pictures is not None
    assert [(p.name, base64.b64decode(p.png)) for p in found.pictures] == [("filters", b"png")]
    assert found.table is not None
    assert (found.table.columns, found.table.rows) == (["a", "b"], [["1", "x,y"]])


def test_a_huge_table_is_cut(tmp_path: Path) -> None:
    (tmp_path / "estudio.csv").write_text("a\n" * (MOST_ROWS + 50), encoding="utf-8")
    table = read_study(tmp_path).table
    assert table is not None
    assert len(table.rows) == MOST_ROWS


def test_a_table_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "estudio.csv").write_text("a,b\n" + "x" * 200_000, encoding="utf-8")
    with pytest.raises(OutputError, match=r"estudio\.csv cannot be read"):
        read_study(tmp_path)
