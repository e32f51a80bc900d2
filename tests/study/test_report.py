import base64
import html.parser
import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import made_study as make
import pytest

from taller_cnn.errors import OutputError
from taller_cnn.messages import Messages
from taller_cnn.study.report import write_report
from taller_cnn.study.results import StudyAnalysis

ES, EN = Messages("es"), Messages("en")
DESIGN = SimpleNamespace(name="default", hash="0123456789abcdef")


def write(
    study: StudyAnalysis, folder: Path, messages: Messages = ES, **values: Any
) -> dict[str, Path]:
    """Files of a report, by name."""
    written = write_report(DESIGN, study, folder, messages, **values)
    assert written.problems == ()
    return written.files


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
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write(
        make.made(make.held_filters(), make.dropout()),
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
    pictures = [address for address in page.addresses if not address.startswith("#")]
    assert len(pictures) == 5
    assert all(address.startswith("data:image/png;base64,") for address in pictures)
    assert not re.search(r"https?://|@import|url\(|<script", text)
    inlined = base64.b64decode(pictures[0].partition(",")[2])
    assert inlined == written["effects_1"].read_bytes()


def test_the_markdown_shows_pictures_that_lie_beside_it(written: dict[str, Path]) -> None:
    text = written["markdown"].read_text(encoding="utf-8")
    shown = re.findall(r"^!\[.*\]\(([^)]+)\)$", text, re.MULTILINE)
    assert len(shown) == 5
    assert all((written["markdown"].parent / name).is_file() for name in shown)


def test_both_forms_have_all_parts_in_spanish(written: dict[str, Path]) -> None:
    for name in ("markdown", "html"):
        text = written[name].read_text(encoding="utf-8")
        for part in (
            "Qué hacen de verdad los filtros y las capas",
            "Afirmaciones del taller",
            "Pregunta",
            "Diseño",
            "Conclusiones",
            "Alcance de estas respuestas",
            "Número de preguntas",
            "Qué no se midió",
            "Cómo repetirlo",
            "taller-cnn study filters-fc1 dropout",
            "0123456789abcdef",
            "muestra de 5.000 dígitos",
            "taller-cnn 1.0",
        ):
            assert part in text, (name, part)
        assert "nan" not in re.sub(r"base64,[^\"]+", "", text)


def test_headings_and_tables_carry_their_training(written: dict[str, Path]) -> None:
    lines = written["markdown"].read_text(encoding="utf-8").splitlines()
    short, overfit = "10.000 dígitos, 1 época (79 pasos)", "2.000 dígitos, 27 épocas (864 pasos)"
    assert f"## Filtros, con la entrada de fc1 fija: {short}" in lines
    assert f"## Dropout: {overfit}" in lines
    captions = [line for line in lines if line.startswith("**") and line.endswith("**")]
    assert len(captions) == 6
    assert all(short in caption or overfit in caption for caption in captions)


def test_the_effects_table_has_a_verdict_from_its_one_interval(written: dict[str, Path]) -> None:
    lines = written["markdown"].read_text(encoding="utf-8").splitlines()
    heading = next(line for line in lines if line.startswith("| Nivel | Diferencia"))
    columns = "Nivel | Diferencia | Intervalo 95 % | Veredicto | p ajustada | Detectable"
    assert heading == f"| {columns} | Parámetros; MAC |"
    row = lines[lines.index(heading) + 2]
    assert row == (
        "| filtros ×1/4, entrada de fc1 fija | +0,40 | +0,10 a +0,70 | empeora | 0,001 | 0,42 "
        "| ×0,98; ×0,37 |"
    )


def test_the_design_says_how_rates_were_chosen_and_who_judged(tmp_path: Path) -> None:
    study = make.made(make.held_filters(), make.dropout())
    text = write(study, tmp_path, EN)["markdown"].read_text(encoding="utf-8")
    filters, dropout = text.split("\n## Dropout")
    assert "4 levels with 4 seeds, the same for all." in filters
    assert "measured on the same 20,000 held-out digits; none is trained on them" in filters
    assert "chosen before, with 2 pilot seeds and the 5,000 validation digits" in filters
    assert "pilot seeds" not in dropout, "dropout has one learning rate"


def test_the_report_counts_its_risks_and_warns_of_adding_seeds(tmp_path: Path) -> None:
    study = make.made(make.crossed(), make.held_filters(), make.held_layers(), make.dropout())
    text = write(study, tmp_path / "four", EN)["markdown"].read_text(encoding="utf-8")
    assert "This study asks 4 questions." in text
    assert "up to 0.20 questions would give some false verdict on average" in text
    assert "Interaction tests add to this risk" in text
    assert "Adding seeds with --seeds until a verdict changes" in text
    alone = write(make.made(make.dropout()), tmp_path / "one", EN)
    text = alone["markdown"].read_text(encoding="utf-8")
    assert "This study asks one question" in text
    assert "Interaction tests" not in text


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


def test_numbers_have_the_reader_s_decimal_mark(tmp_path: Path) -> None:
    study = make.made(make.dropout())
    spanish = write(study, tmp_path / "es", ES)["markdown"].read_text(encoding="utf-8")
    english = write(study, tmp_path / "en", EN)["markdown"].read_text(encoding="utf-8")
    assert re.search(r"[−+]0,\d\d a [−+]0,\d\d", spanish)
    assert not re.search(r"\d\.\d\d\b(?!\d)", spanish)
    assert re.search(r"[−+]0\.\d\d to [−+]0\.\d\d", english)
    assert "What filters and layers really do" in english


def test_one_seed_is_reported_without_intervals(tmp_path: Path) -> None:
    study = make.made(make.crossed(seeds=1, interaction=None))
    text = write(study, tmp_path, EN)["markdown"].read_text(encoding="utf-8")
    assert "With a single seed" in text
    assert "16 levels with 1 seed" in text
    assert text.count("| – | no interval | – | – |") == 15
    assert "evidence" not in text.partition("How to read it")[0]


def test_a_best_rate_and_a_failed_pilot_are_marked_in_the_table_of_pilots(tmp_path: Path) -> None:
    question = make.made(make.held_filters()).questions[0]
    study = make.study_of(
        make.with_levels(
            question,
            lambda x: replace(x, rates=(*x.rates[:2], replace(x.rates[2], failed=1))),
        )
    )
    text = write(study, tmp_path, EN)["markdown"].read_text(encoding="utf-8")
    assert "| Level | ×1/3 | ×1 | ×3 |" in text
    assert "| filters ×1/4, fixed fc1 input | 3.20% | 2.80% ✓ | failed |" in text


def test_text_of_the_reader_s_own_is_escaped(tmp_path: Path) -> None:
    own = make.asked("own", levels=(("a|b", "<i>"),), reference=("a|b",))
    files = write(make.made(own), tmp_path, EN)
    assert "<i>" not in files["html"].read_text(encoding="utf-8")
    assert "a\\|b" in files["markdown"].read_text(encoding="utf-8")


def test_writing_again_replaces_the_report_and_leaves_nothing_else(tmp_path: Path) -> None:
    study = make.made(make.dropout())
    first = write(study, tmp_path)
    again = write(study, tmp_path)
    assert first == again
    written = [p.name for p in again.values()]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*written, "estudio.json"])


