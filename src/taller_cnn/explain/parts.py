"""The parts of an explanation, in reading order; each is imported when it is made.

A part is a function of its name: it is given the network, the reader's language and somebody to
tell how far it is, and yields what it says, block after block.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

from taller_cnn.explain.subject import Subject, Tick
from taller_cnn.messages import Messages
from taller_cnn.model import Ensemble
from taller_cnn.page import Block, Paragraph, Section

OVERVIEW = ("data", "network", "learning", "accuracy")
"""Parts of one module, ``overview``; each of the others has one of its name."""
PARTS = (
    *OVERVIEW,
    "classes",
    "filters",
    "feature_maps",
    "attribution",
    "errors",
    "trust",
    "embedding",
    "robustness",
    "labels",
    "reflection",
)


@dataclass(frozen=True)
class Numbers:
    """Numbers of a part, for ``explicacion.json``: JSON values by name."""

    values: Mapping[str, Any]


@dataclass(frozen=True)
class Attachment:
    """A list that lies beside the pictures, as CSV."""

    name: str
    """Of the file, ``mistakes.csv``."""
    rows: Sequence[Mapping[str, Any]]
    """At least one; all have the names of the columns."""

    def csv(self) -> str:
        """The text of the file."""
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, self.rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return buffer.getvalue()


Part = Iterator[Block | Numbers | Attachment]
"""What a part says, in reading order."""


def inside_of(subject: Subject, say: Messages) -> Part:
    """Of an ensemble, a paragraph that says whose layers a part shows; of one network, nothing."""
    if isinstance(subject.model, Ensemble):
        yield Paragraph(say("explain.inside", n=len(subject.model.members)))


class _Make(Protocol):
    def __call__(self, subject: Subject, say: Messages, tick: Tick) -> Part: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class MadePart:
    """A part that was made, in one language."""

    section: Section
    numbers: Mapping[str, Any] = field(default_factory=dict)
    attachments: Mapping[str, str] = field(default_factory=dict)
    """Texts of files by name."""


def make_part(name: str, subject: Subject, say: Messages, tick: Tick) -> MadePart:
    """Make one of `PARTS`, all of it.

    Raises:
        TallerError: it cannot be made of these digits.
    """
    overview = name in OVERVIEW
    module = import_module(f"taller_cnn.explain.{'overview' if overview else name}")
    make: _Make = getattr(module, name)
    blocks: list[Block] = []
    numbers: dict[str, Any] = {}
    attachments: dict[str, str] = {}
    for said in make(subject, say, tick):
        if isinstance(said, Numbers):
            numbers |= said.values
        elif isinstance(said, Attachment):
            attachments[said.name] = said.csv()
        else:
            blocks.append(said)
    title = say(f"explain_overview.{name}.title" if overview else f"explain_{name}.title")
    section = Section(name=name, title=title, blocks=tuple(blocks))
    return MadePart(section=section, numbers=numbers, attachments=attachments)
