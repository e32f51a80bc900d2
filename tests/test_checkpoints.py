from __future__ import annotations

import dataclasses
import errno
import json
import os
import pickle
import random
import re
import shutil
import subprocess
import sys
import threading
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lesson_network import LessonCNN
from torch import Tensor

from taller_cnn.checkpoints import (
    FORMAT,
    ModelInfo,
    load_model,
    read_info,
    save_model,
    sidecar_path,
    weights_checksum,
)
from taller_cnn.config import ModelConfig, TrainConfig, recipe
from taller_cnn.data import MNIST_SCALE, Scale
from taller_cnn.errors import ModelError, OutputError, Phrase, TallerError
from taller_cnn.files import read_json, sha256, write_json
from taller_cnn.messages import Messages
from taller_cnn.model import SimpleCNN
from taller_cnn.model_files import read_tensors, write_tensors

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, signals and limits")

SMALL = ModelConfig(filters=(2,), hidden=3)
OTHER = ModelConfig(filters=(3, 2), hidden=4, activation="tanh")

FAMILY = [
    ModelConfig(),
    SMALL,
    OTHER,
    ModelConfig(filters=(2, 3, 4), pooling="avg", batch_norm=True, hidden=5),
    ModelConfig(filters=(2,) * 6, kernel_size=5, pooling="stride", activation="gelu", hidden=2),
    ModelConfig(filters=(3,), pooling="none", final_size=2, kernel_size=1, dropout=0.0, hidden=2),
]


def _info(
    model: ModelConfig = SMALL,
    train: TrainConfig | None = None,
    class_names: tuple[str, ...] = tuple("0123456789"),
    **more: Any,
) -> ModelInfo:
    return ModelInfo(
        model=model,
        train=train or TrainConfig(),
        dataset="mnist",
        class_names=class_names,
        scale=MNIST_SCALE,
        source="full",
        data_checksum="abc",
        **more,
    )


