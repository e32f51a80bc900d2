"""Take the pictures of the lab's page for the READMEs: ``docs/images/lab_inside_*.png``.

Needs Chromium and playwright (``pip install -e .[dev]``). Run in a folder with a trained network:

    python benchmarks/screenshots.py --workdir . --chromium /usr/bin/chromium

The lab is started on a free port, a 3 is drawn with real pointer events and looked into, in Spanish
and in English.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
LAPTOP = (1366, 768)
"""A screen that shows the drawing, all layers and what is selected together."""
THREE = [
    [(0.31, 0.27), (0.38, 0.2), (0.48, 0.17), (0.58, 0.19), (0.65, 0.25), (0.66, 0.33)],
    [(0.66, 0.33), (0.62, 0.4), (0.55, 0.45), (0.46, 0.48), (0.56, 0.5), (0.64, 0.56)],
    [
        (0.64, 0.56),
        (0.68, 0.64),
        (0.66, 0.73),
        (0.58, 0.8),
        (0.47, 0.83),
        (0.37, 0.81),
        (0.3, 0.76),
    ],
]
"""A 3; x and y as shares of the pad."""


@contextmanager
def _lab(workdir: Path) -> Iterator[str]:
    """The address of a lab that runs meanwhile."""
    command = [sys.executable, "-m", "taller_cnn", "lab", "--no-browser", "--port", "0", "--json"]
    with subprocess.Popen(
        [*command, "--workdir", str(workdir)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["address"]
        finally:
            process.terminate()


def _draw(page: Any) -> None:
    """Draw the 3 in one stroke."""
    box = page.locator(".pad").first.bounding_box()
    points = [point for part in THREE for point in part]
    for index, (x, y) in enumerate(points):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
        if index == 0:
            page.mouse.down()
    page.mouse.up()


def _photograph(page: Any, language: str) -> None:
    """The drawing, all layers and a map in detail, on one screen."""
    _draw(page)
    page.locator("#tab-inside").click()
    page.locator('#panel-inside [data-layer="conv2"] .unit').nth(2).click()
    page.wait_for_timeout(1500)
    page.screenshot(path=IMAGES / f"lab_inside_{language}.png")


def main() -> None:
    """Start the lab and take the pictures."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", type=Path, default=Path())
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    parser.add_argument("--languages", nargs="+", default=["es", "en"])
    options = parser.parse_args()
    IMAGES.mkdir(parents=True, exist_ok=True)
    with _lab(options.workdir) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS)
        for language in options.languages:
            page = browser.new_page(
                viewport={"width": LAPTOP[0], "height": LAPTOP[1]},
                color_scheme="light",
                locale=language,
            )
            page.goto(address)
            page.wait_for_selector("html[data-ready]")
            page.locator(f"[data-language={language}]").click()
            _photograph(page, language)
        browser.close()


if __name__ == "__main__":
    main()
