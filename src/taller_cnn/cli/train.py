"""``taller-cnn train``."""

from __future__ import annotations

import dataclasses
import os
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taller_cnn.cli.board import Board, board
from taller_cnn.cli.command import Option, refuse_together
from taller_cnn.cli.config_options import DEFAULT_RECIPE, configs, network, training_options
from taller_cnn.cli.loading import dataset_name, show_model_notices, show_sample_notice
from taller_cnn.cli.options import (
    DATA_DIR,
    DATASET,
    RESIZED,
    SOURCE,
    WORKDIR,
    command,
    next_command,
)
from taller_cnn.cli.results import EpochTable, show_files, show_rows, show_score, show_training
from taller_cnn.cli.signals import stop_on_signals
from taller_cnn.cli.terminal import Terminal
from taller_cnn.cli.values import COUNT, FILE, INTEGERS, Key
from taller_cnn.errors import InterruptedRunError, UsageError

if TYPE_CHECKING:
    from taller_cnn.checkpoints import LoadedModel
    from taller_cnn.config import ModelConfig, TrainConfig
    from taller_cnn.data import DigitsPlace
    from taller_cnn.runs import (
        EnsemblePlan,
        EnsembleResult,
        Member,
        RunFiles,
        RunRequest,
        RunResult,
        Started,
    )

THREADS_PER_PROCESSOR = 8
"""More of them only wait for each other."""


@command(
    *training_options(),
    Option(
        "--threads",
        panel="training",
        help="cli_train.option.threads",
        type=COUNT,
        show_default=Key("cli_train.option.threads_default"),
    ),
    Option("--resume", panel="training", help="cli_train.option.resume"),
    Option(
        "--from",
        "origin",
        panel="training",
        help="cli_train.option.from",
        type=FILE,
        show_default=Key("cli_train.option.from_default"),
    ),
    Option(
        "--ensemble",
        panel="training",
        help="cli_train.option.ensemble",
        type=COUNT,
        show_default=Key("cli_train.option.ensemble_default"),
    ),
    Option(
        "--kernel-sizes",
        panel="training",
        help="cli_train.option.kernel_sizes",
        type=INTEGERS,
        show_default=Key("cli_train.option.kernel_sizes_default"),
    ),
    DATASET,
    RESIZED,
    SOURCE,
    DATA_DIR,
    WORKDIR,
    Option("--quiet", panel="output", help="cli_train.option.quiet"),
)
def train(
    terminal: Terminal,
    *,
    threads: int | None,
    resume: bool,
    origin: Path | None,
    ensemble: int | None,
    kernel_sizes: tuple[int, ...] | None,
    dataset: str,
    only_resize: bool | None,
    source: str,
    data_dir: Path | None,
    workdir: Path,
    quiet: bool,
    **fields: Any,
) -> None:
    """Train a network; leave the model, its figures and its numbers."""
    from taller_cnn.data import DigitsPlace
    from taller_cnn.runs import RunFiles, RunResult

    # A stopped training has its weights; networks that begin alike hardly differ in the end.
    refuse_together("origin", "resume", "ensemble")
    plan = _plan(ensemble, kernel_sizes, workdir, resume=resume)
    _use_threads(threads)
    dataset = dataset_name(terminal, dataset, workdir, resized=only_resize)
    place = DigitsPlace.in_workdir(workdir, data_dir, dataset=dataset, source=source)
    if not resume and origin is None:
        fields = _suiting(terminal, fields, place)
    files = RunFiles.in_workdir(workdir, dataset)
    request = _request(terminal, fields, place, files, resume=resume, origin=origin)
    with stop_on_signals() as stop, board(terminal, is_quiet=quiet, stop=stop) as shown:
        again = _again(request, fields, plan, threads, workdir)
        result = _follow(request, plan, stop, shown, terminal, again)
    if isinstance(result, RunResult):
        _show_result(terminal, request, result)
    else:
        _show_ensemble(terminal, request, result)
    terminal.result(result.summary)


# --------------------------------------------------------------------- what is asked for


