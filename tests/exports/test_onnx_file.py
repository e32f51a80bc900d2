"""A network as ONNX answers in ONNX Runtime what it answers here."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from family import MEMBERS, loaded
from PIL import Image

from taller_cnn.checkpoints import LoadedModel
from taller_cnn.config import ModelConfig
from taller_cnn.data import MNIST_SCALE, normalise
from taller_cnn.errors import MissingExtraError
from taller_cnn.exports.onnx_file import onnx_model, write_onnx
from taller_cnn.model import Ensemble, SimpleCNN

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
IMAGES = torch.randint(0, 256, (3, 1, 28, 28), generator=torch.Generator().manual_seed(4)).byte()


def answers(model: onnx.ModelProto, images: torch.Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (logits,) = session.run(["logits"], {"image": images.numpy()})
    return np.asarray(logits)


@torch.inference_mode()
def expected(network: torch.nn.Module, images: torch.Tensor) -> np.ndarray:
    return network(images).numpy()


def operations(model: onnx.ModelProto) -> Sequence[str]:
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize("config", MEMBERS.values(), ids=MEMBERS)
def test_every_member_of_the_family_answers_the_same(config: ModelConfig) -> None:
    network = loaded(config)
    images = normalise(IMAGES, MNIST_SCALE)
    model = onnx_model(network)
    np.testing.assert_allclose(
        answers(model, images), expected(network.model, images), rtol=1e-5, atol=1e-5
    )
    # One image and many, although the graph says neither.
    assert answers(model, images[:1]).shape == (1, 10)


def test_the_workshop_network_is_the_ten_nodes_one_would_draw() -> None:
    conv = ["Conv", "Relu", "MaxPool"]
    assert operations(onnx_model(loaded(ModelConfig()))) == [
        *conv,
        *conv,
        "Flatten",
        "Gemm",
        "Relu",
        "Gemm",
    ]


@pytest.mark.parametrize(("pixels", "most"), [("0-1", 1), ("0-255", 255)])
def test_with_the_normalisation_inside_it_takes_grey_levels(pixels, most: int) -> None:
    network = loaded(ModelConfig(filters=(4,), hidden=0))
    np.testing.assert_allclose(
        answers(onnx_model(network, pixels), IMAGES.float() / 255 * most),
        expected(network.model, normalise(IMAGES, MNIST_SCALE)),
        rtol=1e-5,
        atol=1e-5,
    )


def test_an_ensemble_answers_with_its_mean_probabilities() -> None:
    kernels = ({"kernel_size": 3}, {"kernel_size": 5, "batch_norm": True})
    members = [SimpleCNN(ModelConfig(filters=(4,), **k), seed=i) for i, k in enumerate(kernels)]
    # Far from one another, so that the mean of logits would be another answer.
    with torch.no_grad():
        members[0].fc2.bias[3] += 9
        members[1].fc2.bias[7] += 9
    network = LoadedModel(model=Ensemble(members).eval(), info=None)
    images = normalise(IMAGES, MNIST_SCALE)
    found = answers(onnx_model(network), images)
    np.testing.assert_allclose(found, expected(network.model, images), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, rtol=1e-5)


def test_the_metadata_tell_the_classes_the_pixels_and_how_good_it_is(tmp_path: Path) -> None:
    network = loaded(ModelConfig(filters=(2,), hidden=0))
    assert network.info is not None
    info = dataclasses.replace(
        network.info, class_names=tuple("áb"), metrics={"test": {"accuracy": 0.75, "n": 4}}
    )
    network = dataclasses.replace(
        network, info=info, model=SimpleCNN(network.info.model, n_classes=2).eval()
    )
    path = tmp_path / "two.onnx"
    assert write_onnx(network, path, "0-255") == path.stat().st_size
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told.pop("class_names")) == ["á", "b"]
    assert told == {
        "dataset": "mnist",
        "pixels": "0-255",
        "mean": "0.1307",
        "std": "0.3081",
        "test_accuracy": "0.75",
        "test_n": "4",
    }


def test_the_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    network = loaded(ModelConfig(filters=(2,), hidden=0))
    for name in ("a.onnx", "b.onnx"):
        write_onnx(network, tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_without_the_library_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'taller-cnn\[onnx\]'"):
        write_onnx(loaded(ModelConfig()), tmp_path / "a.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("language", "picture"), [("es", "digito.png"), ("en", "digit.png")])
def test_the_program_on_the_page_reads_a_digit(
    language: str,
    picture: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = HOW_TO / f"other-programs.{language}.md"
    program = page.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    network = loaded(ModelConfig(filters=(2,), hidden=0))
    write_onnx(network, tmp_path / "modelo" / "cnn_mnist.onnx", "0-255")
    Image.fromarray(IMAGES[1, 0].numpy()).save(tmp_path / picture)
    monkeypatch.chdir(tmp_path)
    exec(compile(program, page, "exec"), {})
    (label,) = expected(network.model, normalise(IMAGES[1:2], MNIST_SCALE)).argmax(axis=1)
    assert capsys.readouterr().out == f"{label} 0-255\n"
