from __future__ import annotations

from pathlib import Path

import pytest


def test_the_workshops_network_is_shown_with_its_arithmetic(cli) -> None:
    outcome = cli("describe")
    assert (outcome.code, outcome.err) == (0, "")
    assert "32 × (16 × 3 × 3 + 1) = 4.640" in outcome.out
    assert "128 × (1568 + 1) = 200.832" in outcome.out
    assert "206.922 parámetros" in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 80


@pytest.mark.parametrize("columns", [44, 50, 60])
def test_a_narrow_terminal_cuts_no_number(cli, monkeypatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    table = cli("describe").out.partition("Total")[0]
    assert max(map(len, table.splitlines())) <= columns
    assert "…" not in table
    assert {"conv2", "903.168"} <= set(table.split())


def test_json_has_every_layer_and_the_sums(cli) -> None:
    result = cli("describe", "--filters", "8", "--kernel-size", "5", "--json").json
    assert result["model"]["filters"] == [8]
    conv = next(layer for layer in result["layers"] if layer["name"] == "conv1")
    assert conv["parameters"] == 8 * (5 * 5 + 1)
    assert conv["macs"] == 8 * 28 * 28 * 25
    assert conv["output_shape"] == [8, 28, 28]
    assert result["parameters"] == sum(layer["parameters"] for layer in result["layers"])
    assert result["macs"] == sum(layer["macs"] for layer in result["layers"])


@pytest.mark.parametrize("option", ["--model", "--workdir"])
def test_a_trained_network_is_described_from_its_file(cli, trained_workdir: Path, option) -> None:
    model = trained_workdir / "modelo" / "cnn_mnist.pt"
    result = cli(
        "describe", option, model if option == "--model" else trained_workdir, "--json"
    ).json
    assert (result["model"]["filters"], result["model"]["hidden"]) == ([4], 16)
    assert result["parameters"] == 12_770


def test_yes_and_no_are_two_options(cli) -> None:
    kinds = {
        flag: [x["kind"] for x in cli("describe", flag, "--json").json["layers"]]
        for flag in ("--batch-norm", "--no-batch-norm")
    }
    assert kinds["--batch-norm"].count("norm") == 2
    assert kinds["--no-batch-norm"].count("norm") == 0


def test_a_model_that_is_not_there_is_an_error(cli, tmp_path: Path) -> None:
    assert cli("describe", "--workdir", tmp_path).code == 2


def test_a_file_and_a_folder_contradict_each_other(cli, trained_workdir: Path) -> None:
    model = trained_workdir / "modelo" / "cnn_mnist.pt"
    outcome = cli("describe", "--model", model, "--workdir", trained_workdir, "--json")
    assert (outcome.code, outcome.json["kind"]) == (2, "cli_exclusive")