def _images(n: int = 4) -> Tensor:
    return torch.randn(n, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def _trained(config: ModelConfig, seed: int) -> SimpleCNN:
    """A network whose weights, and running statistics, are no longer the initial ones."""
    model = SimpleCNN(config, seed=seed).train()
    model(_images(16) + 1)
    return model.eval()


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "modelo" / "cnn_mnist.pt"


@pytest.fixture
def saved(path: Path) -> Path:
    """A small network with its description."""
    save_model(SimpleCNN(SMALL, seed=1), path, _info())
    return path


def _undescribe(saved: Path) -> Path:
    """Take the description out of the weights, so that the one beside them is of other bytes."""
    torch.save(dict(torch.load(saved, weights_only=True)), saved)
    return saved


def _without_description(saved: Path) -> Path:
    sidecar_path(_undescribe(saved)).unlink()
    return saved


def _old_pair(saved: Path, **changes: Any) -> Path:
    """What earlier versions wrote: the description beside the weights alone."""
    _edit(_undescribe(saved), sha256=sha256(saved.read_bytes()), **changes)
    return saved


@pytest.fixture
def bare(saved: Path) -> Path:
    """The weights of a small network, of which nothing is known."""
    return _without_description(saved)


# -------------------------------------------------------------------------- round trip


@pytest.mark.parametrize("config", FAMILY)
def test_a_network_comes_back_with_equal_logits_and_all_that_is_known(
    config: ModelConfig, path: Path
) -> None:
    model = _trained(config, 3)
    train = recipe("fast", train={"seed": 3})[1]
    info = _info(config, train, metrics={"test": {"accuracy": 0.99}}, provenance={"a": [1, "ñ"]})
    save_model(model, path, info)
    loaded = load_model(path)
    assert torch.equal(loaded.model(_images()), model(_images()))
    assert loaded.info == info
    assert loaded.notices == ()
    assert loaded.model.config == config
    assert not loaded.model.training
    assert _names(path.parent) == ["cnn_mnist.json", "cnn_mnist.pt"]


def test_images_are_normalised_as_those_of_the_training_were(path: Path) -> None:
    others = dataclasses.replace(_info(), dataset="fashion-mnist", scale=Scale(0.286, 0.353))
    save_model(SimpleCNN(SMALL), path, others)
    assert load_model(path).scale == Scale(0.286, 0.353)


@pytest.mark.parametrize("class_names", [("no", "yes"), tuple("abcdefghijklmnopqrstuvwxyz")])
def test_a_network_has_as_many_classes_as_its_description_has_names(
    class_names: tuple[str, ...], path: Path
) -> None:
    model = SimpleCNN(SMALL, n_classes=len(class_names), seed=3).eval()
    info = _info(class_names=class_names)
    save_model(model, path, info)
    loaded = load_model(path)
    assert loaded.model.n_classes == len(class_names)
    assert torch.equal(loaded.model(_images()), model(_images()))
    assert loaded.info == info
    assert loaded.notices == ()

    save_model(model, path, _info(class_names=("a", "b", "c")))
    with pytest.raises(ModelError, match=r"fc2.weight: .* != \(3, "):
        load_model(path)


def test_an_ensemble_has_the_classes_of_its_members(tmp_path: Path) -> None:
    for seed in range(2):
        model = SimpleCNN(SMALL, n_classes=3, seed=seed)
        save_model(model, tmp_path / f"seed{seed}.pt", _info(class_names=("a", "b", "c")))
    assert load_model(tmp_path).model(_images()).shape == (4, 3)


def test_a_students_class_reads_the_file_strictly_and_safely(path: Path) -> None:
    model = _trained(ModelConfig(), 1).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    save_model(model, path, _info(ModelConfig()))
    lesson = LessonCNN().eval()
    state = torch.load(path, weights_only=True)
    lesson.load_state_dict(state, strict=True)
    torch.testing.assert_close(lesson(_images()), model(_images()), atol=1e-5, rtol=0)
    assert all(type(value) is Tensor and value.is_contiguous() for value in state.values())


def test_the_description_is_readable_and_carries_the_checksum_of_the_weights(saved: Path) -> None:
    value = read_json(sidecar_path(saved))
    assert value["sha256"] == sha256(saved.read_bytes())
    assert value["format"] == FORMAT
    assert value["model"] == SMALL.to_dict()
    assert value["class_names"] == list("0123456789")
    assert (value["mean"], value["std"]) == (0.1307, 0.3081)
    assert ModelInfo.from_json(value) == _info()


# ------------------------------------------------- where the description is, and which counts


def test_the_description_travels_inside_the_file(saved: Path, tmp_path: Path) -> None:
    state = torch.load(saved, weights_only=True)
    assert state._metadata["taller_cnn"]["model"] == SMALL.to_dict()
    alone = tmp_path / "alone.pt"
    shutil.copyfile(saved, alone)
    again = tmp_path / "again.pt"
    torch.save(state, again)
    for path in (alone, again):
        loaded = load_model(path)
        assert (loaded.info, loaded.notices) == (_info(), ())
        assert loaded.model.state_dict().keys() == state.keys()


def test_the_same_training_gives_the_same_bytes_whenever_it_was(saved: Path) -> None:
    before = saved.read_bytes()
    save_model(SimpleCNN(SMALL, seed=1), saved, _info(provenance={"created": "later"}))
    assert saved.read_bytes() == before
    info = load_model(saved).info
    assert info is not None
    assert info.provenance == {"created": "later"}


@pytest.mark.parametrize("content", [b"{", b'{"sha256": "0", "model": 3}'])
def test_what_lies_beside_the_file_is_not_asked_if_its_description_is_inside(
    content: bytes, saved: Path
) -> None:
    sidecar_path(saved).write_bytes(content)
    assert (load_model(saved).info, load_model(saved).notices) == (_info(), ())


def test_the_description_inside_counts_more_than_an_edited_copy(saved: Path) -> None:
    _edit(saved, dataset="kmnist", model=SMALL.replace(activation="tanh").to_dict())
    assert load_model(saved).info == _info()


@pytest.mark.parametrize("extra", [{}, {"previous": {"sha256": "0" * 64}}, {"previous": 3}])
def test_pairs_of_earlier_versions_are_read(extra: dict[str, Any], saved: Path) -> None:
    loaded = load_model(_old_pair(saved, **extra))
    assert (loaded.info, loaded.notices) == (_info(), ())
    assert torch.equal(loaded.model(_images()), SimpleCNN(SMALL, seed=1).eval()(_images()))


def test_a_pair_that_an_earlier_version_left_half_replaced_is_read(saved: Path) -> None:
    old = read_json(sidecar_path(_old_pair(saved)))
    _edit(saved, sha256="0" * 64, model=OTHER.to_dict(), previous=old)
    loaded = load_model(saved)
    assert (loaded.info, loaded.notices) == (_info(), ())


def _with_inside(saved: Path, value: Any) -> Path:
    """Weights that carry this in the place of their description; the copy is of other bytes."""
    state = torch.load(saved, weights_only=True)
    state._metadata["taller_cnn"] = value
    torch.save(state, saved)
    return saved


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"filters": [0]}},
        {"mean": torch.zeros(2)},
        {"metrics": {"loss": float("inf")}},
        {"metrics": {"loss": torch.zeros(1)}},
        {"class_names": {3: torch.float32}},
    ],
)
def test_a_description_inside_that_makes_no_sense_is_ignored_with_a_notice(
    change: dict[str, Any], saved: Path
) -> None:
    _is_ignored({**_info().to_json(), **change}, saved)


def test_what_is_no_description_at_all_is_ignored_with_a_notice(saved: Path) -> None:
    _is_ignored(["no", "description"], saved)
    hostile = OrderedDict(_info().to_json())
    vars(hostile)["keys"] = vars(hostile)["get"] = 3
    hostile["metrics"] = OrderedDict()
    vars(hostile["metrics"])["keys"] = 3
    hostile["model"] = 3
    _is_ignored(hostile, saved)


def _is_ignored(inside: Any, saved: Path) -> None:
    loaded = load_model(_with_inside(saved, inside), SMALL)
    assert (loaded.info, loaded.notices) == (None, ("sidecar_ignored",))


