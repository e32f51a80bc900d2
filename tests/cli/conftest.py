"""The command line in this process: words in; exit code, output and errors out."""

from __future__ import annotations

import io
import json
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import json_schemas
import pytest
import torch

from taller_cnn.cli import main
from taller_cnn.cli.app import COMMANDS


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str
    command: str = ""
    """The command's name, if one was typed."""

    @property
    def sentences(self) -> str:
        """Standard output without its frames, and without the line breaks that paths bring."""
        return " ".join(self.out.replace("│", " ").split())

    @property
    def json(self) -> dict[str, Any]:
        """Standard output: one JSON object as ``docs/reference/schemas`` describes it."""
        value = json.loads(self.out)
        json_schemas.check(self.command, value)
        assert isinstance(value, dict)
        return value


Cli = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def _plain_terminal(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """80 columns and no colours, wherever the tests run, and a current folder to write into."""
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True, scope="session")
def _few_marks_for_thresholds() -> Iterator[None]:
    """A first reading chooses a threshold, otherwise on thousands of marks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("taller_cnn.reader.threshold.DRAWN", 100)
        yield


@pytest.fixture(autouse=True)
def _process_as_before() -> Iterator[None]:
    """`train --threads` is for the process; a command must leave the signal handlers alone."""
    threads = torch.get_num_threads()
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    torch.set_num_threads(threads)
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert threading.current_thread() is threading.main_thread()


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run ``taller-cnn`` with some words."""

    def run(*words: str | Path) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_info:
            main([str(word) for word in words])
        out, err = capsys.readouterr()
        assert isinstance(exit_info.value.code, int)
        command = next((str(word) for word in words if word in COMMANDS), "")
        return Outcome(exit_info.value.code, out, err, command)

    return run


@dataclass(frozen=True)
class Trained:
    """A finished ``taller-cnn train`` in Spanish; its folder is for reading only."""

    workdir: Path
    out: str

    @property
    def record(self) -> dict[str, Any]:
        """The run's numbers."""
        text = (self.workdir / "resultados" / "run.json").read_text(encoding="utf-8")
        value = json.loads(text)
        assert isinstance(value, dict)
        return value


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, sample_dir: Path) -> Trained:
    """A small network trained on the sample for an epoch and a half."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copytree(sample_dir / "MNIST", folder / "data" / "sample" / "MNIST")
    words = ["train", "--source", "sample", "--workdir", str(folder), "--epochs", "1,5"]
    words += ["--filters", "4", "--hidden", "16", "--batch-size", "32", "--precision", "float32"]
    with redirect_stdout(io.StringIO()) as out, pytest.raises(SystemExit) as exit_info:
        main(words)
    assert exit_info.value.code == 0
    return Trained(folder, out.getvalue())


@pytest.fixture(scope="session")
def trained_workdir(trained: Trained) -> Path:
    """The folder of `trained`; for reading only."""
    return trained.workdir
