from __future__ import annotations

import io
import threading
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from taller_cnn.cli import board as module
from taller_cnn.cli.board import board
from taller_cnn.cli.loading import show_download
from taller_cnn.cli.results import EpochTable, show_training
from taller_cnn.cli.terminal import Terminal
from taller_cnn.data import DownloadProgress
from taller_cnn.evaluation import Score
from taller_cnn.messages import Messages
from taller_cnn.training import EpochResult, Progress

STEP = Progress(
    step=120,
    of=860,
    epoch=1.4,
    loss=0.1234,
    accuracy=0.9712,
    images_per_second=25_123.4,
    seconds_left=65.4,
)
EPOCH = EpochResult(
    epoch=1.0,
    train_loss=0.25,
    train_accuracy=0.92,
    validation=Score(loss=0.1, accuracy=0.97, n=500),
    test=None,
    train_seconds=3.21,
    learning_rate=1e-3,
)


def terminal_on(width: int, language: str = "es", **settings: Any) -> Terminal:
    terminal = Terminal(Messages(language))
    terminal.out = Console(file=io.StringIO(), width=width, highlight=False, **settings)
    return terminal


def live_terminal(width: int = 80, language: str = "es") -> Terminal:
    return terminal_on(width, language, force_terminal=True, color_system=None)


def written(terminal: Terminal) -> str:
    assert isinstance(terminal.out.file, io.StringIO)
    return terminal.out.file.getvalue().replace("\xa0", " ")


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(
    ("language", "figures"),
    [
        ("es", "pérdida 0,123 · precisión 97,1 % · 25.123 imágenes/s · faltan 1 min 05 s"),
        ("en", "loss 0.123 · accuracy 97.1% · 25,123 images/s · 1 min 05 s left"),
    ],
)
def test_the_bar_shows_loss_accuracy_speed_and_time_left(width, language, figures) -> None:
    terminal = live_terminal(width, language)
    with board(terminal) as shown:
        show_training(terminal, shown, STEP, 10)
    assert figures in written(terminal)
    assert max(len(line) for line in written(terminal).split("\n") if figures in line) < width + 20


def test_the_bar_says_that_the_training_is_being_stopped() -> None:
    terminal, stop = live_terminal(), threading.Event()
    with board(terminal, stop=stop) as shown:
        show_training(terminal, shown, STEP, 10)
        stop.set()
    assert "Deteniendo y guardando el estado" in written(terminal)


def test_epochs_are_lines_above_the_bar() -> None:
    terminal = live_terminal()
    with board(terminal) as shown:
        show_training(terminal, shown, STEP, 10)
        EpochTable(terminal.messages, shown).add(EPOCH)
    assert "0,2500   92,00 %   0,1000   97,00 %" in written(terminal)


@pytest.mark.parametrize("language", ["es", "en"])
def test_the_headings_stand_over_their_columns(language: str) -> None:
    terminal = terminal_on(80, language)
    with board(terminal) as shown:
        epochs = EpochTable(terminal.messages, shown)
        epochs.add(EPOCH)
        epochs.add(EPOCH)
    above, names, *rows = written(terminal).splitlines()
    assert len(rows) == 2
    assert len(names) == len(rows[0]) <= 80
    assert rows[0].count("—") == 2, "the test digits were not scored"
    word = {"es": "validación", "en": "validation"}[language]
    assert above.index(word) + len(word) == rows[0].index("97") + len(
        Messages(language).percent(0.97, 2)
    )


@pytest.mark.parametrize("width", [30, 40, 74])
def test_where_the_epochs_table_has_no_room_each_figure_has_a_line(width: int) -> None:
    terminal = terminal_on(width)
    with board(terminal) as shown:
        EpochTable(terminal.messages, shown).add(EPOCH)
    text = " ".join(written(terminal).split())
    assert text.startswith(
        "época 1 entrenamiento, pérdida: 0,2500 entrenamiento, precisión: 92,00 %"
    )
    assert "validación, pérdida: 0,1000 validación, precisión: 97,00 % tiempo: " in text
    assert max(map(len, written(terminal).splitlines())) <= width


@pytest.mark.parametrize("width", [30, 40])
def test_the_bar_cuts_no_figure_in_a_narrow_terminal(width: int) -> None:
    terminal = live_terminal(width)
    with board(terminal) as shown:
        show_training(terminal, shown, STEP, 10)
    for figure in ("0,123", "97,1", "25.123", "05"):
        assert figure in written(terminal).split() or f"{figure} %" in written(terminal)


def test_without_a_terminal_a_line_now_and_then_is_enough(monkeypatch) -> None:
    terminal = terminal_on(80)
    with board(terminal) as shown:
        show_training(terminal, shown, STEP, 10)
        assert written(terminal) == ""
        monkeypatch.setattr(module, "LINE_SECONDS", 0.0)
        show_training(terminal, shown, STEP, 10)
    assert written(terminal).startswith("Época 1,4 de 10 · pérdida 0,123")


def test_what_begins_and_what_stays_are_lines_at_once_without_a_terminal() -> None:
    terminal = terminal_on(80)
    with board(terminal) as shown:
        shown.waiting("Cargando…")
        shown.line(Text("hecho"))
        shown.step("1 de 2", "", 1, 2)
    assert written(terminal) == "Cargando…\nhecho\n"


def test_a_bar_comes_and_goes_and_its_words_are_no_markup() -> None:
    terminal = live_terminal()
    with board(terminal) as shown:
        shown.waiting("[b]uno[/x]")
        shown.step("dos[copia]", "", 1, 2)
        shown.line(Text("queda"))
    out = written(terminal)
    assert "dos[copia]" in out
    assert "━" in out
    assert "queda" in out


def test_quiet_is_quiet() -> None:
    terminal = live_terminal()
    with board(terminal, is_quiet=True) as shown:
        shown.waiting("Cargando…")
        show_training(terminal, shown, STEP, 10)
        EpochTable(terminal.messages, shown).add(EPOCH)
    assert written(terminal) == ""


@pytest.mark.parametrize("total", [9_912_422, None])
def test_a_download_is_shown_with_its_file(total: int | None) -> None:
    terminal = live_terminal()
    download = DownloadProgress(file="train-images-idx3-ubyte", received=5_000_000, total=total)
    with board(terminal) as shown:
        show_download(terminal, shown, download)
    assert "Descargando train-images-idx3-ubyte" in written(terminal)
    assert "5,0 MB" in written(terminal)