def test_a_description_inside_by_a_newer_version_is_refused_and_told(saved: Path) -> None:
    _with_inside(saved, {"format": FORMAT + 1})
    with pytest.raises(ModelError, match=r"newer version.*Update") as caught:
        load_model(saved)
    assert caught.value.key == "model_newer"


@pytest.mark.parametrize("name", ["items", "keys", "get", "_metadata", "__len__"])
def test_attributes_that_a_file_gives_its_dictionary_do_no_harm(name: str, saved: Path) -> None:
    state = torch.load(saved, weights_only=True)
    # Under another name until it is in the file: Python would trip over it too.
    harmless = name[:-1] + "~"
    vars(state)[harmless] = 3
    inner = state[""] = type(state)()
    vars(inner)[harmless] = 3
    torch.save(state, saved)
    saved.write_bytes(saved.read_bytes().replace(harmless.encode(), name.encode()))
    loaded = load_model(saved, SMALL)
    assert torch.equal(loaded.model(_images()), SimpleCNN(SMALL, seed=1).eval()(_images()))


def test_the_description_is_read_without_building_the_network(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SimpleCNN, "__init__", None)
    assert read_info(saved) == _info()
    assert read_info(_old_pair(saved)) == _info()
    assert read_info(_without_description(saved)) is None


# ------------------------------------------------------- weights without a description


def test_lesson_weights_without_a_description_are_taken_as_the_lessons_with_a_notice(
    path: Path,
) -> None:
    lesson = LessonCNN().eval()
    path.parent.mkdir()
    torch.save(lesson.state_dict(), path)
    loaded = load_model(path)
    assert loaded.info is None
    assert loaded.notices == ("taken_as_lesson",)
    assert loaded.model.config == ModelConfig()
    torch.testing.assert_close(loaded.model(_images()), lesson(_images()), atol=1e-5, rtol=0)


def test_other_weights_without_a_description_need_their_options(bare: Path) -> None:
    with pytest.raises(
        ModelError, match=r"cnn_mnist\.json.*conv1\.weight: \(2, 1, 3, 3\) != "
    ) as e:
        load_model(bare)
    assert e.value.key == "model_unknown"
    loaded = load_model(bare, SMALL)
    assert (loaded.info, loaded.notices) == (None, ())
    assert torch.equal(loaded.model(_images()), SimpleCNN(SMALL, seed=1).eval()(_images()))


def test_options_that_do_not_fit_the_weights_are_told_layer_by_layer(bare: Path) -> None:
    told = re.escape(
        "in the network: fc1.weight: (3, 392) != (7, 392); fc1.bias: (3,) != (7,); "
        "fc2.weight: (10, 3) != (10, 7). Give"
    )
    with pytest.raises(ModelError, match=told) as caught:
        load_model(bare, SMALL.replace(hidden=7))
    assert caught.value.key == "model_mismatch"


def test_of_many_layers_that_do_not_fit_the_first_are_told_and_how_many_more(bare: Path) -> None:
    with pytest.raises(ModelError) as caught:
        load_model(bare, OTHER)
    told = (
        "conv1.weight: (2, 1, 3, 3) != (3, 1, 3, 3); conv1.bias: (2,) != (3,); "
        "conv2.weight: - != (2, 3, 3, 3); {} 4 {}"
    )
    assert told.format("and", "more") in caught.value.text(Messages("en"))
    assert told.format("y", "más") in caught.value.text(Messages("es"))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (SMALL.replace(batch_norm=True), SMALL),
        (SMALL, SMALL.replace(batch_norm=True)),
        (OTHER, OTHER.replace(filters=(3,), final_size=0)),
        (OTHER, OTHER.replace(filters=(3, 2, 2))),
        (SMALL, SMALL.replace(final_size=3)),
    ],
)
def test_layers_too_many_or_too_few_are_told(
    right: ModelConfig, wrong: ModelConfig, path: Path
) -> None:
    save_model(SimpleCNN(right), path, _info(right))
    _without_description(path)
    with pytest.raises(ModelError) as caught:
        load_model(path, wrong)
    assert caught.value.key == "model_mismatch"
    assert load_model(path, right).model.config == right


def test_the_description_counts_more_than_options_and_says_so(saved: Path) -> None:
    same_shapes = SMALL.replace(activation="tanh")
    loaded = load_model(saved, same_shapes)
    assert loaded.model.config == SMALL
    assert loaded.notices == ("options_ignored",)
    assert load_model(saved, SMALL).notices == ()


# ----------------------------------------------------------------- damaged descriptions


def _edit(saved: Path, **changes: Any) -> None:
    write_json(sidecar_path(saved), {**read_json(sidecar_path(saved)), **changes})


def _lesson_saved(path: Path, **changes: Any) -> Path:
    save_model(SimpleCNN(seed=2), path, _info(ModelConfig()))
    return _old_pair(path, **changes)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe\x00", b"[" * 100_000, b'{"sha256": 3}'],
)
def test_a_damaged_description_is_ignored_with_a_notice(content: bytes, path: Path) -> None:
    sidecar_path(_lesson_saved(path)).write_bytes(content)
    loaded = load_model(path)
    assert loaded.info is None
    assert loaded.notices == ("sidecar_ignored", "taken_as_lesson")


