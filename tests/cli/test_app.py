from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import pytest
from PIL import Image

from taller_cnn import __version__
from taller_cnn.cli.app import COMMANDS, build
from taller_cnn.cli.command import Option
from taller_cnn.errors import TallerError

HEAVY = ("torch", "torchvision", "matplotlib", "numpy", "scipy", "sklearn", "pandas", "babel")
"""What ``--help`` must not import."""


def words_of(text: str) -> set[str]:
    return set(text.split())


ENGLISH = words_of(
    """
    a an the of on in to is are and or not with without for from by at as it its this that
    be usage options option arguments argument commands command show message exit default
    required missing invalid value values try help such no did you mean possible choose unexpected
    extra got takes requires must folder file files number numbers integer text name error set
    unknown there nothing about training network data results output
    language version what
    """
)
SPANISH = words_of(
    """
    el la los las un una de del que y o en con sin por para desde lo se si es son al como
    uso opciones opción argumentos comandos comando muestra mensaje defecto falta vale debe ser
    elige entre ayuda carpeta archivo archivos número números entero entrenamiento red datos
    resultados idioma versión existe querías decir lleva ningún valor
    """
)
# The same letters in both languages, or the name of a part of the report: not a sign of the wrong
# language.
SHARED = {"no", "error", "a", "general", "data", "network", "o", "y", "es", "en"}

WRONG_USAGE = (
    ["tren"],
    ["xyz"],
    ["--nothing"],
    ["train", "--bath-size", "3"],
    ["train", "--zzz"],
    ["train", "-x"],
    ["train", "word", "more"],
    ["train", "--batch-size"],
    ["train", "--batch-size", "many"],
    ["train", "--batch-size", "2.5"],
    ["train", "--epochs", "1,250"],
    ["train", "--epochs", "long"],
    ["train", "--filters", "16,x"],
    ["train", "--filters", "16,"],
    ["train", "--threads", "0"],
    ["train", "--threads", "x"],
    ["train", "--resume=1"],
    ["train", "--no-batch-norm=1"],
    ["train", "--dataset", "cifar"],
    ["train", "--source", "somewhere"],
    ["train", "--workdir", ""],
    ["train", "--lang"],
    ["train", "--recipe", "slow"],
    ["train", "--batch-size", "0"],
    ["train", "--batch-size", "70000"],
    ["train", "--learning-rate", "0"],
    ["train", "--learning-rate", "-1"],
    ["train", "--learning-rate", "nan"],
    ["train", "--dropout", "1.0"],
    ["train", "--filters", "0"],
    ["train", "--filters", "9999"],
    ["train", "--filters", "1,2,3,4,5,6,7"],
    ["train", "--kernel-size", "4"],
    ["train", "--pooling", "median"],
    ["train", "--holdout", "-1"],
    ["evaluate", "--split", "train"],
    ["evaluate", "--dataset", "cifar"],
    ["data", "--source", "x"],
    ["describe", "--hidden", "-1"],
)


HOSTILE = b"cposix\nsystem\n(S'echo hello'\ntR."
"""A pickle that would run a command."""


def pages() -> list[list[str]]:
    return [["--help"], *([name, "--help"] for name in COMMANDS)]


def foreign_words(text: str, foreign: set[str]) -> set[str]:
    """Words of the other language, leaving out what is typed as it stands."""
    typed = r"--?[a-z][\w-]*|\S*[|/._<>=]\S*|\"[^\"]*\"|“[^”]*”|«[^»]*»|taller-cnn( \w+)?"
    plain = re.sub(typed, " ", text)
    return set(re.findall(r"[^\W\d_]+", plain.lower())) & (foreign - SHARED)


@pytest.mark.parametrize("words", pages(), ids=" ".join)
def test_a_spanish_help_page_has_no_english_word(cli, words: list[str]) -> None:
    page = cli(*words)
    assert page.code == 0
    assert "Uso:" in page.out
    assert foreign_words(page.out, ENGLISH) == set()


@pytest.mark.parametrize("words", pages(), ids=" ".join)
def test_an_english_help_page_has_no_spanish_word(cli, words: list[str]) -> None:
    page = cli(*words, "--lang", "en")
    assert page.code == 0
    assert "Usage:" in page.out
    assert foreign_words(page.out, SPANISH) == set()


