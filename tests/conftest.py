"""Fixtures that several test files share: where digits are, and an environment of its own."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import hypothesis
import pytest
import torch

from taller_cnn.data import Digits, DigitsPlace

REPO = Path(__file__).resolve().parents[1]
# Taken now, because each test runs without the variable.
FULL_DATA = Path(os.environ.get("TALLER_DATA_DIR") or REPO.parent / "shared" / "data")

# Two threads wait for each other at every step: on a loaded machine that takes ten times as long.
torch.set_num_threads(1)
# A loaded machine may take long over one example; slowness is not what properties are about.
# Where CI is set, the examples are the same each time: a red run is then due to the change at hand.
# Elsewhere they are new ones each time, and look for what nobody has thought of.
hypothesis.settings.register_profile("taller", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("taller")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests marked ``full`` where the full MNIST is not there."""
    if item.get_closest_marker("full") and not (FULL_DATA / "MNIST" / "raw").is_dir():
        pytest.skip(
            "needs the full MNIST: its four files in MNIST/raw under TALLER_DATA_DIR "
            f"or under {FULL_DATA}"
        )


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TALLER_LANG", raising=False)
    monkeypatch.delenv("TALLER_DATA_DIR", raising=False)


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """Fail tests that reach for another machine, by its address or its name.

    Datagrams pass: asking the system for this machine's own address connects one and sends
    nothing. A test that fails here would otherwise wait, or pass or fail with the connection.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _to_this_machine(getattr(socket.socket, name)))
        patch.setattr(socket, "getaddrinfo", _without_names(socket.getaddrinfo))
        yield


def _to_this_machine(connect: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: socket.socket, address: Any) -> Any:
        is_internet = self.family in (socket.AF_INET, socket.AF_INET6)
        if is_internet and self.type == socket.SOCK_STREAM and not _is_local(address[0]):
            self.close()
            _refuse(address[0])
        return connect(self, address)

    return guarded


def _without_names(getaddrinfo: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(host: Any, *values: Any, **named: Any) -> Any:
        if host and not _is_address(host) and not _is_local(host):
            _refuse(host)
        return getaddrinfo(host, *values, **named)

    return guarded


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_local(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _refuse(host: str) -> NoReturn:
    # No exception of the usual kind, which the code under test would take for a failed download.
    pytest.fail(f"this test would reach the network: {host}")


@pytest.fixture(scope="session")
def full_data_dir() -> Path:
    """The data folder with the full MNIST; mark the test ``full``."""
    return FULL_DATA


@pytest.fixture(scope="session")
def sample_dir(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample in ``MNIST/raw``; kept between sessions, checked when loaded."""
    cache = getattr(pytestconfig, "cache", None)
    folder = cache.mkdir("sample") if cache else tmp_path_factory.mktemp("sample")
    DigitsPlace(data_dir=folder, sample_dir=folder, source="sample").load()
    return folder


@pytest.fixture(scope="session")
def sample_digits(sample_dir: Path) -> Digits:
    """The sample: 3,500 digits to train on, 500 for validation, 1,000 for the test."""
    return DigitsPlace(data_dir=sample_dir, sample_dir=sample_dir, source="sample").load()


@pytest.fixture(scope="session")
def tiny_digits(sample_digits: Digits) -> Digits:
    """300 digits to train on, 100 for validation, 100 for the test: for runs under a second."""
    return replace(
        sample_digits,
        train=sample_digits.train[:300],
        validation=sample_digits.validation[:100],
        test=sample_digits.test[:100],
        checksum="tiny",
        verified=False,
    )


@pytest.fixture
def workdir(tmp_path: Path, sample_dir: Path) -> Path:
    """An empty working folder but for the sample in ``data/sample``, which takes time to write."""
    shutil.copytree(sample_dir / "MNIST", tmp_path / "data" / "sample" / "MNIST")
    return tmp_path
