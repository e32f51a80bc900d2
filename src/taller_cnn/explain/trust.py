"""How far to trust the network: is it as right as it is sure, and what does it say of strangers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from taller_cnn.calibration import (
    CoverageCurve,
    ReliabilityBin,
    apply_temperature,
    coverage_curve,
    error_by_luck,
    error_interval,
    expected_calibration_error,
    fit_temperature,
    loss_fall_interval,
    reliability,
)
from taller_cnn.data import LabelledImages
from taller_cnn.errors import InputError
from taller_cnn.evaluation import Evaluation, evaluate, wilson_interval
from taller_cnn.explain.section import (
    Block,
    Decimal,
    Heading,
    Percent,
    Picture,
    Section,
    Subject,
    Table,
    Text,
    Tick,
    texts_of,
)
from taller_cnn.explain.strangers import strangers
from taller_cnn.messages import Messages

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CATALOGUE = "explain_trust"
_text = texts_of(CATALOGUE)
COVERAGES = (1.0, 0.99, 0.98, 0.95, 0.9, 0.8)
KEPT = 0.95
"""Part of the held-out digits that the threshold for strangers lets through."""
SURE = 0.9
FEWEST_MISTAKES = 5
"""With fewer, the loss of the test digits hangs on too few of them to compare two."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Certainty:
    """How sure the network is of the test digits, and how right."""

    sure: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]
    error: float
    interval: tuple[float, float]
    luck: float
    losses: npt.NDArray[np.float64]
    """Cross-entropy of each digit."""

    @property
    def loss(self) -> float:
        """Mean cross-entropy."""
        return float(self.losses.mean())

    def to_json(self) -> dict[str, Any]:
        return {
            "expected_calibration_error": self.error,
            "interval_95": list(self.interval),
            "calibrated_network_stays_below": self.luck,
            "mean_confidence": float(self.sure.mean()),
            "loss": self.loss,
            "bins": [vars(b) for b in self.bins],
        }

    @property
    def bins(self) -> tuple[ReliabilityBin, ...]:
        return reliability(self.sure, self.right)


def trust(subject: Subject, tick: Tick) -> Section:
    """Calibration before and after a temperature, accuracy against coverage, strangers."""
    result = subject.evaluation
    plain = _certainty(result.log_probabilities, result, subject.seed)
    tick(1, 4)
    temperature, reason = _temperature(subject)
    tempered = None
    if temperature is not None:
        scores = apply_temperature(result.log_probabilities, temperature)
        tempered = _certainty(scores, result, subject.seed)
    tick(2, 4)
    curve = coverage_curve(plain.sure, plain.right)
    blocks: list[Block] = [
        _text("lead"),
        _calibration_text(plain),
        _temperature_text(temperature, reason, plain, tempered),
        _reliability_picture(plain, tempered, temperature),
        Heading(_text("coverage.title")),
        *_coverage_blocks(curve, result),
    ]
    tick(3, 4)
    seen, numbers = _stranger_blocks(subject, plain.sure)
    tick(4, 4)
    return Section(
        name="trust",
        title=_text("title"),
        blocks=(*blocks, *seen),
        numbers={
            "plain": plain.to_json(),
            "temperature": temperature,
            "tempered": tempered and tempered.to_json(),
            "loss_fall_interval_95": tempered
            and list(loss_fall_interval(plain.losses, tempered.losses)),
            "coverage": {str(c): curve.accuracy_at(c) for c in COVERAGES},
            "strangers": numbers,
        },
    )


def _certainty(scores: Tensor, result: Evaluation, seed: int) -> _Certainty:
    sure = _sure(scores)
    right = (result.predictions == result.labels).numpy()
    return _Certainty(
        sure=sure,
        right=right,
        error=expected_calibration_error(sure, right),
        interval=error_interval(sure, right, seed=seed),
        luck=error_by_luck(sure, seed=seed),
        losses=-scores.double().gather(1, result.labels[:, None])[:, 0].numpy(),
    )


def _temperature(subject: Subject) -> tuple[float | None, Text | None]:
    """The temperature fitted on the held-out digits, or why there is none."""
    held = subject.validation
    if held is None:
        known = subject.info is not None and subject.info.train.holdout == 0
        return None, _text("temperature.no_holdout" if known else "temperature.unknown_holdout")
    try:
        return fit_temperature(held.log_probabilities, held.labels), None
    except InputError as error:
        return None, Text(f"errors.{error.key}", error.values)


