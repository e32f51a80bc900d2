"""From which probability on a reading is to be believed.

On clean MNIST digits every threshold reaches 99% precision, so one chosen there would mean
nothing. It is chosen on validation digits that are written, photographed and read by the whole
reader, with marks among them that are no digits, and kept beside the network it belongs to:
``cnn_mnist.threshold.json`` beside ``cnn_mnist.pt``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from taller_cnn.calibration import Threshold, threshold_for_precision
from taller_cnn.checkpoints import LoadedModel, weights_checksum
from taller_cnn.data import DigitsPlace, LabelledImages
from taller_cnn.errors import InputError, ModelError
from taller_cnn.files import read_json, write_json
from taller_cnn.reader.finding import find
from taller_cnn.reader.marks import Box
from taller_cnn.reader.reading import PictureReading, Reader, read_found
from taller_cnn.reader.rendering import RenderedPicture, rendered_pictures

PRECISION = 0.99
PICTURES = 140
"""Rendered for the choice: about 430 readings, of which 1% is four."""
HEIGHTS = (36, 72)
"""Of the digits in them, in pixels: small ones are found in a third of the time."""
LEAST = 0.5
"""No threshold is lower: below it, another digit could be as probable."""
NONE_IS_SURE = 2.0
"""A threshold above every probability, for a network that never reaches the precision."""
OVERLAP = 0.3
"""A reading belongs to the mark that it shares at least this part of their joint area with."""
REVISION = 4
"""Raised when pictures are rendered or read in another way, so that thresholds are chosen anew."""


def threshold_path(model_path: Path) -> Path:
    """Where the threshold of the network in `model_path` is kept."""
    return model_path.with_suffix(".threshold.json")


def kept_threshold(model_path: Path) -> Threshold | None:
    """The threshold that was chosen for exactly the weights in `model_path`, if there is one."""
    value = read_json(threshold_path(model_path))
    if not isinstance(value, dict) or value.get("revision") != REVISION:
        return None
    try:
        if value["sha256"] != weights_checksum(model_path):
            return None
        figures = {name: float(value[name]) for name in ("threshold", "precision", "coverage")}
        kept = Threshold(**figures, n=int(value["n"]))
    except (OSError, KeyError, TypeError, ValueError):
        return None
    return kept if all(math.isfinite(figure) for figure in figures.values()) else None


def ensure_threshold(model_path: Path, loaded: LoadedModel, place: DigitsPlace) -> Threshold:
    """The kept threshold of a network, or one chosen now, in seconds and without any download.

    Args:
        model_path: the network's weights; the threshold is kept beside them.
        loaded: the network, with a description.
        place: where the digits are; which ones, the description says.

    Raises:
        InputError: the network was trained with no digits held out.
        ModelError: the digits here are not those that the network was trained on.
        DataError: the digits are missing or damaged.
        OutputError: the folder cannot be written.
    """
    kept = kept_threshold(model_path)
    if kept is not None:
        return kept
    info = loaded.info
    assert info is not None, "whose digits it was trained on is not known without a description"
    if not info.train.holdout:
        raise InputError("reader_no_holdout", path=model_path)
    weights = weights_checksum(model_path)
    learned = replace(place, dataset=info.dataset, source=info.source, mirrors=())
    digits = learned.load(info.train.holdout)
    if digits.checksum != info.data_checksum:
        raise ModelError("reader_other_digits", path=model_path, folder=digits.folder)
    chosen = choose_threshold(Reader.of(loaded), digits.validation)
    record: dict[str, Any] = {**asdict(chosen), "revision": REVISION, "sha256": weights}
    write_json(threshold_path(model_path), record)
    return chosen


def choose_threshold(
    reader: Reader,
    validation: LabelledImages,
    *,
    pictures: int | None = None,
    seed: int = 0,
    precision: float = PRECISION,
) -> Threshold:
    """The least probability from which on `precision` of the readings are right.

    One mark in fifty is no digit: where more are, fewer than `precision` are right.

    Args:
        reader: the network to choose for.
        validation: digits that it was not trained on.
        pictures: how many to render and read; None for `PICTURES`.
        seed: of the pictures.
        precision: fraction of the readings at or above the threshold that are right.

    Returns:
        The threshold, at least 0.5, with its precision and coverage on the rendered pictures;
        above 1 if the network never gets that far.
    """
    count = PICTURES if pictures is None else pictures
    readings = judged(rendered_pictures(validation, count, seed, heights=HEIGHTS), reader)
    sure, right = [p for p, _ in readings], [hit for _, hit in readings]
    try:
        chosen = threshold_for_precision(sure, right, precision)
    except InputError:
        return _never(len(readings))
    return chosen if chosen.threshold >= LEAST else _least(readings)


def _least(readings: Sequence[tuple[float, bool]]) -> Threshold:
    """The lowest threshold there is, with what it does on the readings."""
    believed = [hit for p, hit in readings if p >= LEAST]
    if not believed:
        return _never(len(readings))
    precision, coverage = sum(believed) / len(believed), len(believed) / len(readings)
    return Threshold(threshold=LEAST, precision=precision, coverage=coverage, n=len(readings))


def _never(n: int) -> Threshold:
    return Threshold(threshold=NONE_IS_SURE, precision=0.0, coverage=0.0, n=n)


def judged(pictures: Iterable[RenderedPicture], reader: Reader) -> list[tuple[float, bool]]:
    """Probability of every reading in the pictures, and whether it is right.

    What is read where no digit is, and a second reading of one digit, are wrong.
    """
    rendered = list(pictures)
    readings = read_found([find(picture.pixels) for picture in rendered], reader)
    return [
        judgement
        for picture, reading in zip(rendered, readings, strict=True)
        for judgement in judgements(picture, reading)
    ]


def judgements(picture: RenderedPicture, reading: PictureReading) -> list[tuple[float, bool]]:
    """`judged` for one picture and its reading."""
    found: list[tuple[float, bool]] = []
    free = list(picture.marks)
    for digit in reading.digits:
        shares = [_shared(digit.box, mark.box) for mark in free]
        best = max(range(len(free)), key=shares.__getitem__, default=None)
        if best is None or shares[best] < OVERLAP:
            found.append((digit.probability, False))
        else:
            found.append((digit.probability, free.pop(best).label == digit.digit))
    return found


def _shared(one: Box, other: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width * height / (areas - width * height)
