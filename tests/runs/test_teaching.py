"""A run that learns from a network on disk."""

from __future__ import annotations

import dataclasses
import json
import shutil
import threading
from pathlib import Path

import pytest

from taller_cnn.checkpoints import weights_checksum
from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import Digits, DigitsPlace
from taller_cnn.errors import InterruptedRunError, ModelError
from taller_cnn.runs import EnsemblePlan, RunRequest, RunResult, run, run_ensemble
from taller_cnn.training import EpochResult

TRAIN = TrainConfig(epochs=2, batch_size=250, learning_rate=0.01, device="cpu", seed=5)


@pytest.fixture
def pupil(tmp_path: Path, sample_digits: Digits) -> RunRequest:
    """A pupil beside an ensemble of two networks."""
    sample = tmp_path / "data" / "sample"
    sample.parent.mkdir()
    sample.symlink_to(sample_digits.folder.parents[1], target_is_directory=True)
    request = RunRequest(
        model=ModelConfig(filters=(4,), hidden=8, final_size=7),
        train=TRAIN,
        workdir=tmp_path,
        place=DigitsPlace.in_workdir(tmp_path, tmp_path / "none", source="sample"),
    )
    list(run_ensemble(request, EnsemblePlan(count=2), threading.Event()))
    return dataclasses.replace(request, train=TRAIN.replace(distillation=1.0))


def complete(request: RunRequest) -> RunResult:
    result = list(run(request, threading.Event()))[-1]
    assert isinstance(result, RunResult)
    return result


def stop_after_an_epoch(request: RunRequest) -> None:
    stop = threading.Event()
    events = run(request, stop)
    while not isinstance(next(events), EpochResult):
        pass
    stop.set()
    with pytest.raises(InterruptedRunError):
        list(events)


def test_the_ensemble_of_the_folder_teaches_and_the_record_says_so(pupil: RunRequest) -> None:
    result = complete(pupil)
    ensemble = pupil.where.ensemble
    record = json.loads(result.files["numbers"].read_text())
    assert record["teacher"] == {"name": ensemble.name, "sha256": weights_checksum(ensemble)}
    assert record["train"]["distillation"] == 1.0


def test_another_network_can_be_named(pupil: RunRequest) -> None:
    member = pupil.where.ensemble / "seed6.pt"
    result = complete(dataclasses.replace(pupil, teacher=member))
    assert json.loads(result.files["numbers"].read_text())["teacher"]["name"] == "seed6.pt"


def test_a_stopped_pupil_goes_on_only_with_the_same_teacher(pupil: RunRequest) -> None:
    stop_after_an_epoch(pupil)
    again = dataclasses.replace(pupil, resume=True)
    other = dataclasses.replace(again, teacher=pupil.where.ensemble / "seed5.pt")
    with pytest.raises(ModelError, match="another teacher"):
        complete(other)
    assert len(complete(again).history.epochs) == 2


def test_a_teacher_taken_away_meanwhile_is_not_missed(pupil: RunRequest) -> None:
    events = run(pupil, threading.Event())
    while not isinstance(next(events), EpochResult):
        pass
    checksum = weights_checksum(pupil.where.ensemble)
    shutil.rmtree(pupil.where.ensemble)
    *_, result = events
    assert isinstance(result, RunResult)
    assert json.loads(result.files["numbers"].read_text())["teacher"]["sha256"] == checksum


def test_without_an_ensemble_it_says_how_to_get_one(pupil: RunRequest) -> None:
    nobody = dataclasses.replace(pupil, teacher=pupil.workdir / "nobody.pt")
    with pytest.raises(ModelError, match=r"nobody\.pt.*--ensemble 5"):
        complete(nobody)


def test_a_teacher_that_learned_from_the_digits_that_judge_is_refused(pupil: RunRequest) -> None:
    with pytest.raises(ModelError, match="holdout is 5000"):
        complete(dataclasses.replace(pupil, train=pupil.train.replace(holdout=100)))


def test_an_ensemble_does_not_teach_itself(pupil: RunRequest) -> None:
    with pytest.raises(ModelError, match="cannot learn from itself"):
        list(run_ensemble(pupil, EnsemblePlan(count=2), threading.Event()))
