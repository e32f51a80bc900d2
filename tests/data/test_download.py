from __future__ import annotations

import contextlib
import gzip
import hashlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from torchvision import datasets as torchvision_datasets

from taller_cnn.data.datasets import FILES, DatasetSpec, spec_of
from taller_cnn.data.download import DownloadProgress, download, torchvision_mirrors
from taller_cnn.data.rawfiles import RawFolder, read_all
from taller_cnn.errors import DataError, OutputError, Phrase, TallerError
from taller_cnn.messages import Messages
from taller_cnn.process import trust_certificates_of_others

if TYPE_CHECKING:
    from tests.data.conftest import SmallSet

Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve files by name from memory on the loopback, with a certificate if one is given.

    The address ends in ``/``.
    """
    servers = []

    def start(files: dict[str, bytes], certificate: tuple[Path, Path] | None = None) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = files.get(self.path.lstrip("/"))
                if content is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def unreachable() -> str:
    """An address where nothing listens: the port was free a moment ago."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/"


def archives(small: SmallSet) -> dict[str, bytes]:
    return {f"{name}.gz": content for name, content in small.archives.items()}


def until_it_fails(
    steps: Iterator[DownloadProgress],
) -> tuple[list[DownloadProgress], TallerError | None]:
    seen = []
    try:
        for item in steps:
            seen.append(item)
    except TallerError as error:
        return seen, error
    return seen, None


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_the_files_arrive_checked_and_uncompressed(
    small_set: SmallSet, tmp_path: Path, serve: Serve
) -> None:
    progress = list(download(small_set.spec, tmp_path, mirrors=[serve(archives(small_set))]))
    raw = tmp_path / "MNIST" / "raw"
    for name in FILES:
        assert (raw / name).read_bytes() == small_set.contents[name]
        last = [item for item in progress if item.file == name][-1]
        size = len(small_set.archives[name])
        assert last == DownloadProgress(file=name, received=size, total=size)
    assert files_in(tmp_path) == set(FILES)


def test_torchvision_reads_what_was_downloaded(
    small_set: SmallSet, tmp_path: Path, serve: Serve
) -> None:
    list(download(small_set.spec, tmp_path, mirrors=[serve(archives(small_set))]))
    theirs = torchvision_datasets.MNIST(tmp_path, train=False)
    assert theirs.data.numpy().tobytes() == small_set.arrays[FILES[2]].tobytes()


def test_a_file_larger_than_it_can_be_is_not_received_to_its_end(
    tmp_path: Path, serve: Serve
) -> None:
    mirror = serve({f"{FILES[3]}.gz": bytes(700_000)})
    seen, error = until_it_fails(download(spec_of("mnist"), tmp_path, mirrors=[mirror]))
    assert isinstance(error, DataError)
    # The test labels have 10,008 bytes uncompressed, so the first piece is too much already.
    assert seen == [DownloadProgress(file=FILES[3], received=256 * 1024, total=700_000)]


def test_the_next_mirror_is_tried_when_one_fails(
    small_set: SmallSet, tmp_path: Path, serve: Serve, unreachable: str
) -> None:
    without = archives(small_set)
    del without[f"{FILES[0]}.gz"]
    mirrors = [unreachable, serve(without), serve(archives(small_set))]
    list(download(small_set.spec, tmp_path, mirrors=mirrors))
    assert files_in(tmp_path) == set(FILES)


@pytest.mark.parametrize("pack", [gzip.decompress, gzip.compress])
def test_archives_that_were_unpacked_or_packed_again_on_their_way_are_intact(
    small_set: SmallSet, tmp_path: Path, serve: Serve, pack: Callable[[bytes], bytes]
) -> None:
    """Some proxies and servers take the ``.gz`` for the way of transfer."""
    changed = {name: pack(archive) for name, archive in archives(small_set).items()}
    list(download(small_set.spec, tmp_path, mirrors=[serve(changed)]))
    raw = tmp_path / "MNIST" / "raw"
    assert {name: (raw / name).read_bytes() for name in FILES} == small_set.contents


def test_a_mirror_with_other_content_is_not_believed(
    small_set: SmallSet, tmp_path: Path, serve: Serve
) -> None:
    wrong = gzip.compress(b"<html>Please log in to the network</html>")
    login_page = dict.fromkeys(archives(small_set), wrong)
    with pytest.raises(DataError) as caught:
        list(download(small_set.spec, tmp_path, mirrors=[serve(login_page)]))
    assert caught.value.key == "data_download"
    assert small_set.spec.md5[FILES[3]] in str(caught.value)
    assert files_in(tmp_path) == set()


