from __future__ import annotations

from pathlib import Path

import pytest

from taller_cnn.errors import OutputError
from taller_cnn.lab.problems import LabError
from taller_cnn.lab.study_files import MOST_ROWS, read_study, study_picture


def test_where_there_is_no_study_there_is_none(tmp_path: Path) -> None:
    assert read_study(tmp_path / "estudio").available is False


def test_pictures_and_table_are_read(tmp_path: Path) -> None:
    (tmp_path / "filters.png").write_bytes(b"png")
    (tmp_path / "estudio.csv").write_text('a,b\n1,"x,y"\n', encoding="utf-8")
    found = read_study(tmp_path)
    assert found.available
    assert found.pictures is not None
    assert [(p.name, p.url) for p in found.pictures] == [("filters", "/api/study/pictures/filters")]
    assert study_picture(tmp_path, "filters") == tmp_path / "filters.png"
    assert found.table is not None
    assert (found.table.columns, found.table.rows) == (["a", "b"], [["1", "x,y"]])


@pytest.mark.parametrize("name", ["other", "../secret", "estudio", ".hidden", ""])
def test_only_pictures_of_the_study_are_handed_out(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "estudio"
    folder.mkdir()
    for path in (folder / "filters.png", folder / ".hidden.png", tmp_path / "secret.png"):
        path.write_bytes(b"png")
    with pytest.raises(LabError):
        study_picture(folder, name)


def test_a_huge_table_is_cut(tmp_path: Path) -> None:
    (tmp_path / "estudio.csv").write_text("a\n" * (MOST_ROWS + 50), encoding="utf-8")
    table = read_study(tmp_path).table
    assert table is not None
    assert len(table.rows) == MOST_ROWS


def test_a_table_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "estudio.csv").write_text("a,b\n" + "x" * 200_000, encoding="utf-8")
    with pytest.raises(OutputError, match=r"estudio\.csv cannot be read"):
        read_study(tmp_path)
