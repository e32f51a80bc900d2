"""What the network says of pictures of no class: clothes, scrambled digits, noise, a blank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from taller_cnn.data import DigitsPlace, LabelledImages
from taller_cnn.errors import DataError
from taller_cnn.evaluation import evaluate, wilson_interval
from taller_cnn.explain.draw.trust import strangers_figure
from taller_cnn.explain.parts import Numbers, Part
from taller_cnn.explain.subject import Subject
from taller_cnn.messages import Messages
from taller_cnn.page import Paragraph, Picture, Table

MOST = 2000
"""Pictures of a kind."""
KEPT = 0.95
"""Part of the held-out digits that the threshold lets through."""
SURE = 0.9

Confidences = npt.NDArray[np.float64]
"""Probability of the predicted class of each picture, ``[N]``."""


def strangers(subject: Subject) -> dict[str, Tensor]:
    """Pictures ``uint8 [n, 1, 28, 28]`` by kind; ``fashion`` only where it is on the disk.

    ``scrambled`` are test digits with their pixels in another order, the same for all: the greys
    of digits without their shapes.
    """
    generator = torch.Generator().manual_seed(subject.seed)
    test = subject.digits.test.images[:MOST]
    order = torch.randperm(28 * 28, generator=generator)
    pictures = {
        "scrambled": test.flatten(1)[:, order].reshape(test.shape),
        "noise": torch.randint(256, (MOST, 1, 28, 28), dtype=torch.uint8, generator=generator),
        "blank": torch.zeros(1, 1, 28, 28, dtype=torch.uint8),
    }
    clothes = None
    if subject.place is not None and subject.digits.name != "fashion-mnist":
        clothes = _fashion(subject.place)
    return pictures if clothes is None else {"fashion": clothes[:MOST], **pictures}


def _fashion(place: DigitsPlace) -> Tensor | None:
    """The test pictures of Fashion-MNIST, if they are there and intact; nothing is downloaded."""
    clothes = replace(place, dataset="fashion-mnist", source="full", mirrors=())
    try:
        return clothes.load(holdout=0).test.images
    except DataError:
        return None


def confidences(scores: Tensor) -> Confidences:
    """The confidence of each answer, of log-probabilities ``[N, K]``."""
    return scores.double().exp().max(dim=1).values.clamp(max=1).numpy()


def out_of_distribution(subject: Subject, own: Confidences, say: Messages) -> Part:
    """How sure the network is of such pictures, beside its test digits.

    The threshold is set on the held-out digits and tried on the test digits and on strangers;
    without held-out digits there is none.

    Args:
        subject: the network.
        own: confidences of the test digits.
        say: the reader's language.
    """
    held, threshold, accepted = subject.validation, None, None
    if held is not None:
        threshold = float(np.quantile(confidences(held.log_probabilities), 1 - KEPT))
        accepted = float((own >= threshold).mean())
    scores = {name: _scores(subject, images) for name, images in strangers(subject).items()}
    sets = {name: confidences(rows) for name, rows in scores.items()}
    numbers = {name: _numbers(sure, own, threshold) for name, sure in sets.items()}
    many = {name: sure for name, sure in sets.items() if len(sure) > 1}
    counted = {name: numbers[name] for name in many}
    yield Paragraph(say("explain_trust.strangers.lead"))
    yield Paragraph(_worst(counted, threshold, accepted, say))
    blank = numbers["blank"]["mean_confidence"]
    name = subject.names(say)[int(scores["blank"].argmax(dim=1)[0])]
    yield Paragraph(say("explain_trust.strangers.blank", chance=blank, name=name))
    if "fashion" not in numbers and subject.digits.name != "fashion-mnist":
        yield Paragraph(say("explain_trust.strangers.no_fashion"))
    rows = {
        say(f"explain_trust.strangers.name.{name}"): sure
        for name, sure in {"own": own, **many}.items()
    }
    yield Picture(
        name="trust_strangers",
        draw=partial(strangers_figure, rows, threshold, say),
        alt=say("explain_trust.strangers.alt"),
    )
    yield _table(counted, say)
    about = {"threshold": threshold, "kept": KEPT, "own_accepted": accepted}
    yield Numbers({"strangers": {**about, **numbers}})


def _worst(
    numbers: Mapping[str, Mapping[str, Any]],
    threshold: float | None,
    accepted: float | None,
    say: Messages,
) -> str:
    """The kind of pictures that it takes most often for its own.

    Args:
        numbers: by kind.
        threshold: confidence from which on an answer is accepted, if there is one.
        accepted: share of the test digits that it accepts.
        say: the reader's language.
    """
    measure = "over_90" if threshold is None else "accepted"
    worst = max(numbers, key=lambda name: float(numbers[name][measure]))
    name, over_90 = say(f"explain_trust.strangers.name.{worst}"), numbers[worst]["over_90"]
    if threshold is None:
        return say("explain_trust.strangers.no_threshold", name=name, over_90=over_90)
    low, high = numbers[worst]["accepted_interval_95"]
    return say(
        "explain_trust.strangers.worst",
        name=name,
        over_90=over_90,
        accepted=numbers[worst]["accepted"],
        low=low,
        high=high,
        threshold=say.number(threshold, 3),
        kept=KEPT,
        own=accepted,
    )


def _table(numbers: Mapping[str, Mapping[str, Any]], say: Messages) -> Table:
    rows = (
        (
            say(f"explain_trust.strangers.name.{name}"),
            say.number(n["n"], 0),
            say.percent(n["mean_confidence"], 1),
            say.percent(n["over_90"], 1),
            "–" if n["accepted"] is None else say.percent(n["accepted"], 1),
            say.number(n["auroc"], 3),
        )
        for name, n in numbers.items()
    )
    columns = ("set", "n", "mean", "over_90", "accepted", "auroc")
    return Table(
        header=tuple(say(f"explain_trust.strangers.column.{name}") for name in columns),
        rows=tuple(rows),
        caption=say("explain_trust.strangers.table"),
    )


def _scores(subject: Subject, images: Tensor) -> Tensor:
    """Log-probabilities ``[N, K]`` of pictures."""
    split = LabelledImages(images=images, labels=torch.zeros(len(images), dtype=torch.int64))
    return evaluate(subject.model, split, subject.scale).log_probabilities


def _numbers(sure: Confidences, own: Confidences, threshold: float | None) -> dict[str, Any]:
    """`auroc`: chance that a test digit gets a higher confidence than a stranger."""
    from sklearn.metrics import roc_auc_score

    is_own = np.concatenate([np.ones(len(own)), np.zeros(len(sure))])
    accepted = interval = None
    if threshold is not None:
        count = int((sure >= threshold).sum())
        accepted, interval = count / len(sure), list(wilson_interval(count, len(sure)))
    return {
        "n": len(sure),
        "mean_confidence": float(sure.mean()),
        "over_90": float((sure > SURE).mean()),
        "accepted": accepted,
        "accepted_interval_95": interval,
        "auroc": float(roc_auc_score(is_own, np.concatenate([own, sure]))),
    }
