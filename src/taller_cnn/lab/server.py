"""The lab on a port: where it listens, and how it ends."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress

import numpy as np
import uvicorn
from starlette.types import ASGIApp, Message

from taller_cnn.errors import InputError, TallerError
from taller_cnn.lab.lab import Lab
from taller_cnn.lab.security import Access
from taller_cnn.reasons import os_reason

POLL_SECONDS = 0.1
"""How often a wish to stop is looked for."""
SHUTDOWN_SECONDS = 3
BACKLOG = 512

FIRST_ASKED = ("/", "/static/lab_main.js", "/api/health", "/api/models", "/api/digits")
"""What the page asks for first; the first answers of an application take ten times as long."""
FIRST_DIGITS = (1, 1, 2, 16)
"""How many the network is asked at a time; its first answers take a hundred times as long."""

Listening = Callable[[], None]


class _Server(uvicorn.Server):
    """uvicorn, which leaves signals to the program that it runs in."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


def listen(host: str, port: int, *, or_any: bool) -> socket.socket:
    """A socket that listens.

    Args:
        host: an address, or a name that has one.
        port: the port.
        or_any: whether a free port will do where that one is taken.

    Raises:
        InputError: the host is not one of this machine's, or the port cannot be had.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError):
        raise InputError("lab_address", host=host) from None
    # Named, because asyncio turns off Nagle's algorithm, 40 ms an answer, only where it is.
    server = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            # A lab that was just closed leaves the port waiting. Elsewhere this means sharing it.
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not or_any:
                raise
            server.bind((address[0], 0, *address[2:]))
        server.listen(BACKLOG)
    except OSError as error:
        server.close()
        key = "lab_port" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "lab_address"
        raise InputError(key, host=host, port=port, reason=os_reason(error)) from error
    return server


def serve(
    app: ASGIApp,
    lab: Lab,
    server_socket: socket.socket,
    stop: threading.Event,
    ready: Listening,
    access: Access | None = None,
) -> None:
    """Answer requests until `stop` is set; then end the training and the open connections.

    Args:
        app: from `create_app`.
        lab: the lab that the application is of.
        server_socket: from `listen`; closed at the end.
        stop: looked at ten times a second.
        ready: called once requests are answered.
        access: who may use the lab, as `create_app` was told.

    Raises:
        Exception: whatever the application's first answers or `ready` raise.
    """
    config = _settings(app)
    server = _Server(config)

    async def watch() -> None:
        try:
            while not server.started:
                await asyncio.sleep(POLL_SECONDS / 10)
            await _warm_up(app, lab, access or Access())
            ready()
            while not stop.is_set():
                await asyncio.sleep(POLL_SECONDS)
            # First the training: its events keep connections open.
            await lab.runs.close()
        finally:
            server.should_exit = True

    async def main() -> None:
        watcher = asyncio.create_task(watch())
        await server.serve(sockets=[server_socket])
        watcher.cancel()
        # What went wrong in it goes on from here.
        with suppress(asyncio.CancelledError):
            await watcher

    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(main())


async def _warm_up(app: ASGIApp, lab: Lab, access: Access) -> None:
    """Have everything answered once that the page asks for; what is missing the page says."""
    with suppress(TallerError):
        model = await lab.models.recent()
        for n in FIRST_DIGITS:
            await lab.batcher.ask(model, np.zeros((n, 28, 28), dtype=np.float32))
    for path in FIRST_ASKED:
        await _ask(app, path, access)
    # What is there now stays: looking through all of it for garbage would hold up answers.
    gc.collect()
    gc.freeze()


async def _ask(app: ASGIApp, path: str, access: Access) -> None:
    """Let the application answer a request that nobody has sent."""

    async def receive() -> Message:
        # Nobody sends a body, and nobody hangs up.
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        pass

    headers = [(b"host", b"localhost")]
    if access.token is not None:
        headers.append((b"authorization", b"Bearer " + access.token.encode("ascii")))
    await app(
        {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode("ascii"),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "client": None,
            "server": None,
        },
        receive,
        send,
    )


def _settings(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        server_header=False,
        ws="none",
        proxy_headers=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
