"""The package as a whole: what importing it costs, and what each module offers."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys
from importlib import metadata, resources
from pathlib import Path

import pytest

import taller_cnn

SOURCE = Path(taller_cnn.__file__).parent
LIGHT = ["taller_cnn", *(f"taller_cnn.{m}" for m in ("errors", "messages", "config", "files"))]
HEAVY = ("torch", "torchvision", "numpy", "matplotlib", "sklearn", "scipy", "mlxtend", "pandas")
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages([str(SOURCE)], "taller_cnn.")
    if not module.name.endswith("__main__")
)


def _run(code: str) -> str:
    """Standard output of a fresh Python, which must say nothing on standard error."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def _loaded(*modules: str) -> set[str]:
    """The top-level modules that are loaded after importing some, which must print nothing."""
    lines = _run(
        f"import {', '.join(modules)}, sys; print(*{{m.split('.')[0] for m in sys.modules}})"
    ).splitlines()
    assert len(lines) == 1
    return set(lines[0].split())


def test_importing_the_package_and_its_configuration_is_silent_and_light() -> None:
    loaded = _loaded(*LIGHT)
    assert "taller_cnn" in loaded
    assert loaded & {*HEAVY, "babel", "filelock", "click", "rich"} == set()


def test_importing_the_command_line_does_not_import_torch() -> None:
    assert _loaded("taller_cnn.cli") & set(HEAVY) == set()


def test_importing_every_module_is_silent_seeds_nothing_and_draws_nothing() -> None:
    # rich draws a number of its own when it is imported.
    code = f"""
import random, sys, warnings
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import click, numpy, rich.console, torch
before = random.getstate(), numpy.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
import {", ".join(MODULES)}
after = random.getstate(), numpy.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
assert before == after
assert not {{"matplotlib.pyplot", "mlxtend"}} & set(sys.modules)
print("silent")
"""
    assert _run(code) == "silent\n"


@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_a_docstring_and_offers_only_what_it_has(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    names = getattr(module, "__all__", [])
    assert len(names) == len(set(names))
    assert [n for n in names if not hasattr(module, n)] == []


def test_the_version_is_the_installed_one() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", taller_cnn.__version__)
    assert metadata.version("taller-cnn") == taller_cnn.__version__


@pytest.mark.parametrize("file", ["py.typed", "locale/es/errors.toml", "locale/en/errors.toml"])
def test_the_package_carries_its_data_files(file: str) -> None:
    assert resources.files("taller_cnn").joinpath(file).is_file()
