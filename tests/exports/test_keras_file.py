"""A network as a Keras file answers the same, and comes back as it went."""

from __future__ import annotations

import dataclasses
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from family import MEMBERS, loaded

from taller_cnn.checkpoints import save_model
from taller_cnn.config import ModelConfig
from taller_cnn.data import MNIST_SCALE, normalise
from taller_cnn.errors import MissingExtraError, ModelError
from taller_cnn.exports.keras_file import read_keras, write_keras
from taller_cnn.model import Ensemble, SimpleCNN

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
"""Keras 3.15 on PyTorch, with NumPy 2."""

SMALL = ModelConfig(filters=(2,), hidden=4)
IMAGES = torch.randint(0, 256, (3, 1, 28, 28), generator=torch.Generator().manual_seed(4)).byte()


@pytest.fixture(autouse=True, scope="module")
def keras() -> Any:
    """Keras on PyTorch, whichever other backend there is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BACKEND", "torch")
        import keras

    assert keras.backend.backend() == "torch"
    return keras


def answers(keras: Any, path: Path, images: torch.Tensor) -> np.ndarray:
    model = keras.saving.load_model(path)
    return np.asarray(model.predict(images.permute(0, 2, 3, 1).numpy(), verbose=0))


@pytest.mark.parametrize("config", MEMBERS.values(), ids=MEMBERS)
def test_every_member_answers_the_same_and_comes_back(
    keras, config: ModelConfig, tmp_path: Path
) -> None:
    network = loaded(config)
    path = tmp_path / "network.keras"
    assert write_keras(network, path) == path.stat().st_size
    images = normalise(IMAGES, MNIST_SCALE)
    with torch.inference_mode():
        expected = network.model(images).numpy()
    np.testing.assert_allclose(answers(keras, path, images), expected, rtol=1e-5, atol=1e-5)
    back = read_keras(path)
    assert (back.info, back.notices) == (network.info, ())
    assert isinstance(back.model, SimpleCNN)
    assert isinstance(network.model, SimpleCNN)
    assert network.info is not None
    for name, model in (("a", network.model), ("b", back.model)):
        save_model(model, tmp_path / f"{name}.pt", network.info)
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


@pytest.mark.parametrize(("pixels", "most"), [("0-1", 1), ("0-255", 255)])
def test_with_the_normalisation_inside_it_takes_grey_levels(
    keras, tmp_path: Path, pixels, most: int
) -> None:
    network, path = loaded(SMALL), tmp_path / "network.keras"
    write_keras(network, path, pixels)
    with torch.inference_mode():
        expected = network.model(normalise(IMAGES, MNIST_SCALE)).numpy()
    found = answers(keras, path, IMAGES.float() / 255 * most)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert read_keras(path).info == network.info


def test_what_keras_trained_further_comes_back_without_its_old_description(
    keras, tmp_path: Path
) -> None:
    path = tmp_path / "network.keras"
    write_keras(loaded(dataclasses.replace(SMALL, batch_norm=True)), path)
    model = keras.saving.load_model(path)
    model.get_layer("fc2").set_weights([np.ones((4, 10)), np.arange(10.0)])
    model.save(path)
    back = read_keras(path)
    assert back.notices == ("keras_unknown",)
    assert back.info is not None
    assert back.info.model == dataclasses.replace(SMALL, batch_norm=True)
    assert back.info.origin is not None
    assert back.info.origin["file"] == "network.keras"
    assert back.model.state_dict()["fc2.bias"].tolist() == list(range(10))


def test_a_network_as_a_keras_course_writes_it_is_of_the_family(keras, tmp_path: Path) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(2, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(8, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    path = tmp_path / "course.keras"
    model.save(path)
    back = read_keras(path)
    assert isinstance(back.model, SimpleCNN)
    assert back.model.config == ModelConfig(filters=(2,), hidden=8, dropout=0.5)
    images = normalise(IMAGES, MNIST_SCALE)
    with torch.inference_mode():
        probabilities = back.model(images).softmax(1).numpy()
    np.testing.assert_allclose(answers(keras, path, images), probabilities, rtol=1e-4, atol=1e-6)


def changed(path: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """Change the layers in a Keras file."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config["config"]["layers"])
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


@pytest.mark.parametrize(
    ("layer", "setting", "value"),
    [
        ("conv1", "dilation_rate", [2, 2]),
        ("conv1", "kernel_size", [3, 5]),
        ("conv1", "strides", [2, 2]),
        ("conv1", "padding", "valid"),
        ("conv1", "kernel_initializer", {"module": "os", "class_name": "system", "config": {}}),
        ("act1", "activation", "sigmoid"),
        ("act1", "activation", {"module": "builtins", "class_name": "function", "config": "f"}),
        ("pool1", "pool_size", [3, 3]),
        ("image", "batch_shape", [None, 32, 32, 1]),
        ("fc1", "use_bias", False),
    ],
)
def test_a_layer_that_no_member_has_is_named_and_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layer: str, setting: str, value: Any
) -> None:
    path = tmp_path / "network.keras"
    write_keras(loaded(SMALL), path)
    monkeypatch.setattr("keras.saving.load_model", lambda *_, **__: pytest.fail("it was loaded"))

    def change(layers: list[dict[str, Any]]) -> None:
        (of_name,) = [entry for entry in layers if entry["config"]["name"] == layer]
        of_name["config"][setting] = value

    changed(path, change)
    with pytest.raises(ModelError, match=rf"\blayer {layer}\b"):
        read_keras(path)


def test_another_kind_of_layer_is_named(tmp_path: Path) -> None:
    path = tmp_path / "network.keras"
    write_keras(loaded(SMALL), path)

    def change(layers: list[dict[str, Any]]) -> None:
        layers[2] |= {"class_name": "Lambda"}

    changed(path, change)
    with pytest.raises(ModelError, match=r"layer act1 \(class=Lambda\)"):
        read_keras(path)


@pytest.mark.parametrize("kept", [[], ["config.json"]])
def test_what_is_no_keras_file_or_is_cut_short_is_told(tmp_path: Path, kept: list[str]) -> None:
    path = tmp_path / "network.keras"
    write_keras(loaded(SMALL), path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in kept}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(ModelError) as caught:
        read_keras(path)
    assert caught.value.key == "model_unreadable"
    path.write_bytes(b"no archive")
    with pytest.raises(ModelError, match="not a Keras file"):
        read_keras(path)


def test_weights_that_are_no_numbers_are_refused(keras, tmp_path: Path) -> None:
    path = tmp_path / "network.keras"
    network = loaded(SMALL)
    with torch.no_grad():
        network.model.state_dict()["fc2.bias"][0] = torch.nan
    write_keras(network, path)
    with pytest.raises(ModelError, match=r"fc2\.bias"):
        read_keras(path)


def test_an_ensemble_is_refused(tmp_path: Path) -> None:
    members = [SimpleCNN(SMALL), SimpleCNN(SMALL, seed=1)]
    network = dataclasses.replace(loaded(SMALL), model=Ensemble(members))
    with pytest.raises(ModelError, match="ensemble"):
        write_keras(network, tmp_path / "a.keras")
    assert list(tmp_path.iterdir()) == []


def test_without_the_library_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'taller-cnn\[keras\]'"):
        write_keras(loaded(SMALL), tmp_path / "a.keras")
