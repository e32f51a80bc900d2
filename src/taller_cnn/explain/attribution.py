"""Where the network looks: which pixels speak for a class, and whether the method can be trusted.

Three methods from captum: integrated gradients (Sundararajan et al. 2017), occlusion (Zeiler &
Fergus 2014) and Grad-CAM (Selvaraju et al. 2017), for the predicted and for the true class. A
method that shows the same map for networks with random weights explains nothing of the network
(Adebayo et al. 2018), so that is measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from taller_cnn.explain.draw.attribution import Column, attribution_figure
from taller_cnn.explain.forward import from_stage, quick_copy
from taller_cnn.explain.parts import Numbers, Part
from taller_cnn.explain.subject import Subject, Tick
from taller_cnn.messages import Messages
from taller_cnn.model import Ensemble, SimpleCNN, network_inside
from taller_cnn.page import Paragraph, Picture, Table

METHODS = ("integrated_gradients", "occlusion", "grad_cam")
RIGHT, WRONG, MOST_CHOSEN = 3, 4, 6
"""Digits that are shown."""
CHECKED, STRANGERS = 20, 5
"""Digits of the check with random weights, and networks with such weights."""
ALIKE = 0.5
"""From this rank correlation on, two maps count as the same: a convention, which the page tells."""
IG_STEPS = 64
PATCH, STRIDE = 4, 2
"""Side of the square that hides pixels, and how far it moves, in pixels."""


class _AtLastMaps(nn.Module):
    """A network whose last maps, activated and pooled, are the output of a module.

    Grad-CAM is about activations. Before ReLU a negative response in a map that speaks against
    the class would count in its favour, on empty paper too.

    Args:
        model: in evaluation mode.
    """

    def __init__(self, model: SimpleCNN) -> None:
        super().__init__()
        self.model = model
        self.maps = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[N, K]`` of normalised images ``[N, 1, 28, 28]``."""
        layers = self.model.config.layers
        for index in range(1, layers + 1):
            x = self.model.stage(index, x)
        return from_stage(self.model, layers, self.maps(x))


def attributions(
    model: SimpleCNN | Ensemble,
    x: Tensor,
    classes: Tensor,
    background: float,
    *,
    rectified: bool = True,
) -> dict[str, Tensor]:
    """How much each pixel speaks for a class, by each of `METHODS`.

    Args:
        model: in evaluation mode. Grad-CAM, which needs maps, is of `network_inside`.
        x: normalised images float32 ``[N, 1, 28, 28]``.
        classes: a class per image, int64 ``[N]``.
        background: what a pixel without ink is after normalisation: the baseline.
        rectified: whether Grad-CAM shows only what speaks for the class, as it does for readers.

    Returns:
        Maps float32 ``[N, 28, 28]``: in logits for the first two methods, Grad-CAM without unit.
    """
    from captum.attr import IntegratedGradients, LayerAttribution, LayerGradCam, Occlusion

    model = quick_copy(model)
    gradients = IntegratedGradients(model).attribute(
        x, baselines=background, target=classes, n_steps=IG_STEPS, internal_batch_size=256
    )
    hidden = Occlusion(model).attribute(
        x,
        sliding_window_shapes=(1, PATCH, PATCH),
        strides=(1, STRIDE, STRIDE),
        baselines=background,
        target=classes,
        perturbations_per_eval=16,
    )
    split = _AtLastMaps(network_inside(model))
    # The gradient of a layer's output needs an input that asks for one.
    cam = LayerGradCam(split, split.maps).attribute(
        x.clone().requires_grad_(True), target=classes, relu_attributions=rectified
    )
    cam = LayerAttribution.interpolate(cam, x.shape[-2:], "bilinear")
    maps = {"integrated_gradients": gradients, "occlusion": hidden, "grad_cam": cam}
    return {name: value.detach()[:, 0].float() for name, value in maps.items()}


@torch.no_grad()
def completeness_gap(
    model: nn.Module, x: Tensor, classes: Tensor, background: float, gradients: Tensor
) -> Tensor:
    """How far integrated gradients miss the logit that they share out, in logits ``[N]``.

    In theory they add up to the logit of the image less that of the empty image.
    """
    rows = torch.arange(len(x))
    gained = model(x)[rows, classes] - model(torch.full_like(x, background))[rows, classes]
    missed: Tensor = (gradients.sum(dim=(1, 2)) - gained).abs()
    return missed


