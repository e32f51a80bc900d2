"""The command line that trains a network again: what was chosen on the page, for a terminal."""

from __future__ import annotations

import shlex
from typing import Any

from taller_cnn.checkpoints import ModelInfo
from taller_cnn.config import RECIPES, recipe

__all__ = ["train_command"]


def train_command(info: ModelInfo) -> str | None:
    """``taller-cnn train`` with the options that differ from those of the network's recipe.

    Returns:
        The command; None of a network that was stopped before its end, or whose recipe is not
        known here: no command makes it again.
    """
    train = info.train
    # The lab notes both of every network that it trains.
    stopped = info.metrics.get("step") != info.metrics.get("steps")
    if stopped or train.recipe not in RECIPES:
        return None
    usual_model, usual_train = recipe(train.recipe)
    usual = usual_model.to_dict() | usual_train.to_dict()
    fields = info.model.to_dict() | train.to_dict()
    words = ["taller-cnn", "train", "--recipe", train.recipe]
    words += ["--dataset", info.dataset, "--source", info.source]
    for name, value in fields.items():
        if value != usual[name]:
            words += _option(name, value)
    return shlex.join(words)


def _option(name: str, value: Any) -> list[str]:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    if isinstance(value, list):
        return [f"--{flag}", ",".join(map(str, value))]
    return [f"--{flag}", str(value)]
