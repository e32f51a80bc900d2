"""What networks say of digits that they were not trained on: the `fast` recipe, fold by fold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from taller_cnn.calibration import apply_temperature, fit_temperature
from taller_cnn.config import recipe
from taller_cnn.data import Digits, LabelledImages
from taller_cnn.errors import DataError, InputError
from taller_cnn.evaluation import evaluate
from taller_cnn.explain.subject import Tick
from taller_cnn.model import SimpleCNN
from taller_cnn.training import Progress, train

FOLDS, REPEATS = 5, 2
_HUNDRED = 100


@dataclass(frozen=True, kw_only=True, eq=False)
class OutOfSample:
    """Probabilities by networks that have not seen the digit, averaged over networks.

    They are calibrated by one temperature (Guo et al. 2017), fitted on the training digits' own
    out-of-sample probabilities: trained with label smoothing, the networks say 90% at most, and
    confident learning would take hardly any disagreement for a confident one.
    """

    labels: Tensor
    """Of all training digits, then the held-out ones: int64 ``[N]``."""
    train: Tensor
    """float32 ``[N, K]``."""
    test: Tensor
    """float32 ``[M, K]``."""
    networks: int
    """How many were trained."""


def out_of_sample(
    digits: Digits,
    tick: Tick,
    *,
    folds: int = FOLDS,
    repeats: int = REPEATS,
    seed: int = 0,
) -> OutOfSample:
    """Train a network without each fold, and ask it about that fold and the test digits.

    Each training and validation digit is judged by one network per repeat, test digits by all.

    Raises:
        DataError: a class has fewer than two training digits.
    """
    pool = digits.pool
    fewest = int(torch.bincount(pool.labels, minlength=digits.n_classes).min())
    if fewest < 2:
        raise DataError("explain_few_digits", n=fewest)
    splits = list(_splits(pool.labels, min(folds, fewest), repeats, seed))
    network, networks = recipe("fast")[0], len(splits)
    train_chances = torch.zeros(len(pool), digits.n_classes)
    test_chances = torch.zeros(len(digits.test), digits.n_classes)
    for number, (inside, outside) in enumerate(splits):
        model = SimpleCNN(network, n_classes=digits.n_classes, seed=seed + number)
        for share in _train(model, digits, pool[inside], seed + number):
            tick(round((number + share) * _HUNDRED), networks * _HUNDRED)
        train_chances[outside] += _probabilities(model, digits, pool[outside]) / repeats
        test_chances += _probabilities(model, digits, digits.test) / networks
        tick((number + 1) * _HUNDRED, networks * _HUNDRED)
    temperature = _temperature(train_chances, pool.labels)
    return OutOfSample(
        labels=pool.labels,
        train=_sharpened(train_chances, temperature),
        test=_sharpened(test_chances, temperature),
        networks=networks,
    )


def _splits(labels: Tensor, folds: int, repeats: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Positions to train on and those left out, stratified, repeat after repeat."""
    from sklearn.model_selection import StratifiedKFold

    for repeat in range(repeats):
        splitter = StratifiedKFold(folds, shuffle=True, random_state=seed + repeat)
        for inside, outside in splitter.split(np.zeros(len(labels)), labels.numpy()):
            yield torch.from_numpy(inside), torch.from_numpy(outside)


def _temperature(chances: Tensor, labels: Tensor) -> float:
    """Label smoothing keeps these networks from being sure; 1 where that cannot be measured."""
    try:
        return fit_temperature(chances.log(), labels)
    except InputError:
        return 1.0


def _sharpened(chances: Tensor, temperature: float) -> Tensor:
    return apply_temperature(chances.log(), temperature).exp()


def _train(model: SimpleCNN, digits: Digits, split: LabelledImages, seed: int) -> Iterator[float]:
    """Train on `split`; yields how much of the training is done, 0 to 1."""
    config = recipe("fast", train={"seed": seed, "holdout": 0, "device": "cpu"})[1]
    for event in train(model, digits.training_on(split), config, score="last-epoch"):
        if isinstance(event, Progress):
            yield event.step / event.of


def _probabilities(model: SimpleCNN, digits: Digits, split: LabelledImages) -> Tensor:
    return evaluate(model, split, digits.scale).log_probabilities.exp()
