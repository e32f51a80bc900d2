"""No test may reach a network: what `conftest.py` blocks, and what it lets pass."""

from __future__ import annotations

import socket
import urllib.request
from pathlib import Path

import pytest

from taller_cnn.data import DigitsPlace


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_another_machine_is_not_reached(host: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=f"reach the network: {host}"):
        socket.create_connection((host, 80), timeout=0.1)


def test_no_name_is_looked_up() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"reach the network: example\.org"):
        urllib.request.urlopen("http://example.org/", timeout=0.1)


def test_a_download_is_not_taken_for_one_that_failed(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="reach the network"):
        DigitsPlace.in_workdir(tmp_path).load()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_servers_on_this_machine_are_reached(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection((host, server.getsockname()[1]), timeout=5).close()
