"""What the filters look for, and whether that was learned and is needed."""

from __future__ import annotations

from taller_cnn.explain.ablation import switched_off
from taller_cnn.explain.freeze_test import frozen_first_layer
from taller_cnn.explain.kernels import first_kernels
from taller_cnn.explain.parts import Part, inside_of
from taller_cnn.explain.patches import exciting_patches
from taller_cnn.explain.subject import Subject, Tick
from taller_cnn.messages import Messages
from taller_cnn.page import Heading

STEPS = 9
"""Three measurements and six short trainings, which take most of the time."""


def filters(subject: Subject, say: Messages, tick: Tick) -> Part:
    """Kernels, exciting patches, dead filters, and two tests of what the first layer is worth.

    Raises:
        DivergedError: one of the short trainings did not converge.
    """
    yield from inside_of(subject, say)
    yield Heading(say("explain_filters.kernels"))
    yield from first_kernels(subject, say)
    tick(1, STEPS)
    yield from exciting_patches(subject, say)
    tick(2, STEPS)
    yield Heading(say("explain_filters.causal"))
    yield from frozen_first_layer(subject, say, lambda trained: tick(2 + trained, STEPS))
    yield from switched_off(subject, say)
    tick(STEPS, STEPS)
