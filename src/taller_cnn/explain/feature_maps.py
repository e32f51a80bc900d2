"""What a digit becomes on its way through the network: every layer's maps, with their shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from taller_cnn.explain.draw.feature_maps import Row, feature_maps_figure
from taller_cnn.explain.forward import from_stage, pre_activation
from taller_cnn.explain.parts import Numbers, Part, inside_of
from taller_cnn.explain.subject import Subject, Tick
from taller_cnn.messages import Messages
from taller_cnn.model import SimpleCNN, stages
from taller_cnn.page import Paragraph, Picture

DEFAULT = 3
MOST = 6
"""Digits that are shown."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerMaps:
    """The output of one layer for one image."""

    name: str
    """``conv1``, ``pool1``, ``pool`` (to the final size), ``fc1``, ``fc2``; a convolution's maps
    are after its activation."""
    values: Tensor
    """float32 ``[C, H, W]`` of maps, ``[units]`` of a fully connected layer."""


@torch.inference_mode()
def layer_maps(model: SimpleCNN, x: Tensor) -> tuple[LayerMaps, ...]:
    """The outputs of every layer for one normalised image ``[1, 1, 28, 28]``, in order.

    The last, ``fc2``, are logits.
    """
    layers = []
    for index, stage in enumerate(stages(model.config), start=1):
        active = model.activation(pre_activation(model, index, x))
        layers.append(LayerMaps(name=f"conv{index}", values=active[0]))
        x = model.stage(index, x)
        if stage.pooled:
            layers.append(LayerMaps(name=f"pool{index}", values=x[0]))
    final = model.final_maps(x)
    if final.shape != x.shape:
        layers.append(LayerMaps(name="pool", values=final[0]))
    if model.config.hidden:
        layers.append(LayerMaps(name="fc1", values=model.embed_maps(x)[0]))
    logits = from_stage(model, model.config.layers, x)[0]
    return (*layers, LayerMaps(name="fc2", values=logits))


def feature_maps(subject: Subject, say: Messages, tick: Tick) -> Part:
    """The maps of the chosen digits, or of the first ones of three classes."""
    positions = subject.chosen[:MOST] or _defaults(subject.digits.test.labels)
    yield from inside_of(subject, say)
    yield Paragraph(say("explain_feature_maps.lead", n=len(positions)))
    yield Paragraph(say("explain_feature_maps.scale", classes=subject.digits.n_classes))
    shapes: dict[str, list[int]] = {}
    for done, position in enumerate(positions, start=1):
        image = subject.digits.test.images[position : position + 1]
        layers = layer_maps(subject.network, subject.normalised(image))
        shapes = {layer.name: list(layer.values.shape) for layer in layers}
        yield _picture(subject, position, layers, say)
        tick(done, len(positions))
    if len(subject.chosen) > MOST:
        yield Paragraph(say("explain_feature_maps.cut", shown=MOST, n=len(subject.chosen)))
    yield Numbers({"positions": list(positions), "shapes": shapes})


def _defaults(labels: Tensor) -> tuple[int, ...]:
    """The first digit of each of the first classes that there are, spread over all classes."""
    classes = torch.unique(labels).tolist()
    step = max(1, len(classes) // DEFAULT)
    return tuple(int((labels == c).nonzero()[0, 0]) for c in classes[::step][:DEFAULT])


def _picture(
    subject: Subject, position: int, layers: Sequence[LayerMaps], say: Messages
) -> Picture:
    says, names = subject.evaluation, subject.names(say)
    words = {
        "index": position,
        "true": names[int(says.labels[position])],
        "predicted": names[int(says.predictions[position])],
    }
    # An ensemble's answer is not that of the network whose maps are shown.
    chances = says.log_probabilities[position].exp().numpy()
    title = say("explain_feature_maps.figure", **words)
    rows = _rows(subject.digits.test.images[position], layers, say)
    return Picture(
        name=f"feature_maps_{position}",
        draw=partial(feature_maps_figure, rows, chances, names, title, say),
        alt=say("explain_feature_maps.alt", layers=len(layers), **words),
    )


def _rows(image: Tensor, layers: Sequence[LayerMaps], say: Messages) -> list[Row]:
    """The digit and every layer but the last, whose chances have a form of their own."""
    label = f"{say('explain_feature_maps.input')}\n1 × 28 × 28"
    rows = [Row(label=label, values=image.float().numpy(), is_image=True)]
    for layer in layers[:-1]:
        shape = " × ".join(str(size) for size in layer.values.shape)
        values = layer.values.numpy()
        # Maps of one pixel are read like units: as a strip.
        values = values[:, 0, 0] if values.shape[1:] == (1, 1) else values
        rows.append(Row(label=f"{layer.name}\n{shape}", values=values))
    return rows
