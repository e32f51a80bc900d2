"""A lab with two small trained networks, and Debian's Chromium to look at it with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from taller_cnn.model import SimpleCNN

REPO = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("TALLER_CHROMIUM") or shutil.which("chromium")
FLAGS = (
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
)
DESK = {"width": 1280, "height": 900}
OTHER_NETWORK = {
    "filters": (4, 6, 8),
    "kernel_size": 5,
    "pooling": "avg",
    "activation": "gelu",
    "batch_norm": True,
    "hidden": 32,
}

THREE = [
    [(0.32, 0.25), (0.45, 0.17), (0.6, 0.2), (0.66, 0.32), (0.6, 0.43), (0.45, 0.48)],
    [(0.45, 0.48), (0.6, 0.52), (0.68, 0.65), (0.6, 0.78), (0.45, 0.83), (0.3, 0.76)],
]
"""A 3 in two strokes; x and y as shares of the pad."""


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Every test here needs the browser."""
    for item in items:
        if Path(__file__).parent in Path(item.path).parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def node_module() -> Callable[[str], Path]:
    """Where a file of an npm package that tests use lies; the test is skipped without it."""
    here = Path(__file__).parent / "node_modules"
    folders = (os.environ.get("TALLER_NODE_MODULES", ""), here, REPO / "node_modules")

    def find(path: str) -> Path:
        places = (Path(folder) / path for folder in folders if folder)
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            pytest.skip(f"needs {path}: npm install --prefix tests/browser")
        return found

    return find


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenLab:
    """A lab that runs."""

    address: str
    class_address: str
    """What pupils open; empty where the lab is open on this machine alone."""
    workdir: Path
    pid: int

    def model_path(self, name: str) -> Path:
        """The weights of a model by its id."""
        folder = self.workdir / "modelo"
        return (folder if name == "main" else folder / "lab" / name) / "cnn_mnist.pt"

    def model(self, name: str) -> SimpleCNN:
        """A model by its id, as Python has it."""
        from taller_cnn.checkpoints import load_model

        return load_model(self.model_path(name)).model


@contextmanager
def _training(workdir: Path, *options: str) -> Iterator[None]:
    """`taller-cnn train` in a process of its own, which has ended afterwards."""
    command = [sys.executable, "-m", "taller_cnn", "train", "--workdir", str(workdir)]
    fixed = ["--source", "sample", "--recipe", "quick", "--quiet"]
    with subprocess.Popen(
        [*command, *fixed, *options], stderr=subprocess.PIPE, text=True
    ) as process:
        yield
        _, said = process.communicate(timeout=240)
        assert process.returncode == 0, said


def _train_other(workdir: Path, folder: Path) -> None:
    """Another network, as the lab itself trains one that is then kept."""
    from taller_cnn.config import recipe
    from taller_cnn.data import DigitsPlace
    from taller_cnn.lab.worker import Actions, work
    from taller_cnn.lab.worker_protocol import TrainingOrder

    model, train = recipe("quick", model=OTHER_NETWORK, train={"epochs": 1.0})
    place = DigitsPlace.in_workdir(workdir, source="sample")
    order = TrainingOrder(model=model, train=train, place=place, folder=folder)
    work(order, Actions(lambda: "continue", lambda: None), lambda event, data: None)


