from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import pytest

from taller_cnn.checkpoints import ModelInfo
from taller_cnn.cli import main
from taller_cnn.config import recipe
from taller_cnn.data import MNIST_SCALE
from taller_cnn.errors import TallerError
from taller_cnn.lab.command import train_command

NETWORKS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "the workshop's": ("workshop", {}, {}),
    "one of the page": (
        "quick",
        {"filters": (8, 16, 24), "pooling": "avg", "batch_norm": True, "dropout": 0.1},
        {"epochs": 2.5, "learning_rate": 3e-5, "batch_size": 48, "seed": 7},
    ),
    "the fast one, all of it": ("fast", {"hidden": 64}, {"middle": False, "warmup": 0.2}),
}


def info_of(name: str, metrics: dict[str, Any] | None = None) -> ModelInfo:
    recipe_name, model_fields, train_fields = NETWORKS[name]
    model, train = recipe(recipe_name, model=model_fields, train=train_fields)
    return ModelInfo(
        model=model,
        train=train,
        dataset="mnist",
        class_names=tuple("0123456789"),
        scale=MNIST_SCALE,
        source="sample",
        data_checksum="",
        metrics=metrics or {},
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_the_command_asks_for_the_same_training(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def note(request: Any, *_: Any) -> None:
        asked.append(request)
        raise TallerError("lab_memory")

    monkeypatch.setattr("taller_cnn.cli.train._follow", note)
    info = info_of(name)
    command = train_command(info)
    assert command is not None
    with pytest.raises(SystemExit):
        main(shlex.split(command)[1:])
    assert (asked[0].model, asked[0].train) == (info.model, info.train)
    assert (asked[0].place.dataset, asked[0].place.source) == ("mnist", "sample")


def test_only_what_differs_from_the_recipe_is_said() -> None:
    command = train_command(info_of("the workshop's"))
    assert command == "taller-cnn train --recipe workshop --dataset mnist --source sample"


def test_a_training_that_was_stopped_has_no_command() -> None:
    whole, stopped = {"step": 55, "steps": 55}, {"step": 20, "steps": 55}
    assert train_command(info_of("one of the page", whole)) is not None
    assert train_command(info_of("one of the page", stopped)) is None


def test_the_command_names_the_network_that_the_training_began_with() -> None:
    name = "the workshop's"
    about = {"file": "my first.pt", "sha256": "0", "dataset": "mnist", "source": "sample"}
    command = train_command(replace(info_of(name), origin=about))
    assert command is not None
    assert "--from 'my first.pt'" in command
    # Not left to that file, which may have another.
    assert "--dropout 0.25" in command
