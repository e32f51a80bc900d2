"""How soon the lab's page can be used, and how well it keeps up with a hand that draws.

    python benchmarks/page.py    about a minute; needs Chromium and playwright

In a browser that is open already, and in a fresh profile each time: the seconds from the address
that ``taller-cnn lab`` prints to the page that can be used, with network and digits; a forward
pass of the workshop's network; and the updates a second while real pointer events draw, with
*Draw* and with *Look inside* open.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from reporting import spread, table, write_results
from serving import lab, untrained_model

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run")
STARTS = 7
STROKE_SECONDS = 4.0
PASSES = 300
SCREEN = {"width": 1280, "height": 800}

WATCH = """() => {
  window.updates = [];
  session.on("outputs", () => window.updates.push(performance.now()));
}"""
FORWARD = """async (passes) => {
  const { forward, normalise } = await import("/static/network.js");
  const ring = (k) => Math.abs(Math.hypot((k % 28) - 13.5, Math.floor(k / 28) - 13.5) - 7);
  const pixels = Uint8Array.from({ length: 784 }, (_, k) => Math.max(0, 255 * (1 - ring(k) / 2)));
  const image = normalise(pixels, session.card);
  const spent = [];
  for (let k = 0; k < passes; k += 1) {
    const start = performance.now();
    forward(session.layers, image);
    spent.push(performance.now() - start);
  }
  return spent;
}"""


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        workdir = Path(folder)
        untrained_model(workdir)
        browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS)
        figures: dict[str, list[float]] = {
            "usable": [usable(browser, workdir) for _ in range(STARTS)]
        }
        with lab(workdir) as (port, _):
            page = opened(browser, f"http://127.0.0.1:{port}/")
            page.evaluate(WATCH)
            for tab in ("draw", "inside"):
                figures[tab] = updates(page, tab)
            figures["forward"] = page.evaluate(FORWARD, PASSES)
        version = browser.version
        browser.close()
    report(figures, version)


def opened(browser: Any, address: str) -> Any:
    """A page in a profile that has never seen the lab."""
    page = browser.new_context(viewport=SCREEN).new_page()
    page.goto(address, wait_until="commit")
    page.wait_for_selector("html[data-ready]", state="attached")
    return page


def usable(browser: Any, workdir: Path) -> float:
    """Seconds from the printed address to the page that can be used."""
    with lab(workdir) as (port, _):
        start = time.perf_counter()
        page = opened(browser, f"http://127.0.0.1:{port}/")
        seconds = time.perf_counter() - start
        page.context.close()
    return seconds


def updates(page: Any, tab: str) -> list[float]:
    """Milliseconds between two updates while the mouse draws on the pad."""
    page.locator(f"#tab-{tab}").click()
    page.evaluate("window.updates.length = 0")
    box = page.locator(".pad").bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    end = time.perf_counter() + STROKE_SECONDS
    step = 0
    while time.perf_counter() < end:
        step += 1
        x, y = 0.2 + 0.6 * (step % 40) / 40, 0.2 + 0.6 * (step % 97) / 97
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.mouse.up()
    seen: list[float] = page.evaluate("window.updates")
    return [after - before for before, after in pairwise(seen)]


def report(figures: dict[str, list[float]], version: str) -> None:
    """Print and keep the tables."""
    rows = [
        ["page usable after the address, s", str(STARTS), spread(figures["usable"], 2)],
        ["forward pass, ms", str(PASSES), spread(figures["forward"], 2)],
    ]
    drawing = [
        [
            tab,
            str(len(gaps)),
            f"{1000 / statistics.mean(gaps):.0f}",
            f"{statistics.median(gaps):.1f}",
            f"{sorted(gaps)[int(0.99 * len(gaps))]:.1f}",
        ]
        for tab, gaps in ((tab, figures[tab]) for tab in ("draw", "inside"))
    ]
    body = "\n\n".join(
        [
            table(("what", "n", "median (least to greatest)"), rows),
            "While a digit is drawn:",
            table(("tab", "n", "updates/s", "median gap, ms", "99% of gaps, ms"), drawing),
            f"Chromium {version}, without a graphics processor, {SCREEN['width']} pixels wide.",
        ]
    )
    write_results("page", "The lab's page", body, figures)


if __name__ == "__main__":
    os.chdir(Path(__file__).parent)
    main()
