from __future__ import annotations

import pytest
import torch

from taller_cnn.cli.results import loss_text, show_per_class, show_rows, show_score
from taller_cnn.cli.terminal import Terminal
from taller_cnn.evaluation import Evaluation
from taller_cnn.messages import Messages

NAMES = ("Camisa", "Abrigo", "Bolso")


@pytest.fixture
def evaluation() -> Evaluation:
    """Three classes of two images; one shirt and one coat are taken for each other."""
    predicted = torch.tensor([0, 1, 1, 0, 2, 2])
    rows = torch.full((6, 3), 0.1).scatter(1, predicted[:, None], 0.8).log()
    return Evaluation(log_probabilities=rows, labels=torch.tensor([0, 0, 1, 1, 2, 2]))


def test_the_summary_of_an_evaluation(evaluation, capsys) -> None:
    show_score(Terminal(Messages("es")), evaluation, NAMES, "test", [("Tiempo", "1 s")])
    lines = [line.replace("\xa0", " ") for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "",
        "Resultado con 6 imágenes de prueba",
        "  Precisión    66,67 % (intervalo de Wilson del 95 %: de 30,00 % a 90,32 %)",
        "  Errores      2",
        "  Pérdida      0,9163",
        "  Confusiones  Camisa → Abrigo: 1 vez",
        "               Abrigo → Camisa: 1 vez",
        "  Tiempo       1 s",
    ]


def test_without_a_mistake_there_are_no_confusions(capsys) -> None:
    rows = torch.eye(3).mul(20).log_softmax(dim=1)
    perfect = Evaluation(log_probabilities=rows, labels=torch.arange(3))
    show_score(Terminal(Messages("en")), perfect, NAMES, "validation")
    out = capsys.readouterr().out
    assert "Result on 3 validation images" in out
    assert "Confusions  none" in out


def test_the_table_has_a_line_per_class(evaluation, capsys) -> None:
    show_per_class(Terminal(Messages("en")), evaluation, NAMES)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["Camisa", "2", "50.00%", "50.00%", "50.00%"] in lines
    assert ["Bolso", "2", "100.00%", "100.00%", "100.00%"] in lines


@pytest.mark.parametrize(
    ("loss", "text"),
    [(0.03, "0,0300"), (999.0, "999,0000"), (1.5e30, "1,5e+30"), (float("inf"), "inf")],
)
def test_a_loss_of_any_size_can_be_written(loss: float, text: str) -> None:
    assert loss_text(Messages("es"), loss) == text


def test_a_path_is_never_folded_where_no_terminal_is(capsys) -> None:
    path = "/a/long/path" * 20
    show_rows(Terminal(Messages("es")), [("modelo", path), ("x", "1\n2")])
    assert capsys.readouterr().out == f"  modelo  {path}\n  x       1\n          2\n"
