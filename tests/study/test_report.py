import base64
import html.parser
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from taller_cnn.errors import OutputError
from taller_cnn.messages import Messages
from taller_cnn.study.analysis import analyse
from taller_cnn.study.report import write_report

ES, EN = Messages("es"), Messages("en")
DESIGN = SimpleNamespace(name="default", hash="0123456789abcdef")


def write(table: Any, folder: Path, messages: Messages = ES, **values: Any) -> dict[str, Path]:
    return write_report(DESIGN, table, analyse(table), folder, messages, **values)


class Page(html.parser.HTMLParser):
    """Tags that are open and addresses that are named."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.without_alt = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.addresses += [values[name] or "" for name in ("src", "href") if name in values]
        self.without_alt += tag == "img" and not values.get("alt")
        if tag not in ("meta", "img", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def written(maker: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    table = maker.table(maker.held_filters(), maker.dropout())
    return write(
        table,
        tmp_path_factory.mktemp("resultados") / "estudio",
        note="muestra de 5.000 dígitos",
        command="taller-cnn study filters-fc1 dropout",
        origin=["taller-cnn 1.0"],
    )


def test_the_html_needs_no_other_file_and_no_network(written: dict[str, Path]) -> None:
    text = written["html"].read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert page.without_alt == 0
    assert len(page.addresses) == 5
    assert all(address.startswith("data:image/png;base64,") for address in page.addresses)
    assert not re.search(r"https?://|@import|url\(|<script", text)
    inlined = base64.b64decode(page.addresses[0].partition(",")[2])
    assert inlined == written["effects_1"].read_bytes()


def test_the_markdown_shows_pictures_that_lie_beside_it(written: dict[str, Path]) -> None:
    text = written["markdown"].read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert len(shown) == 5
    assert all((written["markdown"].parent / name).is_file() for name in shown)


def test_levels_with_other_numbers_of_learning_rates_are_not_all_given_the_most(
    maker: Any, tmp_path: Path
) -> None:
    table = maker.table(maker.held_filters())
    uneven = table[(table["rate"] == 1) | (table["level_a"] == "x2")]
    text = write(uneven, tmp_path, EN)["markdown"].read_text(encoding="utf-8")
    assert "4 levels, from 1 to 3 learning rates depending on the level" in text
    assert "Not all variants had the same chances" in text


def test_both_forms_have_all_parts_in_spanish(written: dict[str, Path]) -> None:
    for name in ("markdown", "html"):
        text = written[name].read_text(encoding="utf-8")
        for part in (
            "Lo que hacen de verdad los filtros y las capas",
            "Lo que afirma el taller",
            "Pregunta",
            "Diseño",
            "Conclusiones",
            "Alcance de estas respuestas",
            "Lo que no se midió",
            "Cómo repetirlo",
            "taller-cnn study filters-fc1 dropout",
            "0123456789abcdef",
            "muestra de 5.000 dígitos",
            "taller-cnn 1.0",
            "Entrenamiento corto",
        ):
            assert part in text, (name, part)
        assert "nan" not in re.sub(r"base64,[^\"]+", "", text)


def test_every_table_of_the_markdown_has_rows_as_wide_as_its_head(
    written: dict[str, Path],
) -> None:
    rows = 0
    width = 0
    for line in written["markdown"].read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        width = width or line.count("|")
        assert line.count("|") == width, line
        rows += 1
    assert rows > 20


def test_numbers_have_the_reader_s_decimal_mark(maker: Any, tmp_path: Path) -> None:
    table = maker.table(maker.dropout())
    spanish = write(table, tmp_path / "es", ES)["markdown"].read_text(encoding="utf-8")
    english = write(table, tmp_path / "en", EN)["markdown"].read_text(encoding="utf-8")
    assert re.search(r"[−+]0,\d\d a [−+]0,\d\d", spanish)
    assert not re.search(r"\d\.\d\d\b(?!\d)", spanish)
    assert re.search(r"[−+]0\.\d\d to [−+]0\.\d\d", english)
    assert "What filters and layers really do" in english


def test_unadjusted_intervals_are_labelled(written: dict[str, Path]) -> None:
    text = written["markdown"].read_text(encoding="utf-8")
    heading = next(line for line in text.splitlines() if "Intervalo simultáneo" in line)
    assert "Sin ajustar 95" in heading
    assert "Otros dígitos 95" in heading


def test_one_seed_is_reported_without_intervals(maker: Any, tmp_path: Path) -> None:
    table = maker.table(maker.crossed(seeds=1))
    text = write(table, tmp_path, EN)["markdown"].read_text(encoding="utf-8")
    assert "There is only one seed" in text
    assert "1 seed; reference" in text
    assert "Simultaneous 95% interval" in text
    assert text.count("| – | no interval | – | – |") == 15
    assert "evidence" not in text.partition("How to read it")[0]


def test_text_of_the_reader_s_own_is_escaped(maker: Any, tmp_path: Path) -> None:
    made = maker.question(
        name="<b>|own",
        factors=("<b>|own",),
        levels=(("a|b", "<i>"),),
        reference=("a|b",),
    )
    table = maker.table(made)
    analysis = analyse(table, {"<b>|own": ("<b>|own",)})
    files = write_report(DESIGN, table, analysis, tmp_path, EN)
    assert "<i>" not in files["html"].read_text(encoding="utf-8")
    assert "a\\|b" in files["markdown"].read_text(encoding="utf-8")


def test_writing_again_replaces_the_report_and_leaves_nothing_else(
    maker: Any, tmp_path: Path
) -> None:
    table = maker.table(maker.dropout())
    first = write(table, tmp_path)
    again = write(table, tmp_path)
    assert first == again
    written = [p.name for p in again.values()]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*written, "estudio.json"])


def test_what_the_report_of_another_study_left_goes_and_other_files_stay(
    maker: Any, tmp_path: Path
) -> None:
    dropout, held = maker.table(maker.dropout()), maker.table(maker.held_filters())
    for name in ("estudio.csv", "own.png", "own.csv", "estudio.sqlite"):
        (tmp_path / name).touch()
    first = write(dropout, tmp_path, tables=[tmp_path / "estudio.csv"])
    write(dropout, tmp_path)
    assert (tmp_path / "estudio.csv").exists(), "a table of the same study"

    other = SimpleNamespace(name="other", hash="fedcba9876543210")
    second = write_report(other, held, analyse(held), tmp_path, EN)

    left = {path.name for path in tmp_path.iterdir()}
    gone = {path.name for path in first.values()} - {path.name for path in second.values()}
    assert {"gap_dropout.png", "curves_dropout.png"} <= gone
    assert not left & (gone | {"estudio.csv"})
    kept = {"own.png", "own.csv", "estudio.sqlite", "estudio.json"}
    assert left == kept | {path.name for path in second.values()}


def test_a_list_of_earlier_files_that_points_elsewhere_removes_nothing(
    maker: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "estudio"
    folder.mkdir()
    others = [tmp_path / "mine.png", folder / "estudio.sqlite"]
    for path in others:
        path.touch()
    listed = ["../mine.png", str(others[0]), "estudio.sqlite", 3, None]
    for text in (json.dumps({"files": listed}), json.dumps({"files": 3}), "[", "[1]"):
        (folder / "estudio.json").write_text(text, encoding="utf-8")
        write(maker.table(maker.dropout()), folder)
        assert all(path.exists() for path in others)


def test_a_folder_that_cannot_be_written_is_named(maker: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"effects_1\.png"):
        write(maker.table(maker.dropout()), tmp_path / "file")
