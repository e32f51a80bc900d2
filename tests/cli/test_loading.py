from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from taller_cnn.checkpoints import LoadedModel
from taller_cnn.cli.loading import load, show_model_notices, show_sample_notice
from taller_cnn.cli.terminal import Terminal
from taller_cnn.data import DigitsPlace
from taller_cnn.errors import DataError
from taller_cnn.messages import Messages
from taller_cnn.model import SimpleCNN

PLACE = DigitsPlace.in_workdir(Path())


def test_the_sample_is_loaded_with_its_notice(sample_dir: Path, capsys) -> None:
    place = DigitsPlace(data_dir=sample_dir, sample_dir=sample_dir, source="sample")
    digits = load(Terminal(Messages("en")), place, holdout=200)
    assert (len(digits.validation), digits.source) == (200, "sample")
    out = capsys.readouterr().out
    assert out.startswith("Loading the digits…")
    assert "SAMPLE of 5,000 digits" in out


def words(text: str) -> str:
    return " ".join(text.replace("│", " ").split())


def test_the_full_set_needs_no_notice(capsys) -> None:
    show_sample_notice(Terminal(Messages("es")), PLACE, "full")
    assert capsys.readouterr() == ("", "")


def test_a_reader_who_asked_for_the_sample_is_told_less(capsys) -> None:
    show_sample_notice(Terminal(Messages("es")), replace(PLACE, source="sample"), "sample")
    text = words(capsys.readouterr().out)
    assert "MUESTRA de 5.000 dígitos" in text
    assert "Sin --source sample" in text


def test_a_reader_who_did_not_is_told_why_and_the_ways_to_the_full_set(capsys) -> None:
    reason = DataError("data_download", file="x.gz", reasons="no network", remedy="ask")
    terminal = Terminal(Messages("es"))
    show_sample_notice(terminal, PLACE, "sample", reason)
    text = words(capsys.readouterr().out)
    assert "en data, o indica su carpeta con --data-dir" in text
    assert text.count("no network") == 1


@pytest.mark.parametrize("notice", ["sidecar_ignored", "taken_as_lesson"])
@pytest.mark.parametrize("language", ["es", "en"])
def test_what_is_to_be_known_about_a_model_is_told(capsys, notice: str, language: str) -> None:
    messages = Messages(language)
    loaded = LoadedModel(model=SimpleCNN(), info=None, notices=(notice,))
    show_model_notices(Terminal(messages), loaded)
    assert messages(f"model.{notice}") in words(capsys.readouterr().out)
