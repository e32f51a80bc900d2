"""Which PyTorch `make train` installs, with an index on this machine and wheels of a few bytes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pip
import pytest

REPO = Path(__file__).resolve().parents[1]
PINS = {"torch": "2.14.1", "torchvision": "0.29.1"}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a choice")
Install = Callable[..., subprocess.CompletedProcess[str]]


def write_wheel(folder: Path, name: str, version: str) -> None:
    """A wheel with nothing in it."""
    info = f"{name}-{version}.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    tags = "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        wheel.writestr(f"{info}/WHEEL", tags)
        wheel.writestr(f"{info}/RECORD", "")


class Index(SimpleHTTPRequestHandler):
    """A package index of the wheels in a folder, which keeps the paths that it was asked for."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def index(tmp_path: Path) -> Iterator[tuple[str, list[str], Path]]:
    """Address of an index with the pinned CPU builds, what it was asked for, and its folder."""
    folder, asked = tmp_path / "index", []  # type: tuple[Path, list[str]]
    for name, pinned in PINS.items():
        write_wheel(folder / name, name, f"{pinned}+cpu")
    handler = type("Asked", (Index,), {"asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked, folder
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Run the installer in an empty environment on a machine with those devices and programs."""
    environment, devices, programs = (tmp_path / n for n in ("venv", "dev", "bin"))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    site = next(environment.glob("lib/python*/site-packages"))
    (site / "pip").symlink_to(Path(pip.__file__).parent)
    for folder in (devices, programs):
        folder.mkdir()
    constraints = tmp_path / "constraints.txt"
    lines = [f"{name}=={pinned}" for name, pinned in PINS.items()]
    constraints.write_text("\n".join(["numpy==2.4.6", *lines, ""]), encoding="utf-8")
    main = (
        f"import sys, pathlib; sys.path.insert(0, {str(REPO / 'tools')!r}); import install_torch\n"
        f"places = {{'devices': pathlib.Path({str(devices)!r}),"
        f" 'constraints': pathlib.Path({str(constraints)!r})}}\n"
        "sys.exit(install_torch.main(sys.argv[1:], **places))"
    )
    outside = ("PIP_", "PYTHON", "TALLER_", "http", "HTTP", "all_", "ALL_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(outside)}

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        # This machine's settings may name other indexes, and those have the real wheels.
        apart = {"PIP_CONFIG_FILE": os.devnull, "PIP_CACHE_DIR": str(tmp_path / "cache")}
        return subprocess.run(
            [environment / "bin" / "python", "-c", main, *arguments],
            env={**kept, **apart, "PATH": str(programs), **settings},
            capture_output=True,
            text=True,
        )

    return run


def installed(tmp_path: Path) -> set[str]:
    site = next((tmp_path / "venv").glob("lib/python*/site-packages"))
    return {path.name.removesuffix(".dist-info") for path in site.glob("*.dist-info")}


CPU_BUILDS = {f"{name}-{pinned}+cpu" for name, pinned in PINS.items()}


def test_without_a_gpu_the_cpu_builds_of_the_pinned_versions_are_installed(
    index: tuple[str, list[str], Path], install: Install, tmp_path: Path
) -> None:
    for name in PINS:  # A newer version does not take the place of the pinned one.
        write_wheel(index[2] / name, name, "9.9+cpu")
    done = install("--cpu-index", index[0])
    assert done.returncode == 0, done.stderr
    assert (
        f"PyTorch solo para CPU, de {index[0]}. Con CUDA: make train TORCH=default" in done.stdout
    )
    assert installed(tmp_path) == CPU_BUILDS


def test_with_nvidia_smi_or_a_device_the_default_index_is_left_to_come_and_cuda_with_it(
    index: tuple[str, list[str], Path], install: Install, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "nvidia-smi"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    done = install("--cpu-index", index[0])
    assert (done.returncode, installed(tmp_path), index[1]) == (0, set(), [])
    assert f"Hay una GPU de NVIDIA ({program})" in done.stdout
    program.unlink()
    (tmp_path / "dev" / "nvidia0").touch()
    done = install("--cpu-index", index[0], TALLER_LANG="en")
    assert (done.returncode, installed(tmp_path), index[1]) == (0, set(), [])
    assert "There is an NVIDIA GPU" in done.stdout
    assert "make train TORCH=cpu" in done.stdout
    done = install("--cpu-index", index[0], "--build", "cpu")
    assert installed(tmp_path) == CPU_BUILDS


@pytest.mark.parametrize("fault", ["closed", "other versions"])
def test_an_index_that_has_nothing_is_asked_once_and_the_default_one_comes_next(
    index: tuple[str, list[str], Path], install: Install, tmp_path: Path, fault: str
) -> None:
    address = "http://127.0.0.1:9" if fault == "closed" else index[0]
    for wheel in index[2].rglob("*.whl"):
        wheel.rename(str(wheel).replace("2.14.1", "2.14.10").replace("0.29.1", "0.29.10"))
    done = install("--cpu-index", address)
    assert (done.returncode, installed(tmp_path)) == (0, set())
    assert f"{address} no responde o no tiene estas versiones" in done.stdout
    assert "make train TORCH=cpu" in done.stdout
    assert index[1] == ([] if fault == "closed" else ["/torch/"])
    done = install("--cpu-index", address, "--build", "cpu")
    assert (done.returncode, installed(tmp_path)) == (1, set())
    assert "no se instala nada" in done.stdout


def test_an_extra_index_of_the_machine_s_settings_does_not_pass_for_the_silent_one(
    index: tuple[str, list[str], Path], install: Install, tmp_path: Path
) -> None:
    """It has the default build, which on Linux is the one with CUDA."""
    for wheel in index[2].rglob("*.whl"):
        wheel.unlink()
    for name, pinned in PINS.items():
        write_wheel(index[2] / name, name, pinned)
    done = install("--cpu-index", "http://127.0.0.1:9", PIP_EXTRA_INDEX_URL=index[0])
    assert (done.returncode, installed(tmp_path)) == (0, set())
    assert "no responde" in done.stdout


@pytest.mark.parametrize("build", ["+cu130", "+cpu", ""])
def test_a_pytorch_of_the_pinned_version_is_kept_whatever_its_build(
    index: tuple[str, list[str], Path], install: Install, tmp_path: Path, build: str
) -> None:
    site = next((tmp_path / "venv").glob("lib/python*/site-packages"))
    info = site / f"torch-{PINS['torch']}{build}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: torch\nVersion: {PINS['torch']}{build}\n")
    done = install("--cpu-index", index[0])
    assert (done.returncode, index[1]) == (0, [])
    assert f"PyTorch {PINS['torch']}{build} ya está instalado y se conserva." in done.stdout


def test_another_version_gives_way_to_the_pinned_one(
    index: tuple[str, list[str], Path], install: Install, tmp_path: Path
) -> None:
    write_wheel(index[2] / "torch", "torch", "2.13.0+cpu")
    site = next((tmp_path / "venv").glob("lib/python*/site-packages"))
    info = site / "torch-2.13.0+cpu.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: torch\nVersion: 2.13.0+cpu\n")
    (info / "RECORD").write_text(f"{info.name}/METADATA,,\n{info.name}/RECORD,,\n")
    done = install("--cpu-index", index[0])
    assert done.returncode == 0, done.stderr
    assert installed(tmp_path) == CPU_BUILDS


def test_the_default_build_is_left_to_pip(
    index: tuple[str, list[str], Path], install: Install, tmp_path: Path
) -> None:
    done = install("--cpu-index", index[0], "--build", "default")
    assert (done.returncode, installed(tmp_path), index[1]) == (0, set(), [])
    assert "PyTorch del índice por defecto" in done.stdout


def test_a_silent_index_costs_a_few_seconds(install: Install, tmp_path: Path) -> None:
    """It takes the connection and never answers."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        done = install("--cpu-index", f"http://127.0.0.1:{deaf.getsockname()[1]}")
    assert (done.returncode, installed(tmp_path)) == (0, set())
    assert "no responde" in done.stdout


def test_the_versions_are_those_of_the_project() -> None:
    lines = (REPO / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert {f"{name}=={pinned}" for name, pinned in PINS.items()} <= set(lines)


def test_make_chooses_before_it_installs(tmp_path: Path) -> None:
    done = subprocess.run(
        ["make", "--dry-run", "train", f"VENV={tmp_path / 'env'}", "TORCH=cpu"],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stdout.splitlines() if "install" in line and "python" in line]
    assert "tools/install_torch.py --build cpu" in lines[0]
    assert "-m pip install" in lines[1]
