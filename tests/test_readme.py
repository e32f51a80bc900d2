"""The commands of READMEs and reference are run as written, so that they cannot rot.

Every line of a ``sh`` block is run, in order, in one folder per page. A block after a comment
``<!-- not run: why -->`` is left out: set-up that downloads gigabytes, another system's shell.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from taller_cnn.data import Digits

ROOT = Path(__file__).parents[1]
PAIRS = (
    ("README.md", "README.es.md"),
    ("docs/reference/commands.en.md", "docs/reference/commands.es.md"),
)
BLOCK = re.compile(r"(?P<skip><!-- not run: [^>]+ -->\n+)?```sh\n(?P<body>.*?)```", re.DOTALL)


def commands(name: str) -> list[str]:
    """The lines that a reader is told to type."""
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = [match for match in BLOCK.finditer(text) if not match["skip"]]
    lines = [line for match in blocks for line in match["body"].splitlines()]
    return [line for line in lines if line.strip() and not line.startswith("#")]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for pair in PAIRS for name in pair])
def test_every_command_of_the_page_works(name: str, tmp_path: Path, sample_digits: Digits) -> None:
    (tmp_path / "data").mkdir()
    shutil.copytree(sample_digits.folder.parents[1], tmp_path / "data" / "sample")
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    for file in tracked:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "VENV": str(Path(sys.executable).parents[1])}
    environment.pop("TALLER_DATA_DIR", None)
    lines = commands(name)
    assert len(lines) >= 5
    for line in lines:
        done = subprocess.run(
            line.replace("make ", f"make -o {environment['VENV']}/.installed-run VENV=$VENV "),
            shell=True,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert done.returncode == 0, f"$ {line}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0])
def test_both_languages_show_the_same_commands(pair: tuple[str, str]) -> None:
    english, spanish = (
        [re.sub(r" ?--lang en\b ?", " ", line.split("#")[0]).strip() for line in commands(name)]
        for name in pair
    )
    spaces = re.compile(r"\s+")
    assert [spaces.sub("", line) for line in english] == [spaces.sub("", line) for line in spanish]
