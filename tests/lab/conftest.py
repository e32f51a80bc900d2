"""A lab in a folder of its own, with a small network whose weights are drawn and not learned."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from starlette.types import ASGIApp

from taller_cnn.checkpoints import ModelInfo, save_model
from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import MNIST_SCALE
from taller_cnn.lab.app import create_app
from taller_cnn.lab.lab import Lab
from taller_cnn.lab.problems import LabError
from taller_cnn.model import SimpleCNN

SMALL = ModelConfig(filters=(4,), hidden=16)
ADDRESS = "http://127.0.0.1:8000"


def _save_small(path: Path, *, seed: int = 0, config: ModelConfig = SMALL, **changes: Any) -> None:
    """Write a network with its description."""
    info: dict[str, Any] = {
        "model": config,
        "train": TrainConfig(seed=seed),
        "dataset": "mnist",
        "class_names": tuple("0123456789"),
        "scale": MNIST_SCALE,
        "source": "sample",
        "data_checksum": "",
    }
    model = SimpleCNN(config, seed=seed)
    if config.batch_norm:
        _shake_norms(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_model(model, path, ModelInfo(**{**info, **changes}))


def _shake_norms(model: SimpleCNN) -> None:
    """Give the normalisations statistics as after a training."""
    generator = torch.Generator().manual_seed(7)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            for value in (module.running_mean, module.bias.data):
                value.copy_(torch.randn(value.shape, generator=generator))
            for value in (module.running_var, module.weight.data):
                value.copy_(torch.rand(value.shape, generator=generator) + 0.5)


@pytest.fixture(scope="session")
def lab_dir(tmp_path_factory: pytest.TempPathFactory, sample_dir: Path) -> Path:
    """A working folder with the sample and a model; for reading only."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(sample_dir / "MNIST", folder / "data" / "sample" / "MNIST")
    _save_small(folder / "modelo" / "cnn_mnist.pt")
    return folder


@pytest.fixture(scope="session")
def shared_lab(lab_dir: Path) -> Lab:
    """The lab of that folder."""
    return Lab.in_folder(lab_dir, lab_dir / "data", "en")


class Client:
    """Asks an application in this process, each time in an event loop of its own."""

    def __init__(self, app: ASGIApp, address: str = ADDRESS) -> None:
        self.app, self.address = app, address

    def request(self, method: str, path: str, **values: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url=self.address) as client:
                return await client.request(method, path, **values)

        return asyncio.run(ask())

    def get(self, path: str, **values: Any) -> httpx.Response:
        return self.request("GET", path, **values)

    def post(self, path: str, **values: Any) -> httpx.Response:
        return self.request("POST", path, **values)


@pytest.fixture(scope="session")
def client(shared_lab: Lab) -> Client:
    """Asks that lab."""
    return Client(create_app(shared_lab))


@pytest.fixture(scope="session")
def client_of() -> Callable[..., Client]:
    """Makes something that asks a lab or an application."""

    def make(asked: Any, *arguments: Any) -> Client:
        return Client(create_app(asked) if isinstance(asked, Lab) else asked, *arguments)

    return make


@pytest.fixture(scope="session")
def save_small() -> Callable[..., None]:
    """Writes a small network with its description to a path."""
    return _save_small


@pytest.fixture(scope="session")
def shake_norms() -> Callable[[SimpleCNN], None]:
    """Gives the normalisations of a network statistics as after a training."""
    return _shake_norms


@pytest.fixture
def own_lab(workdir: Path) -> Lab:
    """A lab in a folder that the test may change; there is no model yet."""
    return Lab.in_folder(workdir, workdir / "data", "en")


@pytest.fixture(scope="session")
def refused() -> Callable[..., Any]:
    """Checks that something is refused with a status."""

    @contextmanager
    def check(status: int, match: str | None = None) -> Iterator[pytest.ExceptionInfo[LabError]]:
        with pytest.raises(LabError, match=match) as caught:
            yield caught
        assert caught.value.status == status

    return check


Problem = Callable[..., dict[str, Any]]


@pytest.fixture
def problem() -> Problem:
    """Checks that an answer is a problem of a kind, and gives it."""

    def check(answer: Any, status: int, key: str) -> dict[str, Any]:
        assert (answer.status_code, answer.headers["content-type"]) == (
            status,
            "application/problem+json",
        )
        value: dict[str, Any] = answer.json()
        assert (value["status"], value["key"]) == (status, key)
        assert value["type"] == f"urn:taller-cnn:problem:{key}"
        assert value["title"]
        assert value["detail"]
        return value

    return check