def _calibration_text(plain: _Certainty) -> Text:
    low, high = plain.interval
    values = {
        "error": Decimal(100 * plain.error),
        "low": Decimal(100 * low),
        "high": Decimal(100 * high),
        "luck": Decimal(100 * plain.luck),
        "sure": float(plain.sure.mean()),
        "right": float(plain.right.mean()),
    }
    if plain.error <= plain.luck:
        return _text("calibration.fine", **values)
    bold = plain.sure.mean() > plain.right.mean()
    return _text("calibration.bold" if bold else "calibration.shy", **values)


def _temperature_text(
    temperature: float | None,
    reason: Text | None,
    plain: _Certainty,
    tempered: _Certainty | None,
) -> Text:
    if temperature is None or tempered is None:
        return _text("temperature.none", reason=reason)
    low, high = loss_fall_interval(plain.losses, tempered.losses)
    return _text(
        f"temperature.{'sharp' if temperature < 1 else 'flat'}",
        temperature=temperature,
        before=Decimal(100 * plain.error),
        after=Decimal(100 * tempered.error),
        loss_before=Decimal(plain.loss, 4),
        loss_after=Decimal(tempered.loss, 4),
        low=Decimal(low, 4),
        high=Decimal(high, 4),
        verdict=_text(f"temperature.{_verdict(plain, tempered)}"),
    )


def _verdict(before: _Certainty, after: _Certainty) -> str:
    """Whether the temperature helped on the test digits, as far as their losses tell."""
    if (~before.right).sum() < FEWEST_MISTAKES:
        return "few"
    low, high = loss_fall_interval(before.losses, after.losses)
    if low > 0:
        return "better"
    return "worse" if high < 0 else "alike"


def _reliability_picture(
    plain: _Certainty, tempered: _Certainty | None, temperature: float | None
) -> Picture:
    def draw(messages: Messages) -> Figure:
        from taller_cnn.explain.draw.trust import reliability_figure

        return reliability_figure(
            plain.bins, tempered.bins if tempered else None, temperature, messages
        )

    return Picture(name="trust_reliability", draw=draw, alt=_text("calibration.alt"))


def _coverage_blocks(curve: CoverageCurve, result: Evaluation) -> tuple[Block, ...]:
    def draw(messages: Messages) -> Figure:
        from taller_cnn.explain.draw.trust import coverage_figure

        return coverage_figure(curve, messages)

    rows = []
    for coverage in COVERAGES:
        place = int(np.searchsorted(curve.coverage, coverage - 1e-12))
        answered = round(float(curve.coverage[place]) * result.n)
        hits = round(float(curve.accuracy[place]) * answered)
        low, high = wilson_interval(hits, answered)
        rows.append(
            (
                Percent(answered / result.n, 1),
                Percent(float(curve.threshold[place])),
                answered - hits,
                _text("coverage.cell", x=hits / answered, low=low, high=high),
            )
        )
    header = tuple(_text(f"coverage.column.{n}") for n in ("coverage", "from", "errors", "right"))
    place = int(np.searchsorted(curve.coverage, KEPT - 1e-12))
    said = _text(
        "coverage.text",
        coverage=float(curve.coverage[place]),
        all=result.accuracy,
        accuracy=float(curve.accuracy[place]),
        errors=result.errors,
        left=round((1 - float(curve.accuracy[place])) * float(curve.coverage[place]) * result.n),
    )
    picture = Picture(name="trust_coverage", draw=draw, alt=_text("coverage.alt"))
    table = Table(header=header, rows=tuple(rows), caption=_text("coverage.table"))
    return said, picture, table


