"""A run on disk: what it leaves, how it is stopped and resumed, what it never destroys."""

from __future__ import annotations

import hashlib
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from taller_cnn import figures
from taller_cnn.checkpoints import load_model
from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import Digits, DigitsPlace, DownloadProgress
from taller_cnn.errors import (
    BusyError,
    ConfigError,
    DivergedError,
    InterruptedRunError,
    ModelError,
    OutputError,
)
from taller_cnn.evaluation import evaluate
from taller_cnn.files import folder_lock
from taller_cnn.model import SimpleCNN
from taller_cnn.model_files import read_tensors, write_tensors
from taller_cnn.runs import (
    RunFiles,
    RunRequest,
    RunResult,
    Started,
    checkpoint_request,
    read_origin,
    run,
)
from taller_cnn.runs.request import Origin
from taller_cnn.training import EpochResult, Progress

SMALL = ModelConfig(filters=(4, 8), hidden=16)
QUICK = TrainConfig(epochs=2, batch_size=256, learning_rate=3e-3, device="cpu", holdout=500)
FIGURES = ("sample_predictions", "accuracy_curve", "loss_curve", "confusion_matrix")


@pytest.fixture
def request_here(tmp_path: Path, sample_digits: Digits) -> RunRequest:
    """A quick run on the sample, in a folder of its own."""
    sample = tmp_path / "data" / "sample"
    sample.parent.mkdir()
    sample.symlink_to(sample_digits.folder.parents[1], target_is_directory=True)
    return RunRequest(
        model=SMALL,
        train=QUICK,
        files=RunFiles.in_workdir(tmp_path),
        place=DigitsPlace.in_workdir(tmp_path, tmp_path / "none", source="sample"),
    )


def complete(request: RunRequest) -> RunResult:
    result = list(run(request, threading.Event()))[-1]
    assert isinstance(result, RunResult)
    return result


def changed(request: RunRequest, **changes: Any) -> RunRequest:
    import dataclasses

    return dataclasses.replace(request, **changes)


def stop_after(request: RunRequest, kind: type) -> InterruptedRunError:
    """Run until an event of `kind` comes, then ask the run to stop."""
    stop = threading.Event()
    try:
        for event in run(request, stop):
            if isinstance(event, kind):
                stop.set()
    except InterruptedRunError as error:
        return error
    raise AssertionError(f"the run went on although it was stopped at its first {kind.__name__}")