def test_a_last_file_that_fails_leaves_nothing_behind(
    small_set: SmallSet, tmp_path: Path, serve: Serve
) -> None:
    cut = archives(small_set)
    cut[f"{FILES[0]}.gz"] = cut[f"{FILES[0]}.gz"][:-20]
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz could not be downloaded"):
        list(download(small_set.spec, tmp_path, mirrors=[serve(cut)]))
    assert files_in(tmp_path) == set()


def test_stopping_half_way_leaves_nothing_behind(
    small_set: SmallSet, tmp_path: Path, serve: Serve
) -> None:
    steps = download(small_set.spec, tmp_path, mirrors=[serve(archives(small_set))])
    next(steps)
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert files_in(tmp_path) == set()


def test_an_unreachable_mirror_fails_at_once_and_makes_no_folder(
    small_set: SmallSet, tmp_path: Path, unreachable: str
) -> None:
    start = time.perf_counter()
    with pytest.raises(DataError, match="Connection refused"):
        list(download(small_set.spec, tmp_path / "data", mirrors=[unreachable]))
    assert time.perf_counter() - start < 3
    assert not (tmp_path / "data").exists()


def test_a_server_that_is_not_found_is_told_in_the_readers_language(
    small_set: SmallSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_such_name(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", no_such_name)
    mirrors = ["http://one.invalid/", "http://two.invalid/"]
    with pytest.raises(DataError) as caught:
        list(download(small_set.spec, tmp_path, mirrors=mirrors))
    reason = "no se encuentra el servidor; ¿hay conexión?"
    told = f"one.invalid: {reason}; two.invalid: {reason}"
    assert told in caught.value.text(Messages("es"))


def test_a_mirror_that_says_nothing_is_left_after_the_time_limit(
    small_set: SmallSet, tmp_path: Path
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        start = time.perf_counter()
        with pytest.raises(DataError, match="the server does not answer"):
            list(download(small_set.spec, tmp_path, mirrors=[address], timeout=0.3))
        assert 0.25 < time.perf_counter() - start < 5


Answer = Callable[[socket.socket], None]


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answer], str]]:
    """Make a server the proxy of this process that answers every request alike; its place."""
    server = socket.create_server(("127.0.0.1", 0))
    place = f"127.0.0.1:{server.getsockname()[1]}"

    def serve_all(answer: Answer) -> None:
        # Closing the server ends the thread.
        with contextlib.suppress(OSError):
            while True:
                with server.accept()[0] as connection, contextlib.suppress(OSError):
                    connection.settimeout(2)
                    connection.recv(4096)
                    answer(connection)
                    # Closed with something unread, it would be reset before its answer is read.
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(4096):
                        continue

    def start(answer: Answer) -> str:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://teacher:secret@{place}/")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        urllib.request.install_opener(None)  # type: ignore[arg-type]
        threading.Thread(target=serve_all, args=(answer,), daemon=True).start()
        return place

    yield start
    server.close()
    urllib.request.install_opener(None)  # type: ignore[arg-type]


def failure(spec: DatasetSpec, folder: Path, mirror: str) -> DataError:
    with pytest.raises(DataError) as caught:
        list(download(spec, folder, mirrors=[mirror], timeout=2))
    return caught.value


@pytest.mark.parametrize(
    ("mirror", "answer", "words", "remedy"),
    [
        (
            "https://mirror.example/",
            b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            "mirror.example: the proxy http://{place} fails: HTTP 407, the proxy asks",
            "remedy_proxy_login",
        ),
        (
            "http://mirror.example/",
            b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",
            "mirror.example: HTTP 503, the server or a machine on the way has a fault, through",
            "remedy_later",
        ),
        ("http://mirror.example/", b"SSH-2.0-x\r\n", "not one of a web server", "remedy_way"),
        ("http://mirror.example/", b"", "the connection was cut, through the proxy", "remedy_way"),
        (
            "https://mirror.example/",
            b"HTTP/1.1 200 OK\r\n\r\nno TLS at all",
            "no secure connection could be made (",
            "remedy_way",
        ),
        (
            "http://mirror.example/",
            b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n\n<html>Log in</html>..",
            "a web page came instead of the file",
            "remedy_log_in",
        ),
    ],
)
def test_a_proxy_on_the_way_is_told_with_what_helps_and_without_its_password(
    small_set: SmallSet,
    tmp_path: Path,
    proxy: Callable[[Answer], str],
    mirror: str,
    answer: bytes,
    words: str,
    remedy: str,
) -> None:
    place = proxy(lambda connection: connection.sendall(answer))
    error = failure(small_set.spec, tmp_path, mirror)
    assert words.format(place=place) in str(error)
    told = error.values["remedy"]
    assert isinstance(told, Phrase)
    assert told.key == remedy
    assert "secret" not in error.text(Messages("es"))
    assert files_in(tmp_path) == set()


