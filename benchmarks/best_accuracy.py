"""Test accuracy of the recipe `best`: one network per seed, and all together.

    python benchmarks/best_accuracy.py [--seeds 5] [--jobs 1] [--keep FOLDER]

Every network trains on all 60,000 training digits, in a process of its own: one after the other
with all threads, or with `--jobs` several at a time with one thread each, which wastes less on a
machine that does other things too. A call stops after `--minutes` and the next one goes on, with
the same numbers; what is done is in the folder, as `train --ensemble` would leave it. Nothing was
chosen here: the test digits are not loaded by benchmarks/best_search.py.

A network is asked once about each test digit, and once more with the six views that
`evaluate --views` and `predict` ask about.

With `--alone`, some steps are timed with all threads and nothing else at work, and the seconds in
the table are what a whole training would take so.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import torch
from reporting import child, table, write_results
from scipy import stats
from time_to_accuracy import OURS, digits
from torch import Tensor

from taller_cnn.checkpoints import load_model, read_tensors, save_model, write_tensors
from taller_cnn.config import recipe
from taller_cnn.evaluation import evaluate, wilson_interval
from taller_cnn.files import provenance
from taller_cnn.model import SimpleCNN, count_parameters
from taller_cnn.runs import RunFiles
from taller_cnn.runs.results import brief_scores, model_info
from taller_cnn.training import Training, TrainState, train
from taller_cnn.views import VIEWS, InViews

WARM_STEPS, TIMED_STEPS = 50, 350
"""Together less than an epoch."""


def train_for(seed: int, seconds: float, keep: Path) -> dict[str, Any]:
    """Train the network of a seed for some time; when it is done, keep what it says."""
    began = time.perf_counter()
    kept, said = files(seed, keep)
    state = TrainState.from_dict(read_tensors(kept)) if kept.exists() else None
    model_config, config = recipe("best", train={"seed": seed, "holdout": 0})
    model = SimpleCNN(model_config, seed=seed)
    training = train(model, digits(), config, state, score="last-epoch")
    for _ in training:
        if training.step < training.steps and time.perf_counter() - began > seconds:
            break
    write_tensors(kept, training.state().to_dict())
    if training.test is None:
        return {"done": False, "step": training.step, "of": training.steps}
    save_member(keep, seed, training, model)
    result = {
        "log_probabilities": training.test.log_probabilities,
        "labels": training.test.labels,
        "seconds": training.history.epochs[-1].train_seconds,
        "parameters": count_parameters(model),
        "epochs": config.epochs,
        "threads": torch.get_num_threads(),
    }
    write_tensors(said, result)
    return {"done": True, "errors": training.test.errors}


def time_alone() -> dict[str, Any]:
    """Seconds that a whole training would take, extrapolated from steps in its middle."""
    model_config, config = recipe("best", train={"holdout": 0})
    training = train(SimpleCNN(model_config), digits(), config)
    while training.step < WARM_STEPS:
        next(training)
    first, began = training.step, time.perf_counter()
    while training.step < first + TIMED_STEPS:
        next(training)
    seconds = (time.perf_counter() - began) / (training.step - first)
    return {"seconds": seconds * training.steps, "steps": training.step - first}


def files(seed: int, keep: Path) -> tuple[Path, Path]:
    """The state of a training, and what its network says of the test digits."""
    return keep / f"best{seed}.state", keep / f"best{seed}.said"


def save_member(keep: Path, seed: int, training: Training, model: SimpleCNN) -> None:
    """Keep the network as one of the ensemble's."""
    path = RunFiles.member(keep, "mnist", seed).model
    path.parent.mkdir(parents=True, exist_ok=True)
    scores = brief_scores(training)
    info = model_info(model.config, training.config, digits(), scores, provenance())
    save_model(model, path, info)


def in_views(seed: int, keep: Path) -> Tensor:
    """What the network of a seed says of the test digits in several views."""
    own, model = digits(), load_model(RunFiles.member(keep, "mnist", seed).model).model
    return evaluate(InViews(model, own.scale), own.test, own.scale).log_probabilities


def call_child(seed: int, end: float, jobs: int, keep: Path) -> None:
    """Train a seed's network until it is done or `end` has come."""
    left = end - time.perf_counter()
    if left <= 0 or files(seed, keep)[1].exists():
        return
    environment = OURS if jobs == 1 else {**OURS, "OMP_NUM_THREADS": "1"}
    call = [sys.argv[0], "--keep", str(keep), "--child", str(seed), str(left)]
    print(seed, child(call, environment), flush=True)


def errors_together(answers: list[Tensor], labels: Tensor) -> int:
    """Errors of the mean probabilities of all networks, from what each says ``[N, K]``."""
    mean = torch.stack([one.double().exp() for one in answers]).mean(dim=0)
    return int((mean.argmax(1) != labels).sum())


