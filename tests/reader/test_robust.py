"""The robust network: trained once beside the user's own, stopped and gone on, kept whole."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from taller_cnn import config
from taller_cnn.augmentation import AUGMENTATIONS
from taller_cnn.checkpoints import LoadedModel, ModelInfo, load_model, save_model
from taller_cnn.config import ModelConfig, Recipe, TrainConfig
from taller_cnn.data import Digits, DigitsPlace
from taller_cnn.data.datasets import FILES
from taller_cnn.errors import BusyError, DataError, InterruptedRunError, ModelError
from taller_cnn.files import folder_lock
from taller_cnn.messages import Messages
from taller_cnn.model import SimpleCNN
from taller_cnn.reader.robust import kept_robust, ready_robust, robust_network, robust_path
from taller_cnn.training import EpochResult, Progress

Event = object


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe with less than an epoch, so that a training takes a second."""
    usual = config.RECIPES["handwriting"]
    short = Recipe(model=usual.model, train={**usual.train, "epochs": 1.2, "batch_size": 256})
    monkeypatch.setattr(config, "RECIPES", {**config.RECIPES, "handwriting": short})
    monkeypatch.setattr("taller_cnn.training.loop.PROGRESS_SECONDS", 0.0)


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    return tmp_path / "modelo" / "cnn_mnist.pt"


def robust(
    model_path: Path, sample_dir: Path, stop: threading.Event | None = None, source: str = "sample"
) -> list[Event]:
    place = DigitsPlace(data_dir=sample_dir, sample_dir=sample_dir, source=source)
    return list(robust_network(model_path, stop or threading.Event(), place))


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_model(path).model.state_dict()


def save_own(path: Path, digits: Digits, checksum: str, dataset: str = "mnist") -> None:
    about = ModelInfo(
        model=ModelConfig(),
        train=TrainConfig(),
        dataset=dataset,
        class_names=digits.class_names,
        scale=digits.scale,
        source="sample",
        data_checksum=checksum,
    )
    save_model(SimpleCNN(seed=1), path, about)


def test_it_is_trained_once_and_then_kept_beside_the_users_own(
    model_path: Path, sample_dir: Path, sample_digits: Digits
) -> None:
    events = robust(model_path, sample_dir)
    (first, *_), network = events, events[-1]
    assert isinstance(first, Progress)
    assert isinstance(events[-2], EpochResult)
    assert isinstance(network, LoadedModel)
    assert network.info is not None
    assert network.info.train.recipe == "handwriting"
    assert network.info.data_checksum == sample_digits.checksum
    assert network.info.metrics["validation"]["n"] == 500
    assert robust_path(model_path).name == "cnn_mnist.robust.pt"
    assert not model_path.exists()
    left = {path.name for path in model_path.parent.iterdir()} - {".taller-cnn.lock"}
    assert left == {"cnn_mnist.robust.pt", "cnn_mnist.robust.json"}

    again = robust(model_path, sample_dir)
    assert len(again) == 1
    assert isinstance(again[0], LoadedModel)
    assert again[0].info == network.info


