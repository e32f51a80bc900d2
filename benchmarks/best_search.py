"""How the `best` recipe was chosen: candidates compared on 20,000 held-out digits.

    python benchmarks/best_search.py --epochs 5 [--only NAME] [--seeds 1] [--jobs 2]
    python benchmarks/best_search.py --only "chosen, 30 epochs"

Each candidate trains on the 40,000 other training digits, each in a process of its own with one
thread; the test digits are not loaded into any comparison. 5,000 held-out digits would not do:
networks of 99.6% have 20 errors there, and luck alone moves them by 4. What was run before is kept
in the results file and not run again; candidates whose options are gone stand there too.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from reporting import RESULTS, child, table, write_results
from time_to_accuracy import OURS, digits

from taller_cnn.config import ModelConfig, recipe
from taller_cnn.evaluation import evaluate
from taller_cnn.model import SimpleCNN
from taller_cnn.training import EpochResult, train
from taller_cnn.views import VIEWS, InViews

CHOSEN = {
    "filters": [16, 16, 64, 64, 128, 128],
    "optimizer": "muon",
    "muon_learning_rate": 0.05,
}
"""What was kept of the first candidates, 5 epochs each."""
START: Mapping[str, Any] = {
    "filters": [16, 16, 48, 48, 96, 96],
    "dropout": 0.3,
    "optimizer": "adamw",
    "learning_rate": 4e-3,
    "label_smoothing": 0.05,
    "augmentation": "affine",
}
"""Where the search began; what was found better is in the recipe."""
CANDIDATES: Mapping[str, Mapping[str, Any]] = {
    "start": {},
    "handwriting": {"augmentation": "handwriting"},
    "Muon 0.02": {"optimizer": "muon", "muon_learning_rate": 0.02},
    "Muon 0.05": {"optimizer": "muon", "muon_learning_rate": 0.05},
    "16-64-128 filters": {"filters": [16, 16, 64, 64, 128, 128]},
    "16-64-128 filters, Muon 0.02": {
        "filters": [16, 16, 64, 64, 128, 128],
        "optimizer": "muon",
        "muon_learning_rate": 0.02,
    },
    "16-64-128 filters, Muon 0.05": CHOSEN,
    "chosen, 30 epochs": {**CHOSEN, "epochs": 30.0},
    "chosen, batch 64": {**CHOSEN, "batch_size": 64},
    "chosen, average pooling": {**CHOSEN, "pooling": "avg"},
    "chosen, gelu": {**CHOSEN, "activation": "gelu"},
    "chosen, no global pooling": {**CHOSEN, "final_size": 0},
    "chosen, kernels of 5 x 5": {**CHOSEN, "kernel_size": 5},
    "kernels of 5 x 5, 16-32-64 filters": {
        **CHOSEN,
        "kernel_size": 5,
        "filters": [16, 16, 32, 32, 64, 64],
    },
    "32-64-128 filters": {"filters": [32, 32, 64, 64, 128, 128]},
    "batch 64": {"batch_size": 64},
    "rate 0.008": {"learning_rate": 8e-3},
    "dropout 0.5": {"dropout": 0.5},
    "label smoothing 0.1": {"label_smoothing": 0.1},
    "no augmentation": {"augmentation": "none"},
}
"""What each changes of the start."""
HELD_OUT = 20_000
NETWORK = {field.name for field in dataclasses.fields(ModelConfig)}


def trial(candidate: str, seed: int, epochs: float | None) -> dict[str, Any]:
    """One training of a candidate, scored on the held-out digits."""
    held_out = digits(holdout=HELD_OUT)
    held_out = dataclasses.replace(held_out, test=held_out.test[:0])
    changes = {**START, **CANDIDATES[candidate], "seed": seed}
    network = {key: changes.pop(key) for key in NETWORK if key in changes}
    if epochs:
        changes["epochs"] = epochs
    model_config, config = recipe("best", model=network, train=changes)
    model = SimpleCNN(model_config, seed=seed)
    training = train(model, held_out, config, score="last-epoch")
    last = list(training)[-1]
    assert isinstance(last, EpochResult)
    assert training.validation is not None
    asked = InViews(model, held_out.scale)
    return {
        "name": candidate,
        "seed": seed,
        "epochs": config.epochs,
        "errors": training.validation.errors,
        "errors_in_views": evaluate(asked, held_out.validation, held_out.scale).errors,
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
            # Not asked of the first candidates.
            in_views = [str(t.get("errors_in_views", "–")) for t in own]
            rows.append(
                [
                    name,
                    f"{epochs:g}",
                    f"{100 * (1 - statistics.mean(errors) / HELD_OUT):.3f}%",
                    " ".join(map(str, errors)),
                    " ".join(in_views),
                    f"{statistics.mean(t['loss'] for t in own):.4f}",
                    f"{statistics.median(t['seconds'] for t in own):.0f}",
                ]
            )
    header = ["candidate", "epochs", "validation accuracy", "errors of 20,000"]
    return table([*header, f"in {len(VIEWS)} views", "loss", "seconds"], rows)


def write_search(trials: list[dict[str, Any]]) -> None:
    """Write what is known of the candidates."""
    body = f"n = 20,000 held-out digits; seconds of training steps.\n\n{report(trials)}"
    write_results("best-search", "Candidates for `best`", body, {"trials": trials})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=float, help="of all candidates, in place of their own")
    parser.add_argument("--jobs", type=int, default=2, help="candidates trained at a time")
    parser.add_argument("--only", action="append", metavar="NAME", help="one candidate")
    parser.add_argument("--child", nargs=2, metavar=("NAME", "SEED"))
    arguments = parser.parse_args()
    epochs = arguments.epochs
    if arguments.child:
        name, seed = arguments.child
        print(json.dumps(trial(name, int(seed), epochs)))
        return
    usual = recipe("best")[1].epochs
    names = arguments.only or list(CANDIDATES)
    if unknown := set(names) - set(CANDIDATES):
        parser.error(f"--only: no such candidate: {', '.join(unknown)}")
    trials = kept()
    done = {(t["name"], t["seed"], t["epochs"]) for t in trials}
    wanted = [(name, seed) for seed in range(arguments.seeds) for name in names]

    writing = threading.Lock()

    def run(one: tuple[str, int]) -> None:
        name, seed = one
        trained = epochs or CANDIDATES[name].get("epochs", usual)
        if (name, seed, trained) in done:
            return
        call = [sys.argv[0], "--child", name, str(seed)]
        call += ["--epochs", str(epochs)] if epochs else []
        trained_one = child(call, {**OURS, "OMP_NUM_THREADS": "1"})
        # Another candidate may end at the same moment.
        with writing:
            trials.append(trained_one)
            write_search(trials)

    with ThreadPoolExecutor(arguments.jobs) as pool:
        list(pool.map(run, wanted))


if __name__ == "__main__":
    main()
