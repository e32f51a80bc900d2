from __future__ import annotations

import shutil
import sys
from pathlib import Path

import family
import onnx
import pytest

from taller_cnn.checkpoints import save_model
from taller_cnn.config import ModelConfig
from taller_cnn.model import SimpleCNN


def test_the_page_is_written_with_the_model_in_it(
    cli, trained_workdir: Path, tmp_path: Path
) -> None:
    target = tmp_path / "deep" / "page.html"
    outcome = cli("export", "html", "--workdir", trained_workdir, "--output", target, "--json")
    assert outcome.code == 0
    text = target.read_bytes()
    assert outcome.json == {
        "file": str(target),
        "bytes": len(text),
        "model": str(trained_workdir / "modelo" / "cnn_mnist.pt"),
    }
    assert b'<html lang="es">' in text
    assert b"taller-data" in text
    assert b"\r\n" not in text


def test_the_reader_is_told_where_it_is(cli, trained_workdir: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    model = trained_workdir / "modelo" / "cnn_mnist.pt"
    words = ("--workdir", trained_workdir, "--model", model, "--output", target, "--lang", "en")
    outcome = cli("export", "html", *words)
    assert (outcome.code, outcome.err) == (0, "")
    assert "page.html" in outcome.out.replace("\n", "")
    assert '<html lang="en">' in target.read_text(encoding="utf-8")


def test_without_a_model_the_way_to_one_is_told(cli, tmp_path: Path) -> None:
    outcome = cli("export", "html", "--workdir", tmp_path)
    assert outcome.code == 2
    assert "taller-cnn train" in outcome.err


def test_a_format_that_is_none_is_told(cli) -> None:
    outcome = cli("export", "pdf")
    assert outcome.code == 2
    assert "html" in outcome.err
    assert cli("export").code == 2


def test_onnx_is_written_beside_the_model(cli, trained_workdir: Path, tmp_path: Path) -> None:
    model = tmp_path / "modelo" / "cnn_mnist.pt"
    shutil.copytree(trained_workdir / "modelo", model.parent)
    outcome = cli("export", "onnx", "--workdir", tmp_path, "--pixels", "0-255", "--json")
    assert outcome.code == 0
    written = model.with_suffix(".onnx")
    assert outcome.json == {
        "file": str(written),
        "bytes": written.stat().st_size,
        "model": str(model),
    }
    told = {prop.key: prop.value for prop in onnx.load(written).metadata_props}
    assert (told["pixels"], told["dataset"]) == ("0-255", "mnist")
    # Taken for a network, it is told for what it is.
    outcome = cli("evaluate", "--model", written)
    assert (outcome.code, "ONNX" in outcome.err) == (2, True)


def test_of_an_ensemble_all_networks_go_into_one_file(cli, tmp_path: Path) -> None:
    folder = tmp_path / "ensemble_mnist"
    network = family.loaded(ModelConfig(filters=(2,), hidden=0))
    assert network.info is not None
    for seed in (0, 1):
        model = SimpleCNN(network.info.model, seed=seed)
        save_model(model, folder / f"cnn_{seed}.pt", network.info)
    assert cli("export", "onnx", "--model", folder).code == 0
    operations = [node.op_type for node in onnx.load(tmp_path / "ensemble_mnist.onnx").graph.node]
    assert operations.count("Conv") == 2


def test_the_page_takes_no_choice_of_pixels(cli, trained_workdir: Path) -> None:
    outcome = cli("export", "html", "--workdir", trained_workdir, "--pixels", "0-1")
    assert (outcome.code, "--pixels" in outcome.err) == (2, True)


@pytest.mark.parametrize("format", ["onnx", "keras"])
def test_without_the_library_the_extra_is_named(
    cli, trained_workdir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, format: str
) -> None:
    monkeypatch.setitem(sys.modules, format, None)
    words = ("--workdir", trained_workdir, "--output", tmp_path / "file", "--json")
    outcome = cli("export", format, *words)
    assert (outcome.code, outcome.json["kind"]) == (1, "export_extra")
    assert f"taller-cnn[{format}]" in outcome.err
    assert list(tmp_path.iterdir()) == []
