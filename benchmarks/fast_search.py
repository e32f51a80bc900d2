"""How the `fast` recipe was chosen: candidates compared on the 5,000 held-out digits.

    python benchmarks/fast_search.py [--seeds 5]

Each candidate trains on the 55,000 other training digits; the test digits are not loaded into any
comparison. Two processes of one thread each; times are processor seconds of one thread, and only
their ratios mean something.
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import statistics
import time
from typing import Any

import torch
from reporting import table, write_results
from time_to_accuracy import digits

from taller_cnn.config import recipe
from taller_cnn.model import SimpleCNN
from taller_cnn.training import EpochResult, train

START = {"batch_size": 96}
"""Where the search began; what it found better is in the recipe."""
ADAMW = {"optimizer": "adamw", "batch_size": 128, "warmup": 0.25}
PLAIN = {**ADAMW, "first_layer": "learned", "middle": False}
_LARGE = {"muon_learning_rate": 0.12, "batch_size": 128}
CANDIDATES: dict[str, dict[str, Any]] = {
    "AdamW, nothing else": PLAIN,
    "AdamW, middle": {**PLAIN, "middle": True},
    "AdamW, patches": {**PLAIN, "first_layer": "patches"},
    "AdamW, patches, middle": ADAMW,
    "Muon, nothing else": {"first_layer": "learned", "middle": False},
    "Muon, middle": {"first_layer": "learned"},
    "Muon, patches, middle: the start": {},
    "start, 0.4 epochs": {"epochs": 0.4},
    "start, 0.5 epochs": {"epochs": 0.5},
    "start, 0.8 epochs": {"epochs": 0.8},
    "start, batch 64": {"batch_size": 64},
    "start, batch 128": {"batch_size": 128},
    "start, batch 192": {"batch_size": 192},
    "start, Muon rate 0.04": {"muon_learning_rate": 0.04},
    "start, Muon rate 0.12": {"muon_learning_rate": 0.12},
    "start, label smoothing 0": {"label_smoothing": 0.0},
    "start, label smoothing 0.2": {"label_smoothing": 0.2},
    "start, warm-up 0.25": {"warmup": 0.25},
    "start, rate 0.12, batch 128": _LARGE,
    "start, rate 0.12, batch 128, 0.5 epochs": {**_LARGE, "epochs": 0.5},
    "start, rate 0.12, batch 128, 0.4 epochs": {**_LARGE, "epochs": 0.4},
    "start, rate 0.12, 0.5 epochs": {"muon_learning_rate": 0.12, "epochs": 0.5},
    "start, rate 0.16, batch 128, 0.5 epochs": {
        **_LARGE,
        "muon_learning_rate": 0.16,
        "epochs": 0.5,
    },
}


def trial(job: tuple[str, int]) -> tuple[str, float, float]:
    """Candidate's name, validation accuracy, processor seconds of its training."""
    name, seed = job
    torch.set_num_threads(1)
    held_out = digits(holdout=5000)
    held_out = dataclasses.replace(held_out, test=held_out.test[:0])
    model_config, config = recipe("fast", train={**START, **CANDIDATES[name], "seed": seed})
    started = time.process_time()
    last = list(train(SimpleCNN(model_config, seed=seed), held_out, config))[-1]
    assert isinstance(last, EpochResult)
    assert last.validation is not None
    return name, last.validation.accuracy, time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default="", help="candidates whose name has this in it")
    arguments = parser.parse_args()
    names = [name for name in CANDIDATES if arguments.only in name]
    jobs = [(name, seed) for seed in range(arguments.seeds) for name in names]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        results = pool.map(trial, jobs, chunksize=1)
    figures: dict[str, dict[str, Any]] = {
        name: {
            "options": CANDIDATES[name],
            "validation_accuracy": [accuracy for other, accuracy, _ in results if other == name],
            "seconds": [seconds for other, _, seconds in results if other == name],
        }
        for name in names
    }
    base = statistics.median(figures[names[0]]["seconds"])
    rows = []
    for name, figure in figures.items():
        accuracy = [100 * value for value in figure["validation_accuracy"]]
        seconds = statistics.median(figure["seconds"])
        mean = f"{statistics.mean(accuracy):.3f} ± {statistics.stdev(accuracy):.3f}"
        rows.append([name, mean, f"{seconds:.2f}", f"{seconds / base:.2f}"])
    header = ["candidate", "validation accuracy, mean ± sd", "processor s", "relative"]
    body = f"{arguments.seeds} seeds each, n = 5,000, 0.6 epochs unless said.\n\n" + table(
        header, rows
    )
    write_results("fast-search", "Candidates for the `fast` recipe", body, figures)


if __name__ == "__main__":
    main()
