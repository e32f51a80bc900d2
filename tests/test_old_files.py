"""Files that the version before this one wrote: they open, and they say what they said then.

``old_files/manifest.json`` has how each was made, the checksum of its tensors and what `evaluate`
gave on the sample, all recorded by that version.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from taller_cnn.checkpoints import LoadedModel, load_model
from taller_cnn.data import Digits, DigitsPlace
from taller_cnn.errors import ModelError
from taller_cnn.evaluation import evaluate
from taller_cnn.reader import threshold
from taller_cnn.reader.robust import ready_robust, robust_path
from taller_cnn.reader.threshold import kept_threshold
from taller_cnn.runs import RunFiles, RunRequest, RunResult, checkpoint_request, run

OLD = Path(__file__).parent / "old_files"
MANIFEST: dict[str, dict[str, Any]] = json.loads((OLD / "manifest.json").read_text("utf-8"))
NETWORKS = [name for name, recorded in MANIFEST.items() if "evaluate" in recorded]
CHECKPOINTS = ("checkpoint.pt", "checkpoint_fast.pt", "checkpoint_best.pt")


def tensor_hash(loaded: LoadedModel) -> str:
    """SHA-256 of the names, types, shapes and bytes of a network's tensors, in their order."""
    digest = hashlib.sha256()
    for name, value in loaded.model.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()


def check_answers(loaded: LoadedModel, digits: Digits, recorded: dict[str, Any]) -> None:
    """The recorded errors and loss on the sample's test digits."""
    now = evaluate(loaded.model, digits.test, loaded.scale)
    assert now.n == recorded["n"]
    # Another processor may round a tie between two classes to the other side: one digit.
    assert abs(now.errors - recorded["errors"]) <= 1
    assert now.loss == pytest.approx(recorded["loss"], rel=1e-5)


def test_every_file_is_in_the_manifest_or_beside_one_that_is() -> None:
    names = {path.name for path in OLD.iterdir()} - {"manifest.json"}
    assert set(MANIFEST) == {name for name in names if not name.endswith((".json", ".robust.pt"))}
    assert set(MANIFEST) == {*NETWORKS, *CHECKPOINTS}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_has_its_weights_and_answers_as_it_did(name: str, sample_digits: Digits) -> None:
    recorded = MANIFEST[name]
    loaded = load_model(OLD / name)
    if isinstance(recorded["tensors"], str):
        assert tensor_hash(loaded) == recorded["tensors"]
    else:
        members = {path.name: tensor_hash(load_model(path)) for path in (OLD / name).glob("*.pt")}
        assert members == recorded["tensors"]
    assert loaded.info is not None
    assert loaded.info.data_checksum == sample_digits.checksum
    check_answers(loaded, sample_digits, recorded["evaluate"])


@pytest.mark.parametrize("name", NETWORKS)
def test_options_that_are_gone_are_told_of_the_networks_that_used_them(name: str) -> None:
    loaded = load_model(OLD / name)
    removed = {
        "best.pt": ("weight_average",),
        "distilled.pt": ("weight_average", "distillation"),
        "handwriting.pt": ("cut_amiss",),
        "with_robust.robust.pt": ("cut_amiss",),
    }.get(name, ())
    assert loaded.info is not None
    assert loaded.info.removed == removed
    assert ("removed_options" in loaded.notices) == bool(removed)
    others = {"ensemble"} if name == "ensemble_mnist" else set()
    assert set(loaded.notices) - {"removed_options"} == others


def test_a_network_that_was_replaced_and_the_one_in_its_place_keep_their_recipes() -> None:
    kept = {}
    for name in ("replaced.pt", "replaced.previous.pt"):
        info = load_model(OLD / name).info
        assert info is not None
        kept[name] = info.train.recipe
    assert kept == {"replaced.pt": "quick", "replaced.previous.pt": "workshop"}


def resuming(name: str, workdir: Path, sample_dir: Path) -> RunRequest:
    """What goes on with a stopped training, put where a working folder has it."""
    files = RunFiles.in_workdir(workdir)
    files.checkpoint.parent.mkdir()
    shutil.copy(OLD / name, files.checkpoint)
    model, train, source, _ = checkpoint_request(files.checkpoint)
    place = DigitsPlace(data_dir=sample_dir, sample_dir=sample_dir, source=source)
    return RunRequest(model=model, train=train, place=place, files=files, resume=True)


@pytest.mark.parametrize(
    ("name", "recipe", "epochs_wanted"),
    [("checkpoint.pt", "workshop", 2.5), ("checkpoint_fast.pt", "fast", 3)],
)
def test_a_stopped_training_goes_on_to_its_end(
    name: str, recipe: str, epochs_wanted: float, tmp_path: Path, sample_dir: Path
) -> None:
    stopped = torch.load(OLD / name, weights_only=True)["state"]
    request = resuming(name, tmp_path, sample_dir)
    assert (request.train.recipe, request.train.epochs) == (recipe, epochs_wanted)
    events = list(run(request, threading.Event()))
    result = events[-1]
    assert isinstance(result, RunResult)
    # What had been learned counts: the first epochs' results are those of then.
    before = [epoch["train_loss"] for epoch in stopped["history"]]
    epochs = result.history.epochs
    assert [epoch.train_loss for epoch in epochs][: len(before)] == before
    assert len(before) >= 1
    assert epochs[-1].train_loss < before[-1]
    assert not request.files.checkpoint.exists()
    assert load_model(request.files.model).notices == ()


def test_a_stopped_training_with_an_option_that_is_gone_is_refused_with_the_way_out(
    tmp_path: Path, sample_dir: Path
) -> None:
    with pytest.raises(ModelError, match=r"weight_average = 0\.998.*without --resume"):
        resuming("checkpoint_best.pt", tmp_path, sample_dir)


def test_the_threshold_of_a_network_is_the_one_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Chosen for another way of reading, it does not count any more.
    assert kept_threshold(OLD / "threshold_of.pt") is None
    monkeypatch.setattr(threshold, "REVISION", 3)
    kept = kept_threshold(OLD / "threshold_of.pt")
    assert kept is not None
    assert kept.threshold == MANIFEST["threshold_of.pt"]["threshold"]
    assert kept_threshold(OLD / "workshop.pt") is None


def test_a_robust_network_of_an_older_recipe_is_no_longer_taken() -> None:
    assert ready_robust(OLD / "with_robust.pt") is None


def test_the_robust_network_of_a_network_is_the_one_beside_it(
    sample_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threshold, "REVISION", 3)
    recorded = MANIFEST["with_robust.pt"]["robust"]
    robust = load_model(robust_path(OLD / "with_robust.pt"))
    assert tensor_hash(robust) == recorded["tensors"]
    check_answers(robust, sample_digits, recorded["evaluate"])
    kept = kept_threshold(robust_path(OLD / "with_robust.pt"))
    assert kept is not None
    assert kept.threshold == recorded["threshold"]
