from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from taller_cnn.checkpoints import load_model, save_model
from taller_cnn.cli.train import _again
from taller_cnn.config import recipe
from taller_cnn.data import DigitsPlace
from taller_cnn.model import network_inside
from taller_cnn.runs import EnsemblePlan, RunFiles, RunRequest

SHORT = ("train", "--source", "sample", "--filters", "4", "--hidden", "16", "--batch-size", "32")


def test_train_leaves_everything_and_says_where(trained) -> None:
    names = ("sample_predictions", "accuracy_curve", "loss_curve", "confusion_matrix")
    figures = [trained.workdir / "resultados" / f"{name}.png" for name in names]
    numbers = trained.workdir / "resultados" / "run.json"
    for file in [trained.workdir / "modelo" / "cnn_mnist.pt", numbers, *figures]:
        assert file.stat().st_size > 0
        assert str(file) in trained.out


def test_the_closing_summary_has_the_interval_and_the_confusions(trained) -> None:
    test = trained.record["test"]
    percents = [test["accuracy"], *test["interval_95"]]
    accuracy, low, high = (f"{100 * x:.2f}\xa0%".replace(".", ",") for x in percents)
    assert f"{accuracy} (intervalo de Wilson del 95 %: de {low} a {high})" in trained.out
    assert "Resultado con 1.000 imágenes de prueba" in trained.out
    assert len(re.findall(r"\d → \d: \d+ (?:vez|veces)", trained.out)) == 3


def test_the_sample_is_announced_at_the_start_and_at_the_end(trained) -> None:
    notices = [match.start() for match in re.finditer("MUESTRA de 5.000", trained.out)]
    assert len(notices) == 2
    assert notices[0] < trained.out.index("pérdida precisión") < notices[1]


def test_what_was_chosen_is_shown_with_its_reason(trained) -> None:
    assert "float32 (como has pedido)" in trained.out
    assert "3.500 imágenes de entrenamiento, 500 de validación y 1.000 de prueba" in trained.out
    assert "workshop (épocas 1,5, lote 32, tasa de aprendizaje 0,001, semilla 0)" in trained.out


def test_each_epoch_is_a_line_where_no_terminal_is(trained) -> None:
    epochs = re.findall(r"^ +([\d,]+) +[\d,]+ +[\d,]+\s% .* s$", trained.out, flags=re.MULTILINE)
    assert epochs == ["1", "1,5"]
    assert "\x1b" not in trained.out


def test_quiet_english_has_no_epochs_but_the_summary(cli, workdir: Path) -> None:
    out = cli(*SHORT, "--epochs", "0.1", "--workdir", workdir, "--quiet", "--lang", "en").out
    assert "loss  accuracy" not in out
    assert "Loading" not in out
    assert "Result on 1,000 test images" in out
    assert "95% Wilson interval" in out
    assert out.count("SAMPLE of 5,000 digits") == 2


def test_a_network_that_has_learned_nothing_is_not_left_without_a_word(cli, workdir: Path) -> None:
    useless = ("--epochs", "0.5", "--learning-rate", "50")
    done = cli(*SHORT, *useless, "--workdir", workdir)
    assert done.code == 0
    said = " ".join((done.out + done.err).replace("│", " ").split())
    assert "no ha aprendido nada" in said
    assert "--learning-rate 5." in said


def test_a_figure_that_cannot_be_drawn_is_told_and_the_training_counts(cli, workdir: Path) -> None:
    (workdir / "resultados" / "loss_curve.png").mkdir(parents=True)
    done = cli(*SHORT, "--epochs", "0.1", "--workdir", workdir)
    assert done.code == 0
    assert "loss_curve.png" in re.sub(r"[│\s]", "", done.out)
    assert (workdir / "resultados" / "run.json").exists()
    assert (workdir / "resultados" / "accuracy_curve.png").exists()