def _stranger_blocks(
    subject: Subject, own: npt.NDArray[np.float64]
) -> tuple[list[Block], dict[str, Any]]:
    """What the network says of pictures that are none of its classes.

    The threshold is set on the held-out digits and tried on the test digits and on strangers;
    without held-out digits there is none.
    """
    held = subject.validation
    threshold = None
    if held is not None:
        threshold = float(np.quantile(_sure(held.log_probabilities), 1 - KEPT))
    sets = {name: _sure(_scores(subject, images)) for name, images in strangers(subject).items()}
    numbers = {name: _stranger_numbers(sure, own, threshold) for name, sure in sets.items()}
    many = {name: sure for name, sure in sets.items() if len(sure) > 1}

    def draw(messages: Messages) -> Figure:
        from taller_cnn.explain.draw.trust import strangers_figure

        return strangers_figure({"own": own, **many}, threshold, messages)

    accepted = None if threshold is None else float((own >= threshold).mean())
    counted = {name: numbers[name] for name in many}
    blocks: list[Block] = [
        Heading(_text("strangers.title")),
        _text("strangers.lead"),
        *_strangers_said(subject, counted, numbers["blank"], threshold, accepted),
        Picture(name="trust_strangers", draw=draw, alt=_text("strangers.alt")),
        _strangers_table(counted),
    ]
    return blocks, {"threshold": threshold, "kept": KEPT, "own_accepted": accepted, **numbers}


def _strangers_said(
    subject: Subject,
    numbers: Mapping[str, dict[str, Any]],
    blank: Mapping[str, Any],
    threshold: float | None,
    accepted: float | None,
) -> Iterator[Text]:
    measure = "over_90" if threshold is None else "accepted"
    worst = max(numbers, key=lambda name: float(numbers[name][measure]))
    values = {"name": _text(f"strangers.name.{worst}"), "over_90": numbers[worst]["over_90"]}
    if threshold is None:
        yield _text("strangers.no_threshold", **values)
    else:
        low, high = numbers[worst]["accepted_interval_95"]
        yield _text(
            "strangers.worst",
            **values,
            accepted=numbers[worst]["accepted"],
            low=low,
            high=high,
            threshold=Decimal(threshold, 3),
            kept=KEPT,
            own=accepted,
        )
    empty = _prediction(subject, torch.zeros(1, 1, 28, 28))
    yield _text("strangers.blank", chance=blank["mean_confidence"], name=subject.class_name(empty))
    if "fashion" not in numbers and subject.digits.name != "fashion-mnist":
        yield _text("strangers.no_fashion")


def _strangers_table(numbers: Mapping[str, dict[str, Any]]) -> Table:
    rows = tuple(
        (
            _text(f"strangers.name.{name}"),
            n["n"],
            Percent(n["mean_confidence"], 1),
            Percent(n["over_90"], 1),
            "–" if n["accepted"] is None else Percent(n["accepted"], 1),
            Decimal(n["auroc"], 3),
        )
        for name, n in numbers.items()
    )
    header = tuple(
        _text(f"strangers.column.{name}")
        for name in ("set", "n", "mean", "over_90", "accepted", "auroc")
    )
    return Table(header=header, rows=rows, caption=_text("strangers.table"))


def _sure(scores: Tensor) -> npt.NDArray[np.float64]:
    """The confidence of each answer, of log-probabilities ``[N, K]``."""
    return scores.double().exp().max(dim=1).values.clamp(max=1).numpy()


def _prediction(subject: Subject, images: Tensor) -> int:
    return int(_scores(subject, images.to(torch.uint8)).argmax(dim=1)[0])


def _scores(subject: Subject, images: Tensor) -> Tensor:
    split = LabelledImages(images=images, labels=torch.zeros(len(images), dtype=torch.int64))
    return evaluate(subject.model, split, subject.scale).log_probabilities


def _stranger_numbers(
    sure: npt.NDArray[np.float64], own: npt.NDArray[np.float64], threshold: float | None
) -> dict[str, Any]:
    """`auroc`: chance that a test digit gets a higher confidence than a stranger."""
    from sklearn.metrics import roc_auc_score

    is_own = np.concatenate([np.ones(len(own)), np.zeros(len(sure))])
    accepted = None if threshold is None else int((sure >= threshold).sum())
    return {
        "n": len(sure),
        "mean_confidence": float(sure.mean()),
        "over_90": float((sure > SURE).mean()),
        "accepted": None if accepted is None else accepted / len(sure),
        "accepted_interval_95": None
        if accepted is None
        else list(wilson_interval(accepted, len(sure))),
        "auroc": float(roc_auc_score(is_own, np.concatenate([own, sure]))),
    }
