from __future__ import annotations

import errno
import itertools
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from datetime import datetime, timedelta
from importlib import metadata
from pathlib import Path

import pytest
import torch

from taller_cnn.errors import BusyError, OutputError, Phrase
from taller_cnn.files import (
    atomic_path,
    check_writable,
    discard,
    folder_lock,
    md5,
    processor_name,
    provenance,
    read_json,
    sha256,
    write_json,
)
from taller_cnn.messages import Messages

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX permissions, signals and limits")
linux = pytest.mark.skipif(sys.platform != "linux", reason="a folder that even root cannot write")


def _reason_key(error: OutputError) -> str:
    reason = error.values["reason"]
    assert isinstance(reason, Phrase)
    return reason.key


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ------------------------------------------------------------------------ atomic_path


def _write_half(target: Path, error: BaseException) -> None:
    with atomic_path(target) as temporary:
        temporary.write_text("half")
        raise error


def test_a_file_takes_its_place_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "made" / "on" / "the" / "way" / "a.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
        assert (temporary.parent, temporary.suffix) == (target.parent, ".txt")
    assert target.read_text() == "new"
    assert _names(target.parent) == ["a.txt"]


@posix
def test_a_reader_of_the_old_file_is_not_disturbed(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with target.open() as reader:
        with atomic_path(target) as temporary:
            temporary.write_text("brand new")
        assert reader.read() == "old"
    assert target.read_text() == "brand new"


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt(), SystemExit(3)])
def test_an_error_in_the_block_leaves_the_old_content_and_goes_on(
    error: BaseException, tmp_path: Path
) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(type(error)) as caught:
        _write_half(target, error)
    assert caught.value is error
    assert target.read_text() == "old"
    assert _names(tmp_path) == ["a.txt"]


