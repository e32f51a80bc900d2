"""A network as a Keras file, and back.

Keras runs on any backend here; which, whoever imports it first decides.
"""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from taller_cnn.checkpoints import LAYERS_TOLD, LoadedModel, ModelInfo, shape_difference
from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import MNIST_SCALE
from taller_cnn.errors import ConfigError, MissingExtraError, ModelError, Phrase
from taller_cnn.exports.keras_layers import recognised
from taller_cnn.exports.steps import Pixels, Step, rescaling, steps
from taller_cnn.files import atomic_path, json_text, sha256
from taller_cnn.model import IMAGE_SIZE, SimpleCNN, stages
from taller_cnn.model_files import read_file

if TYPE_CHECKING:
    import keras

DESCRIPTION = "taller_cnn.json"
"""Member of the file with what Keras has no place for; it goes when Keras saves the file again."""
MOST_JSON = 1_000_000
"""Bytes of a member with JSON."""
_NORM = ("weight", "bias", "running_mean", "running_var")
"""Weights of batch normalisation, in the order of Keras' gamma, beta, mean and variance."""

Array = npt.NDArray[Any]


# -------------------------------------------------------------------------------------- out


def write_keras(loaded: LoadedModel, path: Path, pixels: Pixels = "normalised") -> int:
    """Write a network as a Keras `Sequential` model; returns the size in bytes.

    Its input is float32 ``[batch, 28, 28, 1]``, its output logits ``[batch, K]``.

    Raises:
        MissingExtraError: the library `keras` is not installed.
        ModelError: it is an ensemble.
        OutputError: the file cannot be written.
    """
    network = loaded.model
    if not isinstance(network, SimpleCNN):
        raise ModelError("keras_ensemble", path=path)
    model = keras_model(loaded, pixels)
    # Keras writes only into a path that ends in .keras.
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.keras"
        model.save(file)
        with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(DESCRIPTION, json_text(_description(loaded, network, pixels)))
        data = file.read_bytes()
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return len(data)


def keras_model(loaded: LoadedModel, pixels: Pixels = "normalised") -> keras.Sequential:
    """The Keras model of a network, with its weights.

    Raises:
        MissingExtraError: the library `keras` is not installed.
    """
    keras = _keras()
    network = loaded.model
    assert isinstance(network, SimpleCNN)
    before = _before(loaded, pixels)
    all_steps = [*before, *steps(network.config, network.n_classes)]
    model = keras.Sequential([layer for step in all_steps for layer in _layers(keras, step)])
    state = {name: value.detach().cpu().numpy() for name, value in network.state_dict().items()}
    for step in all_steps:
        if step.kind in ("conv", "norm", "dense"):
            names = _NORM if step.kind == "norm" else ("weight", "bias")
            first, *others = [state[f"{step.name}.{name}"] for name in names]
            model.get_layer(step.name).set_weights([_to_keras(network, step, first), *others])
    return model


def _keras() -> Any:
    try:
        import keras
    except ImportError as error:
        if error.name != "keras":
            raise
        command = "pip install 'taller-cnn[keras]'"
        raise MissingExtraError("export_extra", command=command) from error
    return keras


def _before(loaded: LoadedModel, pixels: Pixels) -> list[Step]:
    """The steps before the first convolution."""
    shape = [IMAGE_SIZE, IMAGE_SIZE, 1]
    image = Step(kind="input", name="image", settings={"shape": shape})
    linear = rescaling(loaded.scale, pixels)
    if linear is None:
        return [image]
    settings = {"scale": linear[0], "offset": linear[1]}
    return [image, Step(kind="rescale", name="pixels", settings=settings)]


