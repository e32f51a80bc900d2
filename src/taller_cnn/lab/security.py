"""Who gets in: the first thing that sees a request.

- Host names other than the lab's own are refused, so that no site can point its name at the lab
  (DNS rebinding); requests from pages of other sites are refused. Names in front of it, such as a
  proxy's, are its own where they were allowed.
- Open to the network or behind such a name, the lab asks for the token of the printed address,
  once; a cookie that no script can read takes its place.
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

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taller_cnn.errors import TallerError
from taller_cnn.lab.problems import MOST_BODY, LabError, problem_response, wanted_messages

COOKIE = "taller_session"
USUAL_PORTS = {"http": 80, "https": 443}
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
SAFETY_HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""What every answer carries; a page may come with a stricter policy of its own."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who may use the lab."""

    names: frozenset[str] = frozenset(LOOPBACK)
    """Host names that the lab answers to, without port, lower-case."""
    any_address: bool = False
    """Whether it answers to every numeric address, as a server on all of them does."""
    in_front: frozenset[str] = frozenset()
    """Names among them that a proxy has, which may speak another scheme or send another host."""
    token: str | None = None
    """What the printed address carries; None asks for nothing."""
    session: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    """What the cookie carries."""

    @classmethod
    def for_network(
        cls, host: str, names: Iterable[str] = (), in_front: Iterable[str] = ()
    ) -> Access:
        """For a server that others reach.

        Args:
            host: the address or name it listens on; ``0.0.0.0`` and ``::`` are all addresses.
            names: other names of this machine.
            in_front: names that lead here by a proxy, or that others have given this machine.
        """
        allowed = frozenset(name.lower() for name in in_front)
        return cls(
            names=frozenset({*LOOPBACK, host.lower(), *(name.lower() for name in names)}) | allowed,
            any_address=host in ("0.0.0.0", "::"),
            in_front=allowed,
            token=secrets.token_urlsafe(32),
        )

    def knows_host(self, header: str) -> bool:
        """Whether a ``Host`` header names this lab."""
        name = _host_name(header)
        return name in self.names or (self.any_address and _is_address(name))

    def knows_origin(self, origin: str, scheme: str, host: str) -> bool:
        """Whether an ``Origin`` header is that of the lab's page.

        Args:
            origin: the header.
            scheme: of the request as it arrived here.
            host: its ``Host`` header, which is known.
        """
        own, given = host.lower(), origin.lower()
        if given == f"{scheme}://{own}":
            return True
        page_scheme, _, page_host = given.partition("://")
        if page_scheme not in USUAL_PORTS or _host_name(page_host) not in self.in_front:
            return False
        # A proxy may end the encryption, may name the usual port, which browsers do not, and may
        # send the lab's own address in its name's place.
        same = own in (page_host, f"{page_host}:{USUAL_PORTS[page_scheme]}")
        return same or _host_name(own) not in self.in_front

    def knows_token(self, token: str) -> bool:
        """Whether the token is the one of the printed address."""
        return self.token is not None and _same(token, self.token)

    def lets_in(self, request: Request) -> bool:
        """Whether a request carries the cookie, or the token as ``Authorization: Bearer``."""
        if self.token is None:
            return True
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.knows_token(token.strip()):
            return True
        return _same(request.cookies.get(COOKIE, ""), self.session)


def _host_name(header: str) -> str:
    """The name in a ``Host`` header, lower-case and without port; empty if there is none."""
    matched = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]/@]+)(:\d{1,5})?", header)
    return matched[1].strip("[]").lower().rstrip(".") if matched else ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _same(given: str, secret: str) -> bool:
    """Equality that takes as long wherever the difference is."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode("ascii"))


class Gate:
    """The middleware that every request passes through.

    Args:
        app: answers what is let in.
        access: who may use the lab.
        language: language tag of refusals, where the request asks for none.
    """

    def __init__(self, app: ASGIApp, access: Access, language: str) -> None:
        self.app, self.access, self.language = app, access, language

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request in, or answer it with a problem."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        answer = _GuardedAnswer(send)
        try:
            self._refuse_other_sites(request)
            if self._brings_token(request):
                await self._entrance()(scope, receive, answer)
                return
            if not self.access.lets_in(request):
                raise LabError(401, "lab_token")
            await self.app(scope, _LimitedBody(request, receive), answer)
        except Exception as error:
            if answer.started:
                raise
            await self._refusal(request, error)(scope, receive, answer)

    def _refuse_other_sites(self, request: Request) -> None:
        """Refuse what another site has caused.

        Raises:
            LabError: it has.
        """
        host, origin = _header(request, "host"), _header(request, "origin")
        if not self.access.knows_host(host):
            raise LabError(403, "lab_host", value=host[:100])
        if origin and not self.access.knows_origin(origin, request.scope["scheme"], host):
            raise LabError(403, "lab_origin", value=origin[:100])
        # Pictures and links carry no Origin; browsers say where they come from all the same.
        site = _header(request, "sec-fetch-site")
        opens_page = (request.method, request.scope["path"]) == ("GET", "/")
        if site in ("cross-site", "same-site") and not opens_page:
            raise LabError(403, "lab_origin", value=site)

    def _brings_token(self, request: Request) -> bool:
        """Whether it is for the printed address, with the right token."""
        if request.scope["path"] != "/" or not request.scope["query_string"]:
            return False
        return self.access.knows_token(request.query_params.get("token", ""))

    def _entrance(self) -> Response:
        """The answer that gives the cookie for the token.

        Not a redirect: to one that began at a link elsewhere the browser would not send the
        cookie. The page that this loads is asked for by the lab's own page.
        """
        headers = {
            "Set-Cookie": f"{COOKIE}={self.access.session}; HttpOnly; SameSite=Strict; Path=/",
            "Cache-Control": "no-store",
        }
        page = (
            '<!doctype html><title>taller-cnn</title><meta http-equiv="refresh" content="0;url=/">'
        )
        return HTMLResponse(page, headers=headers)

    def _refusal(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, TallerError | HTTPException):
            # Told to whoever runs the lab; the reader gets no insides.
            logging.getLogger(__name__).error(
                "%s %s", request.method, request.scope["path"], exc_info=error
            )
        wanted = request.headers.get("accept-language", "")
        return problem_response(error, wanted_messages(wanted, self.language))


def _header(request: Request, name: str) -> str:
    """A header's value; of one that comes twice, both."""
    return ",".join(request.headers.getlist(name))


class _GuardedAnswer:
    """Adds the safety headers to an answer."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(raw=list(message.get("headers", ())))
            for name, value in SAFETY_HEADERS.items():
                headers.setdefault(name, value)
            message = {**message, "headers": headers.raw}
        await self._send(message)


class _LimitedBody:
    """Counts a body as it comes in, and refuses it where it passes the limit.

    The refusal is the framework's own exception, because that is the one that it lets through
    while it reads a body.
    """

    def __init__(self, request: Request, receive: Receive) -> None:
        self._receive = receive
        self._read = 0
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > MOST_BODY:
            raise _too_large()

    async def __call__(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self._read > MOST_BODY:
            raise _too_large()
        return message


def _too_large() -> HTTPException:
    # The rest of the body is not read.
    return HTTPException(413, headers={"Connection": "close"})
