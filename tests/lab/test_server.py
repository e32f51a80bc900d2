from __future__ import annotations

import json
import socket
import threading
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from taller_cnn.config import recipe
from taller_cnn.errors import InputError
from taller_cnn.lab.app import create_app
from taller_cnn.lab.lab import Lab
from taller_cnn.lab.runs import Run
from taller_cnn.lab.security import Access
from taller_cnn.lab.server import listen, serve
from taller_cnn.lab.worker_protocol import TrainingOrder


@pytest.fixture
def fresh_lab(lab_dir: Path) -> Lab:
    """A lab that no other event loop has used: its locks and runs belong to one."""
    return Lab.in_folder(lab_dir, lab_dir / "data", "en")


def test_a_port_that_is_taken_gives_way_to_a_free_one() -> None:
    with listen("127.0.0.1", 0, or_any=False) as first:
        port = first.getsockname()[1]
        with listen("127.0.0.1", port, or_any=True) as second:
            assert second.getsockname()[1] not in (0, port)
        with pytest.raises(InputError, match=str(port)):
            listen("127.0.0.1", port, or_any=False)


def test_the_address_of_another_machine_is_told() -> None:
    with pytest.raises(InputError, match="address of this computer"):
        listen("192.0.2.77", 0, or_any=True)


@pytest.mark.parametrize(
    "reason", [socket.gaierror(socket.EAI_NONAME, "not known"), UnicodeError("label too long")]
)
def test_a_host_that_is_not_known_is_told(
    reason: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(*_: object, **__: object) -> None:
        raise reason

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(InputError, match="no-such-host"):
        listen("no-such-host.invalid", 0, or_any=True)


def test_answers_are_not_held_back_to_save_packets() -> None:
    with listen("127.0.0.1", 0, or_any=False) as server:
        assert server.proto == socket.IPPROTO_TCP


def test_the_lab_answers_until_it_is_told_to_stop(fresh_lab: Lab) -> None:
    stop, answers = threading.Event(), []
    server = listen("127.0.0.1", 0, or_any=True)
    port = server.getsockname()[1]

    def ask() -> None:
        # While it answers; the server runs in the thread of the test.
        def asking() -> None:
            address = f"http://127.0.0.1:{port}/api/health"
            try:
                with urllib.request.urlopen(address, timeout=10) as answer:
                    answers.append((answer.headers["Server"], json.load(answer)))
            finally:
                stop.set()

        threading.Thread(target=asking).start()

    began = time.monotonic()
    serve(create_app(fresh_lab), fresh_lab, server, stop, ask)
    assert time.monotonic() - began < 10
    assert answers[0][0] is None
    assert answers[0][1]["status"] == "ok"
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/")


def test_the_page_has_been_answered_once_before_its_address_is_told(fresh_lab: Lab) -> None:
    app, asked, told = create_app(fresh_lab), [], []
    stop = threading.Event()

    async def noted(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope.get("path"))
        await app(scope, receive, send)

    def ready() -> None:
        told.extend(asked)
        stop.set()

    serve(noted, fresh_lab, listen("127.0.0.1", 0, or_any=True), stop, ready)
    assert {"/", "/api/models", "/api/digits"} <= set(told)


def test_what_goes_wrong_before_the_address_is_told_ends_the_server(fresh_lab: Lab) -> None:
    server = listen("127.0.0.1", 0, or_any=True)

    def broken() -> None:
        raise ArithmeticError("no browser")

    with pytest.raises(ArithmeticError, match="no browser"):
        serve(create_app(fresh_lab), fresh_lab, server, threading.Event(), broken)


def test_a_lab_on_the_network_lets_its_own_first_requests_in(fresh_lab: Lab) -> None:
    access, statuses, stop = Access.for_network("0.0.0.0"), [], threading.Event()
    app = create_app(fresh_lab, access)

    async def noted(scope: Scope, receive: Receive, send: Send) -> None:
        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            await send(message)

        await app(scope, receive, note)

    serve(noted, fresh_lab, listen("127.0.0.1", 0, or_any=True), stop, stop.set, access)
    assert len(statuses) >= 5
    assert set(statuses) == {200}


def test_who_has_closed_the_page_is_no_longer_counted(fresh_lab: Lab) -> None:
    model, train = recipe("quick")
    place = replace(fresh_lab.gallery.place, source="sample")
    folder = fresh_lab.runs.folder / "x"
    order = TrainingOrder(model=model, train=train, place=place, folder=folder)
    run = fresh_lab.runs.present = Run(order, ExitStack())
    stop, counted = threading.Event(), []
    server = listen("127.0.0.1", 0, or_any=True)
    address = server.getsockname()

    def listeners_become(count: int) -> bool:
        end = time.monotonic() + 20
        while run.history.listeners != count and time.monotonic() < end:
            time.sleep(0.02)
        return run.history.listeners == count

    def open_and_close() -> None:
        with socket.create_connection(address) as page:
            ask = f"GET /api/runs/{run.id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
            page.sendall(ask.encode("ascii"))
            counted.append(listeners_become(1))
        counted.append(listeners_become(0))
        stop.set()

    serve(
        create_app(fresh_lab),
        fresh_lab,
        server,
        stop,
        lambda: threading.Thread(target=open_and_close).start(),
    )
    assert counted == [True, True]
