"""How many digits a second the lab answers, how long one waits, and whether its memory grows.

    python benchmarks/serving.py            speed: about a minute
    python benchmarks/serving.py --soak 10  ten minutes of load, memory watched

The load comes from a process of its own on the same machine. With ``--gradio PYTHON``, a Python
that has gradio and taller-cnn, a plain interface around the same network is measured in the same
run: ``python -m venv ../gradio; ../gradio/bin/pip install gradio .``
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from load_generator import Load
from reporting import table, write_results

HERE = Path(__file__).parent
SECONDS = 10.0
REPEATS = 3
CONNECTIONS = 32
PREDICT_NAME = f"predict, {CONNECTIONS} connections"
GRADIO_NAME = f"plain gradio, {CONNECTIONS} connections"
MEMORY_SECONDS = 5.0
SETTLING = 60.0
"""Seconds after which memory counts: caches are full by then."""

GRADIO = """
import sys
import gradio
import numpy as np
import torch
from pathlib import Path
from taller_cnn.checkpoints import load_model

model = load_model(Path(sys.argv[1])).model

@torch.inference_mode()
def predict(image):
    pixels = torch.tensor(image, dtype=torch.float32).reshape(1, 1, 28, 28)
    return model((pixels / 255 - 0.1307) / 0.3081).softmax(1)[0].tolist()

interface = gradio.Interface(predict, gradio.JSON(), gradio.JSON(), api_name="predict")
# Straight to the function: a queue would need two requests for each answer.
for function in interface.fns.values():
    function.queue = False
