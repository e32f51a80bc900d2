from __future__ import annotations

import re
from pathlib import Path

import pytest


def test_the_sample_is_shown_with_its_counts_and_drawn(cli, workdir: Path) -> None:
    outcome = cli("data", "--source", "sample", "--workdir", workdir)
    assert (outcome.code, outcome.err) == (0, "")
    rows = re.findall(r"^  (\d) +350 +50 +100 +█+ *$", outcome.out, flags=re.MULTILINE)
    assert rows == list("0123456789")
    assert re.search(r"Total +3\.500 +500 +1\.000", outcome.out)
    assert outcome.out.count("suma de comprobación correcta") == 4
    assert "MUESTRA" in outcome.out
    assert (workdir / "resultados" / "data_samples.png").stat().st_size > 10_000


def test_an_augmentation_is_drawn_too(cli, workdir: Path) -> None:
    words = ("data", "--source", "sample", "--workdir", workdir, "--json")
    result = cli(*words, "--augmented", "affine").json
    drawn = Path(result["files"]["data_augmented"])
    assert drawn.name == "data_affine.png"
    assert drawn.read_bytes() != Path(result["files"]["data_samples"]).read_bytes()
    refused = cli(*words, "--augmented", "none")
    assert (refused.code, "affine" in refused.err) == (2, True)


def test_json_says_what_is_used_and_the_state_of_each_file(cli, workdir: Path) -> None:
    result = cli("data", "--source", "sample", "--workdir", workdir, "--json").json
    assert (result["dataset"], result["source"], result["verified"]) == ("mnist", "sample", True)
    assert result["images"] == {"train": 3500, "validation": 500, "test": 1000}
    assert result["class_counts"]["test"] == [100] * 10
    assert [file["state"] for file in result["found"][0]["files"]] == ["verified"] * 4
    assert Path(result["files"]["data_samples"]).exists()


@pytest.mark.parametrize(("source", "code"), [("sample", 0), ("full", 1)])
def test_a_damaged_file_is_shown_whatever_is_used(cli, workdir: Path, source, code) -> None:
    raw = workdir / "digits" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    names = [f"{kind}-{what}" for kind in ("train", "t10k") for what in ("images", "labels")]
    for name in names:
        rank = 3 if "images" in name else 1
        (raw / f"{name}-idx{rank}-ubyte").write_bytes(b"\0" * 100)
    words = ("--data-dir", workdir / "digits", "--source", source, "--workdir", workdir)
    outcome = cli("data", *words)
    assert outcome.code == code
    found, expected = "6d0bb00954ceb7fbee436bb55a8397a9", "27ae3e4e09519cfbb04c329615203637"
    assert outcome.out.count(f"dañado: MD5 {found}") == 4
    assert outcome.out.count(expected) == 1
    assert ("train-images-idx3-ubyte no tiene el tamaño correcto" in outcome.err) is (code == 1)


def test_the_sample_of_another_set_is_wrong_usage(cli, tmp_path: Path) -> None:
    words = ("--dataset", "kmnist", "--source", "sample", "--workdir", tmp_path)
    outcome = cli("data", *words, "--json")
    assert (outcome.code, outcome.json["kind"]) == (2, "data_no_sample")


def test_nothing_is_left_on_standard_output_when_it_fails(cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outcome = cli("data", "--source", "sample", "--workdir", tmp_path / "file")
    assert outcome.code == 1
    assert "Archivos" not in outcome.out
    assert outcome.err.startswith("Error: No se puede escribir")


@pytest.mark.full
def test_the_full_set_is_found_by_option_and_by_variable(
    cli, tmp_path: Path, full_data_dir: Path, monkeypatch
) -> None:
    words = ("data", "--source", "full", "--workdir", tmp_path, "--json")
    by_option = cli(*words, "--data-dir", full_data_dir).json
    monkeypatch.setenv("TALLER_DATA_DIR", str(full_data_dir))
    assert cli(*words).json == by_option
    assert by_option["images"] == {"train": 55_000, "validation": 5_000, "test": 10_000}
    assert by_option["source"] == "full"
    assert sum(by_option["class_counts"]["train"]) == 55_000