def _plan(
    members: int | None, kernel_sizes: tuple[int, ...] | None, workdir: Path, *, resume: bool
) -> EnsemblePlan | None:
    """The ensemble that is asked for; None for one network."""
    from taller_cnn.runs import EnsemblePlan

    if members is None:
        if kernel_sizes is not None:
            raise UsageError("ensemble_kernel_sizes")
        return None
    if resume:
        raise UsageError("ensemble_resume")
    return EnsemblePlan(count=members, workdir=workdir, kernel_sizes=kernel_sizes or ())


def _suiting(terminal: Terminal, fields: dict[str, Any], place: DigitsPlace) -> dict[str, Any]:
    """The options, with the recipe `few` for few images of one's own if none is named."""
    from taller_cnn.config import FEW_IMAGES, RECIPES, epochs_for_few

    own = place.own_spec
    if own is None or own.held_out is None or fields["recipe"] is not None:
        return fields
    n = own.train_n - own.held_out
    if n > FEW_IMAGES:
        return fields
    batch_size = fields["batch_size"] or RECIPES["few"].train["batch_size"]
    epochs = fields["epochs"] or epochs_for_few(n, batch_size)
    terminal.notice(terminal.messages("cli_train.few", n=n))
    return {**fields, "recipe": "few", "epochs": epochs}


def _use_threads(threads: int | None) -> None:
    if threads is None:
        return
    import torch

    # Thousands would be started, and the system refuses them with a crash.
    most = THREADS_PER_PROCESSOR * (os.cpu_count() or 1)
    if threads > most:
        raise UsageError("config_range", field="threads", value=threads, least=1, most=most)
    torch.set_num_threads(threads)


def _request(
    terminal: Terminal,
    fields: dict[str, Any],
    place: DigitsPlace,
    files: RunFiles,
    *,
    resume: bool,
    origin: Path | None,
) -> RunRequest:
    """What to train: the recipe, what waits to be resumed, or a network, with the given options."""
    from taller_cnn.runs import RunRequest, checkpoint_request, read_origin

    base = begun = None
    if resume:
        waiting = checkpoint_request(files.checkpoint)
        base, begun = (waiting.model, waiting.train), waiting.origin
        is_open = place.source == "auto"
        place = dataclasses.replace(place, source=waiting.source) if is_open else place
    elif origin is not None:
        begun, loaded = read_origin(origin, network(fields))
        show_model_notices(terminal, loaded)
        base = _going_on(loaded, fields["recipe"])
    model, train = configs(fields, base)
    return RunRequest(
        model=model,
        train=train,
        place=place,
        files=files,
        resume=resume,
        language=terminal.messages.tag,
        origin=begun,
    )


def _going_on(loaded: LoadedModel, name: str | None) -> tuple[ModelConfig, TrainConfig]:
    """A trained network, and the recipe to go on with, without what would replace its weights."""
    from taller_cnn.config import recipe
    from taller_cnn.model import network_inside

    train = recipe(name or DEFAULT_RECIPE)[1].replace(first_layer="learned", middle=False)
    return network_inside(loaded.model).config, train


def _again(
    request: RunRequest,
    fields: dict[str, Any],
    plan: EnsemblePlan | None,
    threads: int | None,
    workdir: Path,
) -> str:
    """The command that goes on with a stopped training; an ensemble's needs its options again."""
    from taller_cnn.data import DigitsPlace

    place = request.place
    options: dict[str, object] = {"resume": True}
    if plan:
        options = {"ensemble": plan.count, **fields, "kernel_sizes": plan.kernel_sizes or None}
        options["source"] = place.source
    usual_folder = DigitsPlace.in_workdir(workdir).data_dir
    return next_command(
        "train",
        **options,
        threads=threads,
        workdir=workdir,
        dataset=place.dataset,
        data_dir=None if place.data_dir == usual_folder else place.data_dir,
        lang=request.language,
    )


# ----------------------------------------------------------------------- while it runs