def test_a_proxy_that_cannot_be_used_is_told_as_what_fails(
    small_set: SmallSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unreachable: str
) -> None:
    urllib.request.install_opener(None)  # type: ignore[arg-type]
    monkeypatch.delenv("no_proxy", raising=False)
    for proxy, words in (
        (unreachable, f"the proxy {unreachable.rstrip('/')} fails: Connection refused"),
        ("socks5://127.0.0.1:9", "is of the kind socks5, and only HTTP proxies are used"),
        ("http://127.0.0.1:port", "fails: the address is not a valid one"),
    ):
        monkeypatch.setenv("http_proxy", proxy)
        urllib.request.install_opener(None)  # type: ignore[arg-type]
        error = failure(small_set.spec, tmp_path, "http://mirror.example/")
        assert words in str(error)
        assert "HTTPS_PROXY" in str(error)
    urllib.request.install_opener(None)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for this machine that nobody has signed, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the program openssl, to make a certificate")
    folder = tmp_path_factory.mktemp("certificate")
    words = "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=x"
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([openssl, *words.split(), *names], cwd=folder, check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


def test_a_certificate_that_is_not_trusted_is_told_and_can_be_trusted(
    small_set: SmallSet,
    tmp_path: Path,
    serve: Serve,
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A proxy that opens secure connections shows its own certificate for every server."""
    mirror = serve(archives(small_set), certificate)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    urllib.request.install_opener(None)  # type: ignore[arg-type]
    error = failure(small_set.spec, tmp_path, mirror)
    assert re.search("its certificate is not trusted .self.signed certificate.", str(error))
    assert "SSL_CERT_FILE or REQUESTS_CA_BUNDLE" in str(error)
    assert "permission" not in str(error)
    # So that what is written into the environment below goes with this test.
    monkeypatch.setenv("SSL_CERT_FILE", "")
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    trust_certificates_of_others()
    urllib.request.install_opener(None)  # type: ignore[arg-type]
    list(download(small_set.spec, tmp_path, mirrors=[mirror]))
    assert files_in(tmp_path) == set(FILES)


def test_a_folder_that_cannot_be_written_is_found_before_the_large_files(
    small_set: SmallSet, tmp_path: Path, serve: Serve
) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    mirrors = [serve(archives(small_set))]
    seen, error = until_it_fails(download(small_set.spec, tmp_path / "data", mirrors=mirrors))
    assert isinstance(error, OutputError)
    assert {item.file for item in seen} == {FILES[3]}


def test_without_published_checksums_of_the_content_the_archives_are_checked(
    small_set: SmallSet, tmp_path: Path, serve: Serve
) -> None:
    small = small_set.without_checksums()
    list(download(small.spec, tmp_path, mirrors=[serve(archives(small))]))
    assert files_in(tmp_path) == set(FILES)
    files = read_all(small.spec, RawFolder.at(tmp_path / "MNIST" / "raw"))
    assert {name: file.md5 for name, file in files.items()} == small_set.spec.md5


def test_a_repacked_archive_is_not_believed_where_only_archives_have_checksums(
    small_set: SmallSet, tmp_path: Path, serve: Serve
) -> None:
    small = small_set.without_checksums()
    repacked = {name: gzip.compress(gzip.decompress(a), 1) for name, a in archives(small).items()}
    assert repacked != archives(small)
    with pytest.raises(DataError) as caught:
        list(download(small.spec, tmp_path, mirrors=[serve(repacked)]))
    found = hashlib.md5(repacked[f"{FILES[3]}.gz"]).hexdigest()
    assert found in str(caught.value)
    assert files_in(tmp_path) == set()


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "kmnist"])
def test_the_mirrors_are_torchvisions(name: str) -> None:
    mirrors = torchvision_mirrors(spec_of(name))
    assert list(mirrors) == getattr(torchvision_datasets, spec_of(name).folder).mirrors
    assert all(mirror.endswith("/") for mirror in mirrors)


def test_nothing_but_a_download_imports_torchvision() -> None:
    code = "import sys, taller_cnn.data; print('torchvision' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "False\n"
    assert out.stderr == ""
