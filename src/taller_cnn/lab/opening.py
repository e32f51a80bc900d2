"""How the lab is opened: who gets in, and by which address."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from contextlib import suppress

from taller_cnn.lab.security import Access

ALL_ADDRESSES = ("0.0.0.0", "::")


def access_for(host: str, in_front: Sequence[str] = ()) -> Access:
    """Everybody on this machine; from elsewhere, whoever has the address with the token.

    Args:
        host: what the lab listens on: an address, or a name of this machine.
        in_front: names of proxies that lead here. They come from this machine too, so that with
            one of them everybody needs the token.
    """
    if is_loopback(host):
        return Access.for_network(host, in_front=in_front) if in_front else Access()
    name = socket.gethostname()
    names = [name, f"{name}.local", socket.getfqdn(), _outer_address()]
    return Access.for_network(host, names, in_front)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address or a name."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host.lower() == "localhost"


def page_address(host: str, port: int, token: str | None = None) -> str:
    """The address to open in a browser, with a token or bare."""
    name = _outer_address() if host in ALL_ADDRESSES else host
    shown = f"[{name}]" if ":" in name else name
    query = f"?token={token}" if token else ""
    return f"http://{shown}:{port}/{query}"


def _outer_address() -> str:
    """The address that others reach this machine by; nothing is sent to learn it."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # An address that documentation may use (RFC 5737): only the route to it is looked up.
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
    return socket.gethostname()
