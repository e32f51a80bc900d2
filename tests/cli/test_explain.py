from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from taller_cnn.cli import board as board_module
from taller_cnn.cli.board import board
from taller_cnn.cli.explain import _Told
from taller_cnn.cli.terminal import Terminal
from taller_cnn.errors import DataError
from taller_cnn.explain.parts import PARTS
from taller_cnn.messages import Messages

Cli = Any


@pytest.fixture
def own(trained_workdir: Path, tmp_path: Path) -> Path:
    """A copy of the trained folder, to write into."""
    return Path(shutil.copytree(trained_workdir, tmp_path / "own"))


def words(folder: Path, *more: str) -> list[str]:
    return ["explain", "--source", "sample", "--workdir", str(folder), *more]


def test_a_trained_network_is_explained(cli: Cli, own: Path) -> None:
    outcome = cli(*words(own, "--only", "network,errors", "--digit", "3", "--index", "0,5"))

    assert (outcome.code, outcome.err) == (0, "")
    assert "1 de 2 · Red" in outcome.out
    assert "informe.html" in outcome.out
    page = (own / "resultados" / "informe.html").read_text(encoding="utf-8")
    assert "Los errores de la red" in page
    assert "Los aciertos en las imágenes de prueba" not in page
    numbers = json.loads((own / "resultados/explicacion/explicacion.json").read_text("utf-8"))
    shown = [row["index"] for row in numbers["parts"]["errors"]["neighbours"]["shown"]]
    assert shown[1:3] == [0, 5]


def test_a_program_gets_the_files_and_nothing_else(cli: Cli, own: Path) -> None:
    outcome = cli(*words(own, "--only", "data", "--json", "--lang", "en"))

    assert outcome.code == 0
    assert outcome.json["parts"] == ["data"]
    assert Path(outcome.json["files"]["page"]).is_file()
    assert "1 of 1 · Data" in outcome.err


def test_the_curves_of_the_run_are_found(cli: Cli, own: Path) -> None:
    assert cli(*words(own, "--only", "learning")).code == 0

    page = (own / "resultados" / "informe.html").read_text(encoding="utf-8")
    assert "los aciertos en las imágenes de entrenamiento pasaron del" in page


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--only", "filtros"], "data, network, learning"),
        (["--index", "1000"], "de 0 a 999"),
        (["--index", "-1"], "de 0 a 999"),
        (["--digit", "11"], "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
        (["--index", "x"], "--index"),
        (["--digit", ""], "--digit"),
    ],
)
def test_wrong_words_are_told_with_what_there_is(
    cli: Cli, own: Path, more: list[str], said: str
) -> None:
    outcome = cli(*words(own, *more))

    assert outcome.code == 2
    assert said in outcome.err
    assert not (own / "resultados" / "informe.html").exists()


def test_without_a_model_the_way_to_one_is_named(cli: Cli, workdir: Path) -> None:
    outcome = cli(*words(workdir))

    assert outcome.code == 2
    assert "taller-cnn train" in outcome.err


def test_a_model_of_another_data_set_is_refused(cli: Cli, own: Path) -> None:
    model = own / "modelo" / "cnn_mnist.pt"
    outcome = cli(*words(own, "--model", str(model), "--dataset", "kmnist"))

    assert outcome.code == 2
    assert "--dataset mnist" in outcome.err


def test_weights_without_a_description_are_explained_as_far_as_known(
    cli: Cli, tmp_path: Path, sample_dir: Path
) -> None:
    import torch

    from taller_cnn.model import SimpleCNN

    shutil.copytree(sample_dir / "MNIST", tmp_path / "data" / "sample" / "MNIST")
    model = tmp_path / "lesson.pt"
    torch.save(SimpleCNN().state_dict(), model)
    outcome = cli(*words(tmp_path, "--model", str(model), "--only", "learning,accuracy,trust"))
    page = (tmp_path / "resultados" / "informe.html").read_text(encoding="utf-8")

    assert outcome.code == 0
    assert "ha aprendido mucho más" not in page
    assert "aprendido a reconocer las clases" in page
    assert "no se sabe qué dígitos se reservaron" in page


def test_a_part_that_cannot_be_made_is_told_and_the_others_are_made(
    cli: Cli, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise DataError("explain_few_digits", n=1)

    monkeypatch.setattr("taller_cnn.explain.labels.out_of_sample", refused)
    alone = cli(*words(own, "--only", "labels"))
    beside = cli(*words(own, "--only", "network,labels"))

    assert (alone.code, beside.code) == (1, 0)
    assert "una tiene 1" in alone.err
    assert "Falta la parte «Etiquetas sospechosas»" in beside.sentences


def test_a_picture_that_cannot_be_drawn_is_told_and_the_page_is_there(
    cli: Cli, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("no width")

    monkeypatch.setattr("taller_cnn.explain.overview.cost_figure", broken)
    told = cli(*words(own, "--only", "network"))
    assert told.code == 0
    assert "network_cost.png" in told.sentences.replace(" ", "")
    program = cli(*words(own, "--only", "network", "--json", "--lang", "en"))
    [problem] = program.json["not_written"]
    assert "no width" in problem
    assert "network_cost" not in program.json["files"]
    assert "A picture is missing" in (own / "resultados" / "informe.html").read_text("utf-8")


def test_a_folder_that_cannot_be_written_is_told_before_the_work(cli: Cli, own: Path) -> None:
    shutil.rmtree(own / "resultados")
    (own / "resultados").touch()
    outcome = cli(*words(own, "--only", "network"))

    assert outcome.code == 1
    assert "--workdir" in outcome.err


def test_the_help_names_every_part(cli: Cli) -> None:
    text = cli("explain", "--help", "--lang", "en").sentences

    assert all(part in text for part in PARTS)


def test_in_a_pipe_each_part_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(Messages("es"))
    with board(terminal) as shown:
        told = _Told(terminal.messages, shown, ("data", "labels"))
        told.part("data", 0, 1)
        told.part("data", 1, 1)
        told.part("labels", 0, 1)
        told.drawing(1, 3)

    assert capsys.readouterr().out.splitlines() == [
        "1 de 2 · Datos",
        "2 de 2 · Etiquetas sospechosas",
        "Dibujando",
    ]


def test_a_long_part_tells_now_and_then_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_module, "LINE_SECONDS", 0.0)
    terminal = Terminal(Messages("en"))
    with board(terminal) as shown:
        _Told(terminal.messages, shown, ("data", "labels")).part("labels", 50, 200)

    assert capsys.readouterr().out.splitlines()[1] == "2 of 2 · Suspicious labels · 25%"
