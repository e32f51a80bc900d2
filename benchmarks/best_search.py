"""How the `best` recipe was chosen: candidates compared on 20,000 held-out digits.

    python benchmarks/best_search.py [--only NAME] [--seeds 1] [--epochs 5] [--jobs 2]

Each candidate trains on the 40,000 other training digits, each in a process of its own with one
thread; the test digits are not loaded into any comparison. 5,000 held-out digits would not do:
networks of 99.6% have 20 errors there, and luck alone moves them by 4. What was run before is kept
in the results file and not run again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from reporting import RESULTS, child, table, write_results
from time_to_accuracy import OURS, digits

from taller_cnn.augmentation import AUGMENTATIONS
from taller_cnn.config import recipe
from taller_cnn.data import Split
from taller_cnn.model import SimpleCNN
from taller_cnn.training import EpochResult, loop, train

START: dict[str, Any] = {
    "filters": [16, 16, 48, 48, 96, 96],
    "dropout": 0.3,
    "optimizer": "adamw",
    "learning_rate": 4e-3,
    "label_smoothing": 0.05,
    "augmentation": "affine",
    "weight_average": 0.998,
}
"""Where the search began; what it found better is in the recipe."""
CANDIDATES: dict[str, dict[str, Any]] = {
    "start": {},
    "bending 0.7": {"augmentation": {"elastic": 0.7}},
    "more of all: 15 degrees, shear 0.3, scale 0.15, stretch 0.2, shift 3": {
        "augmentation": {
            "rotation": 15.0,
            "shear": 0.3,
            "scale": 0.15,
            "stretch": 0.2,
            "shift": 3.0,
        }
    },
    "strokes 0.4": {"augmentation": {"thickness": 0.4}},
    "handwriting": {"augmentation": "handwriting"},
    "Muon 0.02": {"optimizer": "muon", "muon_learning_rate": 0.02},
    "Muon 0.05": {"optimizer": "muon", "muon_learning_rate": 0.05},
    "16-64-128 filters": {"filters": [16, 16, 64, 64, 128, 128]},
    "16-64-128 filters, Muon 0.02": {
        "filters": [16, 16, 64, 64, 128, 128],
        "optimizer": "muon",
        "muon_learning_rate": 0.02,
    },
    "16-64-128 filters, Muon 0.05": {
        "filters": [16, 16, 64, 64, 128, 128],
        "optimizer": "muon",
        "muon_learning_rate": 0.05,
    },
    "32-64-128 filters": {"filters": [32, 32, 64, 64, 128, 128]},
    "batch 64": {"batch_size": 64, "weight_average": 0.999},
    "rate 0.008": {"learning_rate": 8e-3},
    "dropout 0.5": {"dropout": 0.5},
    "label smoothing 0.1": {"label_smoothing": 0.1},
    "no weight average": {"weight_average": 0.0},
    "no augmentation": {"augmentation": "none"},
}
"""What each changes of the start; strengths of an augmentation are changes to `affine`."""
HELD_OUT = 20_000


def trial(name: str, seed: int, epochs: float) -> dict[str, Any]:
    """One training of a candidate, scored on the held-out digits."""
    held_out = digits(holdout=HELD_OUT)
    empty = Split(images=held_out.test.images[:0], labels=held_out.test.labels[:0])
    held_out = dataclasses.replace(held_out, test=empty)
    changes = {**START, **CANDIDATES[name]}
    network = {key: changes.pop(key) for key in ("dropout", "filters")}
    if isinstance(changes["augmentation"], dict):
        varied = dataclasses.replace(AUGMENTATIONS["affine"], **changes["augmentation"])
        # This process trains nothing else.
        vars(loop)["AUGMENTATIONS"] = {**AUGMENTATIONS, "affine": varied}
        changes["augmentation"] = "affine"
    train_changes = {**changes, "seed": seed, "epochs": epochs}
    model_config, config = recipe("best", model=network, train=train_changes)
    training = train(SimpleCNN(model_config, seed=seed), held_out, config, score="last-epoch")
    last = list(training)[-1]
    assert isinstance(last, EpochResult)
    assert training.validation is not None
    return {
        "name": name,
        "seed": seed,
        "epochs": epochs,
        "errors": training.validation.errors,
        "loss": training.validation.loss,
        "seconds": last.train_seconds,
    }


def kept() -> list[dict[str, Any]]:
    """The trials of earlier calls, from the newest results."""
    files = sorted(RESULTS.glob("*-best-search.json"))
    return list(json.loads(files[-1].read_text())["trials"]) if files else []


def report(trials: list[dict[str, Any]]) -> str:
    rows = []
    for name in CANDIDATES:
        for epochs in sorted({t["epochs"] for t in trials if t["name"] == name}):
            own = [t for t in trials if t["name"] == name and t["epochs"] == epochs]
            errors = [t["errors"] for t in own]
            rows.append(
                [
                    name,
                    f"{epochs:g}",
                    f"{100 * (1 - statistics.mean(errors) / HELD_OUT):.3f}%",
                    " ".join(map(str, errors)),
                    f"{statistics.mean(t['loss'] for t in own):.4f}",
                    f"{statistics.median(t['seconds'] for t in own):.0f}",
                ]
            )
    header = ["candidate", "epochs", "validation accuracy", "errors of 20,000", "loss", "seconds"]
    return table(header, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=float, default=5)
    parser.add_argument("--jobs", type=int, default=2, help="candidates trained at a time")
    parser.add_argument("--only", choices=CANDIDATES, action="append", help="one candidate")
    parser.add_argument("--child", nargs=2, metavar=("NAME", "SEED"))
    arguments = parser.parse_args()
    if arguments.child:
        name, seed = arguments.child
        print(json.dumps(trial(name, int(seed), arguments.epochs)))
        return
    trials = kept()
    done = {(t["name"], t["seed"], t["epochs"]) for t in trials}
    wanted = [(name, seed) for seed in range(arguments.seeds) for name in CANDIDATES]

    def run(one: tuple[str, int]) -> None:
        name, seed = one
        if arguments.only and name not in arguments.only:
            return
        if (name, seed, arguments.epochs) in done:
            return
        call = [sys.argv[0], "--epochs", str(arguments.epochs), "--child", name, str(seed)]
        trials.append(child(call, {**OURS, "OMP_NUM_THREADS": "1"}))
        body = f"n = 20,000 held-out digits; seconds of training steps.\n\n{report(trials)}"
        write_results("best-search", "Candidates for `best`", body, {"trials": trials})

    with ThreadPoolExecutor(arguments.jobs) as pool:
        list(pool.map(run, wanted))


if __name__ == "__main__":
    main()
