from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

NETWORK = ("--filters", "4", "--hidden", "16")


@pytest.fixture
def bare_model(trained_workdir: Path, tmp_path: Path) -> Path:
    """The trained weights without their description."""
    state = torch.load(trained_workdir / "modelo" / "cnn_mnist.pt", weights_only=True)
    torch.save(dict(state), tmp_path / "weights.pt")
    return tmp_path / "weights.pt"


def words(trained_workdir: Path) -> tuple[str, ...]:
    return ("evaluate", "--source", "sample", "--workdir", str(trained_workdir))


def test_the_accuracy_is_the_one_on_record(cli, trained_workdir: Path) -> None:
    record = json.loads((trained_workdir / "resultados" / "run.json").read_text(encoding="utf-8"))
    result = cli(*words(trained_workdir), "--json").json
    assert result["accuracy"] == record["test"]["accuracy"]
    assert result["loss"] == pytest.approx(record["test"]["loss"], rel=1e-5)
    assert result["n"] == 1000
    assert sum(map(sum, result["confusion"])) == 1000
    assert [report["support"] for report in result["per_class"]] == [100] * 10
    top = result["top_confusions"]
    assert [entry["count"] for entry in top] == sorted((e["count"] for e in top), reverse=True)
    true, predicted = int(top[0]["true"]), int(top[0]["predicted"])
    assert result["confusion"][true][predicted] == top[0]["count"]


def test_views_are_asked_for_and_told(cli, trained_workdir: Path) -> None:
    once = cli(*words(trained_workdir), "--json").json
    several = cli(*words(trained_workdir), "--views", "--json").json
    assert (once["views"], several["views"]) == (1, 6)
    assert several["n"] == once["n"]
    assert several["loss"] != once["loss"]
    told = cli(*words(trained_workdir), "--views").out
    assert "6 de cada dígito, con la media de las probabilidades" in told
    assert "de cada dígito" not in cli(*words(trained_workdir)).out


def test_the_validation_digits_are_those_held_out(cli, trained_workdir: Path) -> None:
    record = json.loads((trained_workdir / "resultados" / "run.json").read_text(encoding="utf-8"))
    result = cli(*words(trained_workdir), "--split", "validation", "--json").json
    assert (result["split"], result["n"]) == ("validation", 500)
    assert result["accuracy"] == record["validation"]["accuracy"]


def test_a_reader_gets_a_table_with_a_line_per_class(cli, trained_workdir: Path) -> None:
    outcome = cli(*words(trained_workdir))
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    start = next(i for i, line in enumerate(lines) if "Exhaustividad" in line)
    assert [line.split()[:2] for line in lines[start + 1 : start + 11]] == [
        [str(digit), "100"] for digit in range(10)
    ]
    assert "intervalo de Wilson" in outcome.out
    assert max(map(len, lines)) <= 80


def test_weights_that_do_not_say_what_they_learned_are_not_validated(
    cli, trained_workdir: Path, bare_model: Path
) -> None:
    where = (*words(trained_workdir), "--model", bare_model, *NETWORK)
    refused = cli(*where, "--split", "validation")
    assert refused.code == 2
    assert "weights.pt no tiene descripción" in refused.err
    assert "--split test" in refused.err


def test_a_model_that_is_not_there_says_how_to_get_one(cli, tmp_path: Path) -> None:
    outcome = cli("evaluate", "--workdir", tmp_path)
    assert outcome.code == 2
    assert "cnn_mnist.pt" in outcome.err
    assert outcome.err.endswith(f"taller-cnn train --workdir {tmp_path}\n")


@pytest.mark.parametrize("command", ["evaluate", "explain"])
def test_it_says_how_to_get_one_of_other_digits(cli, command: str, tmp_path: Path) -> None:
    outcome = cli(command, "--dataset", "kmnist", "--workdir", tmp_path)
    assert outcome.code == 2
    assert "cnn_kmnist.pt" in outcome.err
    assert outcome.err.endswith(f"taller-cnn train --dataset kmnist --workdir {tmp_path}\n")


def test_weights_alone_need_the_options_of_their_network(
    cli, trained_workdir: Path, bare_model: Path
) -> None:
    without = cli(*words(trained_workdir), "--model", bare_model, "--json")
    assert (without.code, without.json["kind"]) == (2, "model_unknown")
    with_options = cli(*words(trained_workdir), "--model", bare_model, *NETWORK, "--json")
    assert with_options.code == 0
    assert with_options.json["accuracy"] == cli(*words(trained_workdir), "--json").json["accuracy"]


def test_options_that_do_not_fit_the_weights_are_refused(
    cli, trained_workdir: Path, bare_model: Path
) -> None:
    outcome = cli(*words(trained_workdir), "--model", bare_model, "--filters", "5", "--json")
    assert (outcome.code, outcome.json["kind"]) == (2, "model_mismatch")


def test_a_file_that_is_no_model_is_refused(cli, trained_workdir: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.pt").write_text("no weights here")
    outcome = cli(*words(trained_workdir), "--model", tmp_path / "notes.pt")
    assert outcome.code == 2
    assert "No se ha ejecutado nada" in outcome.err


def test_another_data_set_than_the_models_is_refused(cli, trained_workdir: Path) -> None:
    model = trained_workdir / "modelo" / "cnn_mnist.pt"
    outcome = cli(*words(trained_workdir), "--model", model, "--dataset", "kmnist", "--json")
    assert (outcome.code, outcome.json["kind"]) == (2, "model_dataset")


def test_a_network_trained_on_all_digits_has_none_to_validate_with(cli, workdir: Path) -> None:
    short = ("--source", "sample", "--workdir", workdir)
    cli("train", *short, *NETWORK, "--epochs", "0.1", "--holdout", "0", "--quiet")
    outcome = cli("evaluate", *short, "--split", "validation", "--json")
    assert (outcome.code, outcome.json["kind"]) == (2, "cli_no_validation")


@pytest.mark.full
def test_digits_that_the_network_has_seen_are_told(
    cli, trained_workdir: Path, workdir: Path, full_data_dir: Path
) -> None:
    """The sample comes from the full set's training digits: so do the digits held out there."""
    full = ("--data-dir", full_data_dir, "--source", "full")
    outcome = cli("evaluate", *full, "--workdir", trained_workdir, "--split", "validation")
    assert outcome.code == 0
    assert "ya ha visto" in outcome.sentences
    assert "ya ha visto" not in cli("evaluate", *full, "--workdir", trained_workdir).out
