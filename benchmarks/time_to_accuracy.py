"""Time to 99%: the `fast` recipe and the `workshop` epoch against the lesson, in one run.

    python benchmarks/time_to_accuracy.py [--lesson-seeds 3] [--fast-seeds 10]

Every training runs in a process of its own, as a user would start it, and the kinds take turns, so
that a machine whose speed drifts is unfair to none. All train on the 60,000 training digits; the
lesson and `fast` are timed over their training steps only, without evaluations. The lesson computes
in float32, as it is written; `fast` and `workshop` in what `--precision auto` takes here.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from reporting import child, spread, table, write_results
from torch.utils.data import DataLoader

from taller_cnn.config import ModelConfig, recipe
from taller_cnn.data import Digits, DigitsPlace
from taller_cnn.devices import choose_precision
from taller_cnn.model import SimpleCNN, describe
from taller_cnn.process import SPIN_COUNT, prepare_process
from taller_cnn.training import EpochResult, train

ROOT = Path(__file__).resolve().parents[1]
TARGET = 0.99
MOST_EPOCHS = 10
OURS = {**os.environ, "GOMP_SPINCOUNT": SPIN_COUNT}
"""What `prepare_process` does must be in the environment here, where torch is already loaded."""


def data_dir() -> Path:
    return Path(os.environ.get("TALLER_DATA_DIR") or ROOT.parent / "shared" / "data")


def digits_place() -> DigitsPlace:
    sample = ROOT / "data" / "sample"
    return DigitsPlace(data_dir=data_dir(), sample_dir=sample, source="full")


def digits(holdout: int = 0) -> Digits:
    return digits_place().load(holdout)


def load_lesson() -> ModuleType:
    os.environ["TALLER_DATA_DIR"] = str(data_dir())
    spec = importlib.util.spec_from_file_location("lesson", ROOT / "pytorch" / "cnn_pytorch.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def lesson_loaders(lesson: ModuleType) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """The workshop document's loaders: all training digits, and the test digits."""
    vars(lesson)["DATA_DIR"] = lesson.digits_root()
    train_dataset, test_dataset = lesson.load_data()
    size = lesson.BATCH_SIZE
    return DataLoader(train_dataset, size, shuffle=True), DataLoader(test_dataset, size)


def run_lesson(seed: int, most_epochs: int) -> dict[str, Any]:
    """The lesson's loop until its test accuracy first reaches the target."""
    lesson = load_lesson()
    torch.manual_seed(seed)
    train_loader, test_loader = lesson_loaders(lesson)
    model = lesson.SimpleCNN()
    # The lesson's functions use these names, which its cells assign.
    vars(lesson).update(
        model=model,
        train_loader=train_loader,
        optimizer=torch.optim.Adam(model.parameters(), lr=lesson.LEARNING_RATE),
        criterion=torch.nn.CrossEntropyLoss(),
    )
    epochs: list[float] = []
    accuracies: list[float] = []
    while len(epochs) < most_epochs and (not accuracies or accuracies[-1] < TARGET):
        started = time.perf_counter()
        lesson.train()
        epochs.append(time.perf_counter() - started)
        accuracies.append(lesson.evaluate(test_loader)[1])
    return {"seed": seed, "epoch_seconds": epochs, "test_accuracies": accuracies}


def run_recipe(name: str, seed: int, epochs: float | None) -> dict[str, Any]:
    """One training of a recipe on all training digits; seconds of its preparation and its steps.

    The lesson prepares each image when it comes; the recipe all of them before the first step.
    """
    changes: dict[str, Any] = {"seed": seed, "holdout": 0}
    model_config, config = recipe(name, train=changes | ({"epochs": epochs} if epochs else {}))
    model, own = SimpleCNN(model_config, seed=seed), digits()
    started = time.perf_counter()
    training = train(model, own, config, score="last-epoch")
    prepared = time.perf_counter() - started
    last = list(training)[-1]
    assert isinstance(last, EpochResult)
    assert last.test is not None
    seconds = prepared + last.train_seconds
    return {
        "seed": seed,
        "seconds": seconds,
        "prepared": prepared,
        "test_accuracy": last.test.accuracy,
    }


def matrix_rate(precision: torch.dtype) -> float:
    """Best matrix-product rate of this machine in that arithmetic, in FLOP/s."""
    size = 2048
    a, b = torch.randn(2, size, size).to(precision)
    best = float("inf")
    for _ in range(8):
        started = time.perf_counter()
        torch.mm(a, b)
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def training_flops(config: ModelConfig, images: int, first_learned: bool = True) -> float:
    """FLOPs of training on `images`: forward, weight gradient and input gradient of each layer.

    The first layer needs no input gradient; if it is fixed, it needs no weight gradient either and
    the layer after it no input gradient.
    """
    rows = [row for row in describe(config) if row.macs]
    passes = [3.0] * len(rows)
    passes[0] = 2.0 if first_learned else 1.0
    if not first_learned:
        passes[1] = 2.0
    return images * sum(2 * row.macs * n for row, n in zip(rows, passes, strict=True))


def measure(lesson_seeds: int, fast_seeds: int) -> dict[str, Any]:
    script = str(Path(__file__))
    precision = choose_precision("auto", torch.device("cpu")).value
    lesson, fast, workshop, rates = [], [], [], []
    for turn in range(lesson_seeds):
        rates.append(matrix_rate(precision))
        lesson.append(child([script, "--child", "lesson", str(turn)], os.environ))
        workshop.append(child([script, "--child", "workshop", str(turn)], OURS))
        for seed in range(
            turn * fast_seeds // lesson_seeds, (turn + 1) * fast_seeds // lesson_seeds
        ):
            fast.append(child([script, "--child", "fast", str(seed)], OURS))
    return {
        "lesson": lesson,
        "fast": fast,
        "workshop_epoch": workshop,
        "precision": str(precision).removeprefix("torch."),
        "matrix_rates": rates,
    }


