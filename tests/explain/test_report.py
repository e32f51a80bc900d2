from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from made_parts import pictures
from matplotlib.figure import Figure

from taller_cnn.errors import DataError, UsageError
from taller_cnn.explain import report
from taller_cnn.explain.parts import PARTS, MadePart
from taller_cnn.explain.report import (
    Explanation,
    WrittenReport,
    checked_parts,
    explain,
    write_report,
)
from taller_cnn.explain.subject import Subject, Tick
from taller_cnn.messages import Messages
from taller_cnn.page import Picture, Section

QUICK = ("data", "network", "accuracy", "classes")
ES = Messages("es")


@pytest.fixture(scope="module")
def made(subject: Subject) -> Explanation:
    return explain(subject, QUICK, ES, lambda part, done, of: None)


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
    drawn = [picture for part in made.parts for picture in pictures(part)]
    inlined = re.findall(r"data:image/png;base64,([^\"]+)", page)

    assert len(inlined) == len(drawn) == 4
    for picture, data in zip(drawn, inlined, strict=True):
        file = (written / "explicacion" / f"{picture.name}.png").read_bytes()
        assert base64.b64decode(data) == file
        assert picture.alt in page


@pytest.mark.parametrize(
    ("tag", "words"), [("es-MX", "Los aciertos en las imágenes de prueba"), ("en", "Accuracy on the test images")]
)
def test_the_page_is_in_the_reader_s_language(
    subject: Subject, tmp_path: Path, tag: str, words: str
) -> None:
    say = Messages(tag)
    made = explain(subject, ("learning", "accuracy"), say, lambda part, done, of: None)
    write_report(made, tmp_path, say)
    page = (tmp_path / "informe.html").read_text(encoding="utf-8")
    assert f'<html lang="{tag}">' in page
    assert words in page


def test_the_numbers_are_those_of_the_parts(made: Explanation, written: Path) -> None:
    numbers = json.loads((written / "explicacion" / "explicacion.json").read_text("utf-8"))

    assert tuple(numbers["parts"]) == QUICK
    result = made.subject.evaluation
    assert numbers["parts"]["accuracy"]["test"]["errors"] == result.errors
    assert numbers["data_checksum"] == "tiny"
    assert "classes.png" in numbers["files"]


def test_progress_names_every_part_and_ends_it(subject: Subject) -> None:
    seen: list[tuple[str, int, int]] = []
    explain(subject, ("data", "network"), ES, lambda *step: seen.append(step))

    assert [part for part, done, _ in seen if done == 0] == ["data", "network"]
    assert [part for part, done, of in seen if done == of] == ["data", "network"]


def test_drawing_tells_how_many_pictures_there_are(made: Explanation, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_report(made, tmp_path, ES, lambda done, of: seen.append((done, of)))

    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def write(subject: Subject, folder: Path, *blocks: Picture, **values: object) -> WrittenReport:
    section = Section(name="data", title="Data", blocks=blocks)
    part = replace(MadePart(section=section), **values)
    return write_report(Explanation(subject=subject, parts=(part,)), folder, ES)


def test_what_is_not_a_number_becomes_null(subject: Subject, tmp_path: Path) -> None:
    odd = {"x": float("nan"), "y": [float("inf"), (1, 2)], 3: {"z": 0.5}}
    write(subject, tmp_path, numbers=odd)

    numbers = json.loads((tmp_path / "explicacion" / "explicacion.json").read_text("utf-8"))
    assert numbers["parts"]["data"] == {"x": None, "y": [None, [1, 2]], "3": {"z": 0.5}}


def test_files_of_an_earlier_report_go_with_its_parts(
    made: Explanation, subject: Subject, tmp_path: Path
) -> None:
    folder = tmp_path / "explicacion"
    write_report(made, tmp_path, ES)
    (folder / "own.png").touch()
    write(subject, tmp_path, attachments={"mistakes.csv": "a\n"})

    left = {path.name for path in folder.iterdir()}
    assert left == {"explicacion.json", "own.png", "mistakes.csv"}


def test_a_picture_that_fails_is_told_and_the_report_is_there(
    subject: Subject, tmp_path: Path
) -> None:
    def draw() -> Figure:
        raise ZeroDivisionError

    done = write(subject, tmp_path, Picture(name="one", draw=draw, alt="What it shows."))
    assert set(done.files) == {"page", "numbers"}
    assert ["one.png" in str(problem) for problem in done.problems] == [True]
    assert "What it shows." in done.files["page"].read_text(encoding="utf-8")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts ``labels`` and ``trust`` lack digits."""
    real = report.make_part

    def make(name: str, subject: Subject, say: Messages, tick: Tick) -> MadePart:
        if name in ("labels", "trust"):
            raise DataError("explain_few_digits", n=1)
        return real(name, subject, say, tick)

    monkeypatch.setattr(report, "make_part", make)


@pytest.mark.usefixtures("failing")
def test_a_part_that_cannot_be_made_is_named_and_the_others_are_made(
    subject: Subject, tmp_path: Path
) -> None:
    made = explain(subject, ("network", "trust", "labels"), ES, lambda part, done, of: None)
    write_report(made, tmp_path, ES)
    page = (tmp_path / "informe.html").read_text(encoding="utf-8")
    numbers = json.loads((tmp_path / "explicacion" / "explicacion.json").read_text("utf-8"))

    assert [part.section.name for part in made.parts] == ["network"]
    assert "Falta la parte «Etiquetas sospechosas»" in page
    assert set(numbers["left_out"]) == {"trust", "labels"}
    assert "one has 1" in numbers["left_out"]["labels"]


@pytest.mark.usefixtures("failing")
def test_if_no_part_can_be_made_the_reason_is_the_error(subject: Subject) -> None:
    with pytest.raises(DataError, match="one has 1"):
        explain(subject, ("labels",), ES, lambda part, done, of: None)