def _layers(keras: Any, step: Step) -> Iterator[Any]:
    """Keras' layers for one operation."""
    layers, settings, name = keras.layers, step.settings, step.name
    match step.kind:
        case "input":
            yield keras.Input(settings["shape"], name=name)
        case "rescale":
            yield layers.Rescaling(settings["scale"], settings["offset"], name=name)
        case "conv":
            yield from _conv_layers(keras, step)
        case "norm":
            # Keras' momentum is what stays, PyTorch's (0.1) what comes in.
            yield layers.BatchNormalization(momentum=0.9, epsilon=settings["epsilon"], name=name)
        case "activation":
            yield layers.Activation(settings["function"], name=name)
        case "pool":
            pool = layers.AveragePooling2D if settings["how"] == "avg" else layers.MaxPooling2D
            yield pool(2, name=name)
        case "final_pool":
            is_mean = settings["how"] == "avg"
            kind = layers.AdaptiveAveragePooling2D if is_mean else layers.AdaptiveMaxPooling2D
            yield kind(settings["size"], name=name)
        case "flatten":
            yield layers.Flatten(name=name)
        case "dropout":
            yield layers.Dropout(settings["rate"], name=name)
        case "dense":
            yield layers.Dense(settings["units"], name=name)


def _conv_layers(keras: Any, step: Step) -> Iterator[Any]:
    """A convolution; with a stride, ``padding="same"`` would pad below and on the right alone."""
    settings = step.settings
    stride, padding = settings["stride"], settings["padding"]
    if stride > 1 and padding:
        yield keras.layers.ZeroPadding2D(padding, name=f"{step.name}_padding")
    yield keras.layers.Conv2D(
        settings["filters"],
        settings["kernel_size"],
        strides=stride,
        padding="valid" if stride > 1 else "same",
        name=step.name,
    )


def _flat_layer(network: SimpleCNN) -> str:
    """Name of the layer that is given the flattened maps."""
    return "fc1" if network.config.hidden else "fc2"


def _flat_shape(network: SimpleCNN) -> tuple[int, int, int]:
    """Channels, height and width of the maps that are flattened."""
    config = network.config
    size = stages(config)[-1].output_size
    size = min(size, config.final_size or size)
    return config.filters[-1], size, size


def _to_keras(network: SimpleCNN, step: Step, weight: Array) -> Array:
    """A layer's weight in Keras' layout: inputs before outputs, channels after pixels."""
    if step.kind == "conv":
        return weight.transpose(2, 3, 1, 0)
    if step.name == _flat_layer(network):
        units = len(weight)
        weight = weight.reshape(units, *_flat_shape(network)).transpose(0, 2, 3, 1)
        weight = weight.reshape(units, -1)
    return weight.T if step.kind == "dense" else weight


def _description(loaded: LoadedModel, network: SimpleCNN, pixels: Pixels) -> dict[str, Any]:
    state = network.state_dict()
    batches = {k: int(v) for k, v in state.items() if k.endswith("num_batches_tracked")}
    info = loaded.info.to_json() if loaded.info else None
    if info:
        del info["provenance"]
    return {"pixels": pixels, "batches": batches, "model": info}


# --------------------------------------------------------------------------------------- in


def read_keras(path: Path) -> LoadedModel:
    """Read a network of the family from a Keras file, whoever made it.

    A file that Keras wrote has no description: it is taken for a network of MNIST, normalised as
    usual, and its training is not known. Notices tell so.

    Raises:
        MissingExtraError: the library `keras` is not installed.
        ModelError: not a Keras file, damaged, or not a network of this family: then the first
            layer that does not belong to it is named.
    """
    keras = _keras()
    data = read_file(path)
    described = _member(path, data, DESCRIPTION, needed=False)
    info, pixels = _known(described)
    loaded = LoadedModel(model=SimpleCNN(), info=info)
    layers = _member(path, data, "config.json")
    try:
        config, n_classes, names = recognised(path, layers, _before(loaded, pixels))
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise _not_keras(path) from error
    notices: tuple[str, ...] = ()
    if info and steps(info.model, len(info.class_names)) == steps(config, n_classes):
        # In its own words: pooling that never comes to pass looks like none.
        config = info.model
    else:
        info, notices = _unknown(path, data, config, n_classes), ("keras_unknown",)
    model = SimpleCNN(config, n_classes=n_classes).eval()
    state = _state(model, _weights(keras, path, data, names), described)
    _require_fit(path, model, state)
    model.load_state_dict(state)
    return LoadedModel(model=model, info=info, notices=notices)