@pytest.mark.parametrize(
    "changes",
    [
        {"sha256": "0" * 64},
        {"model": {"filters": [0]}},
        {"model": {"depth": 3}},
        {"model": [16, 32]},
        {"model": None},
        {"train": {"epochs": 10**400}},
        {"train": "fast"},
        {"class_names": ["0"]},
        {"class_names": 10},
        {"mean": "dark"},
        {"mean": 10**400},
        {"std": 0},
        {"std": -1.0},
        {"metrics": 0.99},
        {"format": "one", "model": 3},
    ],
)
def test_a_description_that_makes_no_sense_is_ignored_with_a_notice(
    changes: dict[str, Any], path: Path
) -> None:
    _edit(_lesson_saved(path), **changes)
    loaded = load_model(path)
    assert loaded.info is None
    assert loaded.notices == ("sidecar_ignored", "taken_as_lesson")
    assert torch.equal(loaded.model(_images()), SimpleCNN(seed=2).eval()(_images()))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
@pytest.mark.parametrize("place", ['"std": 0.3081', '"metrics": {'])
def test_numbers_that_are_not_finite_in_a_description_are_refused(
    number: str, place: str, path: Path
) -> None:
    sidecar = sidecar_path(_lesson_saved(path))
    text = sidecar.read_text()
    changed = place.replace("0.3081", number) if "0.3081" in place else f'{place}"loss": {number}'
    assert place in text
    sidecar.write_text(text.replace(place, changed))
    assert load_model(path).notices == ("sidecar_ignored", "taken_as_lesson")


def test_a_description_of_other_weights_is_ignored_and_does_not_lend_its_architecture(
    saved: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.pt"
    save_model(SimpleCNN(OTHER), other, _info(OTHER))
    shutil.copyfile(_without_description(other), saved)
    with pytest.raises(ModelError) as caught:
        load_model(saved)
    assert caught.value.key == "model_unknown"
    assert load_model(saved, OTHER).notices == ("sidecar_ignored",)


def test_a_description_by_an_older_version_is_completed_with_defaults(saved: Path) -> None:
    value = read_json(sidecar_path(_old_pair(saved)))
    old = {key: value[key] for key in ("sha256", "dataset", "class_names", "mean", "std")}
    write_json(
        sidecar_path(saved), {**old, "model": {"filters": [2], "hidden": 3}, "train": {"seed": 5}}
    )
    loaded = load_model(saved)
    assert loaded.notices == ()
    assert loaded.info is not None
    assert loaded.info.model == SMALL
    assert loaded.info.train == TrainConfig(seed=5)
    assert (loaded.info.source, loaded.info.metrics, loaded.info.provenance) == ("full", {}, {})


def test_a_description_by_a_newer_version_is_refused_and_told(saved: Path) -> None:
    _old_pair(saved, format=FORMAT + 1)
    with pytest.raises(ModelError, match=r"newer version.*Update") as caught:
        load_model(saved)
    assert caught.value.key == "model_newer"
    assert caught.value.values["found"] == FORMAT + 1


# --------------------------------------------------------------------- bad weight files


def _reason(path: Path, config: ModelConfig | None = None) -> str:
    """The key of the reason for which a file is refused."""
    with pytest.raises(ModelError) as caught:
        load_model(path, config)
    assert caught.value.key == "model_unreadable"
    reason = caught.value.values["reason"]
    assert isinstance(reason, Phrase)
    for language in ("es", "en"):
        text = caught.value.text(Messages(language))
        assert str(path) in text
        assert reason.text(Messages(language)) in text
        # torch's own advice is to load the file unsafely.
        assert "weights_only" not in text
    return reason.key


@pytest.mark.parametrize("name", ["none.pt", "none/deep.pt", ".", "a\0b.pt"])
def test_a_file_that_is_not_there_is_told_with_what_to_do(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"Train one first: taller-cnn train$"):
        load_model(tmp_path / name)


def test_an_empty_file_is_refused(saved: Path) -> None:
    saved.write_bytes(b"")
    assert _reason(saved) == "reason_empty"


@pytest.mark.parametrize("part", [0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999])
def test_a_truncated_file_is_refused(part: float, saved: Path) -> None:
    data = saved.read_bytes()
    saved.write_bytes(data[: max(4, int(len(data) * part))])
    assert _reason(saved, SMALL) == "reason_damaged"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=200), st.sampled_from([b"", b"PK\x03\x04", b"\x80\x02"]))
def test_random_bytes_are_refused(tmp_path: Path, content: bytes, start: bytes) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(start + content)
    with pytest.raises(ModelError) as caught:
        load_model(path)
    if path.read_bytes().startswith(b"PK\x03\x04"):
        assert caught.value.values["reason"] == Phrase("reason_damaged")
    # Bytes that begin as another format does are told to be of it.
    assert caught.value.key in {"model_unreadable", "model_resave"}