def run_figures(seed: int, one: dict[str, Any], alone: dict[str, Any] | None) -> dict[str, Any]:
    """What one network has wrong, and how long it took."""
    wrong = one["log_probabilities"].argmax(1) != one["labels"]
    figures = {
        "seed": seed,
        "test_errors": int(wrong.sum()),
        "seconds": alone["seconds"] if alone else one["seconds"],
        "wrong": wrong.nonzero()[:, 0].tolist(),
    }
    if "in_views" in one:
        figures["test_errors_in_views"] = int((one["in_views"].argmax(1) != one["labels"]).sum())
    return figures


def row(run: dict[str, Any], n: int, key: str) -> list[str]:
    """A network's line in the table."""
    low, high = wilson_interval(n - run[key], n)
    accuracy = 100 * (1 - run[key] / n)
    interval = f"{accuracy:.2f}% ({100 * low:.2f} to {100 * high:.2f})"
    return [str(run["seed"]), interval, str(run[key]), f"{run['seconds']:.0f}"]


def accuracy_table(
    runs: list[dict[str, Any]], n: int, timed: str, key: str = "test_errors"
) -> list[str]:
    """A line for each network, and their mean."""
    header = ["seed", f"test accuracy (95% Wilson), n = {n:,}", "errors"]
    rows = [row(run, n, key) for run in runs]
    mean = mean_line([100 * (1 - run[key] / n) for run in runs])
    return [table([*header, f"training seconds, {timed}"], rows), mean]


def report(
    said: dict[int, dict[str, Any]], alone: dict[str, Any] | None
) -> tuple[str, dict[str, Any]]:
    """The table, and the same as figures."""
    runs = [run_figures(seed, one, alone) for seed, one in said.items()]
    one = next(iter(said.values()))
    labels, n = one["labels"], len(one["labels"])
    timed = f"threads: {one['threads']}"
    if alone:
        timed = f"alone with all threads, from {alone['steps']} steps"
    answers = [one["log_probabilities"] for one in said.values()]
    errors = errors_together(answers, labels)
    wrong = torch.stack([own.argmax(1) != labels for own in answers])
    none_right = wrong.all(dim=0).nonzero()[:, 0].tolist()
    lines = [
        f"{one['epochs']:g} epochs of all 60,000 digits, {one['parameters']:,} parameters.",
        *accuracy_table(runs, n, timed),
        f"{together_line(errors, n, len(runs))} Test digits that none gets: {len(none_right)}.",
    ]
    figures = {
        "n": n,
        "runs": runs,
        "together": errors,
        "none_right": none_right,
        "answers": {i: [int(own[i].argmax()) for own in answers] for i in none_right},
    }
    if "in_views" in one:
        errors = errors_together([one["in_views"] for one in said.values()], labels)
        figures["together_in_views"] = errors
        lines += [
            f"Each digit in {len(VIEWS)} views (`evaluate --views`):",
            *accuracy_table(runs, n, timed, "test_errors_in_views"),
            together_line(errors, n, len(runs)),
        ]
    return "\n\n".join(lines), figures


def together_line(errors: int, n: int, networks: int) -> str:
    """What all networks together get."""
    low, high = wilson_interval(n - errors, n)
    accuracy = f"{100 * (1 - errors / n):.2f}% ({100 * low:.2f} to {100 * high:.2f})"
    return f"Mean of the probabilities of the {networks}: {accuracy}, {errors} errors."


def mean_line(accuracy: list[float]) -> str:
    """Mean over seeds, with what t says of it."""
    mean = statistics.mean(accuracy)
    if len(accuracy) < 2:
        return f"One seed: {mean:.3f}%."
    deviation = statistics.stdev(accuracy)
    reach = stats.t.ppf(0.975, len(accuracy) - 1) * deviation / math.sqrt(len(accuracy))
    return (
        f"Mean over {len(accuracy)} seeds: {mean:.3f}% (95% interval of the mean, by t: "
        f"{mean - reach:.3f} to {mean + reach:.3f}; standard deviation {deviation:.3f})."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1, help="networks trained at a time")
    parser.add_argument("--minutes", type=float, default=60.0, help="then stop, to go on later")
    parser.add_argument("--alone", action="store_true", help="time steps with nothing else at work")
    parser.add_argument("--keep", type=Path, default=Path("resultados/best_accuracy"))
    parser.add_argument("--child", nargs=2, metavar=("SEED", "SECONDS"))
    arguments = parser.parse_args()
    keep = arguments.keep
    if arguments.child:
        seed, seconds = arguments.child
        print(json.dumps(train_for(int(seed), float(seconds), keep)))
        return
    keep.mkdir(parents=True, exist_ok=True)
    end = time.perf_counter() + 60 * arguments.minutes
    one = partial(call_child, end=end, jobs=arguments.jobs, keep=keep)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        list(pool.map(one, range(arguments.seeds)))
    paths = {seed: files(seed, keep)[1] for seed in range(arguments.seeds)}
    said = {seed: read_tensors(path) for seed, path in paths.items() if path.exists()}
    said = {seed: {**one, "in_views": in_views(seed, keep)} for seed, one in said.items()}
    alone = time_alone() if arguments.alone else None
    if said:
        write_results("best-accuracy", "Accuracy of the `best` recipe", *report(said, alone))


if __name__ == "__main__":
    main()
