"""Where the network looks: which pixels speak for a class, and whether the method can be trusted.

Three methods from captum: integrated gradients (Sundararajan et al. 2017), occlusion (Zeiler &
Fergus 2014) and Grad-CAM (Selvaraju et al. 2017), for the predicted and for the true class. A
method that shows the same map for a network with random weights explains nothing of the network
(Adebayo et al. 2018), so that is measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from taller_cnn.errors import MissingExtraError
from taller_cnn.explain.forward import from_stage
from taller_cnn.explain.section import Block, Picture, Section, Subject, Table, Text, Tick, texts_of
from taller_cnn.messages import Messages
from taller_cnn.model import Ensemble, SimpleCNN, network_inside

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_text = texts_of("explain_attribution")

METHODS = ("integrated_gradients", "occlusion", "grad_cam")
RIGHT, WRONG, MOST_CHOSEN = 3, 4, 6
"""Digits that are shown."""
CHECKED = 20
"""Digits of the check with random weights."""
ALIKE = 0.5
"""From this rank correlation on, two maps count as the same."""
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
    model: SimpleCNN | Ensemble, x: Tensor, classes: Tensor, background: float
) -> dict[str, Tensor]:
    """How much each pixel speaks for a class, by each of `METHODS`.

    Args:
        model: in evaluation mode. Grad-CAM, which needs maps, is of `network_inside`.
        x: normalised images float32 ``[N, 1, 28, 28]``.
        classes: a class per image, int64 ``[N]``.
        background: what a pixel without ink is after normalisation: the baseline.

    Returns:
        Maps float32 ``[N, 28, 28]``: in logits for the first two methods, Grad-CAM without unit.

    Raises:
        MissingExtraError: captum is not installed.
    """
    try:
        from captum.attr import IntegratedGradients, LayerAttribution, LayerGradCam, Occlusion
    except ImportError as error:
        raise MissingExtraError("explain_captum") from error
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
        x.clone().requires_grad_(True), target=classes, relu_attributions=True
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


def map_correlation(maps: Tensor, others: Tensor, ink: Tensor) -> float:
    """Mean rank correlation (Spearman) of maps ``[N, 28, 28]`` over the pixels with ink.

    Maps that are the same everywhere tell nothing and count as 0.

    Args:
        maps: of one network.
        others: of another, for the same images.
        ink: which pixels count, bool ``[N, 28, 28]``.
    """
    from scipy.stats import rankdata

    found = []
    for one, other, where in zip(maps, others, ink, strict=True):
        ranks = np.stack([rankdata(one[where].numpy()), rankdata(other[where].numpy())])
        varies = ranks.shape[1] > 1 and bool((ranks.std(axis=1) > 0).all())
        found.append(float(np.corrcoef(ranks)[0, 1]) if varies else 0.0)
    return sum(found) / len(found)


def attribution(subject: Subject, tick: Tick) -> Section:
    """Maps for right and wrong predictions, and the check with random weights.

    Raises:
        MissingExtraError: captum is not installed.
    """
    says = subject.evaluation
    wrong = subject.mistakes[:WRONG]
    right = _some_right(subject)
    blocks: list[Block] = [_text("lead"), _text("how")]
    numbers: dict[str, Any] = {}
    groups = [("chosen", torch.tensor(subject.chosen[:MOST_CHOSEN], dtype=torch.int64))]
    groups += [("right", right), ("wrong", wrong)]
    for done, (group, positions) in enumerate(groups, start=1):
        if len(positions):
            maps = _explained(subject, positions)
            blocks.append(_picture(subject, group, positions, maps))
            numbers[group] = positions.tolist()
        tick(done, 4)
    if not says.errors:
        blocks.append(_text("no_mistakes"))
    checked, found = _sanity(subject)
    tick(4, 4)
    return Section(
        name="attribution",
        title=_text("title"),
        blocks=(*blocks, *checked),
        numbers={**numbers, **found},
    )


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


def _explained(subject: Subject, positions: Tensor) -> Mapping[str, Mapping[str, Tensor]]:
    """Maps for the predicted and for the true class."""
    x = subject.normalised(subject.digits.test.images[positions])
    says = subject.evaluation
    targets = {"predicted": says.predictions[positions], "true": says.labels[positions]}
    background = subject.scale.background
    return {
        name: attributions(subject.model, x, target, background) for name, target in targets.items()
    }


def _picture(
    subject: Subject,
    group: str,
    positions: Tensor,
    maps: Mapping[str, Mapping[str, Tensor]],
) -> Picture:
    return Picture(
        name=f"attribution_{group}",
        draw=lambda messages: _figure(subject, group, positions, maps, messages),
        alt=_text(f"alt.{group}", n=len(positions)),
        caption=_text("caption"),
    )


def _figure(
    subject: Subject,
    group: str,
    positions: Tensor,
    maps: Mapping[str, Mapping[str, Tensor]],
    messages: Messages,
) -> Figure:
    from taller_cnn.explain.draw.attribution import Column, attribution_figure

    says = subject.evaluation
    true, said = says.labels[positions], says.predictions[positions]
    both = bool((true != said).any())
    columns = []
    for method in METHODS:
        for side in ("predicted", "true") if both else ("predicted",):
            # A word in a line, as the columns are narrow.
            heading = messages(f"explain_attribution.method.{method}").replace(" ", "\n")
            if both:
                heading += "\n" + messages(f"explain_attribution.for.{side}")
            columns.append(
                Column(
                    maps=maps[side][method].numpy(), heading=heading, signed=method != "grad_cam"
                )
            )
    labels = [
        messages(
            f"explain_attribution.{'row_wrong' if t != p else 'row_right'}",
            index=index,
            true=_named(subject, t, messages),
            predicted=_named(subject, p, messages),
        )
        for index, t, p in zip(positions.tolist(), true.tolist(), said.tolist(), strict=True)
    ]
    images = subject.digits.test.images[positions, 0].numpy()
    title = messages(f"explain_attribution.figure.{group}")
    return attribution_figure(images, labels, columns, title, messages)


def _named(subject: Subject, index: int, messages: Messages) -> str:
    name = subject.class_name(index)
    return name.say(messages) if isinstance(name, Text) else name


def _sanity(subject: Subject) -> tuple[tuple[Block, ...], dict[str, Any]]:
    """Compare the maps with those of the same network with random weights."""
    images = subject.digits.test.images[:CHECKED]
    x, background = subject.normalised(images), subject.scale.background
    classes = subject.evaluation.predictions[:CHECKED]
    # Not the seed of its start: this must be a stranger.
    network, seed = subject.network, subject.seed + 7919
    stranger = SimpleCNN(network.config, n_classes=network.n_classes, seed=seed).eval()
    own = attributions(subject.model, x, classes, background)
    other = attributions(stranger, x, classes, background)
    ink = images[:, 0] > 0
    same = {name: map_correlation(own[name], other[name], ink) for name in METHODS}
    gap = completeness_gap(subject.model, x, classes, background, own["integrated_gradients"])
    numbers = {
        "random_weights_rank_correlation": same,
        "completeness_gap_logits": float(gap.max()),
        "n": len(images),
    }
    table = Table(
        header=(_text("column.method"), _text("column.correlation")),
        rows=tuple((_text(f"method.{name}"), _rounded(value)) for name, value in same.items()),
        caption=_text("table", n=len(images)),
    )
    failed = tuple(_text(f"method.{name}") for name in METHODS if same[name] >= ALIKE)
    verdict = _text("sanity_failed", names=failed) if failed else _text("sanity_passed")
    complete = _text("complete", gap=float(gap.max()))
    return (_text("sanity"), table, verdict, complete), numbers


def _rounded(value: float) -> Any:
    from taller_cnn.explain.section import Decimal

    return Decimal(0.0 if math.isclose(value, 0, abs_tol=0.005) else value)
