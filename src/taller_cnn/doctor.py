"""First aid: what this machine has, what is missing, and what stops the work.

Nothing is made, changed or downloaded. PyTorch is asked last and may be broken: everything else is
told then too.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from taller_cnn.errors import Phrase
from taller_cnn.files import cpu_flags, processor_name
from taller_cnn.reasons import os_reason

FREE_BYTES = 50_000_000
"""Free space that a training asks for."""
PROBE_SECONDS = 4.0
EXTRAS = {"pillow-heif": "heic", "pyarrow": "parquet", "onnx": "onnx", "keras": "keras"}
"""Packages that nothing needs, each with the key of what it gives."""
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables that name root certificates."""

_FEATURES = {
    "avx2": ("avx2",),
    "avx512": ("avx512f",),
    "bf16": ("avx512_bf16", "amx_bf16", "bf16"),
    "amx": ("amx_tile",),
}
"""Instructions that make training fast, by their names in ``/proc/cpuinfo``."""
_NAME = re.compile(r"[\w.-]+")


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that is not as it should be."""

    text: Phrase
    stops_work: bool
    """Whether a command fails because of it that would work otherwise."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """The state of a machine; every part but `problems` is plain JSON."""

    python: str
    system: str
    packages: Mapping[str, str | None]
    """Version of each package that is needed; None where it is not installed."""
    processor: Mapping[str, Any]
    """``name``, ``cores`` and ``features``: yes, no, or None where the system does not tell."""
    extras: Sequence[Mapping[str, Any]]
    folders: Sequence[Mapping[str, Any]]
    torch: Mapping[str, Any] | None
    """Build, instructions, threads, GPUs and precision; None where PyTorch cannot be loaded."""
    data: Sequence[Mapping[str, Any]]
    """State of the full set of each data set, and of the sample."""
    internet: Mapping[str, Any] | None
    """Whether a mirror of the digits answers, proxies and certificates; None without PyTorch."""
    problems: Sequence[Problem] = field(default=())

    @property
    def can_work(self) -> bool:
        """Whether nothing stops the work."""
        return not any(problem.stops_work for problem in self.problems)


def diagnose(workdir: Path, data_dir: Path | None, environment: Mapping[str, str]) -> Diagnosis:
    """Look at everything; asks the mirrors of the digits whether they answer.

    Args:
        workdir: the working folder.
        data_dir: the folder of the full sets, if not that of `workdir`.
        environment: the process's variables.
    """
    problems: list[Problem] = []
    packages = _packages(problems)
    torch = _torch(problems)
    data = _data(workdir, data_dir, problems) if torch else []
    is_full = {"dataset": "mnist", "source": "full", "state": "verified"}.items() <= (
        data[0].items() if data else set()
    )
    return Diagnosis(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}",
        packages=packages,
        processor=_processor(),
        extras=[_extra(name, gives) for name, gives in EXTRAS.items()],
        folders=list(_folders(workdir, data_dir or workdir / "data", is_full, problems)),
        torch=torch,
        data=data,
        internet=_internet(environment, is_full, problems) if torch else None,
        problems=problems,
    )


def _packages(problems: list[Problem]) -> dict[str, str | None]:
    """Versions of what the package needs, by its own description."""
    try:
        described = metadata.requires("taller-cnn") or []
    except metadata.PackageNotFoundError:
        described = []
    needed = [line for line in described if "extra ==" not in line]
    names = [match[0] for match in map(_NAME.match, needed) if match]
    versions = {name: _version(name) for name in ("taller-cnn", *sorted(names))}
    missing = [name for name in names if versions[name] is None and _is_for_here(described, name)]
    if missing:
        values = {"packages": ", ".join(missing), "command": f"pip install {' '.join(missing)}"}
        problems.append(Problem(text=Phrase("doctor_packages", values), stops_work=True))
    return {name: version for name, version in versions.items() if version or name in missing}


def _is_for_here(described: Sequence[str], name: str) -> bool:
    """Whether a package is needed on this system: some are for others alone."""
    line = next(line for line in described if line.startswith(name))
    return "sys_platform" not in line and "platform_" not in line


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _extra(name: str, gives: str) -> dict[str, Any]:
    version = _version(name)
    return {"name": name, "version": version, "gives": gives, "install": f"pip install {name}"}


def _processor() -> dict[str, Any]:
    """What computes; outside of Linux the system does not list its instructions."""
    flags = cpu_flags()
    features = {
        name: bool(flags.intersection(names)) if flags else None
        for name, names in _FEATURES.items()
    }
    return {"name": processor_name(), "cores": os.cpu_count(), "features": features}


def _torch(problems: list[Problem]) -> dict[str, Any] | None:
    """The build of PyTorch and what it computes on."""
    try:
        import torch
        import torchvision

        from taller_cnn.devices import choose_device, choose_precision
    # A broken installation fails in many ways: a library that is not there, a wrong version.
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        values = {"reason": reason, "command": "pip install --force-reinstall torch torchvision"}
        text = Phrase("doctor_torch", values)
        problems.append(Problem(text=text, stops_work=True))
        return None
    device = choose_device("auto").value
    gpus = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
    if torch.version.cuda and not torch.cuda.is_available() and shutil.which("nvidia-smi"):
        problems.append(Problem(text=Phrase("doctor_no_cuda"), stops_work=False))
    return {
        "version": torch.__version__,
        "torchvision": torchvision.__version__,
        "build": f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU",
        "mkl": torch.backends.mkl.is_available(),  # type: ignore[no-untyped-call]
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "device": device.type,
        "gpus": gpus,
        "precision": str(choose_precision("auto", device).value).removeprefix("torch."),
    }


def _data(workdir: Path, data_dir: Path | None, problems: list[Problem]) -> list[dict[str, Any]]:
    """What is there of each data set, checked as before a training."""
    from taller_cnn.data import DATASETS, DigitsPlace, inspect_folders
    from taller_cnn.data.datasets import SAMPLE, spec_of
    from taller_cnn.data.rawfiles import raw_folder

    found = []
    for name in DATASETS:
        place = DigitsPlace.in_workdir(workdir, data_dir, dataset=name)
        by_source = {inventory.source: inventory for inventory in inspect_folders(place)}
        sources = [("full", raw_folder(spec_of(name), place.data_dir))]
        if name == SAMPLE.name:
            sources.append(("sample", raw_folder(SAMPLE, place.sample_dir)))
        for source, folder in sources:
            inventory = by_source.get(source)  # type: ignore[call-overload]
            states = {file.state for file in inventory.files} if inventory else {"missing"}
            state = next(s for s in ("damaged", "missing", "unverified", "verified") if s in states)
            folder = inventory.folder if inventory else folder
            if inventory and state == "missing":
                state = "incomplete"
            if source == "full" and state in ("damaged", "incomplete"):
                text = Phrase(f"doctor_data_{state}", {"dataset": name, "folder": folder})
                problems.append(Problem(text=text, stops_work=True))
            found.append({"dataset": name, "source": source, "folder": str(folder), "state": state})
    return found


def _folders(
    workdir: Path, data_dir: Path, is_full: bool, problems: list[Problem]
) -> Iterator[dict[str, Any]]:
    """Whether the folders that commands write into can be written, and the space there."""
    places = {
        "models": workdir / "modelo",
        "results": workdir / "resultados",
        "data": data_dir,
        "temporary": Path(tempfile.gettempdir()),
    }
    for kind, folder in places.items():
        reason, free = _writable(folder)
        # Who has the digits already writes nothing beside them.
        matters = kind != "data" or not is_full
        if reason is not None:
            text = Phrase("doctor_folder", {"path": folder, "reason": reason})
            problems.append(Problem(text=text, stops_work=matters))
        elif free is not None and free < FREE_BYTES:
            values = {"path": folder, "free_mb": free / 1e6, "needed_mb": FREE_BYTES / 1e6}
            problems.append(Problem(text=Phrase("doctor_disk", values), stops_work=matters))
        free_mb = None if free is None else round(free / 1e6)
        yield {
            "kind": kind,
            "path": str(folder.absolute()),
            "writable": reason is None,
            "free_mb": free_mb,
        }


def _writable(folder: Path) -> tuple[Phrase | str | None, int | None]:
    """Why nothing can be written into a folder, or into that where it would be made; free bytes."""
    there = folder.absolute()
    try:
        while not there.exists():
            there = there.parent
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"\0")
        return None, shutil.disk_usage(there).free
    except OSError as error:
        return os_reason(error), None


def _internet(
    environment: Mapping[str, str], is_full: bool, problems: list[Problem]
) -> dict[str, Any]:
    """Whether a mirror of the digits answers, through which proxies and with which certificates."""
    from taller_cnn.data.datasets import SAMPLE
    from taller_cnn.data.download import proxies, why_no_mirror_answers
    from taller_cnn.reasons import remedy_of

    reason = why_no_mirror_answers(SAMPLE, PROBE_SECONDS)
    certificates = []
    for name in CERTIFICATES:
        if path := environment.get(name):
            certificates.append({"variable": name, "path": path, "exists": Path(path).exists()})
    for named in certificates:
        if not named["exists"]:
            values = {"variable": named["variable"], "path": named["path"]}
            text = Phrase("doctor_certificates", values)
            problems.append(Problem(text=text, stops_work=False))
    if reason is not None:
        key = "doctor_offline" if is_full else "doctor_offline_sample"
        values = {"reason": reason, "remedy": remedy_of(reason)}
        problems.append(Problem(text=Phrase(key, values), stops_work=False))
    return {"reachable": reason is None, "proxies": proxies(), "certificates": certificates}