def _require_fit(path: Path, model: SimpleCNN, state: Mapping[str, torch.Tensor]) -> None:
    """Refuse weights of other shapes or that are not finite."""
    problem = shape_difference(model, state)
    if problem:
        raise ModelError("model_mismatch", path=path, reason=problem)
    broken = [name for name, value in state.items() if not value.isfinite().all()]
    if broken:
        raise ModelError("model_not_finite", path=path, layers=", ".join(broken[:LAYERS_TOLD]))


def _not_keras(path: Path) -> ModelError:
    return ModelError("model_unreadable", path=path, reason=Phrase("reason_not_keras"))


def _member(path: Path, data: bytes, name: str, *, needed: bool = True) -> dict[str, Any]:
    """A JSON object in the archive; empty where it may be missing and is."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if not needed and name not in archive.namelist():
                return {}
            if archive.getinfo(name).file_size > MOST_JSON:
                raise ValueError(name)
            value = json.loads(archive.read(name))
    except Exception as error:
        # Which exception damaged bytes raise depends on the bytes.
        raise _not_keras(path) from error
    if not isinstance(value, dict):
        raise _not_keras(path)
    return value


def _known(described: Mapping[str, Any]) -> tuple[ModelInfo | None, Pixels]:
    """What the file's description says of the network and of its input; None if nothing."""
    pixels: Pixels = "normalised"
    for known in ("0-1", "0-255"):
        if described.get("pixels") == known:
            pixels = known
    try:
        return (ModelInfo.from_json(described["model"]) if described.get("model") else None), pixels
    except (KeyError, TypeError, ValueError, OverflowError, ConfigError):
        return None, pixels


def _unknown(path: Path, data: bytes, config: ModelConfig, n_classes: int) -> ModelInfo:
    """The description of a network of which only the layers are known."""
    return ModelInfo(
        model=config,
        train=TrainConfig(),
        dataset="mnist",
        class_names=tuple(map(str, range(n_classes))),
        scale=MNIST_SCALE,
        source="full",
        data_checksum="",
        origin={"file": path.name, "sha256": sha256(data)},
    )


def _weights(keras: Any, path: Path, data: bytes, names: Sequence[str]) -> list[list[Array]]:
    """The weights of each of some layers, as Keras reads them."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.keras"
        file.write_bytes(data)
        try:
            model = keras.saving.load_model(file, compile=False, safe_mode=True)
            return [model.get_layer(name).get_weights() for name in names]
        except Exception as error:
            # As with torch: damaged bytes raise anything.
            reason = Phrase("reason_damaged")
            raise ModelError("model_unreadable", path=path, reason=reason) from error


def _state(
    model: SimpleCNN, weights: Sequence[Sequence[Array]], described: Mapping[str, Any]
) -> dict[str, torch.Tensor]:
    """Keras' weights as the state dict of a network."""
    arrays: dict[str, Array] = {}
    inner = [s for s in steps(model.config, model.n_classes) if s.kind in ("conv", "norm", "dense")]
    for step, (first, *others) in zip(inner, weights, strict=True):
        names = _NORM if step.kind == "norm" else ("weight", "bias")
        values = [_from_keras(model, step, first), *others]
        arrays |= {f"{step.name}.{n}": value for n, value in zip(names, values, strict=True)}
    state = {k: torch.from_numpy(np.array(v, np.float32)) for k, v in arrays.items()}
    batches = described.get("batches")
    for name in model.state_dict():
        if name.endswith("num_batches_tracked"):
            count = batches.get(name) if isinstance(batches, dict) else 0
            state[name] = torch.tensor(count if isinstance(count, int) else 0)
    return {name: state[name] for name in model.state_dict()}


def _from_keras(network: SimpleCNN, step: Step, weight: Array) -> Array:
    """The contrary of `_to_keras`."""
    if step.kind == "conv":
        return weight.transpose(3, 2, 0, 1)
    if step.name == _flat_layer(network):
        channels, height, width = _flat_shape(network)
        weight = weight.reshape(height, width, channels, -1).transpose(2, 0, 1, 3)
        weight = weight.reshape(channels * height * width, -1)
    return weight.T if step.kind == "dense" else weight