@dataclass(frozen=True, kw_only=True, eq=False)
class Likeness:
    """How alike a method's maps of a network are to those of networks with random weights."""

    correlations: npt.NDArray[np.float64]
    """Rank correlation for each such network and each image, ``[S, N]``, S and N at least 2."""

    @property
    def mean(self) -> float:
        """Over networks and images."""
        return float(self.correlations.mean())

    @property
    def networks(self) -> list[float]:
        """The mean over images for each network."""
        means: list[float] = self.correlations.mean(axis=1).tolist()
        return means

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Student's interval of the mean over other networks and other images together.

        Both are drawn, so the squares of the two standard errors add up; what the two have in
        common is counted twice, which makes it somewhat too wide.
        """
        from scipy.stats import t

        means = self.correlations.mean(axis=1), self.correlations.mean(axis=0)
        error = math.sqrt(sum(values.var(ddof=1) / len(values) for values in means))
        reach = float(t.ppf((1 + confidence) / 2, min(map(len, means)) - 1)) * error
        return max(-1.0, self.mean - reach), min(1.0, self.mean + reach)

    def to_json(self) -> dict[str, Any]:
        """Its numbers as JSON values."""
        return {
            "mean": self.mean,
            "interval_95": list(self.interval()),
            "networks": self.networks,
            "verdict": self.verdict,
        }

    @property
    def verdict(self) -> str:
        """Whether the method `failed` the check or `passed` it, or that is `unclear`."""
        low, high = self.interval()
        if low >= ALIKE:
            return "failed"
        return "passed" if high < ALIKE else "unclear"


def rank_correlations(maps: Tensor, others: Tensor, ink: Tensor) -> npt.NDArray[np.float64]:
    """Rank correlation (Spearman) of two maps' absolute values over the pixels with ink, ``[N]``.

    Without signs, because whether a network with random weights speaks for a class or against it
    is arbitrary, and correlations of either sign would cancel each other out (Adebayo et al. 2018).
    Two maps that are the same everywhere are alike; one such map is like no other.

    Args:
        maps: of one network, ``[N, 28, 28]``.
        others: of another, for the same images.
        ink: which pixels count, bool ``[N, 28, 28]``; some in every image.
    """
    from scipy.stats import rankdata

    correlations = []
    for first, second, where in zip(maps.abs(), others.abs(), ink, strict=True):
        ranks = np.stack([rankdata(first[where].numpy()), rankdata(second[where].numpy())])
        varies = np.ptp(ranks, axis=1) > 0
        alike = float(np.corrcoef(ranks)[0, 1]) if varies.all() else float(not varies.any())
        correlations.append(alike)
    return np.array(correlations)


def attribution(subject: Subject, say: Messages, tick: Tick) -> Part:
    """Maps for right and wrong predictions, and the check with random weights."""
    chosen = torch.tensor(subject.chosen, dtype=torch.int64)
    yield Paragraph(say("explain_attribution.lead"))
    yield Paragraph(say("explain_attribution.how"))
    if isinstance(subject.model, Ensemble):
        yield Paragraph(say("explain_attribution.ensemble", n=len(subject.model.members)))
    groups = {
        "chosen": chosen[:MOST_CHOSEN],
        "right": _some_right(subject),
        "wrong": subject.mistakes[:WRONG],
    }
    for done, (group, positions) in enumerate(groups.items(), start=1):
        if len(positions):
            yield _picture(subject, group, positions, say)
            yield Numbers({group: positions.tolist()})
        if group == "chosen" and len(chosen) > MOST_CHOSEN:
            yield Paragraph(say("explain_attribution.cut", shown=MOST_CHOSEN, n=len(chosen)))
        tick(done, 4)
    if not subject.evaluation.errors:
        yield Paragraph(say("explain_attribution.no_mistakes"))
    yield from _random_weights(subject, say)
    tick(4, 4)


def _some_right(subject: Subject) -> Tensor:
    """The first right digits, of different classes."""
    says = subject.evaluation
    right = says.predictions == says.labels
    firsts = [
        int((right & (says.labels == label)).nonzero()[0, 0])
        for label in range(says.n_classes)
        if bool((right & (says.labels == label)).any())
    ]
    # Spread over the classes: 0, 3 and 6 of ten.
    step = max(1, len(firsts) // RIGHT)
    return torch.tensor(firsts[::step][:RIGHT], dtype=torch.int64)


def _picture(subject: Subject, group: str, positions: Tensor, say: Messages) -> Picture:
    says, names = subject.evaluation, subject.names(say)
    true, predicted = says.labels[positions].tolist(), says.predictions[positions].tolist()
    labels = [
        say(
            f"explain_attribution.{'row_wrong' if t != p else 'row_right'}",
            index=index,
            true=names[t],
            predicted=names[p],
        )
        for index, t, p in zip(positions.tolist(), true, predicted, strict=True)
    ]
    columns = _columns(subject, positions, say)
    images = subject.digits.test.images[positions, 0].numpy()
    title = say(f"explain_attribution.figure.{group}")
    return Picture(
        name=f"attribution_{group}",
        draw=partial(attribution_figure, images, labels, columns, title, say),
        alt=say(f"explain_attribution.alt.{group}", n=len(positions)),
        caption=say("explain_attribution.caption"),
    )


def _columns(subject: Subject, positions: Tensor, say: Messages) -> list[Column]:
    """Maps by method, for the predicted class and, where an answer is wrong, for the true one."""
    x, says = subject.normalised(subject.digits.test.images[positions]), subject.evaluation
    targets = {"predicted": says.predictions[positions], "true": says.labels[positions]}
    both = bool((targets["predicted"] != targets["true"]).any())
    maps = {
        side: attributions(subject.model, x, classes, subject.scale.background)
        for side, classes in targets.items()
        if both or side == "predicted"
    }
    columns = []
    for method in METHODS:
        for side, values in maps.items():
            # A word in a line, as the columns are narrow.
            heading = say(f"explain_attribution.method.{method}").replace(" ", "\n")
            if both:
                heading += "\n" + say(f"explain_attribution.for.{side}")
            column = Column(
                maps=values[method].numpy(), heading=heading, signed=method != "grad_cam"
            )
            columns.append(column)
    return columns


def _random_weights(subject: Subject, say: Messages) -> Part:
    """Compare the maps with those of the same network with random weights in all layers.

    Grad-CAM's are taken with both signs: which one a stranger's have is arbitrary, and without
    the negative ones half of its maps would be empty, and so like no other.
    """
    test = subject.digits.test.images
    checked = test.flatten(1).any(dim=1).nonzero()[:CHECKED, 0]
    images, classes = test[checked], subject.evaluation.predictions[checked]
    x, background = subject.normalised(images), subject.scale.background
    maps, *others = (
        attributions(network, x, classes, background, rectified=False)
        for network in (subject.model, *_strangers(subject))
    )
    ink = images[:, 0] > 0
    alike = {
        name: Likeness(
            correlations=np.stack([rank_correlations(maps[name], m[name], ink) for m in others])
        )
        for name in METHODS
    }
    gap = completeness_gap(subject.model, x, classes, background, maps["integrated_gradients"])
    n = len(images)
    yield Paragraph(say("explain_attribution.sanity", networks=STRANGERS, limit=ALIKE))
    yield _alike_table(alike, n, say)
    for sentence in _verdicts(alike, say):
        yield Paragraph(sentence)
    yield Paragraph(say("explain_attribution.complete", n=n, gap=float(gap.max())))
    yield Numbers(
        {
            "random_weights_rank_correlation": {name: v.to_json() for name, v in alike.items()},
            "completeness_gap_logits": float(gap.max()),
            "n": n,
        }
    )


def _alike_table(alike: Mapping[str, Likeness], n: int, say: Messages) -> Table:
    rows = (
        (
            say(f"explain_attribution.method.{name}"),
            _rounded(value.mean, say),
            _from_to(*value.interval(), say),
            _from_to(min(value.networks), max(value.networks), say),
            say(f"explain_attribution.verdict.{value.verdict}"),
        )
        for name, value in alike.items()
    )
    header = ("method", "correlation", "interval", "networks", "verdict")
    return Table(
        header=tuple(say(f"explain_attribution.column.{name}") for name in header),
        rows=tuple(rows),
        caption=say("explain_attribution.table", n=n, networks=STRANGERS),
    )


def _from_to(low: float, high: float, say: Messages) -> str:
    return say("explain_attribution.interval", low=_rounded(low, say), high=_rounded(high, say))


def _rounded(value: float, say: Messages) -> str:
    """Two decimals, without a sign before zero."""
    return say.number(0.0 if math.isclose(value, 0, abs_tol=0.005) else value, 2)


def _verdicts(alike: Mapping[str, Likeness], say: Messages) -> Iterator[str]:
    """A sentence for each verdict that some method has."""
    for verdict in ("passed", "failed", "unclear"):
        names = [n for n, v in alike.items() if v.verdict == verdict]
        if names:
            words = ", ".join(say(f"explain_attribution.method.{name}") for name in names)
            yield say(f"explain_attribution.sanity_{verdict}", names=words)


def _strangers(subject: Subject) -> Iterator[SimpleCNN | Ensemble]:
    """Networks of the same shape with random weights; for an ensemble, with as many members."""
    network, model = subject.network, subject.model
    members = len(model.members) if isinstance(model, Ensemble) else 1
    # Not the seed of the network's start, which would be no stranger.
    seeds = torch.Generator().manual_seed(subject.seed + 7919)
    for _ in range(STRANGERS):
        drawn = torch.randint(2**31, (members,), generator=seeds).tolist()
        made = [SimpleCNN(network.config, n_classes=network.n_classes, seed=k) for k in drawn]
        yield Ensemble(made).eval() if isinstance(model, Ensemble) else made[0].eval()