def test_a_file_with_flipped_bytes_is_refused_or_loses_its_description(saved: Path) -> None:
    data, rng = saved.read_bytes(), random.Random(0)
    outcomes = set()
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(rng.randrange(1, 4)):
            damaged[rng.randrange(len(data))] ^= rng.randrange(1, 256)
        saved.write_bytes(damaged)
        try:
            loaded = load_model(saved, SMALL)
        except TallerError as error:
            outcomes.add(error.key)
        else:
            if loaded.info is None:
                assert loaded.notices == ("sidecar_ignored",)
                outcomes.add("undescribed")
                continue
            # Bytes that nothing is made of.
            assert loaded.info == _info()
            assert torch.equal(loaded.model(_images()), SimpleCNN(SMALL, seed=1).eval()(_images()))
    assert {"undescribed", "model_unreadable"} <= outcomes


class _Trap:
    """Unpickling it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("place", ["alone", "among the weights"])
def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(
    place: str, saved: Path, tmp_path: Path
) -> None:
    trap = _Trap(tmp_path / "sprung")
    content = {**SimpleCNN(SMALL).state_dict(), "zz": trap} if place != "alone" else trap
    torch.save(content, saved)
    with pytest.raises(ModelError, match=r"it holds code: \w+\.mkdir.*Nothing in it was run"):
        load_model(saved, SMALL)
    with pytest.raises(ModelError):
        read_tensors(saved)
    saved.write_bytes(pickle.dumps(content))
    assert _reason(saved, SMALL) == "reason_format"
    assert not trap.folder.exists()
    # The trap is a real one.
    pickle.loads(pickle.dumps(trap))
    assert trap.folder.is_dir()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ([torch.zeros(2)], "list"),
        (torch.zeros(2), "Tensor"),
        ({}, "{}"),
        ({"epoch": 3}, "epoch: int"),
        ({"names": ["a"], "model": {"epoch": 3}}, "names: list"),
    ],
)
def test_a_file_without_weights_is_refused_with_what_is_in_it(
    content: Any, found: str, saved: Path
) -> None:
    torch.save(content, saved)
    assert _reason(saved) == "reason_no_weights"
    with pytest.raises(ModelError, match=f"weights named by layer, but {found}"):
        load_model(saved)


@pytest.mark.parametrize("value", [torch.ones(2, 1, 3, 3, dtype=torch.int32), torch.ones(2) * 1j])
def test_weights_that_are_not_real_numbers_are_refused(value: Tensor, saved: Path) -> None:
    torch.save({**SimpleCNN(SMALL).state_dict(), "conv1.weight": value}, saved)
    with pytest.raises(ModelError, match=r"conv1\.weight: .*(int32|complex64) != "):
        load_model(saved, SMALL)


def test_weights_in_half_precision_are_read_into_float32(saved: Path) -> None:
    state = {name: value.half() for name, value in SimpleCNN(SMALL, seed=4).state_dict().items()}
    torch.save(state, saved)
    model = load_model(saved, SMALL).model
    assert {value.dtype for value in model.state_dict().values()} == {torch.float32}
    assert torch.equal(model.fc2.weight, state["fc2.weight"].float())


def test_a_file_that_may_not_be_read_is_told(saved: Path) -> None:
    with pytest.raises(ModelError, match="there is a folder where a file should be"):
        read_tensors(saved.parent)


# --------------------------------------------------------------- values that are not finite

NORMALISED = SMALL.replace(batch_norm=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("conv1.weight", float("nan")),
        ("conv1.bias", float("inf")),
        ("norm1.running_var", float("nan")),
        ("fc2.bias", -float("inf")),
    ],
)
@pytest.mark.parametrize("described", [True, False])
def test_weights_that_are_not_finite_are_refused_by_the_name_of_their_layer(
    described: bool, name: str, value: float, path: Path
) -> None:
    model = _trained(NORMALISED, 1)
    # One value of all.
    model.state_dict()[name].view(-1)[-1] = value
    save_model(model, path, _info(NORMALISED))
    if not described:
        _without_description(path)
    with pytest.raises(ModelError) as caught:
        load_model(path, NORMALISED)
    assert caught.value.key == "model_not_finite"
    assert f"in {name}: its answers" in caught.value.text(Messages("en"))
    assert f"en {name}: sus respuestas" in caught.value.text(Messages("es"))


def test_of_many_layers_that_are_not_finite_the_first_are_named(path: Path) -> None:
    model = SimpleCNN(OTHER)
    for value in model.state_dict().values():
        value.fill_(float("nan"))
    save_model(model, path, _info(OTHER))
    told = "in conv1.weight; conv1.bias; conv2.weight; and 5 more: its"
    with pytest.raises(ModelError, match=told):
        load_model(path)


@pytest.mark.parametrize(("name", "value"), [("norm1.running_var", -1.0), ("fc1.weight", 3e38)])
def test_finite_weights_whose_answers_are_not_finite_are_refused(
    name: str, value: float, path: Path
) -> None:
    model = _trained(NORMALISED, 1)
    model.state_dict()[name].fill_(value)
    save_model(model, path, _info(NORMALISED))
    with pytest.raises(ModelError, match="answers are not finite numbers") as caught:
        load_model(path)
    assert caught.value.key == "model_overflows"


def test_numbers_that_float32_cannot_hold_are_not_finite(bare: Path) -> None:
    state = {name: value.double() for name, value in SimpleCNN(SMALL).state_dict().items()}
    state["fc1.bias"][0] = 1e300
    torch.save(state, bare)
    with pytest.raises(ModelError, match=r"in fc1\.bias: its answers"):
        load_model(bare, SMALL)


# ------------------------------------------------------------------ tensors of all sorts


def test_tensors_and_plain_values_come_back_as_they_were(tmp_path: Path) -> None:
    value = {
        "format": 1,
        "weights": {"a": torch.randn(3), "b": torch.arange(4, dtype=torch.uint8)},
        "history": [{"loss": 0.1, "test": None, "name": "ñ"}, {}],
        "flag": True,
    }
    write_tensors(tmp_path / "a.pt", value)
    back = read_tensors(tmp_path / "a.pt")
    assert back["history"] == value["history"]
    assert (back["format"], back["flag"]) == (1, True)
    assert torch.equal(back["weights"]["a"], value["weights"]["a"])  # type: ignore[index]
    assert back["weights"]["b"].dtype == torch.uint8
    assert _names(tmp_path) == ["a.pt"]


# ------------------------------------------------------------- what a new model replaces


def _previous(path: Path) -> Path:
    return path.with_name("cnn_mnist.previous.pt")


def test_a_model_of_the_same_kind_is_replaced(saved: Path) -> None:
    save_model(SimpleCNN(SMALL, seed=2), saved, _info(train=TrainConfig(seed=2, epochs=3)))
    assert _names(saved.parent) == ["cnn_mnist.json", "cnn_mnist.pt"]
    info = load_model(saved).info
    assert info is not None
    assert info.train.seed == 2


@pytest.mark.parametrize(
    "new", [_info(OTHER), _info(SMALL.replace(activation="gelu")), _info(train=recipe("fast")[1])]
)
def test_a_model_of_another_architecture_or_recipe_is_kept(new: ModelInfo, saved: Path) -> None:
    save_model(SimpleCNN(new.model, seed=2), saved, new)
    old, now = load_model(_previous(saved)), load_model(saved)
    assert (old.info, old.notices) == (_info(), ())
    assert torch.equal(old.model(_images()), SimpleCNN(SMALL, seed=1).eval()(_images()))
    assert (now.info, now.notices) == (new, ())
    assert len(_names(saved.parent)) == 4


def test_only_the_latest_of_the_kept_models_stays(saved: Path) -> None:
    save_model(SimpleCNN(OTHER), saved, _info(OTHER))
    save_model(SimpleCNN(SMALL, seed=7), saved, _info())
    assert load_model(_previous(saved)).model.config == OTHER
    assert load_model(saved).model.config == SMALL
    assert len(_names(saved.parent)) == 4


def test_weights_that_nothing_is_known_of_are_kept(saved: Path) -> None:
    save_model(SimpleCNN(OTHER), saved, _info(OTHER))
    assert sidecar_path(_previous(saved)).exists()
    lesson = LessonCNN().eval()
    torch.save(lesson.state_dict(), saved)
    save_model(SimpleCNN(seed=1), saved, _info(ModelConfig()))
    old = load_model(_previous(saved))
    # Not "ignored": a description of older weights would only mislead.
    assert old.notices == ("taken_as_lesson",)
    torch.testing.assert_close(old.model(_images()), lesson(_images()), atol=1e-5, rtol=0)
    assert load_model(saved).info == _info(ModelConfig())


def test_a_damaged_model_does_not_stand_in_the_way_of_a_new_one(saved: Path) -> None:
    saved.write_bytes(b"damaged")
    save_model(SimpleCNN(SMALL, seed=2), saved, _info())
    assert load_model(saved).info == _info()
    assert _previous(saved).read_bytes() == b"damaged"


@pytest.mark.skipif(os.name != "posix", reason="links and pipes that have a name")
def test_a_model_goes_where_a_link_leads_and_into_a_pipe(path: Path) -> None:
    path.parent.mkdir(parents=True)
    (path.parent / "shared.pt").write_bytes(b"damaged")
    path.symlink_to("shared.pt")
    save_model(SimpleCNN(SMALL, seed=2), path, _info())
    assert path.is_symlink()
    assert load_model(path.with_name("shared.pt")).info == _info()
    written = path.read_bytes()
    path.unlink()
    os.mkfifo(path)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()), daemon=True)
    reader.start()
    save_model(SimpleCNN(SMALL, seed=2), path, _info())
    reader.join(10)
    assert path.is_fifo()
    assert read == [written]


def test_a_folder_in_the_place_of_the_model_is_told(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(OutputError, match="there is a folder where a file should be"):
        save_model(SimpleCNN(SMALL), path, _info())
    assert path.is_dir()


def test_a_metric_that_is_not_a_number_leaves_the_old_model(saved: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        save_model(SimpleCNN(SMALL), saved, _info(metrics={"loss": float("nan")}))
    assert load_model(saved).info == _info()
    assert _names(saved.parent) == ["cnn_mnist.json", "cnn_mnist.pt"]


# -------------------------------------------- kills and full disks, in processes of their own
#
# These functions run in a fresh process, which forks: a process of pytest has threads of
# torch's, which a fork would break. One process runs several, because importing torch is slow.

STOPPED = 9
KINDS = {"small": SMALL, "other": OTHER}
_Save = Callable[[Path], None]


def _saving(name: str, seed: int) -> _Save:
    """Save the network `name` with a description that says which one it is."""
    model = SimpleCNN(KINDS[name], seed=seed)
    info = _info(KINDS[name], TrainConfig(seed=seed))
    return lambda path: save_model(model, path, info)


def _read_whole(path: Path) -> tuple[str, int]:
    """Name and seed of the network in `path`, which must be whole and with its description."""
    loaded = load_model(path)
    assert loaded.info is not None, "lost its description"
    assert loaded.notices == ()
    seed = loaded.info.train.seed
    expected = SimpleCNN(loaded.info.model, seed=seed).state_dict()
    found = loaded.model.state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    (name,) = [name for name, config in KINDS.items() if config == loaded.info.model]
    return name, seed


def _fork(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            sys.stderr.write(repr(error))
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    return child


def _exit_code(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _in_a_fresh_process(folder: Path, *functions: Callable[[Path], list[Any]]) -> dict[str, Any]:
    """What the functions give, each with a folder of its own, or how they failed; by their name."""
    code = """if True:
        import sys
        sys.path.append("shared")
        import test_checkpoints as t
        t.report(t.Path(sys.argv[1]), sys.argv[2:])
        """
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), *[f.__name__ for f in functions]],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    assert isinstance(value, dict)
    return value


def report(folder: Path, names: list[str]) -> None:
    """Run functions of this file and print what they give as JSON."""
    results = {}
    for name in names:
        (folder / name).mkdir()
        try:
            results[name] = globals()[name](folder / name)
        except Exception:
            results[name] = traceback.format_exc()
    sys.stdout.write(json.dumps(results))


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the functions below give."""
    folder = tmp_path_factory.mktemp("processes")
    return _in_a_fresh_process(folder, stop_at_every_step, fill_the_disk)


