"""The threshold: what counts as right, what is chosen, and for which weights it is kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from taller_cnn.checkpoints import LoadedModel, ModelInfo, save_model, weights_checksum
from taller_cnn.config import ModelConfig, recipe
from taller_cnn.data import Digits, DigitsPlace
from taller_cnn.errors import DataError, InputError, ModelError
from taller_cnn.messages import Messages
from taller_cnn.model import SimpleCNN
from taller_cnn.reader.finding import find
from taller_cnn.reader.reading import DigitReading, PictureReading, Reader
from taller_cnn.reader.rendering import RenderedDigit, RenderedPicture, rendered_pictures
from taller_cnn.reader.threshold import (
    HEIGHTS,
    LEAST,
    REVISION,
    choose_threshold,
    ensure_threshold,
    judged,
    judgements,
    kept_threshold,
    threshold_path,
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


def written(*marks: tuple[int, int | None]) -> RenderedPicture:
    """A picture with 10 by 20 pixel marks at the given columns."""
    return RenderedPicture(
        pixels=np.zeros((40, 100, 3), np.uint8),
        marks=tuple(RenderedDigit(box=(x, 10, x + 10, 30), label=label) for x, label in marks),
        kind="photo",
    )


def reading(*digits: tuple[tuple[int, int, int, int], int, float]) -> PictureReading:
    found = tuple(
        DigitReading(
            box=box,
            digit=digit,
            probability=probability,
            second=0,
            second_probability=0.0,
            uncertain=False,
            image28=np.zeros((28, 28), np.uint8),
        )
        for box, digit, probability in digits
    )
    return PictureReading(text="", digits=found, rejected=(), steps={})


def test_a_reading_is_right_if_its_digit_is_the_one_at_its_place() -> None:
    picture = written((0, 3), (50, 7))
    said = reading(((1, 9, 11, 31), 3, 0.9), ((50, 10, 60, 30), 1, 0.8))
    assert judgements(picture, said) == [(0.9, True), (0.8, False)]


def test_what_is_read_where_nothing_is_or_no_digit_is_wrong() -> None:
    picture = written((0, 3), (50, None))
    said = reading(((80, 10, 90, 30), 3, 0.9), ((50, 10, 60, 30), 4, 0.7))
    assert judgements(picture, said) == [(0.9, False), (0.7, False)]


def test_a_piece_of_a_digit_and_a_second_reading_of_it_are_wrong() -> None:
    piece = reading(((0, 10, 10, 15), 3, 0.9))
    assert judgements(written((0, 3)), piece) == [(0.9, False)]
    twice = reading(((0, 10, 10, 30), 3, 0.9), ((0, 10, 10, 30), 3, 0.6))
    assert judgements(written((0, 3)), twice) == [(0.9, True), (0.6, False)]
    both = reading(((0, 10, 60, 30), 3, 0.9))
    assert judgements(written((0, 3), (50, 3)), both) == [(0.9, False)]


def test_nothing_read_is_no_judgement() -> None:
    assert judgements(written((0, 3)), reading()) == []


def test_the_chosen_threshold_has_its_precision_on_pictures_of_the_same_seed(
    sample_digits: Digits, network: SimpleCNN
) -> None:
    reader = Reader(model=network)
    chosen = choose_threshold(reader, sample_digits.validation, pictures=14, seed=1, precision=0.95)
    readings = judged(rendered_pictures(sample_digits.validation, 14, 1, heights=HEIGHTS), reader)
    believed = [right for p, right in readings if p >= chosen.threshold]
    assert chosen.n == len(readings)
    assert chosen.threshold >= LEAST
    if believed:
        assert chosen.precision == pytest.approx(np.mean(believed))
        assert chosen.coverage == pytest.approx(len(believed) / len(readings))
        assert chosen.precision >= 0.95


def test_a_network_that_is_right_but_never_sure_is_never_believed(
    sample_digits: Digits, network: SimpleCNN, monkeypatch: pytest.MonkeyPatch
) -> None:
    timid = [(0.3, True), (0.4, True)] * 200
    monkeypatch.setattr("taller_cnn.reader.threshold.judged", lambda pictures, reader: timid)
    chosen = choose_threshold(Reader(model=network), sample_digits.validation, pictures=1)
    assert chosen.threshold > 1
    assert (chosen.coverage, chosen.n) == (0.0, 400)


def test_a_network_that_knows_nothing_is_never_believed(sample_digits: Digits) -> None:
    reader = Reader(model=SimpleCNN(ModelConfig(filters=(1,), hidden=1), seed=0).eval())
    chosen = choose_threshold(reader, sample_digits.validation, pictures=7)
    assert chosen.threshold > 1
    assert chosen.coverage == 0


def test_it_is_chosen_once_and_kept_for_these_weights_alone(
    model_path: Path, network: SimpleCNN, sample_dir: Path, sample_digits: Digits, monkeypatch
) -> None:
    monkeypatch.setattr("taller_cnn.reader.threshold.PICTURES", 7)
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


def test_the_whole_reader_is_judged(sample_digits: Digits, network: SimpleCNN) -> None:
    pictures = list(rendered_pictures(sample_digits.validation, 12, 0, kinds=["mouse"], others=0.0))
    readings = judged(pictures, Reader(model=network))
    assert len(readings) == sum(len(find(p.pixels).boxes) for p in pictures)
    assert np.mean([right for _, right in readings]) > 0.7
