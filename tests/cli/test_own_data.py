"""Data of one's own through the commands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from taller_cnn.checkpoints import load_model
from taller_cnn.data import Digits
from tests.cli.conftest import Cli

QUICK = ["--epochs", "3", "--filters", "4,8", "--threads", "1", "--quiet"]


@pytest.fixture
def signs(sample_digits: Digits, tmp_path: Path) -> Path:
    """A folder with 30 pictures each of three classes."""
    labels = sample_digits.train.labels.numpy()
    for digit, name in ((0, "cero"), (4, "cuatro"), (7, "siete ñ")):
        folder = tmp_path / "Signos" / name
        folder.mkdir(parents=True)
        for k in np.flatnonzero(labels == digit)[:30]:
            image = sample_digits.train.images[k, 0].numpy()
            Image.fromarray(255 - image).save(folder / f"{k}.png")
    return tmp_path / "Signos"


def test_a_folder_is_trained_on_evaluated_described_and_explained(
    cli: Cli, signs: Path, tmp_path: Path
) -> None:
    work = tmp_path / "w"
    outcome = cli("train", "--dataset", signs, *QUICK, "--workdir", work)
    assert outcome.code == 0, outcome.err
    assert "66 imágenes para entrenar son pocas: se usa la receta few" in outcome.sentences
    assert "90 imágenes de trazo oscuro" in outcome.sentences
    model = work / "modelo" / "cnn_signos.pt"
    info = load_model(model).info
    assert info is not None
    assert (info.dataset, info.source) == ("signos", "own")
    assert info.class_names == ("cero", "cuatro", "siete ñ")
    assert (info.train.recipe, info.train.augmentation) == ("few", "affine")
    # By its path, and from then on by its name.
    for word in (signs, "signos"):
        outcome = cli("evaluate", "--dataset", word, "--workdir", work, "--json")
        assert outcome.code == 0
        assert outcome.json["dataset"] == "signos"
        assert sum(row["support"] for row in outcome.json["per_class"]) == 12
    pictures = [
        signs / "cero" / name for name in sorted(p.name for p in (signs / "cero").iterdir())
    ]
    outcome = cli("predict", *pictures[:3], "--dataset", "signos", "--workdir", work, "--json")
    assert outcome.code == 0, outcome.err
    digits = [file["digits"][0] for file in outcome.json["files"]]
    assert [info.class_names[digit["digit"]] for digit in digits] == [d["name"] for d in digits]
    outcome = cli("predict", "--score", signs, "--dataset", signs, "--workdir", work)
    assert outcome.code == 0, outcome.err
    assert "siete ñ" in outcome.out
    outcome = cli("describe", "--model", model, "--json")
    assert outcome.json["layers"][-1]["output_shape"] == [3]
    only = "data,network,classes,filters,errors,trust,labels"
    outcome = cli("explain", "--dataset", "signos", "--only", only, "--workdir", work)
    assert outcome.code == 0, outcome.sentences


def test_the_number_of_epochs_follows_the_number_of_images(
    cli: Cli, signs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taller_cnn.config.FEW_STEPS", 20)
    small = ["--filters", "4,8", "--quiet", "--json"]
    outcome = cli("train", "--dataset", signs, *small, "--workdir", tmp_path / "w")
    record = json.loads((tmp_path / "w" / "modelo" / "cnn_signos.json").read_text())
    assert outcome.code == 0
    assert record["train"]["epochs"] == 19
    outcome = cli(
        "train", "--dataset", signs, "--recipe", "quick", *small, "--workdir", tmp_path / "w"
    )
    record = json.loads((tmp_path / "w" / "modelo" / "cnn_signos.json").read_text())
    assert record["train"]["recipe"] == "quick"


@pytest.mark.parametrize("command", ["train", "data", "evaluate", "explain"])
def test_a_word_that_is_neither_a_set_nor_a_path(cli: Cli, command: str, tmp_path: Path) -> None:
    outcome = cli(command, "--dataset", "fashoin", "--workdir", tmp_path)
    assert outcome.code == 2
    assert "«fashoin» no es un conjunto de datos conocido" in outcome.err


def test_a_network_of_other_data_is_not_measured_on_it(
    cli: Cli, signs: Path, trained_workdir: Path, tmp_path: Path
) -> None:
    model = trained_workdir / "modelo" / "cnn_mnist.pt"
    outcome = cli("evaluate", "--model", model, "--dataset", signs, "--workdir", tmp_path)
    assert outcome.code == 2
    assert "los dígitos son signos" in outcome.err
