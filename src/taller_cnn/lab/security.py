"""Who gets in: the first thing that sees a request.

- Host names other than the lab's own are refused, so that no site can point its name at the lab
  (DNS rebinding); requests from pages of other sites are refused.
- Open to the network, the lab asks for the token of the printed address, once; a cookie that no
  script can read takes its place.
- Bodies over the limit are refused before they are read.
- Every answer carries the headers that keep the page to itself.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taller_cnn.errors import TallerError
from taller_cnn.lab.problems import (
    MEDIA_TYPE,
    ForbiddenError,
    TooLargeError,
    UnauthorisedError,
    problem_bytes,
    problem_of,
    wanted_messages,
)

__all__ = ["MOST_BODY", "PAGE_POLICY", "Access", "Gate"]

MOST_BODY = 10_000_000
"""Bytes of a request's body."""
COOKIE = "taller_session"
LOOPBACK = ("127.0.0.1", "localhost", "::1")

PAGE_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_POLICY = (b"content-security-policy", PAGE_POLICY.encode("ascii"))


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who may use the lab."""

    names: frozenset[str] = frozenset(LOOPBACK)
    """Host names that the lab answers to, without port, lower-case."""
    any_address: bool = False
    """Whether it answers to every numeric address, as a server on all of them does."""
    token: str | None = None
    """What the printed address carries; None asks for nothing."""
    session: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    """What the cookie carries."""

    @classmethod
    def for_network(cls, host: str, names: Iterable[str] = ()) -> Access:
        """For a server on an address that others reach.

        Args:
            host: the address or name it listens on; ``0.0.0.0`` and ``::`` are all addresses.
            names: other names of this machine.
        """
        return cls(
            names=frozenset({*LOOPBACK, host.lower(), *(name.lower() for name in names)}),
            any_address=host in ("0.0.0.0", "::"),
            token=secrets.token_urlsafe(32),
        )

    def knows_host(self, header: str) -> bool:
        """Whether a ``Host`` header names this lab."""
        matched = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]/@]+)(:\d{1,5})?", header)
        if not matched:
            return False
        name = matched[1].strip("[]").lower().rstrip(".")
        return name in self.names or (self.any_address and _is_address(name))

    def knows_token(self, token: str) -> bool:
        """Whether the token is the one of the printed address."""
        return self.token is not None and _same(token, self.token)

    def lets_in(self, cookies: str, authorization: str) -> bool:
        """Whether a request carries the cookie, or the token as ``Authorization: Bearer``."""
        if self.token is None:
            return True
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer" and self.knows_token(token.strip()):
            return True
        pairs = (part.strip().partition("=") for part in cookies.split(";"))
        return any(name == COOKIE and _same(value, self.session) for name, _, value in pairs)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _same(one: str, other: str) -> bool:
    """Equality that takes as long wherever the difference is."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("ascii"))


