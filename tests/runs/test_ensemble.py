"""An ensemble on disk: trained network by network, gone on with, asked together."""

from __future__ import annotations

import dataclasses
import json
import threading
from pathlib import Path

import pytest
import torch

from taller_cnn.checkpoints import load_model, save_model
from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import Digits, DigitsPlace
from taller_cnn.errors import InterruptedRunError, ModelError
from taller_cnn.evaluation import evaluate
from taller_cnn.model import SimpleCNN
from taller_cnn.runs import (
    EnsemblePlan,
    EnsembleResult,
    Member,
    RunFiles,
    RunRequest,
    ensemble_folder,
    run_ensemble,
)
from taller_cnn.training import EpochResult


@pytest.fixture
def asked(tmp_path: Path, sample_digits: Digits) -> RunRequest:
    """Quick networks on the sample, in a folder of its own."""
    sample = tmp_path / "data" / "sample"
    sample.parent.mkdir()
    sample.symlink_to(sample_digits.folder.parents[1], target_is_directory=True)
    return RunRequest(
        model=ModelConfig(filters=(4,), hidden=8, pooling="max", final_size=7),
        train=TrainConfig(epochs=1, batch_size=250, learning_rate=0.01, device="cpu", seed=5),
        files=RunFiles.in_workdir(tmp_path),
        place=DigitsPlace.in_workdir(tmp_path, tmp_path / "none", source="sample"),
    )


def workdir_of(request: RunRequest) -> Path:
    return request.files.results.parent


def plan_of(request: RunRequest, count: int) -> EnsemblePlan:
    return EnsemblePlan(count=count, workdir=workdir_of(request))


def complete(request: RunRequest, count: int) -> tuple[EnsembleResult, list[Member], int]:
    """The result, the networks as they were announced, and how many epochs were trained."""
    events = list(
        run_ensemble(
            request, EnsemblePlan(count=count, workdir=workdir_of(request)), threading.Event()
        )
    )
    result = events[-1]
    assert isinstance(result, EnsembleResult)
    members = [event for event in events if isinstance(event, Member)]
    return result, members, sum(isinstance(event, EpochResult) for event in events)


def stop_after_an_epoch(request: RunRequest, count: int) -> None:
    stop = threading.Event()
    for event in run_ensemble(
        request, EnsemblePlan(count=count, workdir=workdir_of(request)), stop
    ):
        if isinstance(event, EpochResult):
            stop.set()


def test_networks_of_different_seeds_are_trained_and_asked_together(
    asked: RunRequest, sample_digits: Digits
) -> None:
    result, members, epochs = complete(asked, 2)
    folder = workdir_of(asked) / "modelo" / "ensemble_mnist"
    assert [(m.index, m.of, m.seed, m.is_there) for m in members] == [
        (1, 2, 5, False),
        (2, 2, 6, False),
    ]
    assert epochs == 2
    together = load_model(folder)
    assert together.info is not None
    again = evaluate(together.model, sample_digits.test, together.info.scale)
    assert result.test.score == again.score
    assert result.summary["test_errors"] == again.errors
    assert [m["seed"] for m in result.summary["members"]] == [5, 6]
    assert not (workdir_of(asked) / "modelo" / "cnn_mnist.pt").exists()

    record = json.loads(result.files["numbers"].read_text(encoding="utf-8"))
    assert record["test"]["accuracy"] == again.accuracy
    assert record["members"][1]["test"]["n"] == 1000
    for name in ("sample_predictions", "confusion_matrix"):
        assert result.files[name].read_bytes().startswith(b"\x89PNG")
    alone = workdir_of(asked) / "resultados" / "ensemble" / "seed6" / "run.json"
    assert json.loads(alone.read_text(encoding="utf-8"))["train"]["seed"] == 6


def test_networks_that_are_there_are_not_trained_again(asked: RunRequest) -> None:
    first, _, _ = complete(asked, 1)
    weights = (ensemble_folder(workdir_of(asked)) / "seed5.pt").read_bytes()
    both, members, epochs = complete(asked, 2)
    assert [member.is_there for member in members] == [True, False]
    assert epochs == 1
    assert (ensemble_folder(workdir_of(asked)) / "seed5.pt").read_bytes() == weights
    assert both.summary["parameters"] == 2 * first.summary["parameters"]


def test_a_network_of_another_training_is_trained_anew(asked: RunRequest) -> None:
    complete(asked, 1)
    other = dataclasses.replace(asked, train=asked.train.replace(label_smoothing=0.1))
    _, members, epochs = complete(other, 1)
    assert [member.is_there for member in members] == [False]
    assert epochs == 1


def test_a_network_that_was_trained_on_other_digits_is_trained_anew(asked: RunRequest) -> None:
    complete(asked, 1)
    path = ensemble_folder(workdir_of(asked)) / "seed5.pt"
    loaded = load_model(path)
    assert isinstance(loaded.model, SimpleCNN)
    assert loaded.info is not None
    other_digits = dataclasses.replace(loaded.info, data_checksum="0123456789abcdef")
    save_model(loaded.model, path, other_digits)
    _, members, epochs = complete(asked, 1)
    assert [member.is_there for member in members] == [False]
    assert epochs == 1


def test_a_stopped_ensemble_goes_on_to_the_same_networks(asked: RunRequest) -> None:
    asked = dataclasses.replace(asked, train=asked.train.replace(epochs=3))
    expected, _, _ = complete(asked, 2)
    folder = ensemble_folder(workdir_of(asked))
    last = folder / "seed6.pt"
    weights = last.read_bytes()
    last.unlink()
    with pytest.raises(InterruptedRunError):
        stop_after_an_epoch(asked, 2)
    assert (folder / "seed6.checkpoint.pt").exists()
    result, members, epochs = complete(asked, 2)
    assert [member.is_there for member in members] == [True, False]
    # Stopped in the second epoch or, if that took no time, at its end.
    assert epochs in (1, 2)
    assert last.read_bytes() == weights
    assert result.test.score == expected.test.score
    assert not (folder / "seed6.checkpoint.pt").exists()


def test_a_smaller_ensemble_does_not_take_what_is_left_of_a_larger_one(asked: RunRequest) -> None:
    complete(asked, 2)
    with pytest.raises(ModelError, match=r"seed6\.pt is not of the ensemble"):
        complete(asked, 1)


def test_networks_take_turns_with_kernel_sizes_and_answer_together(
    asked: RunRequest, sample_digits: Digits
) -> None:
    plan = EnsemblePlan(count=3, workdir=workdir_of(asked), kernel_sizes=(3, 5))
    *_, result = run_ensemble(asked, plan, threading.Event())
    assert isinstance(result, EnsembleResult)
    networks = [
        load_model(path) for path in sorted(ensemble_folder(workdir_of(asked)).glob("seed*.pt"))
    ]
    assert [one.model.config.kernel_size for one in networks] == [3, 5, 3]
    assert [one["kernel_size"] for one in result.summary["members"]] == [3, 5, 3]
    probabilities = torch.stack(
        [
            evaluate(one.model, sample_digits.test, one.scale).log_probabilities.exp()
            for one in networks
        ]
    ).mean(dim=0)
    torch.testing.assert_close(result.test.log_probabilities.exp(), probabilities)