def test_a_stopped_training_goes_on_with_the_same_numbers(
    model_path: Path, sample_dir: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "whole" / "cnn_mnist.pt"
    robust(whole, sample_dir)

    stop = threading.Event()
    place = DigitsPlace(data_dir=sample_dir, sample_dir=sample_dir, source="sample")
    events = robust_network(model_path, stop, place)
    next(event for event in events if isinstance(event, Progress) and event.step == 5)
    stop.set()
    with pytest.raises(InterruptedRunError) as caught:
        list(events)
    text = caught.value.text(Messages("es"))
    assert "cnn_mnist.robust.checkpoint.pt" in text
    assert not robust_path(model_path).exists()

    resumed = robust(model_path, sample_dir)
    steps = [event.step for event in resumed if isinstance(event, Progress)]
    assert 5 < min(steps) <= 7
    ours, theirs = weights(robust_path(model_path)), weights(robust_path(whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert not list(model_path.parent.glob("*.checkpoint.pt"))


def test_a_damaged_checkpoint_is_begun_anew(model_path: Path, sample_dir: Path) -> None:
    model_path.parent.mkdir(parents=True)
    checkpoint = robust_path(model_path).with_suffix(".checkpoint.pt")
    checkpoint.write_bytes(b"PK\x03\x04 and no more")
    assert isinstance(robust(model_path, sample_dir)[-1], LoadedModel)
    assert not checkpoint.exists()


def test_it_is_used_only_with_the_users_own_digits(
    model_path: Path, sample_dir: Path, sample_digits: Digits
) -> None:
    robust(model_path, sample_dir)
    assert kept_robust(model_path) is not None
    assert kept_robust(model_path, sample_digits.checksum) is not None
    assert kept_robust(model_path, "0" * 16) is None
    save_own(model_path, sample_digits, sample_digits.checksum)
    assert ready_robust(model_path) is not None
    assert len(robust(model_path, sample_dir)) == 1
    save_own(model_path, sample_digits, "0" * 16)
    assert ready_robust(model_path) is None


def test_there_is_none_beside_a_network_of_other_data(
    model_path: Path, sample_dir: Path, sample_digits: Digits
) -> None:
    save_own(model_path, sample_digits, "0" * 16, "signs")
    with pytest.raises(ModelError) as caught:
        robust(model_path, sample_dir)
    assert caught.value.key == "robust_other_data"
    assert not robust_path(model_path).exists()


def test_a_robust_network_of_the_digits_that_are_there_is_not_trained_again(
    model_path: Path, sample_dir: Path, sample_digits: Digits
) -> None:
    robust(model_path, sample_dir)
    # The user's own was trained on other digits, which are not to be had any more.
    save_own(model_path, sample_digits, "0" * 16)
    assert len(robust(model_path, sample_dir)) == 1


@pytest.mark.parametrize("changed", ["epochs", "strength"])
def test_one_that_was_trained_otherwise_than_the_recipe_is_now_is_trained_again(
    model_path: Path, sample_dir: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    robust(model_path, sample_dir)
    if changed == "epochs":
        usual = config.RECIPES["handwriting"]
        longer = Recipe(model=usual.model, train={**usual.train, "epochs": 1.5})
        monkeypatch.setattr(config, "RECIPES", {**config.RECIPES, "handwriting": longer})
    else:
        weaker = replace(AUGMENTATIONS["handwriting"], noise=0.01)
        strengths = {**AUGMENTATIONS, "handwriting": weaker}
        monkeypatch.setattr("taller_cnn.reader.robust.AUGMENTATIONS", strengths)
        monkeypatch.setattr("taller_cnn.runs.results.AUGMENTATIONS", strengths)
    assert ready_robust(model_path) is None
    assert len(robust(model_path, sample_dir)) > 1
    assert ready_robust(model_path) is not None


def test_one_with_another_seed_is_taken(model_path: Path, sample_dir: Path) -> None:
    place = DigitsPlace(data_dir=sample_dir, sample_dir=sample_dir, source="sample")
    list(robust_network(model_path, threading.Event(), place, seed=3))
    assert len(robust(model_path, sample_dir)) == 1


def test_a_damaged_or_another_network_in_its_place_is_trained_again(
    model_path: Path, sample_dir: Path, sample_digits: Digits
) -> None:
    save_own(robust_path(model_path), sample_digits, sample_digits.checksum)
    assert kept_robust(model_path) is None
    assert len(robust(model_path, sample_dir)) > 1
    robust_path(model_path).write_bytes(b"")
    assert kept_robust(model_path) is None
    assert len(robust(model_path, sample_dir)) > 1


def test_two_trainings_at_once_and_missing_digits_are_said(
    model_path: Path, sample_dir: Path, tmp_path: Path
) -> None:
    model_path.parent.mkdir(parents=True)
    with folder_lock(model_path.parent), pytest.raises(BusyError):
        robust(model_path, sample_dir)
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in FILES:
        (raw / name).write_bytes(b"no digits")
    with pytest.raises(DataError):
        robust(model_path, tmp_path / "data", source="full")