def _starting_points(folder: Path) -> Iterator[tuple[str, Path, set[tuple[str, int]]]]:
    """Folders to save ("other", 9) into, and what they hold."""
    for name, saves in {
        "nothing": [],
        "another kind and one kept": [("other", 1), ("small", 2)],
        "a pair of an earlier version": [("small", 2)],
    }.items():
        base = folder / name
        base.mkdir()
        for kind, seed in saves:
            _saving(kind, seed)(base / "m.pt")
        if name.startswith("a pair"):
            _old_pair(base / "m.pt")
        yield name, base, set(saves[-1:])


def stop_at_every_step(folder: Path) -> list[int]:
    """End a process at its first, second, third ... touch of the file system while saving."""
    counts = []
    new, later = _saving("other", 9), _saving("small", 5)
    for name, base, before in _starting_points(folder):
        stops = 0
        while True:
            stops += 1
            place = folder / f"{name} {stops}"
            shutil.copytree(base, place)
            path = place / "m.pt"
            code = _exit_code(_fork(lambda p=path, n=stops: _stop_at(n, new, p)))
            assert code in (0, STOPPED)
            finished = code == 0
            allowed = {("other", 9)} if finished else {*before, ("other", 9)}
            if path.exists() or before or finished:
                assert _read_whole(path) in allowed, (name, stops)
            kept = place / "m.previous.pt"
            # While the pair of an earlier version is in its place, a copy may lack the description.
            if kept.exists() and _read_whole(path) == ("other", 9):
                assert _read_whole(kept) in {("other", 1), ("small", 2)}
            # What a killed process leaves behind is no obstacle to the next one.
            later(path)
            assert _read_whole(path) == ("small", 5)
            if finished:
                break
        counts.append(stops)
    return counts


