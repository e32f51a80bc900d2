from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from taller_cnn.cli.failures import exit_code_of
from taller_cnn.cli.terminal import (
    LostOutputError,
    Terminal,
    find_language,
    prepare_streams,
    wants_json,
)
from taller_cnn.errors import DataError, InterruptedRunError, UsageError
from taller_cnn.messages import Messages


@contextmanager
def ascii_output() -> Iterator[io.BytesIO]:
    """Standard output as a terminal without accents has it; what it is given."""
    written, before = io.BytesIO(), sys.stdout
    sys.stdout = io.TextIOWrapper(written, encoding="ascii", write_through=True)
    prepare_streams()
    try:
        yield written
    finally:
        sys.stdout = before


def test_letters_that_cannot_be_written_become_plain_ones() -> None:
    with ascii_output() as written:
        sys.stdout.write("Época ñandú «3 × 3» → ¿97,1\u202f%? 漢 \udcff")
        assert written.getvalue() == b'Epoca nandu "3 x 3" -> 97,1 %? ? ?'


def test_json_keeps_letters_that_cannot_be_written() -> None:
    with ascii_output() as written:
        Terminal(Messages("es"), json=True).result({"nombre": "Pantalón"})
        assert json.loads(written.getvalue().decode("ascii")) == {"nombre": "Pantalón"}


def test_with_json_nothing_but_the_result_is_on_standard_output(capsys) -> None:
    terminal = Terminal(Messages("es"), json=True)
    terminal.say("cli.loading")
    terminal.notice("¡Ojo!")
    terminal.result({"n": 3})
    out, err = capsys.readouterr()
    assert out == '{"n": 3}\n'
    assert "Cargando" in err
    assert "¡Ojo!" in err


def test_without_json_the_result_is_not_written(capsys) -> None:
    Terminal(Messages("es")).result({"n": 3})
    assert capsys.readouterr().out == ""


def test_a_result_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        Terminal(Messages("es"), json=True).result({"loss": float("nan")})


def test_a_failure_goes_to_the_reader_and_to_the_program(capsys) -> None:
    error = DataError("data_unreadable", path="x", reason="y")
    Terminal(Messages("es"), json=True).failure(error)
    out, err = capsys.readouterr()
    text = "No se puede leer x: y."
    assert err == f"Error: {text}\n"
    assert json.loads(out) == {"error": text, "kind": "data_unreadable", "exit_code": 1}


def test_an_interruption_is_not_called_an_error(capsys) -> None:
    Terminal(Messages("es")).failure(InterruptedRunError("cli_interrupted"))
    assert capsys.readouterr().err == "Interrumpido.\n"


def test_a_long_sentence_is_one_line_where_no_terminal_is(capsys) -> None:
    terminal = Terminal(Messages("es"))
    terminal.failure(DataError("data_unreadable", path="x", reason="palabra " * 40))
    terminal.say("cli.help")
    out, err = capsys.readouterr()
    assert len(err.splitlines()) == 1
    assert len(out.splitlines()[0]) > 80


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [(["data", "--json"], True), (["data"], False), (["predict", "--", "--json"], False)],
)
def test_json_is_known_before_the_command_line_is_read(arguments: list[str], wanted: bool) -> None:
    assert wants_json(arguments) is wanted


@pytest.mark.parametrize(
    ("arguments", "environment", "tag"),
    [
        ([], {}, "es"),
        ([], {"TALLER_LANG": "en"}, "en"),
        ([], {"TALLER_LANG": ""}, "es"),
        (["--lang", "en"], {"TALLER_LANG": "es"}, "en"),
        (["train", "--lang=es-MX"], {}, "es-MX"),
        (["--lang", "es", "train", "--lang", "en"], {}, "en"),
        (["train", "--", "--lang", "en"], {}, "es"),
        (["train", "--lang"], {"TALLER_LANG": "en"}, "en"),
        (["--language", "en"], {}, "es"),
    ],
)
def test_the_language_is_that_of_the_option_then_of_the_variable_then_spanish(
    arguments: list[str], environment: dict[str, str], tag: str
) -> None:
    assert find_language(arguments, environment).tag == tag


