from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import json_schemas
import pytest

from taller_cnn.cli.lab import _host_names


@contextmanager
def opened(
    workdir: Path, *words: str, told: str = "address"
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``taller-cnn lab`` in a process of its own, and what it printed of its result."""
    command = [sys.executable, "-m", "taller_cnn", "lab", "--no-browser", "--json", *words]
    process = subprocess.Popen(
        [*command, "--workdir", str(workdir), "--lang", "en"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            json_schemas.check("lab", json.loads(line))
            yield process, json.loads(line)[told]
        finally:
            if process.poll() is None:
                process.kill()


def test_a_port_that_is_none_is_told(cli) -> None:
    for value in ("x", "-1", "70000"):
        outcome = cli("lab", "--no-browser", "--port", value)
        assert outcome.code == 2
        assert "--port" in outcome.err


def test_an_address_of_another_machine_is_told(cli, workdir: Path) -> None:
    outcome = cli("lab", "--no-browser", "--host", "192.0.2.77", "--workdir", workdir)
    assert outcome.code == 2
    assert "192.0.2.77" in outcome.err


def test_a_port_that_was_asked_for_and_is_taken_is_told(cli, workdir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        outcome = cli("lab", "--no-browser", "--port", port, "--workdir", workdir)
    assert outcome.code == 2
    assert port in outcome.err


@pytest.mark.slow
def test_the_lab_opens_answers_and_closes_on_ctrl_c(trained_workdir: Path) -> None:
    with opened(trained_workdir) as (process, address):
        began = time.monotonic()
        for path in ("", "api/models", "api/models/main", "api/digits"):
            with urllib.request.urlopen(address + path) as answer:
                assert answer.status == 200
        # What the page asks for first.
        assert time.monotonic() - began < 1.5
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=15)
        assert (process.returncode, out) == (0, "")
        assert "Traceback" not in err
        assert "is closed" in err


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SIGTERM")
def test_a_second_lab_takes_another_port_and_both_close_on_sigterm(trained_workdir: Path) -> None:
    with (
        opened(trained_workdir) as (one, first),
        opened(trained_workdir) as (two, second),
    ):
        assert first != second
        for process in (one, two):
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=15)
            assert process.returncode == 0


@pytest.mark.slow
def test_from_the_network_only_the_printed_address_opens_the_lab(trained_workdir: Path) -> None:
    with opened(trained_workdir, "--host", "0.0.0.0", "--port", "0") as (_, address):
        port = address.split(":")[2].split("/")[0]
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/models")
        with refused.value:
            assert refused.value.code == 401
        token = address.partition("token=")[2]
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/models", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200


@pytest.mark.slow
def test_the_class_gets_an_address_with_a_short_key(trained_workdir: Path) -> None:
    with opened(trained_workdir, "--host", "0.0.0.0", "--port", "0", told="class_address") as (
        _,
        address,
    ):
        port, _, key = address.split(":")[2].partition("/?token=")
        assert re.fullmatch(r"[a-z2-9]{4}-[a-z2-9]{4}", key)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/?token={key}") as answer:
            assert "pupil." in answer.headers["Set-Cookie"]


@pytest.mark.parametrize(
    "value",
    [
        "https://hub.example",
        "hub.example:8443",
        "hub.example/lab",
        "*",
        "*.example",
        "",
        "a b",
        "-",
    ],
)
def test_what_is_no_name_of_a_host_is_told(cli, value: str) -> None:
    outcome = cli("lab", "--no-browser", "--allow-host", value, "--lang", "en", "--json")
    assert (outcome.code, outcome.json["kind"]) == (2, "cli_lab_host_name")
    assert "hub.example" in outcome.json["error"]


def test_names_of_hosts_are_read_as_browsers_send_them() -> None:
    assert _host_names("Hub.Example., my_pc,10.0.0.7,fe80::1") == (
        "hub.example",
        "my_pc",
        "10.0.0.7",
        "fe80::1",
    )
    assert _host_names("año.example") == ("xn--ao-zja.example",)


@pytest.mark.slow
def test_behind_a_name_that_is_allowed_the_token_is_asked_for(trained_workdir: Path) -> None:
    words = ("--allow-host", "hub.example", "--port", "0")
    with opened(trained_workdir, *words) as (_, address):
        place, _, token = address.partition("?token=")
        assert place.startswith("http://127.0.0.1:")
        asked = urllib.request.Request(place + "api/models", headers={"Host": "hub.example"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(asked)
        with refused.value:
            assert refused.value.code == 401
        asked.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(asked) as answer:
            assert answer.status == 200
