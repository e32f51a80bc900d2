"""Files of weights that other programs wrote."""

from __future__ import annotations

import gzip
import io
import pickle
import re
import tarfile
import warnings
import zipfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from lesson_network import LessonCNN
from torch import Tensor, nn

from taller_cnn.checkpoints import ModelInfo, load_model, save_model
from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import Scale
from taller_cnn.errors import ModelError, Phrase
from taller_cnn.messages import Messages
from taller_cnn.model import SimpleCNN

LESSON = SimpleCNN(seed=3).eval()


def _weights() -> dict[str, Tensor]:
    return dict(LESSON.state_dict())


def _prefixed(prefix: str, **more: Any) -> dict[str, Any]:
    return {**{f"{prefix}{name}": value for name, value in _weights().items()}, **more}


def _images() -> Tensor:
    return torch.randn(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "theirs.pt"


# ------------------------------------------------------------- what is around the weights

ADAM = torch.optim.Adam(LessonCNN().parameters())
WRAPPED: dict[str, tuple[Any, str]] = {
    "parallel": (nn.DataParallel(LESSON).state_dict(), "module."),
    "compiled": (_prefixed("_orig_mod."), "_orig_mod."),
    "compiled, then parallel": (_prefixed("module._orig_mod."), "module., _orig_mod."),
    "parallel, then compiled": (_prefixed("_orig_mod.module."), "module., _orig_mod."),
    "each layer compiled": (
        {name.replace(".", "._orig_mod."): value for name, value in _weights().items()},
        "_orig_mod.",
    ),
    "averaged": (
        torch.optim.swa_utils.AveragedModel(LESSON).state_dict(),
        "module., n_averaged",
    ),
    "a checkpoint": (
        {"epoch": 3, "model_state_dict": _weights(), "loss": torch.tensor(0.1)},
        "model_state_dict",
    ),
    "a checkpoint with its optimizer": (
        {"optimizer_state_dict": ADAM.state_dict(), "epoch": 3, "state_dict": _weights()},
        "state_dict",
    ),
    "a checkpoint with another network": (
        {"ema": {k: v + 1 for k, v in _weights().items()}, "model": _weights()},
        "model",
    ),
    "a checkpoint in a checkpoint": ({"last": {"net": _weights(), "epoch": 1}}, "last, net"),
    "a checkpoint of a parallel network": (
        {"state_dict": _prefixed("module."), "epoch": 3},
        "state_dict, module.",
    ),
    "Lightning": (
        {
            "pytorch-lightning_version": "2.5.0",
            "epoch": 1,
            "global_step": 100,
            "state_dict": _prefixed("model."),
            "loops": {"fit_loop": {"state_dict": {}}},
            "callbacks": {},
            "optimizer_states": [ADAM.state_dict()],
            "lr_schedulers": [],
            "hyper_parameters": {"lr": 1e-3},
        },
        "state_dict, model.",
    ),
    "Lightning, with a compiled network": (
        {"state_dict": _prefixed("net._orig_mod."), "epoch": 1},
        "state_dict, _orig_mod., net.",
    ),
    "parameters": (dict(LESSON.named_parameters(prefix="net")), "net."),
    "numbers among the weights": (_prefixed("", epoch=3, names=["a"]), "epoch, names"),
}


@pytest.mark.parametrize("kind", WRAPPED)
def test_what_is_around_the_weights_is_left_aside_and_told(kind: str, path: Path) -> None:
    content, told = WRAPPED[kind]
    torch.save(content, path)
    loaded = load_model(path)
    assert torch.equal(loaded.model(_images()), LESSON(_images()))
    assert loaded.notices == ("taken_as_lesson", "unwrapped")
    assert loaded.wrapping == told
    for language in ("es", "en"):
        assert f" ({told})." in Messages(language)("model.unwrapped", wrapping=loaded.wrapping)


def test_of_many_entries_beside_the_weights_the_first_are_named(path: Path) -> None:
    numbers = {f"n{index}": index for index in range(40)}
    torch.save({torch.zeros(50): 1, **_weights(), **numbers}, path)
    assert load_model(path).wrapping == "Tensor, n0, n1, n2, n3, …"


def test_weights_alone_are_told_to_be_nothing_else(path: Path) -> None:
    torch.save(LESSON.state_dict(), path)
    assert (load_model(path).notices, load_model(path).wrapping) == (("taken_as_lesson",), "")


def test_a_described_network_inside_a_checkpoint_keeps_its_description(path: Path) -> None:
    config = ModelConfig(filters=(2,), hidden=3, activation="tanh")
    info = ModelInfo(
        model=config,
        train=TrainConfig(),
        dataset="kmnist",
        class_names=tuple("abcdefghij"),
        scale=Scale(0.2, 0.3),
        source="full",
        data_checksum="abc",
    )
    save_model(SimpleCNN(config), path, info)
    theirs = path.with_name("checkpoint.pt")
    torch.save({"state_dict": torch.load(path, weights_only=True), "epoch": 1}, theirs)
    loaded = load_model(theirs)
    assert (loaded.info, loaded.notices) == (info, ("unwrapped",))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            _prefixed("module.", **{"module.fc3.weight": torch.zeros(3, 10)}),
            "fc3.weight: (3, 10) != -",
        ),
        (
            {"state_dict": _prefixed("model.", **{"model.fc2.bias": torch.zeros(7)})},
            "fc2.bias: (7,) != (10,)",
        ),
        # Two networks: which one is meant is not known.
        (
            {**_prefixed("a."), **_prefixed("b.")},
            "conv1.weight: - != (16, 1, 3, 3); conv1.bias: - != (16,); "
            "conv2.weight: - != (32, 16, 3, 3); and 21 more",
        ),
        # A network and more beside it: its answers are not the whole.
        (
            {**_prefixed("body."), "head.weight": torch.zeros(5, 10)},
            "and 14 more",
        ),
        # Two tensors that would have one name.
        (_prefixed("", **{"module.conv1.bias": torch.zeros(16)}), "module.conv1.bias: (16,) != -"),
    ],
)
def test_what_does_not_fit_is_told_layer_by_layer(content: Any, told: str, path: Path) -> None:
    torch.save(content, path)
    with pytest.raises(ModelError, match=re.escape(told)) as caught:
        load_model(path)
    assert caught.value.key == "model_unknown"


