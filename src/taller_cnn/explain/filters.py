"""What the filters look for, and what they cost switched off."""

from __future__ import annotations

from taller_cnn.explain.ablation import switched_off
from taller_cnn.explain.kernels import first_kernels
from taller_cnn.explain.parts import Part, inside_of
from taller_cnn.explain.patches import exciting_patches
from taller_cnn.explain.subject import Subject, Tick
from taller_cnn.messages import Messages
from taller_cnn.page import Heading, Paragraph

STEPS = 3


def filters(subject: Subject, say: Messages, tick: Tick) -> Part:
    """Kernels, exciting patches, dead filters, and what the first layer costs switched off."""
    yield from inside_of(subject, say)
    yield Heading(say("explain_filters.kernels"))
    yield from first_kernels(subject, say)
    tick(1, STEPS)
    yield from exciting_patches(subject, say)
    tick(2, STEPS)
    yield Heading(say("explain_filters.causal"))
    yield from switched_off(subject, say)
    yield Paragraph(say("explain_filters.worth"))
    tick(STEPS, STEPS)
