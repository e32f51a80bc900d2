"""``taller-cnn export keras`` and ``taller-cnn import keras``, there and back."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import family
import pytest

from taller_cnn.checkpoints import save_model
from taller_cnn.config import ModelConfig
from taller_cnn.model import SimpleCNN

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
"""Keras 3.15 on PyTorch, with NumPy 2."""


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small network; the variable that a command sets is as before after it."""
    monkeypatch.setenv("KERAS_BACKEND", "another")
    network = family.loaded(ModelConfig(filters=(2,), hidden=4, batch_norm=True))
    assert isinstance(network.model, SimpleCNN)
    assert network.info is not None
    save_model(network.model, tmp_path / "modelo" / "cnn_mnist.pt", network.info)
    return tmp_path


def test_a_network_goes_to_keras_and_comes_back(cli, workdir: Path) -> None:
    model = workdir / "modelo" / "cnn_mnist.pt"
    outcome = cli("export", "keras", "--workdir", workdir, "--pixels", "0-1", "--json")
    written = model.with_suffix(".keras")
    assert (outcome.code, outcome.json["file"]) == (0, str(written))
    before = model.read_bytes()
    outcome = cli("import", "keras", written, "--workdir", workdir, "--json")
    # The one that is there stays.
    assert (outcome.code, outcome.json["kind"]) == (2, "import_there")
    assert "--output" in outcome.err
    assert model.read_bytes() == before
    model.unlink()
    outcome = cli("import", "keras", written, "--workdir", workdir, "--json")
    assert outcome.code == 0
    assert outcome.json["file"] == str(model)
    assert outcome.json["known"] is True
    assert outcome.json["model"]["filters"] == [2]
    assert model.read_bytes() == before
    assert json.loads(model.with_suffix(".json").read_text(encoding="utf-8"))["source"] == "sample"


def test_the_reader_is_told_how_to_go_on(cli, workdir: Path) -> None:
    written = workdir / "a.keras"
    assert cli("export", "keras", "--workdir", workdir, "--output", written).code == 0
    target = workdir / "other" / "b.pt"
    outcome = cli("import", "keras", written, "--output", target, "--lang", "en")
    assert (outcome.code, outcome.err) == (0, "")
    assert "taller-cnn evaluate --model" in outcome.sentences


def test_what_is_no_keras_file_is_wrong_input(cli, workdir: Path) -> None:
    outcome = cli("import", "keras", workdir / "modelo" / "cnn_mnist.pt", "--json")
    assert (outcome.code, outcome.json["kind"]) == (2, "model_unreadable")
    outcome = cli("import", "keras", workdir / "nothing.keras", "--json")
    assert (outcome.code, outcome.json["kind"]) == (2, "model_unreadable")
    assert cli("import", "pdf", workdir / "a.pdf").code == 2


def test_an_ensemble_goes_to_onnx_and_not_to_keras(cli, workdir: Path) -> None:
    folder = workdir / "two"
    folder.mkdir()
    for name in ("a.pt", "b.pt"):
        shutil.copy(workdir / "modelo" / "cnn_mnist.pt", folder / name)
    outcome = cli("export", "keras", "--model", folder, "--json")
    assert (outcome.code, outcome.json["kind"]) == (2, "keras_ensemble")
    assert not (workdir / "two.keras").exists()


def test_without_the_library_the_extra_is_named(
    cli, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keras", None)
    outcome = cli("import", "keras", workdir / "a.keras", "--json")
    assert (outcome.code, outcome.json["kind"]) == (1, "export_extra")
    assert "taller-cnn[keras]" in outcome.err
