"""How soon a network that is trained in the page gets 95% of the test digits right.

    python benchmarks/page_training.py    about five minutes; needs Chromium and playwright

The lab's page trains in its Worker on the sample's 3,500 training digits, as a reader does with
the form's first values, and is asked all 1,000 test digits every 1,750 passes. The time runs from
the start of the Worker to the first answer of 95% or more. Three seeds for each network; passes
of training per second are those of the Worker alone, without its tests.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from page import FLAGS, opened
from reporting import spread, table, write_results
from serving import lab, untrained_model

SEEDS = (0, 1, 2)
GOAL = 0.95
NETWORKS: dict[str, dict[str, Any]] = {
    "8, 16 filters": {"filters": [8, 16], "dropout": 0.0, "seconds": 30.0},
    "the workshop's (16, 32)": {"filters": [16, 32], "dropout": 0.25, "seconds": 90.0},
}
"""Networks and the seconds that each may take."""
EPOCHS = 12

TRAIN = """async ({ changes, seed, epochs, goal }) => {
  const { unpacked } = await import("/static/bytes.js");
  const digits = await (await fetch("/api/training-digits")).json();
  if (digits.source !== "sample") throw new Error(`these digits are ${digits.source}`);
  const setOf = async ({ labels, images }) => ({
    labels: Uint8Array.from(labels), images: await unpacked(images),
  });
  const [train, test] = await Promise.all([digits.train, digits.test].map(setOf));
  const config = {
    kernel_size: 3, pooling: "max", convs_per_pool: 1, hidden: 128, batch_norm: false,
    activation: "relu", final_size: 0, ...changes,
  };
  const worker = new Worker("/static/train_worker.js", { type: "module" });
  const start = performance.now();
  worker.postMessage({
    order: "start", config, classes: digits.class_names.length, scale: digits, train, test,
    seed, batch: 16, rate: 0.002, epochs,
  });
  const tests = [];
  let speed = 0;
  return new Promise((resolve) => worker.addEventListener("message", ({ data }) => {
    if (data.event === "progress") speed = data.speed;
    const seconds = (performance.now() - start) / 1000;
    if (data.event === "test") {
      tests.push({ seconds, passes: data.passes, accuracy: data.accuracy });
    }
    const reached = data.event === "test" && data.accuracy >= goal;
    if (!reached && data.state !== "finished") return;
    worker.terminate();
    resolve({ tests, speed, reached, seconds, passes: tests.at(-1).passes });
  }));
}"""


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    options = parser.parse_args()
    # The full set would be another, though the page takes as many digits of it.
    os.environ.pop("TALLER_DATA_DIR", None)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        workdir = Path(folder)
        untrained_model(workdir)
        browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS)
        with lab(workdir) as (port, _):
            page = opened(browser, f"http://127.0.0.1:{port}/")
            runs = {name: [trained(page, name, seed) for seed in SEEDS] for name in NETWORKS}
        version = browser.version
        browser.close()
    report(runs, version)


def trained(page: Any, name: str, seed: int) -> dict[str, Any]:
    """One training up to the goal: seconds, passes, and all tests on the way."""
    changes = {key: value for key, value in NETWORKS[name].items() if key != "seconds"}
    given = {"changes": changes, "seed": seed, "epochs": EPOCHS, "goal": GOAL}
    run: dict[str, Any] = page.evaluate(TRAIN, given)
    return {"seed": seed, **run}


def report(runs: dict[str, list[dict[str, Any]]], version: str) -> None:
    """Print and keep the table."""
    rows = []
    for name, network in NETWORKS.items():
        seconds = [run["seconds"] for run in runs[name]]
        kept = all(run["reached"] for run in runs[name]) and max(seconds) <= network["seconds"]
        rows.append(
            [
                name,
                str(len(seconds)),
                spread(seconds, 1),
                f"{network['seconds']:.0f}",
                "yes" if kept else "no",
                spread([run["passes"] for run in runs[name]], 0),
                spread([run["speed"] for run in runs[name]], 0),
            ]
        )
    header = ("network", "seeds", f"s to {GOAL:.0%}", "bar, s", "kept", "passes", "passes/s")
    body = "\n\n".join(
        [
            table(header, rows),
            "Median (least to greatest). One pass is one digit there and back; batches of 16, Adam "
            "at 0.002; the tests are part of the time.",
            f"Chromium {version}, one Worker.",
        ]
    )
    write_results("page-training", "Training in the page", body, {"runs": runs})


if __name__ == "__main__":
    os.chdir(Path(__file__).parent)
    main()
