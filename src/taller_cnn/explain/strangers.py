"""Pictures that are none of the classes: clothes, scrambled digits, noise, an empty sheet."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from taller_cnn.errors import DataError

if TYPE_CHECKING:
    from taller_cnn.data import DigitsPlace
    from taller_cnn.explain.section import Subject

MOST = 2000
"""Pictures of a kind."""


def strangers(subject: Subject) -> dict[str, Tensor]:
    """Pictures ``uint8 [n, 1, 28, 28]`` by kind; ``fashion`` only where it is on the disk.

    ``scrambled`` are test digits with their pixels in another order, the same for all: the greys
    of digits without their shapes.
    """
    generator = torch.Generator().manual_seed(subject.seed)
    test = subject.digits.test.images[:MOST]
    order = torch.randperm(28 * 28, generator=generator)
    found = {
        "scrambled": test.flatten(1)[:, order].reshape(test.shape),
        "noise": torch.randint(256, (MOST, 1, 28, 28), dtype=torch.uint8, generator=generator),
        "blank": torch.zeros(1, 1, 28, 28, dtype=torch.uint8),
    }
    clothes = None
    if subject.place is not None and subject.digits.name != "fashion-mnist":
        clothes = _fashion(subject.place)
    return found if clothes is None else {"fashion": clothes[:MOST], **found}


def _fashion(place: DigitsPlace) -> Tensor | None:
    """The test pictures of Fashion-MNIST, if they are there and intact; nothing is downloaded."""
    clothes = replace(place, dataset="fashion-mnist", source="full", mirrors=())
    try:
        return clothes.load(holdout=0).test.images
    except DataError:
        return None
