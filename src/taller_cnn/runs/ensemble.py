"""Networks that differ in their seed, trained one after the other, and what they say together.

One after the other, because two threads on one network are nearly as fast as two networks with a
thread each, and the first member is there sooner. A member that is there is not trained again.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from taller_cnn.checkpoints import ModelInfo, load_model, member_files, read_info
from taller_cnn.data import Digits, DownloadProgress
from taller_cnn.errors import ModelError, TallerError
from taller_cnn.evaluation import Evaluation, evaluate
from taller_cnn.files import provenance, write_json
from taller_cnn.messages import Messages
from taller_cnn.model import count_parameters
from taller_cnn.runs.request import RunFiles, RunRequest, ensemble_folder, results_folder
from taller_cnn.runs.results import RunResult, answer_figures, save_figures
from taller_cnn.runs.resuming import checkpoint_request
from taller_cnn.runs.run import Started, load, run
from taller_cnn.training import EpochResult, Progress


@dataclass(frozen=True, kw_only=True)
class EnsemblePlan:
    """How many networks, and how they differ."""

    count: int
    workdir: Path
    """The working folder, which has the ensemble's own."""
    kernel_sizes: tuple[int, ...] = ()
    """Of the networks in turn, so that they differ by more than chance (An et al. 2020, arXiv
    2008.10400); none for that of the request."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """The network that is next."""

    index: int
    """From 1."""
    of: int
    seed: int
    is_there: bool
    """Trained by an earlier call."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EnsembleResult:
    """What the networks say together."""

    test: Evaluation
    validation: Evaluation | None
    class_names: tuple[str, ...]
    summary: dict[str, Any] = field(repr=False)
    """The closing figures as a JSON object."""
    files: Mapping[str, Path]
    not_drawn: tuple[TallerError, ...] = ()
    """Why there are figures missing, an error for each."""


Event = DownloadProgress | Member | Started | Progress | EpochResult | RunResult | EnsembleResult


def run_ensemble(
    request: RunRequest, plan: EnsemblePlan, stop: threading.Event
) -> Generator[Event, None, None]:
    """Train the networks that are missing, then ask all of them.

    Args:
        request: what to train; its seed is that of the first network, the others follow. Its
            files are not used: every network has its own.
        plan: how many networks, and how they differ.
        stop: when set, the present network keeps its state; the next call goes on with it.

    Raises:
        ConfigError: a network cannot have that kernel size.
        InterruptedRunError: `stop` was set.
        ModelError: the folder holds networks of another ensemble.
        TallerError: as `run`.
    """
    members = _members(request, plan)
    folder = ensemble_folder(plan.workdir, request.place.dataset)
    own = {member.files.model for member in members}
    for path in member_files(folder):
        if path not in own:
            raise ModelError("ensemble_other", path=path, folder=folder)
    digits = yield from load(request, stop)
    for index, member in enumerate(members, start=1):
        is_there = _is_there(member, digits)
        yield Member(index=index, of=plan.count, seed=member.train.seed, is_there=is_there)
        if not is_there:
            resumed = dataclasses.replace(member, resume=_is_waiting(member))
            yield from run(resumed, stop, digits)
    yield _together(request, plan, digits)


def _members(request: RunRequest, plan: EnsemblePlan) -> list[RunRequest]:
    """What to train for each network."""
    kernels = plan.kernel_sizes or (request.model.kernel_size,)
    members = []
    for index in range(plan.count):
        seed = request.train.seed + index
        model = request.model.replace(kernel_size=kernels[index % len(kernels)])
        train = request.train.replace(seed=seed)
        files = RunFiles.member(plan.workdir, request.place.dataset, seed)
        members.append(dataclasses.replace(request, files=files, model=model, train=train))
    return members


def _is_there(member: RunRequest, digits: Digits) -> bool:
    """Whether exactly this network has been trained on these digits."""
    if not member.files.model.exists():
        return False
    info = read_info(member.files.model)
    return info is not None and (info.model, info.train, info.data_checksum) == (
        member.model,
        member.train,
        digits.checksum,
    )


def _is_waiting(member: RunRequest) -> bool:
    """Whether the training of exactly this network was stopped."""
    if not member.files.checkpoint.exists():
        return False
    waiting = checkpoint_request(member.files.checkpoint)
    return (waiting.model, waiting.train) == (member.model, member.train)


def _together(request: RunRequest, plan: EnsemblePlan, digits: Digits) -> EnsembleResult:
    """Ask all networks; write and draw what they say."""
    folder = ensemble_folder(plan.workdir, request.place.dataset)
    loaded = load_model(folder)
    info = loaded.info
    assert info is not None
    test = evaluate(loaded.model, digits.test, info.scale)
    held_out = digits.validation
    validation = evaluate(loaded.model, held_out, info.scale) if len(held_out) else None
    names = digits.class_names
    record = {
        "model": request.model.to_dict(),
        "train": request.train.to_dict(),
        "parameters": count_parameters(loaded.model),
        "dataset": digits.name,
        "source": digits.source,
        "data_checksum": digits.checksum,
        "members": [_member_figures(path) for path in member_files(folder)],
        "test": test.to_json(names),
        "validation": validation and validation.to_json(names),
        "provenance": provenance(),
    }
    results = results_folder(plan.workdir) / "ensemble"
    numbers = results / "ensemble.json"
    write_json(numbers, record)
    drawings = answer_figures(digits, test, Messages(request.language))
    drawn, not_drawn = save_figures(drawings, results)
    files = {"model": folder, **drawn, "numbers": numbers}
    summary = {
        **_scores(test, validation),
        **{name: record[name] for name in ("members", "parameters", "dataset", "source")},
        "recipe": request.train.recipe,
        "files": {name: str(path) for name, path in files.items()},
        "not_drawn": [str(error) for error in not_drawn],
    }
    return EnsembleResult(
        test=test,
        validation=validation,
        class_names=digits.class_names,
        summary=summary,
        files=files,
        not_drawn=not_drawn,
    )


def _scores(test: Evaluation, validation: Evaluation | None) -> dict[str, Any]:
    """What the networks get right together."""
    return {
        "test_accuracy": test.accuracy,
        "test_errors": test.errors,
        "test_interval_95": list(test.interval()),
        "test_n": test.n,
        "validation_accuracy": validation and validation.accuracy,
    }


def _member_figures(path: Path) -> dict[str, Any]:
    """A network's file, seed and accuracies alone."""
    info = read_info(path)
    assert isinstance(info, ModelInfo)
    about = {"seed": info.train.seed, "kernel_size": info.model.kernel_size}
    return {"file": path.name, **about, **info.metrics}
