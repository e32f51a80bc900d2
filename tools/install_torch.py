"""Install PyTorch before everything else: the CPU build where there is no NVIDIA GPU.

On Linux, PyPI's PyTorch brings the libraries of CUDA: some 3 GB that a machine without an NVIDIA
GPU has no use for. PyTorch's own index has a build without them. It is asked once, for a few
seconds; if it does not answer, what comes next takes PyTorch from the default index. Elsewhere
there is nothing to choose: the default builds for macOS and Windows have no CUDA.

    python tools/install_torch.py [--build auto|cpu|default]
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

CONSTRAINTS = Path(__file__).resolve().parents[1] / "constraints.txt"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PATIENCE = 5
"""Seconds for the index to connect, and for each of its answers."""
PACKAGES = ("torch", "torchvision")

TEXTS = {
    "es": {
        "kept": "PyTorch {version} ya está instalado y se conserva.",
        "gpu": "Hay una GPU de NVIDIA ({sign}): PyTorch con CUDA, del índice por defecto."
        " Sin CUDA: make train TORCH=cpu",
        "default": "PyTorch del índice por defecto, que en Linux trae CUDA (unos 3 GB).",
        "cpu": "PyTorch solo para CPU, de {index}. Con CUDA: make train TORCH=default",
        "silent": "{index} no responde o no tiene estas versiones: PyTorch del índice por defecto,"
        " que en Linux trae CUDA (unos 3 GB). Para exigir el de CPU: make train TORCH=cpu",
        "refused": "{index} no responde o no tiene estas versiones, y se ha pedido TORCH=cpu:"
        " no se instala nada. Con CUDA: make train TORCH=default",
    },
    "en": {
        "kept": "PyTorch {version} is already installed and is kept.",
        "gpu": "There is an NVIDIA GPU ({sign}): PyTorch with CUDA, from the default index."
        " Without CUDA: make train TORCH=cpu",
        "default": "PyTorch from the default index, which on Linux brings CUDA (about 3 GB).",
        "cpu": "PyTorch for the CPU alone, from {index}. With CUDA: make train TORCH=default",
        "silent": "{index} does not answer or does not have these versions: PyTorch from the"
        " default index, which on Linux brings CUDA (about 3 GB). To insist on the CPU: make train"
        " TORCH=cpu",
        "refused": "{index} does not answer or does not have these versions, and TORCH=cpu was"
        " asked for: nothing is installed. With CUDA: make train TORCH=default",
    },
}


def say(key: str, **values: str) -> None:
    """Print a text in the reader's language, ``TALLER_LANG``."""
    language = "en" if os.environ.get("TALLER_LANG", "").lower().startswith("en") else "es"
    print(TEXTS[language][key].format(**values), flush=True)


def pins(constraints: Path) -> dict[str, str]:
    """The pinned version of each of `PACKAGES`."""
    lines = re.findall(r"^([\w-]+)==(\S+)$", constraints.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: pinned for name, pinned in lines if name in PACKAGES}


def cpu_builds(pinned: dict[str, str]) -> dict[str, str]:
    """The same versions in the build for the CPU alone.

    Its name is asked for: pip also looks into the extra indexes of a machine's own settings, which
    have other builds of the same version.
    """
    return {name: f"{number}+cpu" for name, number in pinned.items()}


def kept_version(pinned: str) -> str | None:
    """The installed PyTorch, if it is of the pinned version, whatever its build; else None."""
    try:
        installed = version("torch")
    except PackageNotFoundError:
        return None
    return installed if installed.partition("+")[0] == pinned else None


def gpu_sign(devices: Path) -> str | None:
    """What tells of an NVIDIA GPU: its program or a device file; None without either."""
    program = shutil.which("nvidia-smi")
    return program or next((str(path) for path in sorted(devices.glob("nvidia*"))), None)


def has_versions(index: str, wanted: dict[str, str]) -> bool:
    """Whether the index answers, at once, and has those versions for this Python and machine."""
    return all(
        re.search(rf"(?<![\w.]){re.escape(build)}(?![\w.])", _listed(index, name))
        for name, build in wanted.items()
    )


def _listed(index: str, package: str) -> str:
    """What pip lists of a package in the index; empty if it does not answer in time."""
    once = ["--index-url", index, "--retries", "0", "--timeout", str(PATIENCE)]
    command = [sys.executable, "-m", "pip", "index", "versions", package, *once]
    try:
        # Looking up a name may hang for longer than a connection may.
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=4 * PATIENCE
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout if done.returncode == 0 else ""


def install(index: str, wanted: dict[str, str]) -> bool:
    """Install those versions, and nothing else, from the index; whether that worked.

    What they depend on comes from the default index, where all of it is.
    """
    named = [f"{name}=={build}" for name, build in wanted.items()]
    once = ["--index-url", index, "--retries", "0", "--no-deps", "--quiet"]
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *once, *named]
    return subprocess.run(command, check=False).returncode == 0


def main(
    arguments: list[str], *, devices: Path = Path("/dev"), constraints: Path = CONSTRAINTS
) -> int:
    """Choose a build, say which, and install it if it is not the default one; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", choices=("auto", "cpu", "default"), default="auto")
    parser.add_argument("--cpu-index", default=CPU_INDEX)
    options = parser.parse_args(arguments)
    if sys.platform != "linux":
        return 0
    pinned, index = pins(constraints), options.cpu_index
    wanted = cpu_builds(pinned)
    if kept := kept_version(pinned["torch"]):
        say("kept", version=kept)
    elif options.build == "default":
        say("default")
    elif options.build == "auto" and (sign := gpu_sign(devices)):
        say("gpu", sign=sign)
    elif has_versions(index, wanted) and install(index, wanted):
        say("cpu", index=index)
    elif options.build == "auto":
        say("silent", index=index)
    else:
        say("refused", index=index)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
