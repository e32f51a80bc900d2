from __future__ import annotations

import pytest
from rich.console import Console

from taller_cnn.cli import explain_view as module
from taller_cnn.cli.explain_view import explain_view
from taller_cnn.cli.terminal import Terminal
from taller_cnn.messages import Messages

PARTS = ("data", "labels")


def test_in_a_pipe_each_part_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with explain_view(Terminal(Messages("es")), PARTS) as view:
        view.step("data", 0, 1)
        view.step("data", 1, 1)
        view.step("labels", 0, 1)
        view.drawn(1, 3)

    assert capsys.readouterr().out.splitlines() == [
        "1 de 2 · Datos",
        "2 de 2 · Etiquetas sospechosas",
        "Dibujando",
    ]


def test_a_long_part_tells_now_and_then_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINE_SECONDS", 0.0)
    with explain_view(Terminal(Messages("en")), PARTS) as view:
        view.step("labels", 0, 200)
        view.step("labels", 50, 200)

    assert capsys.readouterr().out.splitlines()[1] == "2 of 2 · Suspicious labels: 25%"


def test_on_a_terminal_a_bar_comes_and_goes(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(Messages("en"))
    terminal.out = Console(force_terminal=True, width=80)
    with explain_view(terminal, PARTS) as view:
        view.step("labels", 50, 200)
        view.drawn(2, 3)

    shown = capsys.readouterr().out
    assert "Drawing" in shown
    assert "2/3" in shown
