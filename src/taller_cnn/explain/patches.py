"""The patches of digits that excite each filter most, and filters that nothing excites."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from taller_cnn.config import ModelConfig
from taller_cnn.explain.draw.filters import patches_figure
from taller_cnn.explain.forward import BATCH, pre_activation, quick_copy
from taller_cnn.explain.parts import Numbers, Part
from taller_cnn.explain.subject import Subject, first_of_each_class
from taller_cnn.messages import Messages
from taller_cnn.model import SimpleCNN, stages
from taller_cnn.page import Heading, Paragraph, Picture

DIGITS = 2000
"""Test digits that patches are cut from."""
SHOWN = 32
"""Filters in a picture."""
NAMED = 20
"""Dead filters that are named."""
STILL = 1e-6
"""A filter whose response varies less than this tells digits apart by nothing."""


@dataclass(frozen=True, kw_only=True)
class ReceptiveField:
    """The square of pixels behind one unit of a map (Araujo et al. 2019, Distill)."""

    size: int
    """Side of the square, in pixels."""
    jump: int
    """Pixels between the squares of neighbouring units."""
    start: int
    """First row and column of unit (0, 0); negative where it reaches over the image's edge."""


def receptive_fields(config: ModelConfig) -> tuple[ReceptiveField, ...]:
    """The field of a unit of every convolution, before its pooling, first to last."""
    fields = []
    size, jump, start = 1, 1, 0
    for stage in stages(config):
        size += (config.kernel_size - 1) * jump
        start -= config.kernel_size // 2 * jump
        jump *= stage.stride
        fields.append(ReceptiveField(size=size, jump=jump, start=start))
        if stage.pooled:
            size += jump
            jump *= 2
    return tuple(fields)


def crops(images: Tensor, rows: Tensor, columns: Tensor, field: ReceptiveField) -> Tensor:
    """What one unit sees of each image; background where it looks over the edge.

    Args:
        images: ``[P, 1, 28, 28]``, an image per unit.
        rows: the unit's row in its map, int64 ``[P]``.
        columns: its column, int64 ``[P]``.
        field: of that map.

    Returns:
        ``[P, size, size]`` of the images' type.
    """
    margin = field.size
    padded = F.pad(images[:, 0], (margin, margin, margin, margin))
    steps = torch.arange(field.size)
    top = (rows * field.jump + field.start + margin)[:, None] + steps
    left = (columns * field.jump + field.start + margin)[:, None] + steps
    return padded[torch.arange(len(images))[:, None, None], top[:, :, None], left[:, None, :]]


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerExcitement:
    """What excites the filters of one convolution."""

    layer: int
    """From 1."""
    field: ReceptiveField
    patches: Tensor
    """uint8 ``[filters, most, size, size]``, strongest first, each from another digit."""
    values: Tensor
    """Response before the activation, float32 ``[filters, most]``."""
    dead: tuple[int, ...]
    """Filters (from 0) that never respond: with ReLU never above zero, else always the same."""


@torch.inference_mode()
def excitement(
    model: SimpleCNN, images: Tensor, normalised: Tensor, most: int = 9
) -> tuple[LayerExcitement, ...]:
    """Find each filter's most exciting patches, in one pass over the digits.

    Args:
        model: in evaluation mode.
        images: uint8 ``[N, 1, 28, 28]``, which patches are cut from.
        normalised: the same for the network, float32.
        most: patches per filter, of different digits; no more than N.
    """
    layers = model.config.layers
    values: list[list[Tensor]] = [[] for _ in range(layers)]
    places: list[list[Tensor]] = [[] for _ in range(layers)]
    lowest: list[list[Tensor]] = [[] for _ in range(layers)]
    for start in range(0, len(normalised), BATCH):
        x = normalised[start : start + BATCH].to(memory_format=torch.channels_last)
        for index in range(layers):
            response = pre_activation(model, index + 1, x)
            best = response.flatten(2).max(dim=2)
            values[index].append(best.values)
            places[index].append(best.indices)
            lowest[index].append(response.amin(dim=(0, 2, 3)))
            x = model.stage(index + 1, x)
    fields = receptive_fields(model.config)
    return tuple(
        _layer(
            model,
            index,
            fields[index],
            images,
            (torch.cat(values[index]), torch.cat(places[index])),
            torch.stack(lowest[index]).amin(dim=0),
            most,
        )
        for index in range(layers)
    )


