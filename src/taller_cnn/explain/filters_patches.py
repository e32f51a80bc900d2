"""The patches of digits that excite each filter most, and filters that nothing excites."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from taller_cnn.explain.forward import BATCH, pre_activation
from taller_cnn.explain.receptive_field import ReceptiveField, crops, receptive_fields
from taller_cnn.model import SimpleCNN

STILL = 1e-6
"""A filter whose response varies less than this tells digits apart by nothing."""


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
    side = _side(model, index)
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


def _side(model: SimpleCNN, index: int) -> int:
    from taller_cnn.model import stages

    return stages(model.config)[index].size