def test_json_is_one_object_with_the_figures_of_the_run(cli, workdir: Path) -> None:
    words = ("--epochs", "0.5", "--seed", "3", "--threads", "1", "--workdir", workdir, "--json")
    outcome = cli(*SHORT, *words)
    result = outcome.json
    assert result["source"] == "sample"
    assert (result["recipe"], result["seed"], result["epochs"]) == ("workshop", 3, 0.5)
    # conv 4 x (1 x 3 x 3 + 1), hidden 16 x (4 x 14 x 14 + 1), output 10 x (16 + 1)
    assert result["parameters"] == 40 + 12_560 + 170
    assert 0.1 < result["test_accuracy"] <= 1
    assert result["test_loss"] > 0
    assert result["train_seconds"] > 0
    assert result["images_per_second"] > 0
    assert all(Path(file).exists() for file in result["files"].values())
    assert "MUESTRA" in outcome.err
    assert "hilos: 1" in outcome.err
    assert torch.get_num_threads() == 1


def test_the_recipe_fills_in_what_is_not_given(cli, workdir: Path) -> None:
    words = (
        "--recipe",
        "fast",
        "--epochs",
        "0.1",
        "--label-smoothing",
        "0,05",
        "--workdir",
        workdir,
    )
    assert cli("train", "--source", "sample", *words).code == 0
    record = json.loads((workdir / "resultados" / "run.json").read_text(encoding="utf-8"))
    assert record["train"]["optimizer"] == recipe("fast")[1].optimizer
    assert record["train"]["label_smoothing"] == 0.05
    assert record["train"]["epochs"] == 0.1
    assert record["model"]["dropout"] == 0


def test_resuming_without_a_checkpoint_fails_with_a_sentence(cli, workdir: Path) -> None:
    outcome = cli("train", "--resume", "--workdir", workdir, "--json")
    assert (outcome.code, outcome.json["kind"]) == (2, "no_checkpoint")
    assert "--resume" in outcome.err