def test_a_dictionary_inside_itself_is_no_endless_search(path: Path) -> None:
    content: dict[str, Any] = {"epoch": 3}
    content["again"] = content["and again"] = content
    torch.save(content, path)
    assert _reason(path)[0] == "reason_no_weights"


# --------------------------------------------------------------------- files of other kinds


def _refusal(path: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        load_model(path)
    for language in ("es", "en"):
        text = caught.value.text(Messages(language))
        assert not re.search(r"damaged|dañado|holds no weights|no contiene pesos,", text)
    return caught.value


def _reason(path: Path) -> tuple[str, dict[str, object]]:
    error = _refusal(path)
    assert error.key == "model_unreadable"
    reason = error.values["reason"]
    assert isinstance(reason, Phrase)
    return reason.key, dict(reason.values)


def _run(code: str) -> None:
    """Run the two lines of a message as their reader would."""
    names = {"torch": torch, "numpy": np, "safetensors": safetensors}
    exec(code, names)


def _lines(error: ModelError) -> list[str]:
    lines = error.text(Messages("en")).splitlines()[1:]
    assert error.text(Messages("es")).splitlines()[1] == lines[0]
    assert len(lines) == 2
    return lines


def _traced(path: Path) -> None:
    with warnings.catch_warnings():
        # torch.jit is on its way out; its files are not.
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(LESSON, _images(), check_trace=False), path)  # type: ignore[no-untyped-call]