def test_an_unknown_language_names_its_source_and_the_choices() -> None:
    with pytest.raises(UsageError, match=r"--lang de.*es, en"):
        find_language(["--lang", "de"], {"TALLER_LANG": "en"})
    with pytest.raises(UsageError, match="TALLER_LANG=klingon"):
        find_language([], {"TALLER_LANG": "klingon"})


# ------------------------------------------------- streams that are missing, full or narrow


def in_a_shell(redirections: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ``taller-cnn`` with streams as a shell gives them."""
    command = '"$0" -m taller_cnn "$@" ' + redirections
    return subprocess.run(
        ["/bin/sh", "-c", command, sys.executable, *words, "--lang", "en"],
        capture_output=True,
        text=True,
    )


posix = pytest.mark.skipif(os.name != "posix", reason="needs a shell and its redirections")
full = pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs /dev/full")


@posix
@pytest.mark.parametrize(
    ("redirections", "words", "code", "told"),
    [
        (">&-", ["data", "--help"], 0, ""),
        (">&-", ["--version"], 0, ""),
        ("<&- >&-", ["describe", "--json"], 0, ""),
        (">&- 2>&- <&-", ["data", "--help"], 0, ""),
        (">&-", ["data", "--zzz"], 2, "There is no option --zzz"),
        (">&- 2>&-", ["data", "--zzz"], 2, ""),
        pytest.param(">/dev/full", ["data", "--help"], 1, "the disk is full", marks=full),
        pytest.param(">/dev/full", ["describe", "--json"], 1, "the disk is full", marks=full),
        pytest.param(">/dev/full", ["data", "--zzz", "--json"], 2, "no option --zzz", marks=full),
        pytest.param("2>/dev/full", ["data", "--zzz"], 2, "", marks=full),
        pytest.param("2>/dev/full", ["data", "--help"], 0, "", marks=full),
    ],
)
def test_streams_that_are_missing_or_full_bring_no_traceback_and_no_other_exit_code(
    redirections: str, words: list[str], code: int, told: str
) -> None:
    done = in_a_shell(redirections, *words)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert told in done.stderr


@posix
def test_files_never_get_the_number_of_a_stream_that_is_missing(tmp_path: Path) -> None:
    """What a library prints would go into the first file that is opened."""
    code = (
        "import os, sys; from taller_cnn.cli.terminal import prepare_streams; prepare_streams();"
        f"file = open({str(tmp_path / 'x')!r}, 'w');"
        "os.write(1, b'printed'); sys.exit(file.fileno())"
    )
    command = '"$0" -c "$1" <&- >&- 2>&-'
    done = subprocess.run(["/bin/sh", "-c", command, sys.executable, code])
    assert done.returncode == 3
    assert (tmp_path / "x").read_bytes() == b""


def test_an_output_that_is_full_is_told_once_and_the_failure_before_it_keeps_its_code(
    capsys, monkeypatch
) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sys.stdout", Full())
    terminal = Terminal(Messages("en"), json=True)
    with pytest.raises(LostOutputError) as lost:
        terminal.result({"n": 3})
    assert exit_code_of(lost.value, terminal) == 1
    assert capsys.readouterr().err.count("the disk is full") == 1
    assert exit_code_of(UsageError("cli_wrong_usage", reason="x", command="y"), terminal) == 2


def test_what_cannot_be_told_on_standard_error_stops_nothing(capsys, monkeypatch) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("sys.stderr", Gone())
    terminal = Terminal(Messages("en"), json=True)
    terminal.say("cli.loading")
    terminal.notice("!")
    terminal.result({"n": 3})
    assert capsys.readouterr().out == '{"n": 3}\n'


@pytest.mark.parametrize(("columns", "width"), [("0", 80), ("1", 20), ("19", 20), ("30", 30)])
def test_a_window_without_a_size_has_a_usual_one(columns: str, width: int, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    terminal = Terminal(Messages("en"))
    assert (terminal.out.width, terminal.err.width) == (width, width)