interface.launch(server_name="127.0.0.1", server_port=int(sys.argv[2]), quiet=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--soak", type=float, default=0.0, help="minutes of load")
    parser.add_argument("--gradio", type=Path, help="a Python with gradio and taller-cnn")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each measurement")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workdir = Path(folder)
        model = untrained_model(workdir)
        with lab(workdir) as (port, process):
            if arguments.soak:
                report_soak(port, process, arguments.soak * 60)
                return
            figures = measure(port, arguments.seconds)
        if arguments.gradio:
            loads = measure_gradio(arguments.gradio, model, arguments.seconds)
            figures[GRADIO_NAME] = loads
    report(figures)


def untrained_model(workdir: Path) -> Path:
    """The workshop's network with its initial weights, which are as fast as trained ones."""
    from taller_cnn.checkpoints import ModelInfo, save_model
    from taller_cnn.config import ModelConfig, TrainConfig
    from taller_cnn.data import MNIST_SCALE
    from taller_cnn.model import SimpleCNN

    path = workdir / "modelo" / "cnn_mnist.pt"
    info = ModelInfo(
        model=ModelConfig(),
        train=TrainConfig(),
        dataset="mnist",
        class_names=tuple("0123456789"),
        scale=MNIST_SCALE,
        source="sample",
        data_checksum="",
    )
    save_model(SimpleCNN(), path, info)
    return path


@contextmanager
def lab(workdir: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A lab in a process of its own; its port."""
    command = [sys.executable, "-m", "taller_cnn", "lab", "--no-browser", "--json"]
    process = subprocess.Popen(
        [*command, "--port", str(free_port()), "--workdir", str(workdir)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())["address"]
        yield int(address.rstrip("/").rpartition(":")[2]), process
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def digit_body() -> bytes:
    """A request with one digit: a ring with the grey levels of a pen stroke."""
    rows = []
    for y in range(28):
        distances = [abs(((x - 13.5) ** 2 + (y - 13.5) ** 2) ** 0.5 - 7) for x in range(28)]
        rows.append([max(0, min(255, round(255 * (2 - d)))) for d in distances])
    return json.dumps({"image": rows}, separators=(",", ":")).encode("ascii")


def picture_body() -> bytes:
    """A picture of 600 x 400 pixels with three of those digits in dark ink on white, as PNG."""
    import io

    import numpy as np
    from PIL import Image

    digit = np.array(json.loads(digit_body())["image"], dtype=np.uint8)
    page = np.full((400, 600), 255, dtype=np.uint8)
    large = digit.repeat(5, axis=0).repeat(5, axis=1)
    for left in (40, 230, 420):
        page[130:270, left : left + 140] -= large
    buffer = io.BytesIO()
    Image.fromarray(page).save(buffer, "PNG")
    return buffer.getvalue()


def apply(load: Load) -> dict[str, Any]:
    """Run the load generator to its end."""
    done = subprocess.run(
        [sys.executable, str(HERE / "load_generator.py"), load.to_json()],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def measure(port: int, seconds: float) -> dict[str, Any]:
    """Both routes, several times in turns."""
    loads = {
        PREDICT_NAME: predict_load(port, CONNECTIONS, seconds),
        "predict, 1 connection": predict_load(port, 1, seconds),
        "predict, 16 digits a request, 8 connections": batch_load(port, seconds),
        "readings, 4 connections": picture_load(port, seconds),
    }
    figures: dict[str, Any] = {name: [] for name in loads}
    for _ in range(REPEATS):
        for name, load in loads.items():
            figures[name].append(apply(load))
    return figures


def predict_load(port: int, connections: int, seconds: float) -> Load:
    body = base64.b64encode(digit_body()).decode("ascii")
    return Load(
        port=port,
        path="/api/predict",
        body=body,
        content_type="application/json",
        connections=connections,
        seconds=seconds,
    )


def batch_load(port: int, seconds: float) -> Load:
    image = json.loads(digit_body())["image"]
    body = json.dumps({"images": [image] * 16}, separators=(",", ":")).encode("ascii")
    return Load(
        port=port,
        path="/api/predict",
        body=base64.b64encode(body).decode("ascii"),
        content_type="application/json",
        connections=8,
        seconds=seconds,
    )


def picture_load(port: int, seconds: float) -> Load:
    return Load(
        port=port,
        path="/api/readings",
        body=base64.b64encode(picture_body()).decode("ascii"),
        content_type="image/png",
        connections=4,
        seconds=seconds,
    )


def measure_gradio(python: Path, model: Path, seconds: float) -> list[dict[str, Any]]:
    """A plain gradio interface under the same load."""
    port = free_port()
    process = subprocess.Popen([str(python), "-c", GRADIO, str(model), str(port)])
    try:
        wait_for(f"http://127.0.0.1:{port}/")
        image = json.loads(digit_body())["image"]
        load = Load(
            port=port,
            path="/gradio_api/run/predict",
            body=base64.b64encode(json.dumps({"data": [image]}).encode("ascii")).decode("ascii"),
            content_type="application/json",
            connections=CONNECTIONS,
            seconds=seconds,
        )
        return [apply(load) for _ in range(REPEATS)]
    finally:
        process.terminate()
        process.wait()


def wait_for(address: str, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(address, timeout=1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def report(figures: dict[str, Any]) -> None:
    """Print and keep the table."""
    rows = [_row(name, results) for name, results in figures.items()]
    header = ("route", "requests/s", "median ms", "p99 ms", "failed")
    notes = [
        f"The middle one of {REPEATS} runs; the load generator is a process on the same machine."
    ]
    if GRADIO_NAME in figures:
        lab_speed, gradio_speed = (
            _middle(figures[name])["per_second"] for name in (PREDICT_NAME, GRADIO_NAME)
        )
        notes.append(f"The lab answers {lab_speed / gradio_speed:.0f} times as many.")
    body = "\n\n".join([table(header, rows), *notes])
    write_results("serving", "The lab under load", body, figures)


def _middle(results: list[dict[str, Any]]) -> dict[str, Any]:
    """The run in the middle by speed."""
    return sorted(results, key=lambda result: result["per_second"])[len(results) // 2]


def _row(name: str, results: list[dict[str, Any]]) -> list[str]:
    result = _middle(results)
    return [
        name,
        f"{result['per_second']:,.0f}",
        f"{result['p50_ms']:.1f}",
        f"{result['p99_ms']:.1f}",
        str(result["failed"]),
    ]


def memory(process: subprocess.Popen[str]) -> float:
    """Resident memory of a process in MB (Linux)."""
    for line in Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    raise OSError(f"no memory figure for process {process.pid}")


def report_soak(port: int, process: subprocess.Popen[str], seconds: float) -> None:
    """Load for a long time, and whether memory stays where it is after the first minute."""
    load = predict_load(port, CONNECTIONS, seconds)
    generator = subprocess.Popen(
        [sys.executable, str(HERE / "load_generator.py"), load.to_json()],
        stdout=subprocess.PIPE,
        text=True,
    )
    samples: list[tuple[float, float]] = []
    began = time.monotonic()
    while generator.poll() is None:
        samples.append((time.monotonic() - began, memory(process)))
        time.sleep(MEMORY_SECONDS)
    assert generator.stdout is not None
    result = json.loads(generator.stdout.read())
    settled = [mb for at, mb in samples if at >= min(SETTLING, seconds / 4)]
    growth = settled[-1] / settled[0] - 1
    row = [
        f"{seconds / 60:.1f}",
        f"{result['requests']:,}",
        f"{result['p99_ms']:.1f}",
        f"{settled[0]:.0f}",
        f"{settled[-1]:.0f}",
        f"{100 * growth:+.1f}%",
    ]
    header = ("minutes", "requests", "p99 ms", "MB settled", "MB at the end", "growth")
    figures = {"soak": result, "memory_mb": samples}
    write_results("serving-soak", "The lab under load for long", table(header, [row]), figures)


if __name__ == "__main__":
    os.chdir(HERE)
    main()
