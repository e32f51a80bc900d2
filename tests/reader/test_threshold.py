"""The threshold: what is warped, what is chosen, and for which weights it is kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from taller_cnn.checkpoints import LoadedModel, ModelInfo, save_model, weights_checksum
from taller_cnn.config import ModelConfig, recipe
from taller_cnn.data import Digits, DigitsPlace, LabelledImages
from taller_cnn.errors import DataError, InputError, ModelError
from taller_cnn.messages import Messages
from taller_cnn.model import SimpleCNN
from taller_cnn.reader.reading import Reader, probabilities_of
from taller_cnn.reader.threshold import (
    LEAST,
    NO_CLASS,
    OTHER_MARKS,
    REVISION,
    choose_threshold,
    ensure_threshold,
    kept_threshold,
    threshold_path,
    warped,
)
from taller_cnn.training import train

QUICK, CONFIG = recipe("quick", train={"epochs": 3.0, "device": "cpu"})


@pytest.fixture(scope="module")
def network(sample_digits: Digits) -> SimpleCNN:
    """Trained for three seconds: right about nine times in ten."""
    model = SimpleCNN(QUICK, seed=0)
    list(train(model, sample_digits, CONFIG, score="last-epoch"))
    return model.eval()


@pytest.fixture
def model_path(tmp_path: Path, network: SimpleCNN, sample_digits: Digits) -> Path:
    path = tmp_path / "cnn_mnist.pt"
    save_model(network, path, info(sample_digits))
    return path


def place_of(folder: Path) -> DigitsPlace:
    return DigitsPlace(data_dir=folder, sample_dir=folder)


def info(digits: Digits, holdout: int = 5000, checksum: str | None = None) -> ModelInfo:
    return ModelInfo(
        model=QUICK,
        train=CONFIG.replace(holdout=holdout),
        dataset="mnist",
        class_names=digits.class_names,
        scale=digits.scale,
        source="sample",
        data_checksum=checksum or digits.checksum,
    )


def test_the_chosen_threshold_has_its_precision_on_marks_of_the_same_seed(
    sample_digits: Digits, network: SimpleCNN
) -> None:
    reader = Reader(model=network)
    chosen = choose_threshold(reader, sample_digits.validation, drawn=600, seed=1, precision=0.97)
    images, labels = warped(sample_digits.validation, 600, 1)
    rows = probabilities_of([images], reader)
    believed = (rows.argmax(axis=1) == labels)[rows.max(axis=1) >= chosen.threshold]
    assert chosen.n == 600
    assert LEAST <= chosen.threshold < 1
    assert chosen.precision == pytest.approx(believed.mean())
    assert chosen.coverage == pytest.approx(len(believed) / 600)
    assert chosen.precision >= 0.97


def test_the_same_seed_warps_alike_and_no_other_chance_is_drawn_from(
    sample_digits: Digits,
) -> None:
    state = torch.random.get_rng_state()
    (first, _), (again, _), (other, _) = (
        warped(sample_digits.validation, 50, seed) for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert torch.equal(state, torch.random.get_rng_state())


def test_more_marks_than_digits_take_them_again_warped_anew(sample_digits: Digits) -> None:
    few = sample_digits.validation[:10]
    images, labels = warped(few, 100, 0)
    assert images.shape == (100, 28, 28)
    assert images.dtype == np.uint8
    kept = labels[labels != NO_CLASS]
    assert set(kept.tolist()) == set(few.labels.tolist())
    assert len(np.unique(images.reshape(100, -1), axis=0)) == 100


def test_some_marks_are_of_no_class_and_unlike_the_digits(
    sample_digits: Digits, network: SimpleCNN
) -> None:
    images, labels = warped(sample_digits.validation, 1500, 0)
    others = labels == NO_CLASS
    assert others.mean() == pytest.approx(OTHER_MARKS, abs=0.001)
    sure = probabilities_of([images], Reader(model=network)).max(axis=1)
    assert np.median(sure[others]) < 0.75 * np.median(sure[~others])


class Shape(torch.nn.Module):
    """Sure of the same class whatever it sees; of one of so many."""

    def __init__(self, classes: int, sure: float) -> None:
        super().__init__()
        rest = torch.full((classes,), (1 - sure) / (classes - 1))
        rest[0] = sure
        self.logits = rest.log()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(images), -1)


def alike(digits: Digits, label: int, n: int = 80) -> LabelledImages:
    """The first digits, said to be all of one class."""
    return LabelledImages(
        images=digits.validation.images[:n], labels=torch.full((n,), label, dtype=torch.int64)
    )


@pytest.mark.parametrize("classes", [3, 10, 47])
def test_networks_of_any_number_of_classes_have_a_threshold(
    sample_digits: Digits, classes: int
) -> None:
    reader = Reader(model=Shape(classes, 0.8).eval())
    right = choose_threshold(reader, alike(sample_digits, 0), drawn=400, precision=0.9)
    assert right.threshold == pytest.approx(0.8, abs=1e-5)
    assert right.precision == pytest.approx(1 - OTHER_MARKS)
    wrong = choose_threshold(reader, alike(sample_digits, 1), drawn=400, precision=0.9)
    assert wrong.threshold > 1
    assert (wrong.precision, wrong.coverage, wrong.n) == (0.0, 0.0, 400)


def test_no_threshold_is_lower_than_the_least(
    sample_digits: Digits,
) -> None:
    reader = Reader(model=Shape(10, 0.3).eval())
    timid = choose_threshold(reader, alike(sample_digits, 0), drawn=400, precision=0.9)
    assert timid.threshold == LEAST
    assert timid.coverage == 0


def test_a_network_that_knows_nothing_is_never_believed(sample_digits: Digits) -> None:
    reader = Reader(model=SimpleCNN(ModelConfig(filters=(1,), hidden=1), seed=0).eval())
    chosen = choose_threshold(reader, sample_digits.validation, drawn=300)
    assert chosen.threshold > 1
    assert chosen.coverage == 0


def test_it_is_chosen_once_and_kept_for_these_weights_alone(
    model_path: Path, network: SimpleCNN, sample_dir: Path, sample_digits: Digits, monkeypatch
) -> None:
    monkeypatch.setattr("taller_cnn.reader.threshold.DRAWN", 100)
    loaded = LoadedModel(model=network, info=info(sample_digits))
    assert kept_threshold(model_path) is None

    def ensured():
        return ensure_threshold(model_path, loaded, place_of(sample_dir))

    chosen = ensured()
    assert kept_threshold(model_path) == chosen
    written = threshold_path(model_path).read_bytes()
    assert ensured() == chosen
    assert threshold_path(model_path).read_bytes() == written

    with torch.no_grad():
        other = SimpleCNN(QUICK, seed=5)
    save_model(other, model_path, info(sample_digits))
    assert kept_threshold(model_path) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda record: "not json",
        lambda record: json.dumps([record]),
        lambda record: json.dumps({**record, "revision": 0}),
        lambda record: json.dumps({**record, "threshold": "high"}),
        lambda record: json.dumps({**record, "threshold": float("nan")}),
        lambda record: json.dumps({k: v for k, v in record.items() if k != "n"}),
    ],
)
def test_a_damaged_record_is_no_threshold(model_path: Path, damage) -> None:
    from taller_cnn.files import sha256

    record = {"threshold": 0.9, "precision": 0.99, "coverage": 0.8, "n": 700, "revision": REVISION}
    record["sha256"] = sha256(model_path.read_bytes())
    threshold_path(model_path).write_text(json.dumps(record))
    kept = kept_threshold(model_path)
    assert kept is not None
    assert (kept.threshold, kept.n) == (0.9, 700)
    threshold_path(model_path).write_text(damage(record))
    assert kept_threshold(model_path) is None


def test_the_threshold_of_an_ensemble_is_kept_beside_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "ensemble"
    folder.mkdir()
    for seed in (0, 1):
        (folder / f"seed{seed}.pt").write_bytes(b"weights %d" % seed)
    record = {"threshold": 0.9, "precision": 0.99, "coverage": 0.8, "n": 700, "revision": REVISION}
    record["sha256"] = weights_checksum(folder)
    (tmp_path / "ensemble.threshold.json").write_text(json.dumps(record))
    kept = kept_threshold(folder)
    assert kept is not None
    assert kept.threshold == 0.9
    (folder / "seed1.pt").write_bytes(b"other weights")
    assert kept_threshold(folder) is None


def test_without_the_networks_own_held_out_digits_nothing_is_chosen(
    model_path: Path, network: SimpleCNN, sample_dir: Path, sample_digits: Digits, tmp_path: Path
) -> None:
    missing = tmp_path / "none"
    cases = (
        (info(sample_digits, holdout=0), sample_dir, InputError, "reader_no_holdout"),
        (info(sample_digits, checksum="0" * 16), sample_dir, ModelError, "reader_other_digits"),
    )
    for about, folder, kind, key in cases:
        loaded = LoadedModel(model=network, info=about)
        with pytest.raises(kind) as caught:
            ensure_threshold(model_path, loaded, place_of(folder))
        assert caught.value.key == key
        assert str(model_path) in caught.value.text(Messages("es"))
    full = ModelInfo(**{**vars(info(sample_digits)), "source": "full"})
    loaded = LoadedModel(model=network, info=full)
    with pytest.raises(DataError):
        ensure_threshold(model_path, loaded, place_of(missing))
    assert not threshold_path(model_path).exists()