def _old_network(path: Path) -> None:
    torch.save(LESSON, path, _use_new_zipfile_serialization=False)


CONVERTIBLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "TorchScript": (_traced, "TorchScript"),
    "before PyTorch 1.6": (
        lambda path: torch.save(_weights(), path, _use_new_zipfile_serialization=False),
        "PyTorch < 1.6",
    ),
    "safetensors": (
        lambda path: path.write_bytes(safetensors.torch.save(_weights())),
        "safetensors",
    ),
    "NumPy": (
        lambda path: path.write_bytes(_npz({k: v.numpy() for k, v in _weights().items()})),
        "NumPy (.npz)",
    ),
    "a whole network": (lambda path: torch.save(LESSON, path), "whole network"),
    "a whole network before PyTorch 1.6": (_old_network, "whole network"),
    "a whole network in a checkpoint": (
        lambda path: torch.save({"epoch": 3, "args": Namespace(lr=1), "model": LESSON}, path),
        "whole network",
    ),
}


def _npz(arrays: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", CONVERTIBLE)
def test_the_two_lines_of_the_message_make_a_file_that_is_read(
    kind: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, told = CONVERTIBLE[kind]
    write(path)
    error = _refusal(path)
    assert error.key == "model_resave"
    assert told in str(error)
    monkeypatch.chdir(path.parent)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _run("\n".join(_lines(error)))
    loaded = load_model(path.with_name("weights.pt"))
    assert torch.equal(loaded.model(_images()), LESSON(_images()))


def _archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"{}")
    return buffer.getvalue()


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("weights.pt"))
    return buffer.getvalue()


OTHERS = {
    "HDF5 (Keras)": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "torch.export (.pt2)": _archive("m/archive_format", "m/models/model.json"),
    "ZIP": _archive("word/document.xml"),
    "NumPy (.npy)": b"\x93NUMPY\x01\x00" + bytes(100),
    "ONNX": b"\x08\x08\x12\x07pytorch\x1a\x052.9.0" + bytes(100),
    "TensorFlow Lite": b"\x1c\x00\x00\x00TFL3" + bytes(100),
    "GGUF": b"GGUF\x03\x00" + bytes(100),
    "gzip": gzip.compress(b"weights"),
    "tar": _tar(),
    "Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "HTML": b"\n<!DOCTYPE html><html></html>",
    "pickle (Python)": pickle.dumps({"conv1.weight": np.zeros(3)}),
}


@pytest.mark.parametrize("told", OTHERS)
def test_a_file_of_another_kind_is_told_for_what_it_is(told: str, path: Path) -> None:
    path.write_bytes(OTHERS[told])
    assert _reason(path) == ("reason_format", {"format": told})


def test_of_a_keras_file_the_command_that_takes_it_in_is_told(path: Path) -> None:
    path.write_bytes(_archive("config.json", "metadata.json", "model.weights.h5"))
    with pytest.raises(ModelError, match="taller-cnn import keras"):
        load_model(path)


def test_code_that_is_no_network_is_named_and_nothing_is_advised(path: Path) -> None:
    torch.save({"state_dict": _weights(), "args": Namespace(lr=1)}, path)
    assert _reason(path) == ("reason_code", {"code": "argparse.Namespace"})


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: torch.eye(16).to_sparse(), "sparse_coo"),
        (lambda: torch.quantize_per_tensor(torch.zeros(16), 0.1, 0, torch.qint8), "quantized"),
        (lambda: torch.zeros(16, device="meta"), "meta"),
    ],
)
def test_tensors_without_a_number_in_every_place_are_told_for_what_they_are(
    make: Callable[[], Tensor], kind: str, path: Path
) -> None:
    with warnings.catch_warnings():
        # Quantized tensors are on their way out; files of them are not.
        warnings.simplefilter("ignore")
        torch.save(_prefixed("", **{"conv1.bias": make()}), path)
    assert _reason(path) == ("reason_not_dense", {"name": "conv1.bias", "kind": kind})