def test_a_run_leaves_the_model_its_figures_and_its_numbers(request_here: RunRequest) -> None:
    result = complete(request_here)
    where = request_here.files
    assert where.model == request_here.files.results.parent / "modelo" / "cnn_mnist.pt"
    for name in FIGURES:
        assert (where.results / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    record = json.loads((where.results / "run.json").read_text())
    assert record["images"] == {"train": 3500, "validation": 500, "test": 1000}
    assert [epoch["epoch"] for epoch in record["epochs"]] == [1.0, 2.0]
    assert record["test"]["accuracy"] == result.summary["test_accuracy"]
    assert record["source"] == "sample"
    assert record["provenance"]["versions"]["torch"] == torch.__version__.split("+")[0]
    assert record["wall_seconds"]["total"] >= record["epochs"][-1]["train_seconds"]
    assert not where.checkpoint.exists()
    assert not list(request_here.files.results.parent.rglob(".*.png"))
    assert {Path(path).name for path in result.summary["files"].values()} == {
        "cnn_mnist.pt",
        "run.json",
        *(f"{name}.png" for name in FIGURES),
    }


def test_a_figure_that_fails_costs_that_figure_and_nothing_else(
    request_here: RunRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*values: object) -> None:
        # The numbers are on the disk before anything is drawn.
        assert (request_here.files.results / "run.json").exists()
        raise RuntimeError("no such font")

    monkeypatch.setattr(figures, "confusion_figure", fail)
    result = complete(request_here)
    drawn = {path.name for path in request_here.files.results.glob("*.png")}
    assert drawn == {f"{name}.png" for name in FIGURES} - {"confusion_matrix.png"}
    assert "confusion_matrix" not in result.files
    [error] = result.not_drawn
    assert "confusion_matrix.png (RuntimeError: no such font)" in str(error)
    assert result.summary["not_drawn"] == [str(error)]
    assert load_model(request_here.files.model).info is not None


def test_the_saved_model_has_the_accuracy_on_record(
    request_here: RunRequest, sample_digits: Digits
) -> None:
    result = complete(request_here)
    loaded = load_model(request_here.files.model)
    again = evaluate(loaded.model, sample_digits.test, sample_digits.scale)
    assert again.accuracy == result.summary["test_accuracy"]
    assert loaded.info is not None
    assert loaded.info.metrics["test"]["accuracy"] == again.accuracy
    assert loaded.info.metrics["test"]["n"] == 1000


def test_the_initial_weights_are_those_of_the_seed(request_here: RunRequest) -> None:
    # Steps too small to be seen: what is saved is what was begun with.
    still = QUICK.replace(seed=7, epochs=0.1, learning_rate=1e-12)
    complete(changed(request_here, train=still))
    saved = torch.load(request_here.files.model, weights_only=True)
    for name, value in SimpleCNN(SMALL, seed=7).state_dict().items():
        torch.testing.assert_close(saved[name], value, rtol=0, atol=1e-7)


@pytest.mark.parametrize("epochs", [2, 1])
def test_each_curve_is_given_its_own_scores(
    request_here: RunRequest, monkeypatch: pytest.MonkeyPatch, epochs: int
) -> None:
    given: dict[str, tuple[Any, ...]] = {}

    def no_drawing(kind: str, *curves: Any, **_: Any) -> None:
        given[kind] = curves
        raise RuntimeError("not drawn")

    monkeypatch.setattr(figures, "curve_figure", no_drawing)
    result = complete(changed(request_here, train=QUICK.replace(epochs=epochs)))
    results = result.history.epochs
    for kind in ("loss", "accuracy"):
        train, test, validation = given[kind][:3]
        assert test == [(each.epoch, getattr(each.test, kind)) for each in results]
        # All 500 held-out digits are asked at the end of either run.
        assert validation[-1] == (results[-1].epoch, getattr(results[-1].validation, kind))
        assert validation[-1] != test[-1]
        if epochs == 2:
            assert train == [(each.epoch, getattr(each, f"train_{kind}")) for each in results]


def test_the_start_is_announced_with_what_was_chosen(request_here: RunRequest) -> None:
    started = next(run(request_here, threading.Event()))
    assert isinstance(started, Started)
    assert (started.train_n, started.validation_n, started.test_n) == (3500, 500, 1000)
    assert started.device == "cpu"
    assert started.parameters == sum((4 * 10, 8 * (4 * 9 + 1), 16 * (8 * 49 + 1), 10 * 17))


@pytest.mark.parametrize("kind", [Progress, EpochResult])
def test_a_stopped_run_is_resumed_to_the_same_numbers(
    request_here: RunRequest, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taller_cnn.training.loop.PROGRESS_SECONDS", 0.0)
    expected = complete(request_here)
    weights = torch.load(request_here.files.model, weights_only=True)

    error = stop_after(request_here, kind)
    assert "--resume" in str(error)
    assert request_here.files.checkpoint.exists()
    assert checkpoint_request(request_here.files.checkpoint) == (SMALL, QUICK, "sample", None)
    resumed = complete(changed(request_here, resume=True))

    again = torch.load(request_here.files.model, weights_only=True)
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    assert resumed.summary["test_loss"] == expected.summary["test_loss"]
    losses = [epoch.train_loss for epoch in expected.history.epochs]
    assert [epoch.train_loss for epoch in resumed.history.epochs] == losses
    assert not request_here.files.checkpoint.exists()


def test_a_run_stopped_by_a_version_with_fewer_options_is_resumed(
    request_here: RunRequest,
) -> None:
    stop_after(request_here, EpochResult)
    path = request_here.files.checkpoint
    value = read_tensors(path)
    del value["model"]["convs_per_pool"], value["train"]["augmentation"]
    write_tensors(path, value)
    assert len(complete(changed(request_here, resume=True)).history.epochs) == 2


def test_a_stopped_training_that_used_an_option_of_before_is_refused_with_the_way_out(
    request_here: RunRequest,
) -> None:
    stop_after(request_here, EpochResult)
    path = request_here.files.checkpoint
    value = read_tensors(path)
    write_tensors(path, {**value, "train": {**value["train"], "weight_average": 0.9}})
    with pytest.raises(ModelError, match=r"weight_average = 0\.9.*without --resume"):
        complete(changed(request_here, resume=True))
    assert path.exists()


def test_a_run_is_over_with_its_result_even_if_nobody_asks_on(request_here: RunRequest) -> None:
    checkpoint = request_here.files.checkpoint
    seen = []
    running = run(request_here, threading.Event())
    for event in running:
        seen.append(checkpoint.exists())
        if isinstance(event, RunResult):
            break
    assert True in seen
    assert not checkpoint.exists()


def test_resuming_without_a_checkpoint_says_so(request_here: RunRequest) -> None:
    with pytest.raises(ModelError, match="no training to resume"):
        complete(changed(request_here, resume=True))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"train": QUICK.replace(seed=7)}, "seed"),
        ({"model": SMALL.replace(hidden=17)}, "hidden"),
        ({"train": QUICK.replace(holdout=0)}, "holdout"),
    ],
)
def test_resuming_another_training_names_what_differs(
    request_here: RunRequest, change: dict[str, Any], field: str
) -> None:
    stop_after(request_here, EpochResult)
    with pytest.raises(ModelError, match=f"another {field}"):
        complete(changed(request_here, resume=True, **change))
    assert request_here.files.checkpoint.exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x80\x02}q\x00."])