def _stop_at(count: int, save: _Save, path: Path) -> None:
    """Save, but end the process without any clean-up at the touch number `count`."""
    touches = 0

    def hook(event: str, _: object) -> None:
        nonlocal touches
        if event in ("open", "os.rename", "os.remove", "os.mkdir"):
            touches += 1
            if touches == count:
                os._exit(STOPPED)

    sys.addaudithook(hook)
    save(path)


@posix
def test_a_process_that_ends_at_any_step_of_saving_leaves_the_old_or_the_new_model(
    outcomes: dict[str, Any],
) -> None:
    steps = outcomes["stop_at_every_step"]
    assert isinstance(steps, list), steps
    # Each save opens, writes and moves at least two files, with a kept model four.
    alone, with_kept, with_pair = steps
    assert alone > 6
    assert with_kept > alone + 6
    assert with_pair > alone + 6


def fill_the_disk(folder: Path) -> list[int]:
    """Save where no file may grow beyond a few bytes: what a full disk does to a write."""
    import resource

    path, save = folder / "m.pt", _saving("other", 9)
    _saving("small", 1)(path)
    before = {name: (folder / name).read_bytes() for name in _names(folder)}

    def work(limit: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            save(path)
        except OutputError as error:
            os._exit(7 if os.strerror(errno.EFBIG) in str(error) else 8)

    codes = []
    for limit in (0, 100, 1_000, 2_000, 4_000, 1_000_000):
        codes.append(_exit_code(_fork(lambda n=limit: work(n))))
        if codes[-1] == 7:
            assert before.items() <= {n: (folder / n).read_bytes() for n in _names(folder)}.items()
            assert set(_names(folder)) - set(before) <= {"m.previous.pt", "m.previous.json"}
            assert _read_whole(path) == ("small", 1)
    assert _read_whole(path) == ("other", 9)
    return codes


@posix
def test_a_full_disk_leaves_the_old_model_and_no_other_files(outcomes: dict[str, Any]) -> None:
    assert outcomes["fill_the_disk"] == [7, 7, 7, 7, 7, 0]


# ----------------------------------------------------------------------------- notices


@pytest.mark.parametrize(
    "notice", ["sidecar_ignored", "taken_as_lesson", "options_ignored", "unwrapped"]
)
def test_every_notice_has_a_text(notice: str) -> None:
    assert Messages("es").has(f"model.{notice}")


# --------------------------------------------------------------------------- ensembles


def _ensemble(folder: Path, **second: Any) -> list[SimpleCNN]:
    """Two networks in `folder`, with a checkpoint and a replaced one beside them."""
    members = [_trained(SMALL, 1), _trained(OTHER, 2)]
    save_model(members[0], folder / "seed0.pt", _info(SMALL))
    save_model(members[1], folder / "seed1.pt", dataclasses.replace(_info(OTHER), **second))
    (folder / "seed2.checkpoint.pt").write_bytes(b"not a network")
    (folder / "seed0.previous.pt").write_bytes(b"not a network")
    return members


def test_options_beside_an_ensemble_are_told_to_be_ignored(tmp_path: Path) -> None:
    _ensemble(tmp_path)
    assert load_model(tmp_path, SMALL).notices == ("ensemble", "options_ignored")


def test_a_folder_of_networks_answers_with_the_mean_of_their_probabilities(tmp_path: Path) -> None:
    members = _ensemble(tmp_path, metrics={"test": {"accuracy": 0.5}})
    loaded = load_model(tmp_path)
    expected = sum(member(_images()).softmax(dim=1) for member in members) / 2
    torch.testing.assert_close(loaded.model(_images()).exp(), expected)
    assert loaded.info == _info(SMALL)
    assert loaded.notices == ("ensemble",)
    assert not loaded.model.training


@pytest.mark.parametrize(
    ("second", "field"),
    [
        ({"data_checksum": "other"}, "data_checksum"),
        ({"scale": Scale(0.5, 0.3081)}, "mean"),
        ({"train": TrainConfig(holdout=0)}, "holdout"),
    ],
)
def test_networks_of_different_digits_do_not_answer_together(
    tmp_path: Path, second: dict[str, Any], field: str
) -> None:
    _ensemble(tmp_path, **second)
    with pytest.raises(ModelError, match=rf"seed1\.pt was trained with another {field} than seed0"):
        load_model(tmp_path)


def test_a_network_without_its_description_is_no_member(tmp_path: Path) -> None:
    _ensemble(tmp_path)
    save_model(SimpleCNN(), tmp_path / "seed1.pt", _info(ModelConfig()))
    _without_description(tmp_path / "seed1.pt")
    with pytest.raises(ModelError, match=r"seed1\.pt has no description \(seed1\.json\)"):
        load_model(tmp_path)


def test_every_member_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _ensemble(tmp_path)
    read, read_bytes = [], Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda p: read.append(p.name) or read_bytes(p))
    load_model(tmp_path)
    assert sorted(read) == ["seed0.pt", "seed1.pt"]


