"""What is suggested for words that are not known."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from taller_cnn.cli import habits
from taller_cnn.cli.app import COMMANDS, build
from taller_cnn.cli.command import flags_of

TRAIN = {
    "lr": "--learning-rate",
    "learning_rate": "--learning-rate",
    "bs": "--batch-size",
    "batch": "--batch-size",
    "batch_size": "--batch-size",
    "batchSize": "--batch-size",
    "num-epochs": "--epochs",
    "n_epochs": "--epochs",
    "epoch": "--epochs",
    "channels": "--filters",
    "layers": "--filters",
    "units": "--hidden",
    "kernel": "--kernel-size",
    "dropout-rate": "--dropout",
    "optim": "--optimizer",
    "optimiser": "--optimizer",
    "val-split": "--holdout",
    "validation_split": "--holdout",
    "random-state": "--seed",
    "data": "--data-dir",
    "root": "--data-dir",
    "no-cuda": "--device cpu",
    "no-mps": "--device cpu",
    "cpu": "--device cpu",
    "gpu": "--device cuda",
    "fashion_mnist": "--dataset fashion-mnist",
    "fp16": "--precision bfloat16",
    "output-dir": "--workdir",
    "checkpoint": "--resume",
    "pretrained": "--from",
    "layer": "--filters",
    "sede": "--seed",
    "lerning-rate": "--learning-rate",
    "augment": "--augmentation",
}
NOTHING = ["patience", "num-workers", "momentum", "weight-decay", "gamma", "log-interval"]
NOTHING += ["test-batch-size", "save-model", "verbose", "foo", "x", "top-k", "shuffle"]


@pytest.mark.parametrize(("name", "ours"), TRAIN.items())
def test_names_of_other_tools_are_answered_with_ours(cli, name: str, ours: str) -> None:
    outcome = cli("train", f"--{name}", "1", "--lang", "en", "--json")
    assert (outcome.code, outcome.json["kind"]) == (2, "cli_no_such_option_but")
    assert f"There is no option --{name}. Did you mean {ours}?" in outcome.err


@pytest.mark.parametrize("name", NOTHING)
def test_what_is_like_nothing_gets_no_suggestion(cli, name: str) -> None:
    outcome = cli("train", f"--{name}", "1", "--json")
    assert (outcome.code, outcome.json["kind"]) == (2, "cli_no_such_option")


@pytest.mark.parametrize(("typed", "ours"), [("-lr", "--learning-rate"), ("-epochs", "--epochs")])
def test_one_dash_is_no_other_name(cli, typed: str, ours: str) -> None:
    outcome = cli("train", typed, "1", "--lang", "en")
    assert outcome.code == 2
    assert f"There is no option {typed}. Did you mean {ours}?" in outcome.err


def test_only_what_the_command_has_is_suggested(cli) -> None:
    assert "--model?" in cli("evaluate", "--checkpoint", "x", "--lang", "en").err
    assert "mean" not in cli("data", "--lr", "1", "--lang", "en").err
    assert "--output?" in cli("export", "html", "--out", "x", "--lang", "en").err
    assert "--source sample?" in cli("evaluate", "--sample", "--lang", "en").err


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        (["--dataset", "MNIST"], "mnist"),
        (["--dataset", "fashion_mnist"], "fashion-mnist"),
        (["--dataset", "FashionMNIST"], "fashion-mnist"),
        (["--optimizer", "Adam"], "adam"),
        (["--activation", "ReLU"], "relu"),
        (["--pooling", "MaxPool2d"], "max"),
        (["--precision", "bf16"], "bfloat16"),
        (["--schedule", "OneCycleLR"], "one-cycle"),
        (["--recipe", "Workshop"], "workshop"),
    ],
)
def test_values_of_other_tools_are_answered_with_ours(cli, words: list[str], ours: str) -> None:
    outcome = cli("train", *words, "--lang", "en", "--source", "sample")
    assert outcome.code == 2
    assert f"(did you mean {ours}?)" in outcome.err


@pytest.mark.parametrize(
    "words",
    [
        ["--dataset", "emnist"],
        ["--dataset", "cifar10"],
        ["--optimizer", "sgd"],
        ["--optimizer", "nadam"],
        ["--activation", "elu"],
        ["--activation", "sigmoid"],
    ],
)
def test_values_that_are_of_something_else_get_no_suggestion(cli, words: list[str]) -> None:
    outcome = cli("train", *words, "--lang", "en")
    assert outcome.code == 2
    assert "mean" not in outcome.err


@pytest.mark.parametrize(
    ("typed", "ours"), [("fit", "train"), ("eval", "evaluate"), ("serve", "lab"), ("tran", "train")]
)
def test_commands_of_other_tools_are_answered_with_ours(cli, typed: str, ours: str) -> None:
    assert f"Did you mean {ours}?" in cli(typed, "--lang", "en").err


def test_a_command_that_is_like_none_gets_no_suggestion(cli) -> None:
    assert cli("dance", "--json").json["kind"] == "cli_no_such_command"


def test_other_values_that_are_listed_are_looked_for_too(cli, workdir: Path) -> None:
    outcome = cli("study", "kernels", "--dry-run", "--lang", "en", "--workdir", workdir)
    assert "(did you mean kernel?)" in outcome.err
    outcome = cli("explain", "--only", "feature-maps", "--lang", "en", "--workdir", workdir)
    assert "(did you mean feature_maps?)" in outcome.err


def test_every_suggestion_is_an_option_of_some_command() -> None:
    root = build()
    context = click.Context(root)
    commands = [root.get_command(context, name) for name in COMMANDS]
    flags = frozenset().union(*(flags_of(command) for command in commands if command))
    assert {typed.partition(" ")[0] for typed in habits._OPTIONS} <= flags
    names = " ".join([*habits._OPTIONS.values(), *habits._WORDS.values()]).split()
    assert all(re.fullmatch("[a-z0-9]+", name) for name in names)