class Gate:
    """The ASGI application that everything passes through.

    Args:
        app: answers what is let in.
        predict: answers ``POST /api/predict``.
        access: who may use the lab.
        language: language tag of refusals, where the request asks for none.
    """

    def __init__(self, app: ASGIApp, predict: ASGIApp, access: Access, language: str) -> None:
        self.app, self.predict, self.access, self.language = app, predict, access, language

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request in, or answer it with a problem."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = _headers(scope)
        send = _Guarded(send)
        try:
            self._check(scope, headers)
            if await self._exchanged(scope, send):
                return
            if not self.access.lets_in(headers["cookie"], headers["authorization"]):
                raise UnauthorisedError("lab_token")
            receive = _Limited(receive, headers["content-length"])
            fast = scope["path"] == "/api/predict" and scope["method"] == "POST"
            await (self.predict if fast else self.app)(scope, receive, send)
        except TallerError as error:
            if send.started:
                raise
            await _refuse(error, headers["accept-language"], self.language, send)
        except Exception:
            if send.started:
                raise
            # Told to whoever runs the lab; the reader gets no insides.
            logging.getLogger(__name__).exception("%s %s", scope["method"], scope["path"])
            fault = TallerError("lab_fault")
            await _refuse(fault, headers["accept-language"], self.language, send)

    def _check(self, scope: Scope, headers: dict[str, str]) -> None:
        """Refuse what another site has caused."""
        host, origin = headers["host"], headers["origin"]
        if not self.access.knows_host(host):
            raise ForbiddenError("lab_host", value=host[:100])
        if origin and origin.lower() != f"{scope['scheme']}://{host}".lower():
            raise ForbiddenError("lab_origin", value=origin[:100])
        # Pictures and links carry no Origin; browsers say where they come from all the same.
        elsewhere = headers["sec-fetch-site"] in ("cross-site", "same-site")
        if elsewhere and not (scope["method"] == "GET" and scope["path"] == "/"):
            raise ForbiddenError("lab_origin", value=headers["sec-fetch-site"])

    async def _exchanged(self, scope: Scope, send: Send) -> bool:
        """Give the cookie for the token of the address, if it is there and the right one."""
        if scope["path"] != "/" or not scope["query_string"]:
            return False
        token = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if not self.access.knows_token(token):
            return False
        cookie = f"{COOKIE}={self.access.session}; HttpOnly; SameSite=Strict; Path=/"
        # Not a redirect: to one that began at a link elsewhere the browser would not send the
        # cookie. The page that this loads is asked for by the lab's own page.
        page = (
            b'<!doctype html><title>taller-cnn</title><meta http-equiv="refresh" content="0;url=/">'
        )
        extra = [(b"set-cookie", cookie.encode("ascii")), (b"cache-control", b"no-store")]
        await _answer(send, 200, b"text/html; charset=utf-8", page, extra)
        return True


_WANTED = {
    name.encode("ascii"): name
    for name in (
        "host",
        "origin",
        "sec-fetch-site",
        "content-length",
        "cookie",
        "authorization",
        "accept-language",
    )
}


def _headers(scope: Scope) -> dict[str, str]:
    """The headers that are looked at; of one that comes twice, both."""
    found = dict.fromkeys(_WANTED.values(), "")
    for name, value in scope["headers"]:
        known = _WANTED.get(name)
        if known is not None:
            text = value.decode("latin-1")
            found[known] = f"{found[known]},{text}" if found[known] else text
    return found


class _Guarded:
    """Adds the safety headers to an answer."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = list(message.get("headers", ()))
            headers += _HEADERS
            if not any(name == _POLICY[0] for name, _ in headers):
                headers.append(_POLICY)
            message = {**message, "headers": headers}
        await self._send(message)


class _Limited:
    """Counts a body as it comes in, and refuses it where it passes the limit."""

    def __init__(self, receive: Receive, length: str) -> None:
        self._receive = receive
        self._read = 0
        if length.isdigit() and int(length) > MOST_BODY:
            raise TooLargeError("lab_body", most_mb=MOST_BODY / 1e6)

    async def __call__(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self._read > MOST_BODY:
            raise TooLargeError("lab_body", most_mb=MOST_BODY / 1e6)
        return message


async def _refuse(error: TallerError, wanted: str, language: str, send: Send) -> None:
    found = problem_of(error, wanted_messages(wanted, language))
    extra: list[tuple[bytes, bytes]] = []
    if isinstance(error, UnauthorisedError):
        extra.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, TooLargeError):
        # The rest of the body is not read.
        extra.append((b"connection", b"close"))
    media_type = MEDIA_TYPE.encode("ascii")
    await _answer(send, found.status, media_type, problem_bytes(found), extra)


async def _answer(
    send: Send, status: int, media_type: bytes, body: bytes, extra: list[tuple[bytes, bytes]]
) -> None:
    length = str(len(body)).encode("ascii")
    headers: list[Any] = [(b"content-type", media_type), (b"content-length", length), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