def test_a_damaged_checkpoint_is_refused(request_here: RunRequest, content: bytes) -> None:
    request_here.files.checkpoint.parent.mkdir()
    request_here.files.checkpoint.write_bytes(content)
    with pytest.raises(ModelError, match=r"not a training that can be resumed"):
        complete(changed(request_here, resume=True))


def test_a_checkpoint_of_another_format_is_refused(request_here: RunRequest) -> None:
    stop_after(request_here, EpochResult)
    path = request_here.files.checkpoint
    write_tensors(path, {**read_tensors(path), "format": 2})
    with pytest.raises(ModelError, match="format 2"):
        checkpoint_request(path)
    with pytest.raises(ModelError, match="format 2"):
        complete(changed(request_here, resume=True))
    assert path.exists()


def test_an_abandoned_checkpoint_is_mentioned_and_replaced(request_here: RunRequest) -> None:
    stop_after(request_here, EpochResult)
    started = next(run(request_here, threading.Event()))
    assert isinstance(started, Started)
    assert started.notices == ("checkpoint_abandoned",)


def test_a_diverging_run_keeps_the_old_model(
    request_here: RunRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete(request_here)
    before = request_here.files.model.read_bytes()
    numbers = (request_here.files.results / "run.json").read_bytes()
    # The largest rate that is allowed does not overflow float32 in so few steps.
    monkeypatch.setattr("taller_cnn.training.loop.lr_scale", lambda *_: 1e40)
    with pytest.raises(DivergedError, match="smaller learning rate"):
        complete(request_here)
    assert request_here.files.model.read_bytes() == before
    assert (request_here.files.results / "run.json").read_bytes() == numbers
    assert not request_here.files.checkpoint.exists()


def test_a_run_that_diverges_after_an_epoch_leaves_no_checkpoint_to_diverge_again_from(
    request_here: RunRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_epoch = math.ceil(3500 / QUICK.batch_size)
    monkeypatch.setattr(
        "taller_cnn.training.loop.lr_scale",
        lambda config, step, steps: 1.0 if step < one_epoch else 1e40,
    )
    events = run(request_here, threading.Event())
    assert any(isinstance(event, EpochResult) for event in events)
    assert request_here.files.checkpoint.exists()
    with pytest.raises(DivergedError):
        list(events)
    assert not request_here.files.checkpoint.exists()


def test_a_model_of_another_architecture_is_kept_aside(request_here: RunRequest) -> None:
    complete(request_here)
    before = request_here.files.model.read_bytes()
    complete(changed(request_here, model=SMALL.replace(hidden=20)))
    kept = request_here.files.model.with_suffix(".previous.pt")
    assert kept.read_bytes() == before
    assert load_model(kept).model.config.hidden == 16
    assert load_model(request_here.files.model).model.config.hidden == 20


def test_a_download_that_is_stopped_ends_there(
    request_here: RunRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, received = threading.Event(), iter(range(100))

    def loading(*_: object) -> Iterator[DownloadProgress]:
        for done in received:
            yield DownloadProgress(file="train-images", received=done, total=100)

    monkeypatch.setattr(DigitsPlace, "loading", loading)
    events = run(request_here, stop)
    next(events)
    stop.set()
    with pytest.raises(InterruptedRunError, match="Nothing was changed"):
        next(events)
    assert next(received) == 2
    assert not request_here.files.model.exists()


def test_a_second_run_in_the_same_folder_is_told(request_here: RunRequest) -> None:
    with (
        folder_lock(request_here.files.model.parent),
        pytest.raises(BusyError, match="Another training"),
    ):
        complete(request_here)


def test_an_unwritable_result_folder_is_found_before_training(request_here: RunRequest) -> None:
    request_here.files.results.write_text("a file where the folder should be")
    events = run(request_here, threading.Event())
    with pytest.raises(OutputError, match="resultados"):
        next(events)


def test_a_full_disk_is_found_before_training(
    request_here: RunRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    usage = shutil.disk_usage(request_here.files.results.parent)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OutputError, match="1 MB free"):
        next(run(request_here, threading.Event()))


@pytest.mark.full
def test_a_holdout_of_everything_is_refused(request_here: RunRequest, full_data_dir: Path) -> None:
    place = DigitsPlace.in_workdir(request_here.files.results.parent, full_data_dir, source="full")
    with pytest.raises(ConfigError, match="only 60,000 training digits") as caught:
        complete(changed(request_here, train=QUICK.replace(holdout=60_000), place=place))
    assert caught.value.key == "holdout_too_large"
    assert not request_here.files.model.exists()


def start_command(folder: Path, sample: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "taller_cnn", "train", "--workdir", str(folder)]
    environment = {**os.environ, "TALLER_LANG": "en", "OMP_NUM_THREADS": "1"}
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "sample").symlink_to(sample, target_is_directory=True)
    return subprocess.Popen(
        [*command, "--source", "sample", *options],
        env=environment,
        stdout=subprocess.DEVNULL,
    )


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None, f"the process ended with code {process.returncode}"
        assert time.monotonic() < deadline, f"{path.name} did not appear in 120 s"
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_real_process_is_stopped_and_resumed_to_the_same_numbers(
    tmp_path: Path, sample_digits: Digits, signal_number: signal.Signals
) -> None:
    options = ("--filters", "4,8", "--epochs", "6", "--batch-size", "32", "--quiet")
    sample = sample_digits.folder.parents[1]
    whole = start_command(tmp_path / "whole", sample, *options)
    assert whole.wait(300) == 0

    stopped = start_command(tmp_path / "stopped", sample, *options)
    wait_for(tmp_path / "stopped" / "modelo" / "cnn_mnist.checkpoint.pt", stopped)
    stopped.send_signal(signal_number)
    code = stopped.wait(60)
    assert code == (-signal.SIGKILL if signal_number == signal.SIGKILL else 130)

    command = [sys.executable, "-m", "taller_cnn", "train", "--resume", "--quiet"]
    subprocess.run(
        [*command, "--workdir", str(tmp_path / "stopped")],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
        timeout=300,
    )
    first, second = (
        json.loads((tmp_path / name / "resultados" / "run.json").read_text())
        for name in ("whole", "stopped")
    )
    for record in (first, second):
        for epoch in record["epochs"]:
            del epoch["train_seconds"]
    assert second["epochs"] == first["epochs"]
    assert second["test"] == first["test"]


# ----------------------------------------------------------- from another network's weights


@pytest.fixture
def origin(request_here: RunRequest, tmp_path: Path) -> Origin:
    """A finished network of the same shapes, somewhere else."""
    complete(changed(request_here, train=QUICK.replace(epochs=1, seed=5)))
    path = tmp_path / "first.pt"
    path.write_bytes(request_here.files.model.read_bytes())
    request_here.files.model.unlink()
    return read_origin(path, None)[0]


def test_a_training_goes_on_from_the_weights_of_another(
    request_here: RunRequest, origin: Origin, sample_digits: Digits
) -> None:
    assert origin.weights is not None
    # So short that nothing can be learned anew: what it knows, it knew before.
    config = QUICK.replace(epochs=1 / 13, learning_rate=1e-9)
    result = complete(changed(request_here, train=config, origin=origin))
    before = load_model(Path(origin.file))
    expected = evaluate(before.model, sample_digits.test, before.scale)
    assert result.test.accuracy == pytest.approx(expected.accuracy, abs=0.002)
    for name, value in torch.load(request_here.files.model, weights_only=True).items():
        torch.testing.assert_close(value, origin.weights[name], atol=1e-6, rtol=0)


def test_what_it_began_with_is_kept_beside_the_weights_and_in_the_numbers(
    request_here: RunRequest, origin: Origin
) -> None:
    request = changed(request_here, origin=origin, train=QUICK.replace(epochs=1))
    result = complete(request)
    about = origin.to_json()
    assert about["file"] == origin.file
    assert about["sha256"] == hashlib.sha256(Path(origin.file).read_bytes()).hexdigest()
    assert (about["dataset"], about["source"]) == ("mnist", "sample")
    record = json.loads((request.files.results / "run.json").read_text())
    card = json.loads(request.files.model.with_suffix(".json").read_text())
    assert record["from"] == card["from"] == about
    assert result.summary["from"] == origin.file
    # Without the copy for people, too.
    request.files.model.with_suffix(".json").unlink()
    info = load_model(request.files.model).info
    assert info is not None
    assert info.origin == about


def test_the_seed_draws_the_order_and_not_the_weights(
    request_here: RunRequest, origin: Origin
) -> None:
    losses = []
    for seed in (0, 0, 1):
        train = QUICK.replace(epochs=1, seed=seed)
        result = complete(changed(request_here, train=train, origin=origin))
        losses.append(result.history.epochs[0].train_loss)
    assert losses[0] == losses[1] != losses[2]
    new = complete(changed(request_here, train=QUICK.replace(epochs=1)))
    assert max(losses) < 0.9 * new.history.epochs[0].train_loss


def test_a_stopped_training_from_a_network_is_resumed_to_the_same_numbers(
    request_here: RunRequest, origin: Origin
) -> None:
    request = changed(request_here, origin=origin)
    expected = complete(request)
    request.files.model.unlink()
    stop_after(request, EpochResult)
    Path(origin.file).unlink()
    waiting = checkpoint_request(request.files.checkpoint)
    assert waiting.origin == origin
    resumed = complete(changed(request, resume=True, origin=waiting.origin))
    assert resumed.summary["test_loss"] == expected.summary["test_loss"]
    assert resumed.summary["from"] == origin.file


def test_weights_of_other_shapes_are_refused_before_the_training(
    request_here: RunRequest, origin: Origin
) -> None:
    other = changed(request_here, model=SMALL.replace(filters=(4, 9)), origin=origin)
    with pytest.raises(ModelError) as refused:
        complete(other)
    assert refused.value.key == "from_shapes"
    assert "conv2.weight" in str(refused.value)
    assert "Leave out the network options" in str(refused.value)
    assert not request_here.files.model.exists()


def test_a_first_layer_of_patches_would_replace_the_weights(
    request_here: RunRequest, origin: Origin
) -> None:
    train = QUICK.replace(first_layer="patches")
    with pytest.raises(ConfigError) as refused:
        complete(changed(request_here, train=train, origin=origin))
    assert refused.value.key == "from_patches"


def test_the_network_that_it_began_with_is_not_lost(
    request_here: RunRequest, origin: Origin
) -> None:
    path = request_here.files.model
    data = Path(origin.file).read_bytes()
    path.write_bytes(data)
    own, _ = read_origin(path, None)
    complete(changed(request_here, train=QUICK.replace(epochs=1), origin=own))
    assert path.with_name("cnn_mnist.previous.pt").read_bytes() == data
    assert path.read_bytes() != data


def test_an_ensemble_is_no_beginning(tmp_path: Path) -> None:
    (tmp_path / "seed0.pt").write_bytes(b"")
    with pytest.raises(ModelError) as refused:
        read_origin(tmp_path, None)
    assert refused.value.key == "from_ensemble"