def _layer(
    model: SimpleCNN,
    index: int,
    field: ReceptiveField,
    images: Tensor,
    strongest: tuple[Tensor, Tensor],
    lowest: Tensor,
    most: int,
) -> LayerExcitement:
    """Cut out the patches of one layer from each digit's strongest response ``[N, filters]``."""
    values, places = strongest
    top = values.topk(min(most, len(images)), dim=0)
    digits = top.indices.T.flatten()
    place = places.gather(0, top.indices).T.flatten()
    # The strongest response of a map is found by its place in the flattened map.
    side = stages(model.config)[index].size
    patches = crops(images[digits], place // side, place % side, field)
    highest = values.amax(dim=0)
    still = highest <= 0 if model.config.activation == "relu" else highest - lowest < STILL
    return LayerExcitement(
        layer=index + 1,
        field=field,
        patches=patches.reshape(len(highest), -1, field.size, field.size),
        values=top.values.T,
        dead=tuple(still.nonzero()[:, 0].tolist()),
    )


def exciting_patches(subject: Subject, say: Messages) -> Part:
    """What excites the filters after the first layer, and those of all layers that are dead."""
    layers, images = _layers(subject)
    deeper = layers[1:]
    if deeper:
        yield Heading(say("explain_filters.patches"))
        size = deeper[0].field.size
        yield Paragraph(say("explain_filters.patches_lead", size=size, layer=deeper[0].layer))
    for layer in deeper:
        yield _patches_picture(layer, say)
    # Without ReLU a filter that tells nothing apart gives one value, which need not be zero.
    kind = "dead" if subject.network.config.activation == "relu" else "constant"
    yield Heading(say(f"explain_filters.{kind}"))
    for sentence in _dead(layers, kind, images, say):
        yield Paragraph(sentence)
    yield Numbers(
        {
            "dead": {f"conv{layer.layer}": list(layer.dead) for layer in layers},
            "receptive_field": {f"conv{layer.layer}": layer.field.size for layer in layers},
        }
    )


def _layers(subject: Subject) -> tuple[tuple[LayerExcitement, ...], int]:
    """Patches from the test digits; a filter is dead if held-out digits do not excite it either.

    Returns:
        The layers, and on how many images a dead filter was tried.
    """
    model = quick_copy(subject.network)
    test, held_out = subject.digits.test, subject.digits.validation
    images = test.images[first_of_each_class(test.labels, DIGITS)]
    layers = excitement(model, images, subject.normalised(images))
    if not len(held_out) or not any(layer.dead for layer in layers):
        return layers, len(images)
    others = excitement(model, held_out.images, subject.normalised(held_out.images), most=1)
    both = tuple(
        replace(layer, dead=tuple(sorted(set(layer.dead) & set(other.dead))))
        for layer, other in zip(layers, others, strict=True)
    )
    return both, len(images) + len(held_out)


def _patches_picture(layer: LayerExcitement, say: Messages) -> Picture:
    patches, n = layer.patches[:SHOWN].numpy(), len(layer.patches)
    words = {"layer": layer.layer, "size": layer.field.size}
    captions = [
        say(f"explain_filters.{'number_dead' if k in layer.dead else 'number'}", number=k + 1)
        for k in range(len(patches))
    ]
    title = say("explain_filters.figure.patches", **words)
    return Picture(
        name=f"filters_patches_conv{layer.layer}",
        draw=partial(patches_figure, patches, captions, title, say),
        alt=say("explain_filters.alt_patches", n=len(patches), **words),
        caption=say("explain_filters.cut", shown=SHOWN, n=n) if n > SHOWN else "",
    )


def _dead(
    layers: Sequence[LayerExcitement], kind: str, images: int, say: Messages
) -> Iterator[str]:
    """A sentence for each layer that has such filters; `images` were tried."""
    if not any(layer.dead for layer in layers):
        total = sum(len(layer.patches) for layer in layers)
        yield say(f"explain_filters.no_{kind}", n=total, images=images)
    for layer in layers:
        if not layer.dead:
            continue
        names = ", ".join(str(k + 1) for k in layer.dead[:NAMED])
        more = max(0, len(layer.dead) - NAMED)
        values = {"n": len(layer.dead), "layer": layer.layer, "names": names, "images": images}
        yield say(f"explain_filters.{kind}_{'more' if more else 'named'}", **values, more=more)
