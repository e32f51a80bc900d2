"""The command line that trains a network again: what was chosen on the page, for a terminal."""

from __future__ import annotations

from taller_cnn.checkpoints import ModelInfo
from taller_cnn.commands import command_line
from taller_cnn.config import RECIPES, recipe


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
    del usual["recipe"]
    origin = {"recipe": train.recipe, "dataset": info.dataset, "source": info.source}
    if info.origin:
        origin["from"] = info.origin["file"]
        # What is left out would be as that file has it, and not as the recipe.
        usual = {name: usual[name] for name in usual_train.to_dict() if name != "recipe"}
    fields = info.model.to_dict() | train.to_dict()
    return command_line("train", options=origin | fields, defaults=usual)
