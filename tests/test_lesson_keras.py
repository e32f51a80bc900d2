"""The lesson in Keras, `lesson_keras/cnn_keras.py`."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from taller_cnn.config import ModelConfig
from taller_cnn.exports.keras_file import read_keras
from taller_cnn.model import SimpleCNN

SCRIPT = Path(__file__).resolve().parents[1] / "lesson_keras" / "cnn_keras.py"
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
"""Keras 3.15 on PyTorch, with NumPy 2."""


@pytest.fixture
def lesson(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> types.ModuleType:
    """The lesson as a module; importing it trains nothing and writes nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    spec = importlib.util.spec_from_file_location("cnn_keras", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert not hasattr(module, "model")
    assert list(tmp_path.iterdir()) == []
    return module


def test_its_network_is_the_workshops(lesson: types.ModuleType, tmp_path: Path) -> None:
    model = lesson.make_model()
    assert model.count_params() == 206_922
    model.save(tmp_path / "cnn_mnist.keras")
    read = read_keras(tmp_path / "cnn_mnist.keras")
    assert isinstance(read.model, SimpleCNN)
    assert read.model.config == ModelConfig()


@pytest.mark.slow
def test_it_leaves_the_tree_of_the_workshop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {k: v for k, v in os.environ.items() if k not in ("TALLER_DATA_DIR", "DISPLAY")}
    offline = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--epochs", "1"],
        cwd=tmp_path,
        env={**kept, **offline, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert "es solo una muestra" in done.stdout
    assert "Época 1/1" in done.stdout
    accuracy = done.stdout.partition("conjunto de prueba: ")[2].partition(" %")[0]
    # Far above one in ten, and less than the full set would give.
    assert 80 < float(accuracy.replace(",", ".")) < 100
    figures = ("accuracy_curve", "confusion_matrix", "loss_curve", "sample_predictions")
    assert {p.name for p in (tmp_path / "resultados").iterdir()} == {f"{n}.png" for n in figures}
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    read = read_keras(tmp_path / "modelo" / "cnn_mnist.keras")
    assert read.notices == ("keras_unknown",)