def test_what_the_report_of_another_study_left_goes_and_other_files_stay(tmp_path: Path) -> None:
    for name in ("estudio.csv", "own.png", "own.csv", "estudio.sqlite"):
        (tmp_path / name).touch()
    first = write(make.made(make.dropout()), tmp_path, tables=[tmp_path / "estudio.csv"])
    write(make.made(make.dropout()), tmp_path)
    assert (tmp_path / "estudio.csv").exists(), "a table of the same study"

    other = SimpleNamespace(name="other", hash="fedcba9876543210")
    second = write_report(other, make.made(make.held_filters()), tmp_path, EN).files

    left = {path.name for path in tmp_path.iterdir()}
    pictures = {path.name for path in first.values() if path.suffix == ".png"}
    gone = pictures - {path.name for path in second.values()}
    assert {"gap_dropout.png", "curves_dropout.png"} <= gone
    assert not left & (gone | {"estudio.csv"})
    kept = {"own.png", "own.csv", "estudio.sqlite", "estudio.json"}
    assert left == kept | {path.name for path in second.values()}


def test_a_list_of_earlier_files_that_is_damaged_removes_nothing(tmp_path: Path) -> None:
    table = tmp_path / "estudio.csv"
    table.touch()
    for text in (json.dumps({"design": DESIGN.hash, "files": 3}), "[", "[1]"):
        (tmp_path / "estudio.json").write_text(text, encoding="utf-8")
        write(make.made(make.dropout()), tmp_path)
        assert table.exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"estudio\.html"):
        write(make.made(make.dropout()), tmp_path / "file")


@pytest.mark.parametrize("messages", [ES, EN])
def test_a_study_that_was_stopped_among_its_pilots_is_reported(
    messages: Messages, tmp_path: Path
) -> None:
    answers = (make.crossed(), make.held_filters(), make.dropout(), make.size())
    study = make.study_of(*map(make.unmeasured, answers))
    text = write(study, tmp_path, messages)["markdown"].read_text(encoding="utf-8")
    assert not re.search(r"\bnan\b", text)
    assert messages("study_report.report.claims") not in text, "nothing speaks of them yet"
    assert messages("study_report.report.trials_missing", n=study.missing) in text