def test_a_folder_that_cannot_be_written_is_found_before_training(cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outcome = cli(*SHORT, "--workdir", tmp_path / "file")
    assert outcome.code == 1
    assert "época" not in outcome.out
    assert "--workdir" in outcome.err


def test_ctrl_c_keeps_the_training_and_resume_ends_it(cli, workdir: Path) -> None:
    """The signal comes after the first epoch, when its checkpoint appears."""
    checkpoint = workdir / "modelo" / "cnn_mnist.checkpoint.pt"

    def interrupt() -> None:
        deadline = time.monotonic() + 60
        while not checkpoint.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    words = ("--epochs", "6", "--threads", "2", "--workdir", workdir)
    stopped = cli(*SHORT, *words)
    thread.join()
    assert stopped.code == 130
    # With other threads the numbers would be others.
    assert f"taller-cnn train --resume --threads 2 --workdir {workdir}" in stopped.err
    assert not (workdir / "modelo" / "cnn_mnist.pt").exists()
    resumed = cli("train", "--resume", "--workdir", workdir)
    assert resumed.code == 0
    assert "Reanudado" in resumed.out
    assert not checkpoint.exists()
    record = json.loads((workdir / "resultados" / "run.json").read_text(encoding="utf-8"))
    assert [epoch["epoch"] for epoch in record["epochs"]] == [1, 2, 3, 4, 5, 6]
    assert record["model"]["filters"] == [4]


def test_threads_beyond_reason_are_refused(cli, workdir: Path) -> None:
    outcome = cli(*SHORT, "--threads", "99999", "--workdir", workdir)
    assert outcome.code == 2
    assert "--threads vale 99999; debe estar entre 1 y" in outcome.err


def test_training_loads_no_statistics_and_leaves_the_threshold_to_predict(workdir: Path) -> None:
    words = [*SHORT, "--epochs", "0.1", "--workdir", str(workdir)]
    code = (
        "import sys\n"
        "from taller_cnn.cli import main\n"
        "try:\n"
        f"    main({words!r})\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "heavy = {'scipy.stats', 'sklearn', 'skimage', 'pandas', 'torchvision'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.splitlines()[-1] == "[]"
    names = {path.name for path in (workdir / "modelo").iterdir() if path.name[0] != "."}
    assert names == {"cnn_mnist.pt", "cnn_mnist.json"}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM for others")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_real_process_ends_with_130_and_one_sentence(workdir: Path, number: int) -> None:
    words = [
        sys.executable,
        "-m",
        "taller_cnn",
        *SHORT,
        "--epochs",
        "500",
        "--workdir",
        str(workdir),
    ]
    with subprocess.Popen(
        [*words, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        checkpoint = workdir / "modelo" / "cnn_mnist.checkpoint.pt"
        while child.poll() is None and not checkpoint.exists():
            time.sleep(0.05)
        child.send_signal(number)
        out, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert json.loads(out)["exit_code"] == 130
    assert "Traceback" not in err
    assert err.rstrip().endswith(f"--resume --workdir {workdir}")


# --------------------------------------------------------------------------- ensembles


@pytest.fixture(scope="module")
def ensemble_workdir(tmp_path_factory: pytest.TempPathFactory, sample_dir: Path) -> Path:
    folder = tmp_path_factory.mktemp("ensemble")
    shutil.copytree(sample_dir / "MNIST", folder / "data" / "sample" / "MNIST")
    return folder


def test_an_ensemble_is_trained_evaluated_and_described(cli, ensemble_workdir: Path) -> None:
    place = ("--workdir", ensemble_workdir)
    different = ("--ensemble", "2", "--kernel-sizes", "3,5")
    words = (*SHORT, *place, "--epochs", "0.5", *different, "--quiet")
    first = cli(*words, "--json")
    told = first.json
    assert "semilla 0)" in first.err
    assert "semilla 1)\n" in first.err
    members = [(member["seed"], member["kernel_size"]) for member in told["members"]]
    assert members == [(0, 3), (1, 5)]
    again = cli(*words)
    assert "Red 2 de 2 (semilla 1): ya está" in again.out
    assert "Por separado" in again.out
    folder = ensemble_workdir / "modelo" / "ensemble_mnist"
    asked = ("--model", folder, *place, "--source", "sample", "--json")
    measured = cli("evaluate", *asked)
    assert measured.json["accuracy"] == told["test_accuracy"]
    assert "media de sus probabilidades" in " ".join(measured.err.split())
    exported = cli("export", "html", "--model", folder, *place)
    assert exported.code == 2
    assert "es un ensamble" in exported.err


def test_an_ensemble_goes_on_by_itself(cli, workdir: Path) -> None:
    outcome = cli(*SHORT, "--workdir", workdir, "--ensemble", "2", "--resume")
    assert outcome.code == 2
    assert "--resume" in outcome.err


def test_kernel_sizes_without_an_ensemble_are_refused(cli, workdir: Path) -> None:
    outcome = cli(*SHORT, "--workdir", workdir, "--kernel-sizes", "3,5")
    assert outcome.code == 2
    assert "--kernel-size " in outcome.err


def test_the_command_that_goes_on_with_an_ensemble_has_its_options() -> None:
    model, config = recipe("best", model={"filters": [4, 4]}, train={"epochs": 0.5})
    request = RunRequest(
        model=model,
        train=config,
        place=DigitsPlace.in_workdir(Path(), source="sample"),
        files=RunFiles.in_workdir(Path()),
    )
    fields = {"recipe": "best", "filters": (4, 4), "epochs": 0.5, "batch_norm": True, "seed": None}
    plan = EnsemblePlan(count=3, workdir=Path(), kernel_sizes=(3, 5))
    assert _again(request, fields, plan, None, Path()) == (
        "taller-cnn train --ensemble 3 --recipe best --filters 4,4 --epochs 0.5 --batch-norm "
        "--kernel-sizes 3,5 --source sample"
    )
    assert _again(request, fields, None, None, Path()) == "taller-cnn train --resume"
    request = dataclasses.replace(request, language="en-GB")
    assert (
        _again(request, fields, None, 2, Path())
        == "taller-cnn train --resume --threads 2 --lang en-GB"
    )


def test_the_command_that_goes_on_keeps_all_digits_of_a_number() -> None:
    """Rounded, it would be another training, and finished networks would be trained again."""
    model, config = recipe("best")
    place, files = DigitsPlace.in_workdir(Path()), RunFiles.in_workdir(Path())
    request = RunRequest(model=model, train=config, place=place, files=files)
    fields = {"learning_rate": 0.00123456789, "epochs": 30.0, "filters": (8, 16)}
    again = _again(request, fields, EnsemblePlan(count=2, workdir=Path()), None, Path())
    assert "--learning-rate 0.00123456789 --epochs 30 --filters 8,16" in again


# ------------------------------------------------------------------------------- --from


def test_training_goes_on_from_a_finished_network(cli, trained, workdir: Path) -> None:
    model = trained.workdir / "modelo" / "cnn_mnist.pt"
    words = ("train", "--source", "sample", "--workdir", workdir, "--from", model)
    short = ("--epochs", "0.1", "--learning-rate", "1e-5", "--quiet")
    outcome = cli(*words, *short, "--json")
    assert outcome.code == 0
    assert outcome.json["from"] == str(model)
    # The network is the model's, and not the recipe's.
    assert outcome.json["parameters"] == trained.record["parameters"]
    assert abs(outcome.json["test_accuracy"] - trained.record["test"]["accuracy"]) < 0.02
    assert f"los pesos de {model}, con un optimizador nuevo" in outcome.err
    # So is that of a recipe which would set the first layer anew.
    fast = cli(*words, *short, "--recipe", "fast", "--json")
    assert abs(fast.json["test_accuracy"] - trained.record["test"]["accuracy"]) < 0.02


def test_weights_that_do_not_fit_are_refused_with_the_way_out(
    cli, trained_workdir: Path, workdir: Path
) -> None:
    model = trained_workdir / "modelo" / "cnn_mnist.pt"
    words = ("train", "--source", "sample", "--workdir", workdir, "--from", model)
    outcome = cli(*words, "--filters", "5", "--lang", "en", "--json")
    assert (outcome.code, outcome.json["kind"]) == (2, "from_shapes")
    assert "--filters" in outcome.json["error"]
    assert "without --from" in outcome.json["error"]
    assert not (workdir / "modelo" / "cnn_mnist.pt").exists()
    # What has no shape may be another.
    assert cli(*words, "--dropout", "0.5", "--epochs", "0.05", "--quiet").code == 0


def test_weights_without_a_description_take_the_options(
    cli, trained_workdir: Path, workdir: Path, tmp_path: Path
) -> None:
    state = torch.load(trained_workdir / "modelo" / "cnn_mnist.pt", weights_only=True)
    torch.save(dict(state), tmp_path / "bare.pt")
    words = (*SHORT, "--workdir", workdir, "--from", tmp_path / "bare.pt", "--epochs", "0.05")
    assert cli(*words, "--quiet").code == 0
    alone = ("train", "--source", "sample", "--workdir", workdir, "--from", tmp_path / "bare.pt")
    outcome = cli(*alone, "--json")
    assert (outcome.code, outcome.json["kind"]) == (2, "model_unknown")
    assert "--filters" in outcome.json["error"]


@pytest.mark.parametrize("other", [["--resume"], ["--ensemble", "2"]])
def test_what_begins_otherwise_is_refused(
    cli, trained_workdir: Path, workdir: Path, other: list[str]
) -> None:
    model = trained_workdir / "modelo" / "cnn_mnist.pt"
    outcome = cli(*SHORT, "--workdir", workdir, "--from", model, *other, "--json")
    assert (outcome.code, outcome.json["kind"]) == (2, "cli_exclusive")
    assert "--from" in outcome.json["error"]


@pytest.mark.parametrize("name", ["nothing.pt", "folder"])
def test_what_is_no_network_to_begin_with_is_refused(cli, workdir: Path, name: str) -> None:
    (workdir / "folder").mkdir()
    outcome = cli(*SHORT, "--workdir", workdir, "--from", workdir / name, "--json")
    assert outcome.code == 2
    assert outcome.json["kind"] in ("no_model", "from_ensemble")


def test_digits_that_the_network_has_learned_before_are_told(
    cli, trained_workdir: Path, workdir: Path, tmp_path: Path
) -> None:
    loaded = load_model(trained_workdir / "modelo" / "cnn_mnist.pt")
    assert loaded.info is not None
    info = dataclasses.replace(loaded.info, source="full")
    save_model(network_inside(loaded.model), tmp_path / "full.pt", info)
    words = ("train", "--source", "sample", "--workdir", workdir, "--epochs", "0.05", "--quiet")
    assert "ya ha visto" in cli(*words, "--from", tmp_path / "full.pt").sentences
    model = trained_workdir / "modelo" / "cnn_mnist.pt"
    assert "ya ha visto" not in cli(*words, "--from", model).sentences
