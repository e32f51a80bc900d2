"""Trials per minute of a study against looping the lesson's ``train()``, in one run.

    python benchmarks/study_throughput.py [--cells 24] [--repeat 1]

Both run the same slice of the default study: the same networks on the same number of digits, with
the same batch size and number of steps. The lesson's loop has the lesson's DataLoader, its
``train()`` and Adam, PyTorch's own threads, and the network of each trial written as the lesson
writes its own: layer by layer, pooling after ReLU, in PyTorch's usual memory layout. A study's
trial is also evaluated, on the judging digits and on seen ones where digits repeat. The
lesson is timed both without any evaluation and with one pass of its ``evaluate()``, without which
its trials would have no result. The last row is what the study would do if its workers never did
anything but train: evaluation and waiting are the difference.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import torch
from reporting import spread, table, write_results
from time_to_accuracy import digits, digits_place, lesson_loaders, load_lesson
from torch import nn
from torch.utils.data import DataLoader, Subset

from taller_cnn.config import ModelConfig
from taller_cnn.model import describe
from taller_cnn.study import (
    Design,
    Results,
    Store,
    StudyDigits,
    StudyStarted,
    Trial,
    TrialDone,
    WorkerJoined,
    build,
    default_plan,
    run_study,
)


def lesson_network(config: ModelConfig) -> nn.Sequential:
    """A network of the study as the lesson would write it."""
    layers: list[nn.Module] = []
    channels, side = 1, 28
    for filters in config.filters:
        layers += [nn.Conv2d(channels, filters, kernel_size=3, padding=1), nn.ReLU()]
        if side >= 8:
            layers.append(nn.MaxPool2d(2, 2))
            side //= 2
        channels = filters
    if 0 < config.final_size < side:
        layers.append(nn.AdaptiveMaxPool2d(config.final_size))
        side = config.final_size
    layers += [nn.Flatten(), nn.Linear(channels * side**2, config.hidden), nn.ReLU()]
    layers += [nn.Dropout(config.dropout), nn.Linear(config.hidden, 10)]
    network = nn.Sequential(*layers)
    parameters = sum(values.numel() for values in network.parameters())
    if parameters != sum(row.parameters for row in describe(config)):
        raise ValueError(f"the lesson has no network like {config}")
    return network


def slice_of(design: Design, cells: int) -> tuple[Trial, ...]:
    """One trial of every so-many-th cell: all sizes of network, both regimes."""
    trials = [cell.fresh(1.0, 0) for question in design.questions for cell in question.cells]
    different = list(dict.fromkeys(trials))
    step = len(different) / cells
    return tuple(different[int(index * step)] for index in range(cells))


@dataclass(frozen=True, kw_only=True)
class Slice(Design):
    """A design of which only some trials are run."""

    chosen: tuple[Trial, ...]

    def trials(self, results: Results) -> tuple[Trial, ...]:
        """The chosen trials, whatever comes out."""
        return self.chosen

    def expected_trials(self, results: Results) -> tuple[Trial, ...]:
        """The chosen trials: none follow."""
        return self.chosen


def sliced(cells: int) -> Slice:
    """The slice of the default study on the full MNIST."""
    design = build(default_plan(), StudyDigits.of(digits(holdout=5000)))
    kept = {field.name: getattr(design, field.name) for field in fields(design)}
    return Slice(**kept, chosen=slice_of(design, cells))


def time_study(design: Slice) -> dict[str, float]:
    """Seconds of the whole study, with its worker processes, and from the first trial on."""
    trained, workers = 0.0, 1
    began = ready = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        Store(Path(folder), is_writer=True) as store,
    ):
        stop = threading.Event()
        for event in run_study(design, digits_place(), store, stop=stop):
            if isinstance(event, TrialDone):
                trained += event.result.train_seconds or 0
            elif isinstance(event, StudyStarted):
                workers = event.local_workers
            elif isinstance(event, WorkerJoined):
                ready = time.perf_counter()
        ended = time.perf_counter()
    return {"whole": ended - began, "after_start": ended - ready, "training": trained / workers}


def time_lesson(lesson: ModuleType, trials: tuple[Trial, ...]) -> dict[str, float]:
    """Seconds of the lesson's loop over the trials: ``train()`` alone, and ``evaluate()``."""
    train_loader, test_loader = lesson_loaders(lesson)
    training = testing = 0.0
    for trial in trials:
        subset = Subset(train_loader.dataset, range(trial.train_n))
        loader = DataLoader(subset, batch_size=trial.train.batch_size, shuffle=True)
        model = lesson_network(trial.model)
        vars(lesson).update(
            model=model,
            train_loader=loader,
            optimizer=torch.optim.Adam(model.parameters(), lr=trial.train.learning_rate),
            criterion=torch.nn.CrossEntropyLoss(),
        )
        began = time.perf_counter()
        for _ in range(round(trial.train.epochs)):
            lesson.train()
        trained = time.perf_counter()
        lesson.evaluate(test_loader)
        training += trained - began
        testing += time.perf_counter() - trained
    return {"train": training, "train_and_test": training + testing}


def report(trials: tuple[Trial, ...], study: list[dict[str, float]], lesson: list[Any]) -> str:
    """The table, in trials per minute."""

    def per_minute(runs: list[Any], key: str) -> list[float]:
        return [60 * len(trials) / run[key] for run in runs]

    kinds = [
        ("lesson: train()", per_minute(lesson, "train")),
        ("lesson: train() and one evaluate()", per_minute(lesson, "train_and_test")),
        ("study, with the start of its processes", per_minute(study, "whole")),
        ("study, from its first trial", per_minute(study, "after_start")),
        ("study, training alone", per_minute(study, "training")),
    ]
    base = [median(kinds[0][1]), median(kinds[1][1])]
    rows = [
        [name, spread(rates, 2), *(f"{median(rates) / against:.1f}x" for against in base)]
        for name, rates in kinds
    ]
    header = ["", "trials per minute", "against train()", "against train() and evaluate()"]
    return table(header, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=24, help="trials of the slice")
    parser.add_argument("--repeat", type=int, default=1)
    arguments = parser.parse_args()
    design, lesson = sliced(arguments.cells), load_lesson()
    study_runs, lesson_runs = [], []
    for _ in range(arguments.repeat):
        study_runs.append(time_study(design))
        lesson_runs.append(time_lesson(lesson, design.chosen))
    body = report(design.chosen, study_runs, lesson_runs)
    figures = {
        "trials": [trial.to_dict() for trial in design.chosen],
        "study_seconds": study_runs,
        "lesson_seconds": lesson_runs,
    }
    write_results("study_throughput", "Trials per minute", body, figures)


if __name__ == "__main__":
    main()
