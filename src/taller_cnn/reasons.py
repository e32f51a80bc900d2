"""Why the system, the internet or a server refused, in the reader's words, and what helps.

The number of an `OSError` is the system's only where Python itself raised it: libraries that
derive exceptions of their own from it count in their own way (``ssl``'s 1 is no ``EPERM``).
"""

from __future__ import annotations

import errno
import http.client
import re
import socket
import sys
import urllib.error
from collections.abc import Iterator

from taller_cnn.errors import Phrase

_BY_NUMBER = {
    errno.ENOSPC: "reason_disk_full",
    errno.EDQUOT: "reason_disk_full",
    errno.EACCES: "reason_denied",
    errno.EPERM: "reason_denied",
    errno.EROFS: "reason_read_only",
    errno.ENOTDIR: "reason_not_a_folder",
    errno.EEXIST: "reason_not_a_folder",
    errno.EISDIR: "reason_is_a_folder",
    errno.ENOENT: "reason_not_there",
    errno.EADDRINUSE: "reason_port_taken",
    errno.ECONNREFUSED: "reason_refused",
    errno.ECONNRESET: "reason_cut",
    errno.ECONNABORTED: "reason_cut",
    errno.ENETUNREACH: "reason_unreachable",
    errno.ENETDOWN: "reason_unreachable",
    errno.EHOSTUNREACH: "reason_unreachable",
}
_BY_STATUS = {
    401: "reason_status_refused",
    403: "reason_status_refused",
    404: "reason_status_missing",
    407: "reason_status_proxy",
    410: "reason_status_missing",
    429: "reason_status_busy",
    451: "reason_status_refused",
    511: "reason_status_portal",
}
# OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID, _CERT_HAS_EXPIRED; _HOSTNAME_MISMATCH, _IP_ADDRESS_.
_WRONG_DATE, _WRONG_NAME = (9, 10), (62, 64)
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")

_REMEDIES = {
    "reason_untrusted": "remedy_certificates",
    "reason_certificate_date": "remedy_clock",
    "reason_certificate_name": "remedy_log_in",
    "reason_web_page": "remedy_log_in",
    "reason_status_portal": "remedy_log_in",
    "reason_status_proxy": "remedy_proxy_login",
    "reason_proxy_failed": "remedy_proxy",
    "reason_proxy_kind": "remedy_proxy",
    "reason_tls": "remedy_way",
    "reason_no_tls": "remedy_python",
    "reason_not_http": "remedy_way",
    "reason_status_refused": "remedy_way",
    "reason_cut": "remedy_way",
    "reason_status_fault": "remedy_later",
    "reason_status_busy": "remedy_later",
    "reason_status_missing": "remedy_later",
}
"""What helps against each reason, the most telling first."""


def system_number(error: BaseException) -> int | None:
    """The system's number of an error, or None where it is not the system's."""
    is_builtin = type(error).__module__ == OSError.__module__
    return error.errno if isinstance(error, OSError) and is_builtin else None


def os_reason(error: OSError) -> Phrase | str:
    """Why the system refused, for the ``reason`` of an error.

    The common reasons are in the reader's language, the others in the system's words.
    """
    if isinstance(error, urllib.error.HTTPError):
        return _status_reason(error.code)
    if isinstance(error, urllib.error.URLError):
        return os_reason(error.reason) if isinstance(error.reason, OSError) else str(error.reason)
    if isinstance(error, socket.gaierror | socket.herror):
        return Phrase("reason_no_server")
    if isinstance(error, TimeoutError):
        return Phrase("reason_timeout")
    # Without the module there are none of its errors; some builds of Python lack it.
    ssl = sys.modules.get("ssl")
    if ssl and isinstance(error, ssl.SSLError):
        return _tls_reason(error)
    key = _BY_NUMBER.get(system_number(error) or 0)
    if key is None and isinstance(error, ConnectionResetError | ConnectionAbortedError):
        key = "reason_cut"
    return Phrase(key) if key else error.strerror or str(error)


def network_reason(error: Exception, proxy: str = "") -> Phrase | str:
    """Why a server on the internet did not give what was asked for.

    Args:
        error: raised by `urllib.request`.
        proxy: the proxy's kind, server and port, if there is one on the way.
    """
    reason = _answer_reason(error)
    if not proxy:
        return reason
    through = {"reason": reason, "proxy": proxy}
    if _is_address(error) or _is_connection_failure(error):
        return Phrase("reason_proxy_failed", through)
    return Phrase("reason_through_proxy", through)


def remedy_of(reason: Phrase | str) -> Phrase:
    """What a reader can do about the most telling of the reasons in `reason`."""
    keys = set(_keys(reason))
    key = next((remedy for key, remedy in _REMEDIES.items() if key in keys), "remedy_connect")
    return Phrase(key)


def _answer_reason(error: Exception) -> Phrase | str:
    """Why there is no answer, or what is wrong with it."""
    tunnel = _TUNNEL.search(str(error))
    if tunnel and not isinstance(error, urllib.error.HTTPError):
        return _status_reason(int(tunnel[1]))
    if "unknown url type: https" in str(error):
        return Phrase("reason_no_tls")
    if isinstance(error, http.client.IncompleteRead):
        return Phrase("reason_cut")
    if isinstance(error, OSError):
        return os_reason(error)
    key = "reason_address" if _is_address(error) else "reason_not_http"
    return Phrase(key, {"detail": str(error) or type(error).__name__})


def _is_address(error: Exception) -> bool:
    """Whether an address cannot be one."""
    # Errors of certificates are a kind of ValueError too.
    is_value = isinstance(error, ValueError) and not isinstance(error, OSError)
    return is_value or isinstance(error, http.client.InvalidURL)


def _is_connection_failure(error: Exception) -> bool:
    """Whether the way ended at the first machine on it: `urllib` wraps errors of that time."""
    ssl = sys.modules.get("ssl")
    return (
        isinstance(error, urllib.error.URLError)
        and not isinstance(error, urllib.error.HTTPError)
        and not (ssl and isinstance(error.reason, ssl.SSLError))
    )


def _status_reason(code: int) -> Phrase:
    """What a server's HTTP status means."""
    key = _BY_STATUS.get(code, "reason_status_fault" if code >= 500 else "reason_status")
    return Phrase(key, {"code": code})


def _tls_reason(error: OSError) -> Phrase:
    """Why no secure connection came about."""
    code = getattr(error, "verify_code", None)
    if code in _WRONG_DATE:
        return Phrase("reason_certificate_date")
    if code in _WRONG_NAME:
        return Phrase("reason_certificate_name")
    if code is not None:
        return Phrase("reason_untrusted", {"detail": getattr(error, "verify_message", "")})
    return Phrase("reason_tls", {"detail": getattr(error, "reason", None) or str(error)})


def _keys(reason: object) -> Iterator[str]:
    """The keys of a phrase and of those inside it."""
    if isinstance(reason, Phrase):
        yield reason.key
        for value in reason.values.values():
            yield from _keys(value)