@pytest.mark.parametrize("words", WRONG_USAGE, ids=" ".join)
def test_wrong_usage_is_told_in_spanish_with_exit_code_2(cli, words: list[str]) -> None:
    outcome = cli(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("Error: ")
    assert len(outcome.err.splitlines()) == 1
    assert foreign_words(outcome.err, ENGLISH) == set()


@pytest.mark.parametrize("words", WRONG_USAGE, ids=" ".join)
def test_wrong_usage_is_told_in_english_with_exit_code_2(cli, words: list[str]) -> None:
    outcome = cli("--lang", "en", *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("Error: ")
    assert foreign_words(outcome.err, SPANISH) == set()


@pytest.mark.parametrize("words", WRONG_USAGE, ids=" ".join)
def test_wrong_usage_is_told_in_json_too(cli, words: list[str]) -> None:
    outcome = cli(words[0], "--json", *words[1:])
    assert outcome.code == 2
    assert set(outcome.json) == {"error", "kind", "exit_code"}
    assert outcome.json["exit_code"] == 2
    assert outcome.json["kind"] != "cli_wrong_usage", "click's own English words"
    assert outcome.json["error"] in outcome.err


@pytest.mark.parametrize("words", pages(), ids=" ".join)
def test_a_help_page_fits_80_columns_and_shows_no_message_key(cli, words: list[str]) -> None:
    page = cli(*words)
    assert max(map(len, page.out.splitlines())) <= 80
    assert not re.search(r"\b(cli|config)(_\w+)?\.[a-z]", page.out)


def test_every_command_takes_the_shared_options(cli) -> None:
    for name in COMMANDS:
        page = cli(name, "--help").out
        assert "--lang es|en" in page
        assert "--json" in page
        assert "--workdir" in page


def test_no_command_but_train_has_more_than_ten_options_of_its_own(cli) -> None:
    """The network's options are one group, made from the configuration; others are shared."""
    shared = {"dataset", "source", "data_dir", "model", "device", "workdir", "lang", "json"}
    shared |= {"help"}
    root = build()
    for name in COMMANDS:
        command = root.get_command(click.Context(root), name)
        assert command is not None
        options = [p for p in command.params if isinstance(p, Option)]
        own = {p.name for p in options if p.panel != "network"} - shared
        assert name == "train" or len(own) <= 10, (name, own)


def test_without_a_command_the_help_page_is_shown(cli) -> None:
    for words in ([], ["--lang", "es"]):
        outcome = cli(*words)
        assert outcome.code == 0
        assert all(name in outcome.out for name in COMMANDS)


def test_the_short_form_of_help_works(cli) -> None:
    assert cli("train", "-h") == cli("train", "--help")


def test_version_is_the_packages_version(cli) -> None:
    assert cli("--version").out == f"taller-cnn {__version__}\n"


def test_the_language_is_taken_from_the_environment(cli, monkeypatch) -> None:
    monkeypatch.setenv("TALLER_LANG", "en")
    assert "Usage:" in cli("--help").out
    assert "Uso:" in cli("--help", "--lang=es-MX").out


def test_an_unknown_language_is_told_with_where_it_was_given(cli, monkeypatch) -> None:
    outcome = cli("train", "--lang", "fr")
    assert outcome.code == 2
    assert "--lang fr" in outcome.err
    monkeypatch.setenv("TALLER_LANG", "xx")
    outcome = cli("describe", "--json")
    assert (outcome.code, outcome.json["kind"]) == (2, "language")
    assert "TALLER_LANG=xx" in outcome.err
    assert cli("--help", "--lang", "en").code == 0


def test_a_fault_of_the_program_is_not_hidden(cli, monkeypatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("taller_cnn.cli.app.build", broken)
    with pytest.raises(ZeroDivisionError):
        cli("describe")


def test_an_error_of_ours_anywhere_ends_with_its_exit_code(cli, monkeypatch) -> None:
    def broken() -> None:
        raise TallerError("no_model", path=Path("x"))

    monkeypatch.setattr("taller_cnn.cli.app.build", broken)
    outcome = cli("describe")
    assert outcome.code == 1
    assert outcome.err.startswith("Error: No hay ningún modelo en x.")


def run_process(words: Sequence[str], **settings: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
        **settings,  # type: ignore[call-overload]
    )


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["train", "--bath-size"]])
def test_help_and_wrong_usage_import_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys\n"
        "from taller_cnn.cli import main\n"
        "try:\n"
        f"    main({words!r})\n"
        "except SystemExit:\n"
        f"    heavy = [m for m in {HEAVY!r} if m in sys.modules]\n"
        "    print(heavy, file=sys.stderr)\n"
    )
    assert run_process(["-c", code]).stderr.splitlines()[-1] == "[]"


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs the processor time of a child")
def test_help_takes_little_processor_time() -> None:
    """0.3 s is the aim on an idle machine; processor time does not count what others take."""
    seconds = []
    for _ in range(5):
        child = subprocess.Popen(
            [sys.executable, "-m", "taller_cnn", "train", "--help"], stdout=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0
        seconds.append(usage.ru_utime + usage.ru_stime)
    assert min(seconds) < 0.6, seconds


@pytest.mark.parametrize(
    ("words", "code"),
    [(["train", "--help"], 1), (["describe", "--json"], 1), (["train", "--json", "-z"], 2)],
)
def test_a_reader_that_goes_away_causes_no_traceback(words: list[str], code: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "taller_cnn", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        told = child.stderr.read()
        assert "Traceback" not in told
        assert "Exception" not in told
        assert child.wait(timeout=60) == code


def test_a_terminal_without_accents_gets_plain_letters() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "80"}
    page = run_process(["-m", "taller_cnn", "train", "--help"], env=environment)
    assert page.returncode == 0
    assert page.stdout.isascii()
    assert "Lado de los kernels (nucleos), en" in page.stdout


MODEL_COMMANDS = (["evaluate"], ["explain"], ["describe"], ["export", "html"], ["predict"])


@pytest.mark.parametrize("words", MODEL_COMMANDS, ids=" ".join)
@pytest.mark.parametrize("kind", ["missing", "empty", "no model", "hostile"])
def test_a_model_that_is_no_model_is_wrong_input_in_every_command_and_in_json(
    cli, words: list[str], kind: str, tmp_path: Path
) -> None:
    """One error has one code: 2, as the process ends with and as its JSON says."""
    model = tmp_path / "model.pt"
    if kind != "missing":
        model.write_bytes({"empty": b"", "no model": b"hello", "hostile": HOSTILE}[kind])
    picture = tmp_path / "picture.png"
    Image.new("L", (40, 40), 255).save(picture)
    words = [*words, str(picture)] if words == ["predict"] else words
    outcome = cli(*words, "--model", model, "--json")
    assert (outcome.code, outcome.json["exit_code"]) == (2, 2)
    assert str(model) in outcome.json["error"]
