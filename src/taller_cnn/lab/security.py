"""Who gets in: the first thing that sees a request.

- Host names other than the lab's own are refused, so that no site can point its name at the lab
  (DNS rebinding); requests from pages of other sites are refused. Names in front of it, such as a
  proxy's, are its own where they were allowed.
- Open to the network or behind such a name, the lab asks for a token, once: the long one of the
  printed address is the teacher's, the short one is the class's. A cookie that no script can read
  takes its place, and says which of the two it was and which browser this is.
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
from importlib import resources
from typing import Literal

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taller_cnn.errors import TallerError
from taller_cnn.lab.problems import MOST_BODY, LabError, problem_response, wanted_messages
from taller_cnn.messages import Messages

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
ENTRANCE_POLICY = "default-src 'none'; form-action 'self'; frame-ancestors 'none'"

KEY_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of the class's token, which is typed on telephones: none of 0, 1, i, l, o."""
KEY_LENGTH = 8
"""31 letters to that power are 40 bits: a thousand guesses a second take some ten years."""

Role = Literal["teacher", "pupil"]


@dataclass(frozen=True)
class Visitor:
    """Who asks: a role, and which browser it is."""

    role: Role
    person: str

    def may_steer(self, owner: str) -> bool:
        """Whether what `owner` has started is theirs to stop, keep or throw away."""
        return self.role == "teacher" or self.person == owner


OWNER = Visitor("teacher", "owner")
"""Whoever is on the machine of a lab that is open to nobody else, and the teacher's programs."""


def visitor_of(request: Request) -> Visitor:
    """Who sends a request, as the gate has found."""
    visitor: Visitor = request.state.visitor
    return visitor


def require_teacher(request: Request) -> None:
    """Refuse what is for the teacher alone.

    Raises:
        LabError: it is a pupil who asks (403).
    """
    if visitor_of(request).role != "teacher":
        raise LabError(403, "lab_teacher_only")


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
    """The teacher's, which the printed address carries; None asks for nothing."""
    class_key: str | None = None
    """The class's token, as it is shown: ``abcd-2345``; None lets no pupil in."""
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    """What cookies are signed with."""

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
            class_key=_new_key(),
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

    def role_of(self, token: str) -> Role | None:
        """The role that a token of an address gives; both are compared, whichever it is."""
        teacher = self.token is not None and _same(token, self.token)
        pupil = self.class_key is not None and _same(_bare_key(token), _bare_key(self.class_key))
        return "teacher" if teacher else "pupil" if pupil else None

    def visitor(self, request: Request) -> Visitor | None:
        """Who sends a request, by the cookie or by ``Authorization: Bearer``; None for a stranger.

        Only the teacher's programs may send the token itself: it does not say which pupil it is.
        """
        if self.token is None:
            return OWNER
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(token.strip(), self.token):
            return OWNER
        return self._visitor_in(request.cookies.get(COOKIE, ""))

    def _visitor_in(self, cookie: str) -> Visitor | None:
        signed, _, signature = cookie.rpartition(".")
        if not _same(signature, self._signature(signed)):
            return None
        role, _, person = signed.partition(".")
        return Visitor("teacher" if role == "teacher" else "pupil", person)

    def cookie(self, role: Role) -> str:
        """The value of a new browser's cookie."""
        signed = f"{role}.{secrets.token_hex(8)}"
        return f"{signed}.{self._signature(signed)}"

    def _signature(self, text: str) -> str:
        return hmac.digest(self.secret, text.encode("utf-8", "replace"), "sha256").hex()


def _new_key() -> str:
    letters = "".join(secrets.choice(KEY_LETTERS) for _ in range(KEY_LENGTH))
    return f"{letters[: KEY_LENGTH // 2]}-{letters[KEY_LENGTH // 2 :]}"


def _bare_key(typed: str) -> str:
    """A class's token as it was typed, without what telephones add to it."""
    return typed.replace("-", "").replace(" ", "").lower()


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
            visitor = self.access.visitor(request)
            role = self._role_of_token(request)
            if role:
                await self._entrance(role, visitor)(scope, receive, answer)
                return
            if visitor is None:
                raise LabError(401, "lab_token")
            scope.setdefault("state", {})["visitor"] = visitor
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

    def _role_of_token(self, request: Request) -> Role | None:
        """The role that a request for the printed address gets by its token."""
        if request.scope["path"] != "/" or not request.scope["query_string"]:
            return None
        return self.access.role_of(request.query_params.get("token", ""))

    def _entrance(self, role: Role, visitor: Visitor | None) -> Response:
        """The answer that gives the cookie for the token.

        A browser that has one keeps it, so that its training stays its own, unless the token
        makes a teacher of a pupil.

        Not a redirect: to one that began at a link elsewhere the browser would not send the
        cookie. The page that this loads is asked for by the lab's own page.
        """
        headers = {"Cache-Control": "no-store"}
        if visitor is None or (role, visitor.role) == ("teacher", "pupil"):
            cookie = f"{COOKIE}={self.access.cookie(role)}"
            headers["Set-Cookie"] = f"{cookie}; HttpOnly; SameSite=Strict; Path=/"
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
        messages = wanted_messages(request.headers.get("accept-language", ""), self.language)
        is_stranger = isinstance(error, LabError) and error.status == 401
        if is_stranger and "text/html" in request.headers.get("accept", ""):
            return _key_page(messages, "token" in request.query_params)
        return problem_response(error, messages)


def _key_page(messages: Messages, is_wrong: bool) -> Response:
    """The page that asks for the class's token; `is_wrong` if one was just given."""
    import jinja2

    folder = resources.files("taller_cnn.lab") / "templates"
    source = (folder / "entrance.html.j2").read_text(encoding="utf-8")
    template = jinja2.Environment(autoescape=True).from_string(source)
    names = ("title", "key", "enter", *(["wrong"] if is_wrong else []))
    texts = {name: messages(f"lab.entrance.{name}") for name in names}
    text = template.render(texts, language=messages.language)
    headers = {"Content-Security-Policy": ENTRANCE_POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(text, status_code=401, headers=headers)


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
