"""Why something was refused: each reason by what raised it, and what helps."""

from __future__ import annotations

import errno
import http.client
import shutil
import socket
import ssl
import urllib.error
from email.message import Message
from http import HTTPStatus

import pytest
from filelock import Timeout
from PIL import UnidentifiedImageError

from taller_cnn.errors import Phrase
from taller_cnn.messages import LANGUAGES, Messages
from taller_cnn.reasons import network_reason, os_reason, remedy_of, system_number


def certificate_error(code: int, words: str = "unable to get local issuer certificate") -> OSError:
    error = ssl.SSLCertVerificationError(1, f"certificate verify failed: {words}")
    error.verify_code, error.verify_message = code, words
    return error


def status_error(code: int) -> urllib.error.HTTPError:
    return urllib.error.HTTPError("http://x/", code, HTTPStatus(code).phrase, Message(), None)


def key_of(reason: Phrase | str) -> str:
    assert isinstance(reason, Phrase)
    return reason.key


@pytest.mark.parametrize(
    ("number", "key"),
    [
        (errno.ENOSPC, "reason_disk_full"),
        (errno.EDQUOT, "reason_disk_full"),
        (errno.EACCES, "reason_denied"),
        (errno.EPERM, "reason_denied"),
        (errno.EROFS, "reason_read_only"),
        (errno.ENOTDIR, "reason_not_a_folder"),
        (errno.EEXIST, "reason_not_a_folder"),
        (errno.EISDIR, "reason_is_a_folder"),
        (errno.ECONNREFUSED, "reason_refused"),
        (errno.ECONNRESET, "reason_cut"),
        (errno.ENETUNREACH, "reason_unreachable"),
        (errno.EHOSTUNREACH, "reason_unreachable"),
        (errno.ETIMEDOUT, "reason_timeout"),
    ],
)
def test_the_common_reasons_are_said_in_the_readers_language(number: int, key: str) -> None:
    reason = os_reason(OSError(number, "the system's words"))
    assert key_of(reason) == key
    assert isinstance(reason, Phrase)
    assert reason.text(Messages("es")) != reason.text(Messages("en"))


def test_other_reasons_are_said_in_the_systems_words() -> None:
    assert os_reason(OSError(errno.ELOOP, "Too many levels")) == "Too many levels"
    assert os_reason(OSError("encoder error -2")) == "encoder error -2"


class OwnNumbersError(OSError):
    """An exception of a library that counts in its own way."""


@pytest.mark.parametrize("number", [1, errno.ENOENT, errno.EACCES, errno.EEXIST, errno.ENOSPC])
@pytest.mark.parametrize(
    "kind",
    [
        *(ssl.SSLError, ssl.SSLEOFError, ssl.SSLZeroReturnError, socket.herror, socket.gaierror),
        *(OwnNumbersError, shutil.Error, UnidentifiedImageError),
    ],
)
def test_a_number_that_is_not_the_systems_is_not_taken_for_it(
    kind: type[OSError], number: int
) -> None:
    """`ssl` counts its errors from 1 too, which is "permission is missing" to the system."""
    error = kind(number, "their words")
    assert system_number(error) is None
    reason = os_reason(error)
    systems = os_reason(OSError(number, "their words"))
    assert isinstance(systems, Phrase)
    assert reason != systems
    assert reason == "their words" or key_of(reason) in ("reason_tls", "reason_no_server")


def test_a_lock_that_is_held_is_not_a_server() -> None:
    assert system_number(Timeout("x.lock")) is None
    assert system_number(PermissionError(errno.EACCES, "no")) == errno.EACCES
    assert system_number(ValueError(1)) is None


