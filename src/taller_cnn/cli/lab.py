"""``taller-cnn lab``."""

from __future__ import annotations

import ipaddress
import os
import re
import sys
import threading
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taller_cnn.cli.command import Option
from taller_cnn.cli.config_options import network, network_options
from taller_cnn.cli.loading import show_model_notices
from taller_cnn.cli.options import DATA_DIR, MODEL, WORKDIR, command
from taller_cnn.cli.signals import stop_on_signals
from taller_cnn.cli.terminal import Terminal
from taller_cnn.cli.values import Key, Value, WrongValue, whole_number
from taller_cnn.errors import ModelError

if TYPE_CHECKING:
    from taller_cnn.checkpoints import LoadedModel
    from taller_cnn.lab.lab import Lab
    from taller_cnn.lab.security import Access

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8000


def _port(text: str) -> int:
    value = whole_number(text)
    if not 0 <= value <= 65535:
        raise WrongValue("cli_lab_port", text)
    return value


def _host_names(text: str) -> tuple[str, ...]:
    """``hub.example,my-pc`` as names, in the form that browsers send."""
    return tuple(_host_name(part.strip()) for part in text.split(","))


def _host_name(text: str) -> str:
    with suppress(ValueError):
        return str(ipaddress.ip_address(text.strip("[]")))
    with suppress(UnicodeError):
        name = text.lower().rstrip(".").encode("idna").decode("ascii")
        if re.fullmatch(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", name):
            return name
    raise WrongValue("cli_lab_host_name", text)


@command(
    Option("--no-browser", panel="general", help="cli_lab.option.no_browser"),
    Option(
        "--host",
        panel="general",
        help="cli_lab.option.host",
        type=Value(str, Key("cli_lab.metavar.address")),
        default=LOOPBACK,
    ),
    Option(
        "--port",
        panel="general",
        help="cli_lab.option.port",
        type=Value(_port, Key("cli.metavar.integer")),
        show_default=Key("cli_lab.option.port_default"),
    ),
    Option(
        "--allow-host",
        panel="general",
        help="cli_lab.option.allow_host",
        type=Value(_host_names, Key("cli_lab.metavar.names")),
        show_default=Key("cli_lab.option.allow_host_default"),
    ),
    MODEL,
    *network_options(),
    DATA_DIR,
    WORKDIR,
)
def lab(
    terminal: Terminal,
    *,
    no_browser: bool,
    host: str,
    port: int | None,
    allow_host: tuple[str, ...] | None,
    model: Path | None,
    data_dir: Path | None,
    workdir: Path,
    **fields: Any,
) -> None:
    """Open the lab: a page to draw, look inside, train and compare."""
    terminal.say("cli_lab.starting", "dim")
    # What is imported and read here is not waited for by the page.
    import torch

    from taller_cnn.lab.app import create_app
    from taller_cnn.lab.lab import Lab
    from taller_cnn.lab.opening import access_for, page_address
    from taller_cnn.lab.server import listen, serve

    # A digit is too small to share between threads, and the training has a process of its own.
    torch.set_num_threads(1)
    config = network(fields)
    opened = Lab.in_folder(workdir, data_dir, terminal.messages.tag, config, model)
    if model:
        # What is wrong with it is said here and not on the page.
        show_model_notices(terminal, _named_model(opened, model))
    elif config and opened.models.path("main"):
        # Otherwise it is read when the page asks for it.
        show_model_notices(terminal, opened.models.get("main").loaded)
    access = access_for(host, allow_host or ())
    server = listen(host, DEFAULT_PORT if port is None else port, or_any=port is None)
    port = server.getsockname()[1]
    address = page_address(host, port, access.token)

    def ready() -> None:
        _announce(terminal, opened, address, page_address(host, port), access)
        if not no_browser and _has_screen():
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    with stop_on_signals() as stop:
        serve(create_app(opened, access), opened, server, stop, ready, access)
    terminal.say("cli_lab.closed", "dim")


def _named_model(opened: Lab, path: Path) -> LoadedModel:
    if opened.models.path("opened") is None:
        raise ModelError("no_model", path=path)
    return opened.models.get("opened").loaded


def _announce(
    terminal: Terminal, opened: Lab, address: str, bare_address: str, access: Access
) -> None:
    result = {"address": address}
    if access.token:
        terminal.notice(terminal.messages("cli_lab.network"))
    if opened.models.default is None:
        terminal.notice(terminal.messages("cli_lab.no_model"))
    terminal.say("cli_lab.address", "bold", address=address)
    if access.class_key:
        terminal.say("cli_lab.class", "bold", address=bare_address, class_key=access.class_key)
        result["class_address"] = f"{bare_address}?token={access.class_key}"
    if access.in_front:
        names = ", ".join(sorted(access.in_front))
        terminal.say("cli_lab.in_front", names=names, token=access.token)
    terminal.say("cli_lab.how_to_stop", "dim")
    terminal.result(result)


def _has_screen() -> bool:
    """Whether a browser has where to open; one in the terminal would take it over."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