@pytest.fixture(scope="session")
def lab_folder(tmp_path_factory: pytest.TempPathFactory, sample_dir: Path) -> Path:
    """A working folder with the workshop's network and another, both trained on the sample."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(sample_dir / "MNIST", folder / "data" / "sample" / "MNIST")
    with _training(folder, "--epochs", "4"):
        _train_other(folder, folder / "modelo" / "lab" / "small")
    return folder


@contextmanager
def running(workdir: Path, port: int = 0, *options: str) -> Iterator[OpenLab]:
    """`taller-cnn lab` on a port (0: a free one), in a process of its own."""
    command = [sys.executable, "-m", "taller_cnn", "lab", "--no-browser", "--json"]
    command += ["--port", str(port)]
    process = subprocess.Popen(
        [*command, *options, "--workdir", str(workdir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        told = process.stdout.readline()
        assert told, process.stderr.read() if process.stderr else ""
        result = json.loads(told)
        yield OpenLab(
            address=result["address"],
            class_address=result.get("class_address", ""),
            workdir=workdir,
            pid=process.pid,
        )
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture
def run_lab() -> Callable[..., Any]:
    """`running`, for tests that open and close a lab of their own."""
    return running


@pytest.fixture(scope="session")
def lab(lab_folder: Path) -> Iterator[OpenLab]:
    """A lab with two networks: ``main``, the workshop's, and ``small``."""
    with running(lab_folder) as opened:
        yield opened


@pytest.fixture
def exported(lab: Any, tmp_path: Path) -> Path:
    """What the page's button downloads."""
    path = tmp_path / "taller.html"
    with urllib.request.urlopen(f"{lab.address}api/models/main/page?lang=es") as answer:
        path.write_bytes(answer.read())
    return path


@pytest.fixture
def empty_lab(workdir: Path) -> Iterator[OpenLab]:
    """A lab where nothing has been trained yet."""
    with running(workdir) as opened:
        yield opened


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, without a window."""
    if not CHROMIUM:
        pytest.skip("needs Chromium: apt-get install chromium, or its path in TALLER_CHROMIUM")
    api = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright: pip install -e .[dev]"
    )
    with api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        found.close()


@pytest.fixture(scope="session")
def artefacts(pytestconfig: pytest.Config) -> Path:
    """Where screenshots are kept to be looked at: ``.pytest_cache/d/browser``."""
    return Path(pytestconfig.cache.mkdir("browser"))


@pytest.fixture
def open_page(browser: Any, artefacts: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Opens an address in a page of its own; nothing may go wrong in its console."""
    pages: list[Any] = []
    problems: list[str] = []

    def opened(address: str, **options: Any) -> Any:
        context = browser.new_context(**{"viewport": DESK, "locale": "es-ES", **options})
        page = context.new_page()
        # Of a machine that does other things too.
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console",
            lambda said: problems.append(said.text) if said.type in ("error", "warning") else None,
        )
        pages.append(page)
        page.goto(address)
        page.wait_for_selector("html[data-ready]")
        return page

    opened.problems = problems  # type: ignore[attr-defined]
    yield opened
    for number, page in enumerate(pages):
        page.screenshot(path=artefacts / f"{request.node.name}-{number}.png", full_page=True)
        page.context.close()
    assert not problems


@pytest.fixture
def page(open_page: Any, lab: OpenLab) -> Any:
    """The lab's page on a desk's screen, with the workshop's network."""
    page = open_page(lab.address)
    chooser = page.get_by_label("Red", exact=True)
    if chooser.input_value() != "main":
        chooser.select_option("main")
    page.wait_for_selector("a[href*='/models/main/']")
    return page


@pytest.fixture(scope="session")
def modules(browser: Any, lab: OpenLab) -> Iterator[Any]:
    """A page for tests that only call functions of the page's modules."""
    page = browser.new_page()
    page.goto(lab.address)
    page.wait_for_selector("html[data-ready]")
    yield page
    page.close()


@pytest.fixture
def draw() -> Any:
    """Draws strokes on a page's pad with real pointer events."""

    def strokes(page: Any, lines: Sequence[Sequence[tuple[float, float]]]) -> None:
        box = page.locator(".pad").bounding_box()
        for line in lines:
            points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in line]
            page.mouse.move(*points[0])
            page.mouse.down()
            for point in points[1:]:
                page.mouse.move(*point, steps=5)
            page.mouse.up()

    return strokes


@pytest.fixture
def three() -> list[list[tuple[float, float]]]:
    """A 3 in two strokes."""
    return THREE
