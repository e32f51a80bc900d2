from __future__ import annotations

from pathlib import Path

from taller_cnn.lab.lab import Lab


def test_a_lab_knows_where_everything_is(tmp_path: Path) -> None:
    lab = Lab.in_folder(tmp_path, tmp_path / "full", "en-GB")
    assert lab.models.folder == tmp_path / "modelo"
    assert lab.models.kept == tmp_path / "modelo" / "lab"
    assert lab.study_folder == tmp_path / "resultados" / "estudio"
    assert lab.gallery.place.data_dir == tmp_path / "full"
    assert lab.gallery.place.sample_dir == tmp_path / "data" / "sample"
    assert lab.page_language == "en"


def test_opening_a_lab_writes_nothing(tmp_path: Path) -> None:
    lab = Lab.in_folder(tmp_path, tmp_path / "data")
    lab.models.ids()
    assert list(tmp_path.iterdir()) == []
