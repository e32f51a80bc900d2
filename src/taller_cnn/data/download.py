"""Fetch the four files of a data set from the mirrors that torchvision lists.

torchvision's own download waits without limit and prints, so only its list of mirrors is used.
Nothing is stored before all four files have arrived and their checksums are right.
"""

from __future__ import annotations

import http.client
import urllib.parse
import urllib.request
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from taller_cnn import __version__
from taller_cnn.data.datasets import FILES, DatasetSpec
from taller_cnn.data.rawfiles import RawFile, check_archive, raw_folder, write_idx
from taller_cnn.errors import DataError, Phrase
from taller_cnn.files import check_writable, md5
from taller_cnn.reasons import network_reason, remedy_of

CONNECT_SECONDS = 6.0
"""Longest wait for a connection and for each piece of data, in seconds."""
_HEADERS = {"User-Agent": f"taller-cnn/{__version__}", "Accept-Encoding": "identity"}
PIECE = 256 * 1024
"""Bytes read between two reports."""


@dataclass(frozen=True, kw_only=True)
class DownloadProgress:
    """How far the download of one file is."""

    file: str
    received: int
    """Bytes so far."""
    total: int | None
    """Bytes in all, or None if the mirror does not say."""


def download(
    spec: DatasetSpec,
    data_dir: Path,
    *,
    mirrors: Sequence[str] | None = None,
    timeout: float = CONNECT_SECONDS,
) -> Iterator[DownloadProgress]:
    """Fetch the four files into ``data_dir/<folder>/raw``, uncompressed, as torchvision reads them.

    Args:
        spec: the data set.
        data_dir: the data folder; made if it is not there.
        mirrors: addresses, ending in ``/``, that the file names are appended to; by default
            torchvision's. The next one is tried when one fails.
        timeout: longest wait for a connection and for each piece of data, in seconds.

    Yields:
        Progress, about once per 256 KiB.

    Raises:
        DataError: no mirror gives an intact file.
        OutputError: the folder cannot be written or lacks the space.
    """
    folder = raw_folder(spec, data_dir)
    remaining = list(torchvision_mirrors(spec) if mirrors is None else mirrors)
    files = []
    # The smallest file first: no folder is made before a mirror has answered, and no large file
    # is fetched before the folder has proved to take it.
    for name in sorted(FILES, key=spec.size):
        files.append((yield from _fetch(spec, name, remaining, timeout)))
        if len(files) == 1:
            check_writable(folder, sum(spec.size(name) for name in FILES))
    for file in files:
        write_idx(folder / file.name, file.array)


def torchvision_mirrors(spec: DatasetSpec) -> tuple[str, ...]:
    """The addresses that torchvision downloads a data set from."""
    # Imported here because it takes one to two seconds and only a download needs it.
    from torchvision import datasets

    return tuple(getattr(datasets, spec.folder).mirrors)


def _fetch(
    spec: DatasetSpec, name: str, mirrors: list[str], timeout: float
) -> Generator[DownloadProgress, None, RawFile]:
    """Fetch and check one file; a mirror that fails is dropped from `mirrors` for good."""
    reasons: list[Phrase] = []
    while mirrors:
        address = f"{mirrors[0]}{name}.gz"
        mirror, proxy = urllib.parse.urlsplit(address).netloc or address, proxy_of(address)
        reason: Phrase | str
        try:
            archive = yield from _receive(address, name, spec.size(name), timeout)
            file = check_archive(spec, name, Path(f"{name}.gz"), archive)
            if file.state == "verified":
                return file
            found, expected = md5(archive), spec.archive_md5.get(name)
            reason = f"MD5 {found} ≠ {expected}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = _reason(error, proxy)
        except DataError as error:
            reason = f"MD5 {error.values.get('found')} ≠ {error.values.get('expected')}"
            if archive.lstrip()[:1] == b"<":
                reason = Phrase("reason_web_page")
        reasons.append(Phrase("reason_mirror", {"mirror": mirror, "reason": reason}))
        del mirrors[0]
    joined = _joined(reasons)
    raise DataError("data_download", file=f"{name}.gz", reasons=joined, remedy=remedy_of(joined))


def _joined(reasons: Sequence[Phrase]) -> Phrase | str:
    """All reasons in one sentence; none where there was no mirror."""
    if not reasons:
        return ""
    return reduce(lambda a, b: Phrase("reason_and", {"first": a, "second": b}), reasons)


def _receive(
    address: str, name: str, limit: int, timeout: float
) -> Generator[DownloadProgress, None, bytes]:
    """The bytes at `address`, at most `limit`: a compressed file is smaller than its content."""
    request = urllib.request.Request(address, headers=_HEADERS)
    received = bytearray()
    with urllib.request.urlopen(request, timeout=timeout) as response:
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else None
        while len(received) <= limit and (piece := response.read(PIECE)):
            received += piece
            yield DownloadProgress(file=name, received=len(received), total=total)
    return bytes(received)


def why_no_mirror_answers(spec: DatasetSpec, timeout: float) -> Phrase | str | None:
    """Ask each mirror of torchvision for its smallest file's head.

    Returns:
        Why none gives it; None where one does.
    """
    reasons = []
    for start in torchvision_mirrors(spec):
        address = f"{start}{min(FILES, key=spec.size)}.gz"
        request = urllib.request.Request(address, headers=_HEADERS, method="HEAD")
        try:
            urllib.request.urlopen(request, timeout=timeout).close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            mirror = urllib.parse.urlsplit(address).netloc or address
            values = {"mirror": mirror, "reason": _reason(error, proxy_of(address))}
            reasons.append(Phrase("reason_mirror", values))
        else:
            return None
    return _joined(reasons)


def _reason(error: Exception, proxy: str) -> Phrase | str:
    """Why a mirror gave nothing."""
    return _proxy_refusal(proxy) or network_reason(error, proxy)


def proxies() -> dict[str, str]:
    """Proxy for each kind of address, without user names and passwords."""
    return {
        scheme: _without_password(proxy)
        for scheme, proxy in urllib.request.getproxies().items()
        if scheme in ("http", "https")
    }


def proxy_of(address: str) -> str:
    """The proxy on the way to `address`, as `urllib` takes it from the environment or the system.

    Returns:
        Its kind, server and port, without the user's name and password; empty if there is none.
    """
    parts = urllib.parse.urlsplit(address)
    proxy = urllib.request.getproxies().get(parts.scheme, "")
    if not proxy or urllib.request.proxy_bypass(parts.netloc):
        return ""
    return _without_password(proxy)


def _without_password(proxy: str) -> str:
    kind, mark, place = proxy.rpartition("://")
    return kind + mark + place.rpartition("@")[2].rstrip("/")


def _proxy_refusal(proxy: str) -> Phrase | None:
    """Why no proxy of that kind is used, or None."""
    kind, mark, _ = proxy.partition("://")
    if not mark or kind in ("http", "https"):
        return None
    return Phrase("reason_proxy_kind", {"proxy": proxy, "kind": kind})