def _follow(
    request: RunRequest,
    plan: EnsemblePlan | None,
    stop: threading.Event,
    shown: Board,
    terminal: Terminal,
    again: str,
) -> RunResult | EnsembleResult:
    """Run to the end and show what happens; `again` is the command that goes on."""
    from taller_cnn.runs import EnsembleResult, Member, RunResult, Started, run, run_ensemble
    from taller_cnn.training import EpochResult

    shown.waiting(terminal.messages("cli.loading"))
    epochs = EpochTable(terminal.messages, shown)
    result: RunResult | EnsembleResult | None = None
    running = run_ensemble(request, plan, stop) if plan else run(request, stop)
    try:
        # Closed, so that the folder's lock does not wait for the garbage collector.
        with closing(running) as events:
            for event in events:
                if isinstance(event, Started):
                    _show_start(terminal, event, request)
                elif isinstance(event, Member):
                    _show_member(terminal, event)
                    seeded = request.train.replace(seed=event.seed)
                    request = dataclasses.replace(request, train=seeded)
                elif isinstance(event, EpochResult):
                    epochs.add(event)
                    shown.step(terminal.messages("cli_train.saving"))
                elif isinstance(event, RunResult | EnsembleResult):
                    result = event
                else:
                    show_training(terminal, shown, event, request.train.epochs)
    except InterruptedRunError as error:
        if "step" not in error.values:
            raise
        raise InterruptedRunError("cli_stopped", **error.values, again=again) from error
    assert result is not None, "a run that is not interrupted ends with its result"
    return result


# ------------------------------------------------------------- what the reader is told


def _show_start(terminal: Terminal, started: Started, request: RunRequest) -> None:
    """Print what is about to be trained, and what was chosen for the reader with the reason."""
    from taller_cnn.data import display_title

    say = terminal.messages
    for notice in started.notices:
        terminal.notice(say(f"runs.{notice}"))
    show_sample_notice(terminal, request.place, started.source, started.fallback_reason)
    origin = request.origin
    if origin and origin.dataset == started.dataset and origin.source != started.source:
        terminal.notice(say("cli_evaluate.seen"))
    words = {
        "title": display_title(started.dataset, say),
        "kind": say(f"data.{started.source}"),
        "device_because": say(f"devices.{started.device_reason}"),
        "precision_because": say(f"devices.{started.precision_reason}"),
    }
    values = {**vars(started), **request.train.to_dict(), **words, "device": started.device}
    values |= {"precision": started.precision, "n": started.threads}
    names = ["data", "network", "recipe", "machine"]
    names += ["from"] if started.origin else []
    names += ["resumed"] if request.resume or started.resumed_step else []
    rows = [
        (say(f"cli_train.start.{k}"), say(f"cli_train.start.{k}_value", **values)) for k in names
    ]
    show_rows(terminal, rows)


def _show_result(terminal: Terminal, request: RunRequest, result: RunResult) -> None:
    """Print the closing summary: how good the network is and where everything lies."""
    from taller_cnn.data import display_class_names

    say = terminal.messages
    names = display_class_names(request.place.dataset, result.class_names, say)
    time = say("cli_train.end.time"), say("cli_train.end.time_value", **result.summary)
    show_score(terminal, result.test, names, "test", [time])
    if result.test.is_guessing:
        rate = request.train.learning_rate / 10
        terminal.notice(say("cli_train.end.guessing", learning_rate=rate))
    _show_files(terminal, result)
    # Again, so that nobody takes the sample's figures for MNIST's.
    show_sample_notice(terminal, request.place, result.summary["source"])


def _show_member(terminal: Terminal, member: Member) -> None:
    """Print which network of the ensemble is next, or that it is there."""
    key = "there" if member.is_there else "next"
    terminal.say(f"cli_train.ensemble.{key}", "bold", **vars(member))


def _show_ensemble(terminal: Terminal, request: RunRequest, result: EnsembleResult) -> None:
    """Print how good the networks are alone and together, and where everything lies."""
    from taller_cnn.data import display_class_names

    say = terminal.messages
    alone = [member["test"]["accuracy"] for member in result.summary["members"]]
    figures = {"mean": sum(alone) / len(alone), "least": min(alone), "most": max(alone)}
    row = say("cli_train.ensemble.alone"), say("cli_train.ensemble.alone_value", **figures)
    names = display_class_names(request.place.dataset, result.class_names, say)
    show_score(terminal, result.test, names, "test", [row])
    _show_files(terminal, result)
    show_sample_notice(terminal, request.place, result.summary["source"])


def _show_files(terminal: Terminal, result: RunResult | EnsembleResult) -> None:
    """Print where everything lies, and which figures there are not and why."""
    show_files(terminal, result.files)
    for error in result.not_drawn:
        terminal.notice(error.text(terminal.messages))