def test_a_full_disk_leaves_the_old_content_and_is_told_in_the_readers_words(
    tmp_path: Path,
) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(OutputError) as caught:
        _write_half(target, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert target.read_text() == "old"
    assert _names(tmp_path) == ["a.txt"]
    text = caught.value.text(Messages("es"))
    assert text.startswith(f"No se puede escribir {target}: no queda espacio en el disco.")


@posix
def test_a_write_that_the_system_cuts_short_leaves_the_old_content(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    script = """
import resource, sys
from pathlib import Path
from taller_cnn.errors import OutputError
from taller_cnn.files import atomic_path
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with atomic_path(Path(sys.argv[1])) as temporary:
        temporary.write_bytes(bytes(5000))
except OutputError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(target)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"Cannot write {target}: {os.strerror(errno.EFBIG)}.")
    assert target.read_bytes() == b"old"
    assert _names(tmp_path) == ["a.bin"]


@posix
def test_a_file_has_the_permissions_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with atomic_path(tmp_path / "a.txt") as temporary:
            temporary.write_text("x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


def test_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for target in (tmp_path / "file" / "a.txt", tmp_path / "file" / "deep" / "a.txt"):
        with pytest.raises(OutputError) as caught, atomic_path(target):
            raise AssertionError("nothing can be written here")
        assert _reason_key(caught.value) == "reason_not_a_folder"
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_in_the_place_of_a_file_is_told_and_kept(tmp_path: Path) -> None:
    (tmp_path / "a.txt" / "inner").mkdir(parents=True)
    with pytest.raises(OutputError), atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("x")
    assert _names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt" / "inner").is_dir()


@linux
def test_a_folder_without_permission_is_told() -> None:
    # Root may write everywhere but into the kernel's own trees.
    with pytest.raises(OutputError) as caught, atomic_path(Path("/sys/kernel/taller/a.txt")):
        raise AssertionError("nothing can be written here")
    assert _reason_key(caught.value) in ("reason_denied", "reason_read_only")


def test_writers_at_the_same_time_leave_one_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    contents = [str(n) * 10_000 for n in range(8)]

    def write(content: str) -> None:
        for _ in range(5):
            with atomic_path(target) as temporary:
                temporary.write_text(content)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_text() in contents
    assert _names(tmp_path) == ["a.txt"]


# ---------------------------------------------------------- links, pipes, devices, sockets


@posix
@pytest.mark.parametrize("links", [1, 3])
def test_what_a_link_leads_to_is_replaced_and_the_link_stays(tmp_path: Path, links: int) -> None:
    (tmp_path / "shared").mkdir()
    target = tmp_path / "shared" / "page.html"
    target.write_text("old")
    names = [tmp_path / f"link{n}.html" for n in range(links)]
    names[0].symlink_to(Path("shared") / "page.html")
    for before, name in itertools.pairwise(names):
        name.symlink_to(before)
    with target.open() as reader:
        with atomic_path(names[-1]) as temporary:
            temporary.write_text("new")
            assert target.read_text() == "old"
        assert reader.read() == "old"
    assert all(name.is_symlink() for name in names)
    assert target.read_text() == "new"
    assert _names(target.parent) == ["page.html"]
    with pytest.raises(ZeroDivisionError):
        _write_half(names[-1], ZeroDivisionError())
    assert target.read_text() == "new"


@posix
def test_a_link_to_what_is_not_there_makes_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to("made.txt")
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "made.txt").read_text() == "new"
    assert (tmp_path / "a.txt").is_symlink()
    (tmp_path / "b.txt").symlink_to("unplugged/b.txt")
    with pytest.raises(OutputError) as caught, atomic_path(tmp_path / "b.txt"):
        raise AssertionError("there is no such folder")
    assert _reason_key(caught.value) == "reason_not_there"
    assert not (tmp_path / "unplugged").exists()


@posix
def test_a_link_that_leads_to_itself_is_told_and_kept(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to("a.txt")
    with pytest.raises(OutputError), atomic_path(tmp_path / "a.txt"):
        raise AssertionError("there is no end")
    assert (tmp_path / "a.txt").is_symlink()


@posix
@pytest.mark.parametrize("through_a_link", [False, True])
def test_a_pipe_is_written_into(tmp_path: Path, through_a_link: bool) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    target = tmp_path / "link" if through_a_link else pipe
    if through_a_link:
        target.symlink_to("pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    content = bytes(range(256)) * 1000
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)
    reader.join(10)
    assert read == [content]
    assert pipe.is_fifo()
    assert _names(tmp_path) == sorted({"pipe", target.name})


@linux
def test_the_pipe_behind_a_descriptor_is_written_into() -> None:
    """``/dev/stdout`` is such a name."""
    reading, writing = os.pipe()
    try:
        with atomic_path(Path(f"/proc/self/fd/{writing}")) as temporary:
            temporary.write_text("page")
        assert os.read(reading, 100) == b"page"
    finally:
        os.close(reading)
        os.close(writing)


@posix
def test_a_device_is_written_into_and_stays_one(tmp_path: Path) -> None:
    device = tmp_path / "null"
    try:
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        device.write_bytes(b"")
    except OSError:
        pytest.skip("only root may make a device, and not on every file system use it")
    with atomic_path(device) as temporary:
        temporary.write_text("gone")
    assert device.is_char_device()
    assert _names(tmp_path) == ["null"]


@linux
@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs /dev/full")
def test_a_full_device_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to("/dev/full")
    with pytest.raises(OutputError) as caught, atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("x")
    assert _reason_key(caught.value) == "reason_disk_full"
    assert Path("/dev/full").is_char_device()


@posix
def test_a_socket_is_refused_before_the_work_and_kept(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        with pytest.raises(OutputError) as caught, atomic_path(tmp_path / "s"):
            raise AssertionError("nothing can be written here")
        assert _reason_key(caught.value) == "reason_special"
        assert (tmp_path / "s").is_socket()


def test_a_folder_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(OutputError) as caught, atomic_path(tmp_path / "a.txt"):
        raise AssertionError("nothing can be written here")
    assert _reason_key(caught.value) == "reason_is_a_folder"


@posix
def test_what_is_discarded_is_a_file_or_a_link_and_nothing_else(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("target")
    (tmp_path / "target").write_text("x")
    for name in ("pipe", "file", "link", "nothing"):
        discard(tmp_path / name)
    assert _names(tmp_path) == ["pipe", "target"]


# ------------------------------------------------------------------------------- JSON


def test_json_comes_back_as_it_was_written(tmp_path: Path) -> None:
    value = {"época": [1, 2.5, None, True], "n": {"a": "ñ"}}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "época" in text
    assert text.endswith("}\n")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_refused_and_the_old_file_stays(
    number: float, tmp_path: Path
) -> None:
    write_json(tmp_path / "a.json", {"loss": 1.0})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"loss": number})
    assert read_json(tmp_path / "a.json") == {"loss": 1.0}
    assert _names(tmp_path) == ["a.json"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"a": 1} x', b"\xff\xfe", b"[" * 200_000, b"1" * 5_000]
)
def test_damaged_json_is_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    assert read_json(tmp_path / "a.json") is None


def test_missing_json_is_none(tmp_path: Path) -> None:
    assert read_json(tmp_path / "a.json") is None
    assert read_json(tmp_path) is None


# -------------------------------------------------------------------------- checksums


def test_checksums_are_the_published_ones() -> None:
    assert md5(b"") == "d41d8cd98f00b204e9800998ecf8427e"
    assert md5(memoryview(b"abc")) == "900150983cd24fb0d6963f7d28e17f72"
    assert sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(memoryview(b"")).startswith("e3b0c44298fc1c14")


# --------------------------------------------------------------------- check_writable


def test_a_folder_that_can_be_written_is_made_and_left_empty(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "folder", 1000)
    assert _names(tmp_path / "new" / "folder") == []


def test_too_little_space_is_told_with_both_sizes(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught:
        check_writable(tmp_path, 10**18)
    assert caught.value.key == "disk_full"
    assert "1,000,000,000,000 MB are needed" in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_file_in_the_place_of_the_output_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "resultados").write_text("mine")
    for folder in (tmp_path / "resultados", tmp_path / "resultados" / "deep"):
        with pytest.raises(OutputError) as caught:
            check_writable(folder, 0)
        assert _reason_key(caught.value) == "reason_not_a_folder"
        assert caught.value.values["path"] == folder


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_told_before_anything_is_done(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError) as caught:
        check_writable(tmp_path, 0)
    assert _reason_key(caught.value) == "reason_denied"


@linux
def test_a_folder_that_not_even_root_can_write_is_told() -> None:
    with pytest.raises(OutputError) as caught:
        check_writable(Path("/sys/kernel"), 0)
    assert _reason_key(caught.value) in ("reason_denied", "reason_read_only")


# ------------------------------------------------------------------------- folder_lock


def test_a_folder_that_is_held_is_refused_and_free_again_afterwards(tmp_path: Path) -> None:
    with folder_lock(tmp_path):
        with pytest.raises(BusyError) as caught, folder_lock(tmp_path):
            raise AssertionError("held twice")
        assert caught.value.values["path"] == tmp_path.resolve()
    with folder_lock(tmp_path):
        pass


def test_an_error_lets_go_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), folder_lock(tmp_path):
        raise ZeroDivisionError
    with folder_lock(tmp_path):
        pass


def test_another_process_holds_the_folder_until_it_is_killed(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from taller_cnn.files import folder_lock
with folder_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BusyError, match="Another training is running"), folder_lock(tmp_path):
            raise AssertionError("held twice")
        other.kill()
    if os.name == "posix":
        assert other.returncode == -signal.SIGKILL
    with folder_lock(tmp_path):
        pass


@linux
def test_a_lock_that_cannot_be_written_is_told() -> None:
    with pytest.raises(OutputError), folder_lock(Path("/sys/kernel")):
        raise AssertionError("nothing can be written here")


# -------------------------------------------------------------------------- provenance


def test_provenance_says_when_with_what_and_where(tmp_path: Path) -> None:
    value = provenance()
    write_json(tmp_path / "a.json", value)
    created = datetime.fromisoformat(value["created"])
    assert created.utcoffset() is not None
    assert abs(datetime.now().astimezone() - created) < timedelta(minutes=1)
    for package in ("taller-cnn", "torch", "torchvision", "numpy", "matplotlib", "mlxtend"):
        assert value["versions"][package] == metadata.version(package)
    assert value["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    machine = value["machine"]
    assert machine["threads"] == torch.get_num_threads()
    assert machine["cores"] == os.cpu_count()
    assert machine["processor"] == processor_name()


def test_the_processor_has_a_name() -> None:
    name = processor_name()
    assert name == name.strip() != ""
