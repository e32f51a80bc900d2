"""``taller-cnn train``."""

from __future__ import annotations

import dataclasses
import os
import shlex
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taller_cnn.cli.config_options import configs, flags, training_options
from taller_cnn.cli.language import language_flags
from taller_cnn.cli.options import DataDir, Dataset, Source, Workdir, panel
from taller_cnn.cli.progress import View, view
from taller_cnn.cli.signals import stop_on_signals
from taller_cnn.cli.terminal import Terminal
from taller_cnn.cli.training_report import (
    show_ensemble,
    show_member,
    show_result,
    show_start,
)
from taller_cnn.cli.values import count, whole_numbers
from taller_cnn.errors import InterruptedRunError, UsageError

if TYPE_CHECKING:
    from taller_cnn.data import DigitsPlace
    from taller_cnn.runs import EnsemblePlan, EnsembleResult, RunFiles, RunRequest, RunResult

__all__ = ["train"]

THREADS_PER_PROCESSOR = 8
"""More of them only wait for each other."""

Threads = Annotated[
    int | None,
    panel(
        "training",
        "--threads",
        help="cli_train.option.threads",
        metavar="cli.metavar.integer",
        parser=count,
        show_default="cli_train.option.threads_default",
    ),
]
Resume = Annotated[bool, panel("training", "--resume", help="cli_train.option.resume")]
Members = Annotated[
    int | None,
    panel(
        "training",
        "--ensemble",
        help="cli_train.option.ensemble",
        metavar="cli.metavar.integer",
        parser=count,
        show_default="cli_train.option.ensemble_default",
    ),
]
Kernels = Annotated[
    str | None,
    panel(
        "training",
        "--kernel-sizes",
        help="cli_train.option.kernel_sizes",
        metavar="cli.metavar.integers",
        parser=whole_numbers,
        show_default="cli_train.option.kernel_sizes_default",
    ),
]
Quiet = Annotated[bool, panel("output", "--quiet", help="cli_train.option.quiet")]


@training_options
def train(
    context: typer.Context,
    threads: Threads = None,
    resume: Resume = False,
    ensemble: Members = None,
    kernel_sizes: Kernels = None,
    dataset: Dataset = "mnist",
    source: Source = "auto",
    data_dir: DataDir = None,
    workdir: Workdir = Path(),
    quiet: Quiet = False,
    **fields: Any,
) -> None:
    """Train a network; leave the model, its figures and its numbers."""
    from taller_cnn.data import DigitsPlace
    from taller_cnn.runs import RunFiles, RunResult

    terminal: Terminal = context.obj
    plan = _plan(ensemble, kernel_sizes, workdir, resume=resume)
    _use_threads(threads)
    place = DigitsPlace.in_workdir(workdir, data_dir, dataset=dataset, source=source)
    files = RunFiles.in_workdir(workdir, dataset)
    request = _request(fields, place, files, resume=resume, language=terminal.messages.tag)
    with stop_on_signals() as stop, view(terminal, quiet=quiet, stop=stop) as shown:
        again = _again(request, fields, plan, threads, workdir)
        result = _follow(request, plan, stop, shown, terminal, again)
    if isinstance(result, RunResult):
        show_result(terminal, request, result)
    else:
        show_ensemble(terminal, request, result)
    terminal.result(result.summary)


def _plan(
    count: int | None, kernel_sizes: Any, workdir: Path, *, resume: bool
) -> EnsemblePlan | None:
    """The ensemble that is asked for; None for one network."""
    from taller_cnn.runs import EnsemblePlan

    if count is None:
        if kernel_sizes is not None:
            raise UsageError("ensemble_kernel_sizes")
        return None
    if resume:
        raise UsageError("ensemble_resume")
    return EnsemblePlan(count=count, workdir=workdir, kernel_sizes=kernel_sizes or ())


def _use_threads(threads: int | None) -> None:
    if threads is None:
        return
    import torch

    # Thousands would be started, and the system refuses them with a crash.
    most = THREADS_PER_PROCESSOR * (os.cpu_count() or 1)
    if threads > most:
        raise UsageError("config_range", field="--threads", value=threads, least=1, most=most)
    torch.set_num_threads(threads)


def _request(
    fields: dict[str, Any], place: DigitsPlace, files: RunFiles, *, resume: bool, language: str
) -> RunRequest:
    """What to train: the recipe with the given options, or what waits to be resumed with them."""
    from taller_cnn.runs import RunRequest, checkpoint_request

    waiting = None
    if resume:
        kept_model, kept_train, source = checkpoint_request(files.checkpoint)
        waiting = kept_model, kept_train
        place = dataclasses.replace(place, source=source) if place.source == "auto" else place
    model, train = configs(fields, waiting)
    return RunRequest(
        model=model, train=train, place=place, files=files, resume=resume, language=language
    )


def _follow(
    request: RunRequest,
    plan: EnsemblePlan | None,
    stop: threading.Event,
    shown: View,
    terminal: Terminal,
    again: str,
) -> RunResult | EnsembleResult:
    """Run to the end and show what happens; `again` is the command that goes on."""
    from taller_cnn.runs import EnsembleResult, Member, RunResult, Started, run, run_ensemble
    from taller_cnn.training import EpochResult

    shown.waiting("cli.loading")
    result: RunResult | EnsembleResult | None = None
    running = run_ensemble(request, plan, stop) if plan else run(request, stop)
    try:
        # Closed, so that the folder's lock does not wait for the garbage collector.
        with closing(running) as events:
            for event in events:
                if isinstance(event, Started):
                    show_start(terminal, event, request)
                elif isinstance(event, Member):
                    show_member(terminal, event)
                    seeded = request.train.replace(seed=event.seed)
                    request = dataclasses.replace(request, train=seeded)
                elif isinstance(event, EpochResult):
                    shown.epoch(event)
                elif isinstance(event, RunResult | EnsembleResult):
                    result = event
                else:
                    shown.step(event, request.train.epochs)
    except InterruptedRunError as error:
        if "step" not in error.values:
            raise
        raise InterruptedRunError("cli_stopped", **error.values, again=again) from error
    assert result is not None, "a run that is not interrupted ends with its result"
    return result


def _again(
    request: RunRequest,
    fields: dict[str, Any],
    plan: EnsemblePlan | None,
    threads: int | None,
    workdir: Path,
) -> str:
    """The command that goes on with a stopped training; an ensemble's needs its options again."""
    from taller_cnn.data import DigitsPlace

    words, place = ["taller-cnn", "train"], request.place
    if plan:
        words += ["--ensemble", str(plan.count), *flags(fields)]
        if plan.kernel_sizes:
            words += ["--kernel-sizes", ",".join(map(str, plan.kernel_sizes))]
        words += [] if place.source == "auto" else ["--source", place.source]
    else:
        words += ["--resume"]
    if threads is not None:
        words += ["--threads", str(threads)]
    if workdir != Path():
        words += ["--workdir", str(workdir)]
    if place.dataset != "mnist":
        words += ["--dataset", place.dataset]
    if place.data_dir != DigitsPlace.in_workdir(workdir).data_dir:
        words += ["--data-dir", str(place.data_dir)]
    return shlex.join(words + language_flags(request.language))
