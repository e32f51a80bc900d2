from __future__ import annotations

from pathlib import Path

from taller_cnn.cli.loading import load
from taller_cnn.cli.terminal import Terminal
from taller_cnn.data import DigitsPlace
from taller_cnn.messages import Messages


def test_the_sample_is_loaded_with_its_notice(sample_dir: Path, capsys) -> None:
    place = DigitsPlace(data_dir=sample_dir, sample_dir=sample_dir, source="sample")
    digits = load(Terminal(Messages("en")), place, holdout=200)
    assert (len(digits.validation), digits.source) == (200, "sample")
    out = capsys.readouterr().out
    assert out.startswith("Loading the digits…")
    assert "SAMPLE of 5,000 digits" in out
