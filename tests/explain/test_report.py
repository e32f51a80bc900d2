from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from taller_cnn.errors import DataError, MissingExtraError, UsageError
from taller_cnn.explain import report
from taller_cnn.explain.parts import PARTS
from taller_cnn.explain.report import Explanation, checked_parts, explain, write_report
from taller_cnn.explain.section import Heading, Picture, Section, Subject, Table, Text
from taller_cnn.figures.style import new_sheet
from taller_cnn.messages import Messages

QUICK = ("data", "network", "accuracy", "classes")
ES = Messages("es")


@pytest.fixture(scope="module")
def made(subject: Subject) -> Explanation:
    return explain(subject, QUICK, lambda part, done, of: None)


@pytest.fixture(scope="module")
def written(made: Explanation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resultados")
    write_report(made, folder, ES)
    return folder


def test_parts_come_in_reading_order_whatever_the_order_of_the_words() -> None:
    assert checked_parts(["trust", "data"]) == ("data", "trust")
    assert checked_parts(None) == PARTS


def test_a_part_that_there_is_not_is_named_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"no part filtros .* data, network, .* labels"):
        checked_parts(["data", "filtros"])


def test_every_picture_is_a_file_and_is_in_the_page(made: Explanation, written: Path) -> None:
    page = (written / "informe.html").read_text(encoding="utf-8")
    pictures = [b for s in made.sections for b in s.blocks if isinstance(b, Picture)]
    inlined = re.findall(r"data:image/png;base64,([^\"]+)", page)

    assert len(inlined) == len(pictures) == 4
    for picture, data in zip(pictures, inlined, strict=True):
        file = (written / "explicacion" / f"{picture.name}.png").read_bytes()
        assert base64.b64decode(data) == file
        assert picture.alt.say(ES) in page


def test_the_page_needs_nothing_from_outside(written: Path) -> None:
    page = (written / "informe.html").read_text(encoding="utf-8")

    assert "http" not in page.replace("data:image/png;base64,", "")
    assert "<script" not in page
    assert re.findall(r'(?:src|href)="(?!data:image/png;base64,|#)', page) == []


def test_the_page_is_in_the_reader_s_language(subject: Subject, tmp_path: Path) -> None:
    made = explain(subject, ("learning", "accuracy"), lambda part, done, of: None)
    quick = replace(made, sections=tuple(replace(s, blocks=s.blocks[:1]) for s in made.sections))
    for tag, words in (("es-MX", "Cuánto acierta"), ("en", "How well it does")):
        write_report(quick, tmp_path, Messages(tag))
        page = (tmp_path / "informe.html").read_text(encoding="utf-8")
        assert f'<html lang="{tag}">' in page
        assert words in page


def test_the_numbers_are_those_of_the_sections(made: Explanation, written: Path) -> None:
    numbers = json.loads((written / "explicacion" / "explicacion.json").read_text("utf-8"))

    assert tuple(numbers["parts"]) == QUICK
    result = made.subject.evaluation
    assert numbers["parts"]["accuracy"]["test"]["errors"] == result.errors
    assert numbers["data_checksum"] == "tiny"
    assert "classes.png" in numbers["files"]


def test_progress_names_every_part_and_ends_it(subject: Subject) -> None:
    seen: list[tuple[str, int, int]] = []
    explain(subject, ("data", "network"), lambda *step: seen.append(step))

    assert [part for part, done, _ in seen if done == 0] == ["data", "network"]
    assert [part for part, done, of in seen if done == of] == ["data", "network"]


def section_with(*blocks: Text | Heading | Picture | Table, **changes: object) -> Section:
    plain = Section(name="data", title=Text("explain.part.data"), blocks=blocks)
    return replace(plain, **changes)


def test_what_is_written_is_escaped(subject: Subject, tmp_path: Path) -> None:
    text = Text("explain.page.problem", {"part": "<b>&", "reason": '"<script>alert(1)</script>'})
    table = Table(header=(text,), rows=(("<i>",),), caption=text)
    made = Explanation(subject=subject, sections=(section_with(text, Heading(text), table),))

    write_report(made, tmp_path, ES)

    page = (tmp_path / "informe.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "<i>" not in page
    assert page.count("&lt;script&gt;") == 5


def test_what_is_not_a_number_becomes_null(subject: Subject, tmp_path: Path) -> None:
    odd = section_with(numbers={"x": float("nan"), "y": [float("inf"), (1, 2)], 3: {"z": 0.5}})
    write_report(Explanation(subject=subject, sections=(odd,)), tmp_path, ES)

    numbers = json.loads((tmp_path / "explicacion" / "explicacion.json").read_text("utf-8"))
    assert numbers["parts"]["data"] == {"x": None, "y": [None, [1, 2]], "3": {"z": 0.5}}


def picture(name: str) -> Picture:
    return Picture(
        name=name, draw=lambda messages: new_sheet(1, 1)[0], alt=Text("explain.part.data")
    )


def test_pictures_of_an_earlier_report_go_and_other_files_stay(
    subject: Subject, tmp_path: Path
) -> None:
    def write(*names: str) -> None:
        blocks = section_with(*map(picture, names), attachments={f"{names[0]}.csv": "a\n"})
        write_report(Explanation(subject=subject, sections=(blocks,)), tmp_path, ES)

    write("one", "two")
    folder = tmp_path / "explicacion"
    (folder / "own.png").touch()
    write("two")

    assert sorted(path.name for path in folder.iterdir()) == [
        "explicacion.json",
        "own.png",
        "two.csv",
        "two.png",
    ]


def test_a_list_of_earlier_files_that_points_elsewhere_removes_nothing(
    subject: Subject, tmp_path: Path
) -> None:
    folder, other = tmp_path / "explicacion", tmp_path / "mine.png"
    other.touch()
    folder.mkdir()
    listed = json.dumps({"files": ["../mine.png", 3, "explicacion.json"]})
    (folder / "explicacion.json").write_text(listed, encoding="utf-8")

    write_report(Explanation(subject=subject, sections=(section_with(),)), tmp_path, ES)

    assert other.exists()


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The part ``labels`` lacks its library and ``trust`` its digits."""
    real = report.make_part

    def make(name: str, subject: Subject, tick: object) -> Section:
        if name == "labels":
            raise MissingExtraError("explain_cleanlab")
        if name == "trust":
            raise DataError("explain_few_digits", n=1)
        return real(name, subject, tick)  # type: ignore[arg-type]

    monkeypatch.setattr(report, "make_part", make)
    return iter(())


@pytest.mark.usefixtures("failing")
def test_a_part_that_cannot_be_made_is_named_and_the_others_are_made(
    subject: Subject, tmp_path: Path
) -> None:
    made = explain(subject, ("network", "trust", "labels"), lambda part, done, of: None)
    write_report(made, tmp_path, ES)
    page = (tmp_path / "informe.html").read_text(encoding="utf-8")
    numbers = json.loads((tmp_path / "explicacion" / "explicacion.json").read_text("utf-8"))

    assert [section.name for section in made.sections] == ["network"]
    assert "Falta la parte «Etiquetas sospechosas»" in page
    assert "pip install cleanlab" in page
    assert set(numbers["left_out"]) == {"trust", "labels"}


@pytest.mark.usefixtures("failing")
def test_if_no_part_can_be_made_the_reason_is_the_error(subject: Subject) -> None:
    with pytest.raises(MissingExtraError, match="pip install cleanlab"):
        explain(subject, ("labels",), lambda part, done, of: None)
