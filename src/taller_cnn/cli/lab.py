"""``taller-cnn lab``."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
import threading
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from taller_cnn.cli.options import DataDir, Workdir, data_folder, panel
from taller_cnn.cli.signals import stop_on_signals
from taller_cnn.cli.terminal import Terminal
from taller_cnn.cli.values import WrongValue, whole_number

if TYPE_CHECKING:
    from taller_cnn.lab.lab import Lab
    from taller_cnn.lab.security import Access

__all__ = ["lab"]

LOOPBACK = "127.0.0.1"
PORT = 8000
ALL_ADDRESSES = ("0.0.0.0", "::")


def _port(text: str) -> int:
    value = whole_number(text)
    if not 0 <= value <= 65535:
        raise WrongValue("cli_lab_port", text)
    return value


NoBrowser = Annotated[bool, panel("general", "--no-browser", help="cli_lab.option.no_browser")]
Host = Annotated[
    str,
    panel(
        "general",
        "--host",
        help="cli_lab.option.host",
        metavar="cli_lab.metavar.address",
        parser=str,
    ),
]
Port = Annotated[
    int | None,
    panel(
        "general",
        "--port",
        help="cli_lab.option.port",
        metavar="cli.metavar.integer",
        parser=_port,
        show_default="cli_lab.option.port_default",
    ),
]


def lab(
    context: typer.Context,
    no_browser: NoBrowser = False,
    host: Host = LOOPBACK,
    port: Port = None,
    data_dir: DataDir = None,
    workdir: Workdir = Path(),
) -> None:
    """Open the lab: a page to draw, look inside, train and compare."""
    terminal: Terminal = context.obj
    terminal.say("cli_lab.starting", "dim")
    # What is imported and read here is not waited for by the page.
    from taller_cnn.lab.app import create_app
    from taller_cnn.lab.lab import Lab
    from taller_cnn.lab.server import listen, serve

    _one_thread()
    opened = Lab.in_folder(workdir, data_folder(data_dir, workdir), terminal.messages.tag)
    access = _access(host)
    server = listen(host, PORT if port is None else port, or_any=port is None)
    address = _address(host, server.getsockname()[1], access)

    def ready() -> None:
        _announce(terminal, opened, address, access)
        if not no_browser and _has_screen():
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    with stop_on_signals() as stop:
        serve(create_app(opened, access), opened, server, stop, ready, access)
    terminal.say("cli_lab.closed", "dim")


def _one_thread() -> None:
    """A digit is too small to share between threads, and the training has a process of its own."""
    import torch

    torch.set_num_threads(1)


def _access(host: str) -> Access:
    """Everybody on this machine; from elsewhere, whoever has the printed address."""
    from taller_cnn.lab.security import Access

    if _is_loopback(host):
        return Access()
    own = socket.gethostname()
    return Access.for_network(host, [own, f"{own}.local", socket.getfqdn(), _outer_address()])


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host.lower() == "localhost"


def _outer_address() -> str:
    """The address that others reach this machine by; nothing is sent to find it."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # An address that documentation may use (RFC 5737): only the route to it is looked up.
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
    return socket.gethostname()


def _address(host: str, port: int, access: Access) -> str:
    """What to open in a browser."""
    name = _outer_address() if host in ALL_ADDRESSES else host
    shown = f"[{name}]" if ":" in name else name
    query = f"?token={access.token}" if access.token else ""
    return f"http://{shown}:{port}/{query}"


def _announce(terminal: Terminal, opened: Lab, address: str, access: Access) -> None:
    if access.token:
        terminal.notice(terminal.messages("cli_lab.network"))
    if opened.models.default is None:
        terminal.notice(terminal.messages("cli_lab.no_model"))
    terminal.say("cli_lab.address", "bold", address=address)
    terminal.say("cli_lab.how_to_stop", "dim")
    terminal.result({"address": address})
    sys.stdout.flush()


def _has_screen() -> bool:
    """Whether a browser has where to open; one in the terminal would take it over."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