@pytest.mark.parametrize(
    ("error", "key", "remedy"),
    [
        (certificate_error(20), "reason_untrusted", "remedy_certificates"),
        (
            certificate_error(18, "self-signed certificate"),
            "reason_untrusted",
            "remedy_certificates",
        ),
        (certificate_error(10), "reason_certificate_date", "remedy_clock"),
        (certificate_error(9), "reason_certificate_date", "remedy_clock"),
        (certificate_error(62), "reason_certificate_name", "remedy_log_in"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]"), "reason_tls", "remedy_way"),
        (socket.gaierror(-2, "Name or service not known"), "reason_no_server", "remedy_connect"),
        (TimeoutError("timed out"), "reason_timeout", "remedy_connect"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "no"), "reason_refused", "remedy_connect"),
        (http.client.RemoteDisconnected("closed"), "reason_cut", "remedy_way"),
        (http.client.IncompleteRead(b"", 9), "reason_cut", "remedy_way"),
        (http.client.BadStatusLine("SSH-2.0"), "reason_not_http", "remedy_way"),
        (status_error(404), "reason_status_missing", "remedy_later"),
        (status_error(403), "reason_status_refused", "remedy_way"),
        (status_error(429), "reason_status_busy", "remedy_later"),
        (status_error(418), "reason_status", "remedy_connect"),
        (status_error(503), "reason_status_fault", "remedy_later"),
        (status_error(511), "reason_status_portal", "remedy_log_in"),
        (urllib.error.URLError("unknown url type: https"), "reason_no_tls", "remedy_python"),
    ],
)
def test_each_way_of_failing_has_its_words_and_what_helps(
    error: Exception, key: str, remedy: str
) -> None:
    wrapped = [error]
    if isinstance(error, OSError) and not isinstance(error, urllib.error.URLError):
        wrapped.append(urllib.error.URLError(error))
    for raised in wrapped:
        reason = network_reason(raised)
        assert (key_of(reason), remedy_of(reason).key) == (key, remedy)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_untrusted_certificate_tells_what_the_library_found(language: str) -> None:
    reason = network_reason(certificate_error(18, "self-signed certificate"))
    assert isinstance(reason, Phrase)
    text = reason.text(Messages(language))
    assert text.endswith("(self-signed certificate)")
    assert "SSL_CERT_FILE" in remedy_of(reason).text(Messages(language))


@pytest.mark.parametrize(
    ("error", "key", "inner", "remedy"),
    [
        # The first machine on the way is the proxy: what fails there is not the mirror's fault.
        (urllib.error.URLError(socket.gaierror(-2, "no")), "failed", "reason_no_server", "proxy"),
        (
            urllib.error.URLError(ConnectionRefusedError(111, "no")),
            "failed",
            "reason_refused",
            "proxy",
        ),
        (urllib.error.URLError(TimeoutError("late")), "failed", "reason_timeout", "proxy"),
        (
            urllib.error.URLError(OSError("Tunnel connection failed: 503 No")),
            *("failed", "reason_status_fault", "proxy"),
        ),
        (
            urllib.error.URLError(OSError("Tunnel connection failed: 407 Authenticate")),
            *("failed", "reason_status_proxy", "proxy_login"),
        ),
        (http.client.InvalidURL("nonnumeric port: 'x'"), "failed", "reason_address", "proxy"),
        # Here either may be.
        (
            urllib.error.URLError(certificate_error(19)),
            "through",
            "reason_untrusted",
            "certificates",
        ),
        (TimeoutError("late"), "through", "reason_timeout", "connect"),
        (status_error(503), "through", "reason_status_fault", "later"),
        (status_error(407), "through", "reason_status_proxy", "proxy_login"),
    ],
)
def test_a_proxy_that_fails_is_not_told_as_a_mirror_that_fails(
    error: Exception, key: str, inner: str, remedy: str
) -> None:
    reason = network_reason(error, "http://proxy.example:3128")
    assert isinstance(reason, Phrase)
    expected = {"failed": "reason_proxy_failed", "through": "reason_through_proxy"}[key]
    within = reason.values["reason"]
    assert isinstance(within, Phrase)
    assert (reason.key, within.key) == (expected, inner)
    assert remedy_of(reason).key == f"remedy_{remedy}"
    assert "proxy.example:3128" in reason.text(Messages("es"))


def test_the_most_telling_of_several_reasons_gives_the_advice() -> None:
    both = {
        "first": network_reason(status_error(503)),
        "second": network_reason(certificate_error(19)),
    }
    assert remedy_of(Phrase("reason_and", both)).key == "remedy_certificates"
    assert remedy_of("MD5 1 ≠ 2").key == "remedy_connect"