def test_a_member_that_is_not_finite_is_refused_by_its_name(tmp_path: Path) -> None:
    members = _ensemble(tmp_path)
    members[1].fc2.bias.data[3] = float("nan")
    save_model(members[1], tmp_path / "seed1.pt", _info(OTHER))
    with pytest.raises(ModelError, match=r"seed1\.pt holds weights that are not finite"):
        load_model(tmp_path)


def test_a_folder_without_networks_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="There is no model"):
        load_model(tmp_path)


def test_the_checksum_of_an_ensemble_changes_with_any_member(tmp_path: Path) -> None:
    _ensemble(tmp_path)
    first = weights_checksum(tmp_path)
    assert weights_checksum(tmp_path / "seed0.pt") != first == weights_checksum(tmp_path)
    save_model(_trained(OTHER, 9), tmp_path / "seed1.pt", _info(OTHER))
    assert weights_checksum(tmp_path) != first


def test_a_network_trained_with_an_option_of_before_is_loaded_and_that_is_told(path: Path) -> None:
    train = {**TrainConfig(recipe="distilled").to_dict(), "distillation": 1.0, "muon_momentum": 0.7}
    _edit(_lesson_saved(path), train=train)
    loaded = load_model(path)
    assert loaded.info is not None
    assert loaded.info.train.recipe == "distilled"
    assert loaded.info.removed == ("distillation",)
    assert loaded.notices == ("removed_options",)
