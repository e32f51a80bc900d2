"""Test accuracy of the `workshop` recipe as it stands: 10 epochs, 5,000 digits held out.

python benchmarks/workshop_accuracy.py [--seeds 3] [--threads 1]
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

import torch
from reporting import table, write_results
from time_to_accuracy import digits

from taller_cnn.config import recipe
from taller_cnn.model import SimpleCNN
from taller_cnn.training import EpochResult, train


def run(seed: int) -> dict[str, Any]:
    model_config, config = recipe("workshop", train={"seed": seed})
    training = train(SimpleCNN(model_config, seed=seed), digits(config.holdout), config)
    last = list(training)[-1]
    assert isinstance(last, EpochResult)
    assert last.test is not None
    assert last.validation is not None
    assert training.test is not None
    low, high = training.test.interval()
    return {
        "seed": seed,
        "test_accuracy": last.test.accuracy,
        "test_low": low,
        "test_high": high,
        "validation_accuracy": last.validation.accuracy,
        "train_seconds": last.train_seconds,
        "precision": str(training.precision.value).removeprefix("torch."),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    runs = [run(seed) for seed in range(arguments.seeds)]
    rows = [
        [
            f"{r['seed']:.0f}",
            f"{100 * r['test_accuracy']:.2f}% "
            f"({100 * r['test_low']:.2f} to {100 * r['test_high']:.2f})",
            f"{100 * r['validation_accuracy']:.2f}%",
        ]
        for r in runs
    ]
    mean = 100 * statistics.mean(r["test_accuracy"] for r in runs)
    header = ["seed", "test accuracy (95% Wilson), n = 10,000", "validation, n = 5,000"]
    body = table(header, rows) + (
        f"\n\nMean test accuracy over {len(runs)} seeds: {mean:.3f}%; trained in "
        f"{runs[0]['precision']}, evaluated in float32."
    )
    write_results("workshop-accuracy", "Accuracy of the `workshop` recipe", body, {"runs": runs})


if __name__ == "__main__":
    main()
