"""From which probability on a reading is to be believed.

On clean MNIST digits every threshold reaches 99% precision, so one chosen there would mean nothing,
and whole pictures of pages take seconds to make and to read. So the network's own held-out digits
are warped in one batch, with marks among them that are of no class: what is cut in the wrong place,
and what is written over. How precise a network must be on these was calibrated with scenes, for
which 99% of what is believed should be right (`benchmarks/threshold_on_scenes.py`). The threshold
is kept beside the network: ``cnn_mnist.threshold.json`` beside ``cnn_mnist.pt``.
"""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from taller_cnn.augmentation import Augmentation, augment
from taller_cnn.calibration import Threshold, threshold_for_precision
from taller_cnn.checkpoints import LoadedModel, weights_checksum
from taller_cnn.data import DigitsPlace, LabelledImages
from taller_cnn.errors import InputError, ModelError
from taller_cnn.files import read_json, write_json
from taller_cnn.reader.reading import Reader, probabilities_of

PRECISION = 0.997
"""Of what is believed of warped marks. In pictures more goes wrong, before the network sees them:
in 486 scenes of 41 kinds (seed 1) `workshop`, `quick`, `fast` and three networks of `handwriting`
then have 98.0 to 98.9% right, and are sure of 81 to 94% of what they read."""
LEAST = 0.65
"""No threshold is lower. Networks trained with smoothed labels are hardly ever wrong and as sure as
0.5 on warped marks, but in scenes: of `quick` 97.9% is right from 0.5 on, 98.9% from here on."""
DRAWN = 3000
"""Marks that decide; of fewer digits each is taken several times, warped anew."""
WARP = Augmentation(
    rotation=15.0,
    shear=0.3,
    scale=0.12,
    stretch=0.2,
    shift=1.5,
    elastic=0.7,
    thickness=0.6,
    blur=0.8,
    contrast=0.6,
    noise=0.08,
)
OTHER_MARKS = 0.01
"""Part of the marks that are of no class. With twice as many, `handwriting` is sure of 78 to 94% of
the scenes' readings, by the draw, and right in 98.1 to 98.8% of them."""
NO_CLASS = -1
NONE_IS_SURE = 2.0
"""A threshold above every probability, for a network that never reaches the precision."""
REVISION = 5
"""Raised when marks are warped or read in another way, so that thresholds are chosen anew."""


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
    """The kept threshold of a network, or one chosen now, in a second and without any download.

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
    drawn: int | None = None,
    seed: int = 0,
    precision: float = PRECISION,
) -> Threshold:
    """The least probability from which on `precision` of the readings are right.

    Args:
        reader: the network to choose for, of any number of classes.
        validation: digits that it was not trained on.
        drawn: how many marks to read; None for `DRAWN`.
        seed: of what is drawn.
        precision: fraction of the readings at or above the threshold that are right.

    Returns:
        The threshold, at least `LEAST`, with its precision and coverage on the warped marks;
        above 1 if the network never gets that far.
    """
    images, labels = warped(validation, DRAWN if drawn is None else drawn, seed)
    rows = probabilities_of([images], reader)
    sure, right = rows.max(axis=1), rows.argmax(axis=1) == labels
    n = len(labels)
    try:
        chosen = threshold_for_precision(sure, right, precision)
    except InputError:
        return Threshold(threshold=NONE_IS_SURE, precision=0.0, coverage=0.0, n=n)
    if chosen.threshold >= LEAST:
        return chosen
    believed = right[sure >= LEAST]
    share = float(believed.mean()) if len(believed) else 0.0
    return Threshold(threshold=LEAST, precision=share, coverage=len(believed) / n, n=n)


def warped(split: LabelledImages, n: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """`n` warped marks ``uint8 [n, 28, 28]`` and their classes; `NO_CLASS` for what is of none."""
    generator = torch.Generator().manual_seed(seed)
    rounds = -(-n // len(split))
    order = torch.cat([torch.randperm(len(split), generator=generator) for _ in range(rounds)])[:n]
    images, labels = split.images[order].float() / 255, split.labels[order].clone()
    others = round(OTHER_MARKS * n)
    images[:others], labels[:others] = _of_no_class(images[:others]), NO_CLASS
    levels = augment(images, WARP, generator)[:, 0].mul(255).round().byte()
    return levels.numpy(), labels.numpy()


def _of_no_class(images: Tensor) -> Tensor:
    """By turns half of each image, it and the one before in one, side by side and overwritten."""
    before = images.roll(1, dims=0)
    halves = F.pad(images[..., :14], (7, 7))
    both = torch.cat([images[..., 4:24], before[..., 4:24]], dim=3)
    # As high as they are with MNIST's 20 pixels across.
    pairs = F.pad(F.interpolate(both, size=(17, 24), mode="area"), (2, 2, 6, 5))
    turns = torch.arange(len(images))[:, None, None, None] % 3
    one_of_two = torch.where(turns == 1, pairs, torch.maximum(images, before))
    return torch.where(turns == 0, halves, one_of_two)