def measure_epochs(turns: int) -> dict[str, Any]:
    """One epoch of the lesson, one of `workshop` and one `fast` training, in turns."""
    script = str(Path(__file__))
    kinds = {"lesson-epoch": dict(os.environ), "workshop": OURS, "fast": OURS}
    runs: dict[str, Any] = {kind: [] for kind in kinds}
    for turn in range(turns):
        for kind, environment in kinds.items():
            runs[kind].append(child([script, "--child", kind, str(turn)], environment))
    return runs


def report_epochs(figures: dict[str, Any]) -> str:
    lesson = [run["epoch_seconds"][0] for run in figures["lesson-epoch"]]
    rows = [["lesson's first epoch, batch 64, seconds", spread(lesson, 2), ""]]
    for kind, title in (
        ("workshop", "`workshop` epoch, batch 64, seconds"),
        ("fast", "`fast`, seconds"),
    ):
        seconds = [run["seconds"] for run in figures[kind]]
        ratio = statistics.median(lesson) / statistics.median(seconds)
        rows.append([title, spread(seconds, 2), f"{ratio:.2f}"])
    return table(
        ["", f"median of {len(lesson)} (least to greatest)", "lesson's epoch / this"], rows
    )


def seconds_to_target(run: dict[str, Any]) -> float:
    assert run["test_accuracies"][-1] >= TARGET, "the lesson never reached the target"
    return float(sum(run["epoch_seconds"]))


def report(figures: dict[str, Any]) -> str:
    lesson = [seconds_to_target(run) for run in figures["lesson"]]
    fast = [run["seconds"] for run in figures["fast"]]
    accuracy = [100 * run["test_accuracy"] for run in figures["fast"]]
    lesson_epoch = [seconds for run in figures["lesson"] for seconds in run["epoch_seconds"]]
    workshop = [run["seconds"] for run in figures["workshop_epoch"]]
    rows = [
        ["lesson to 99.0%, training seconds", spread(lesson, 1), f"{len(lesson)} seeds"],
        ["`fast`, training seconds", spread(fast, 2), f"{len(fast)} seeds"],
        [
            "`fast`, test accuracy",
            f"mean {statistics.mean(accuracy):.3f}% (sd {statistics.stdev(accuracy):.3f}, "
            f"{min(accuracy):.2f} to {max(accuracy):.2f})",
            f"{len(accuracy)} seeds, n = 10,000",
        ],
        [
            "ratio of medians, lesson / `fast`",
            f"{statistics.median(lesson) / statistics.median(fast):.1f}",
            "",
        ],
        [
            "lesson's epoch, batch 64, seconds",
            spread(lesson_epoch, 2),
            f"{len(lesson_epoch)} epochs",
        ],
        ["`workshop` epoch, batch 64, seconds", spread(workshop, 2), f"{len(workshop)} runs"],
        [
            "ratio of medians, lesson's epoch / `workshop` epoch",
            f"{statistics.median(lesson_epoch) / statistics.median(workshop):.2f}",
            "",
        ],
        *rows_at_matrix_rate(max(figures["matrix_rates"]), figures["precision"]),
    ]
    return table(["", "median (least to greatest)", "of"], rows)


def rows_at_matrix_rate(rate: float, precision: str) -> list[list[str]]:
    """What the recipes would take if all their arithmetic ran as fast as a matrix product."""
    whole = training_flops(ModelConfig(), 60_000)
    model, config = recipe("fast")
    part = training_flops(model, int(60_000 * config.epochs), first_learned=False)
    return [
        [f"{precision} matrix product, GFLOP/s", f"{rate / 1e9:.0f}", "best of 8 in each turn"],
        [
            "`workshop` epoch at that rate, seconds",
            f"{whole / rate:.2f}",
            f"{whole / 1e9:.0f} GFLOP",
        ],
        ["`fast` at that rate, seconds", f"at most {part / rate:.2f}", f"{part / 1e9:.0f} GFLOP"],
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lesson-seeds", type=int, default=3)
    parser.add_argument("--fast-seeds", type=int, default=10)
    parser.add_argument("--one-epoch", action="store_true", help="only epochs, in turns")
    parser.add_argument("--child", nargs=2, metavar=("KIND", "SEED"))
    arguments = parser.parse_args()
    if arguments.child:
        if not arguments.child[0].startswith("lesson"):
            # What the `taller-cnn` command does; the lesson runs as `python` starts it.
            prepare_process()
        kind, seed = arguments.child[0], int(arguments.child[1])
        if kind.startswith("lesson"):
            print(json.dumps(run_lesson(seed, 1 if kind == "lesson-epoch" else MOST_EPOCHS)))
        else:
            print(json.dumps(run_recipe(kind, seed, 1.0 if kind == "workshop" else None)))
        return
    if arguments.one_epoch:
        figures = measure_epochs(arguments.lesson_seeds)
        write_results("epoch", "One epoch against the lesson's", report_epochs(figures), figures)
        return
    figures = measure(arguments.lesson_seeds, arguments.fast_seeds)
    write_results("time-to-accuracy", "Time to 99% test accuracy", report(figures), figures)


if __name__ == "__main__":
    main()
