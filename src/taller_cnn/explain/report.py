"""The parts one after the other, and what they leave: pictures, numbers, one page for a class."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from taller_cnn.data import display_title
from taller_cnn.errors import TallerError, UsageError
from taller_cnn.explain.parts import PARTS, MadePart, make_part
from taller_cnn.explain.subject import Subject
from taller_cnn.files import provenance
from taller_cnn.messages import Messages
from taller_cnn.page import (
    Bullet,
    Bullets,
    Page,
    PageFiles,
    Paragraph,
    Picture,
    Section,
    write_page,
)

NUMBERS_NAME = "explicacion.json"
PAGE_NAME = "informe.html"
FOLDER_NAME = "explicacion"
FORMAT = 1

PartTick = Callable[[str, int, int], None]
"""Told the part, how many of its steps are done, and of how many."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """What was computed, in one language, ready to be written."""

    subject: Subject
    parts: tuple[MadePart, ...]
    problems: Mapping[str, TallerError] = field(default_factory=dict)
    """Parts that could not be made, and why."""


@dataclass(frozen=True, kw_only=True)
class WrittenReport:
    """What there is of a report after it was written."""

    files: Mapping[str, Path]
    """By name: ``page``, ``numbers``, each picture and each list."""
    problems: tuple[TallerError, ...]
    """Pictures and lists that are missing, and why."""


def checked_parts(names: Sequence[str] | None) -> tuple[str, ...]:
    """The parts asked for, in reading order; all of them for None.

    Raises:
        UsageError: there is no such part.
    """
    for name in names or ():
        if name not in PARTS:
            raise UsageError("explain_part", value=name, allowed=", ".join(PARTS))
    return tuple(name for name in PARTS if names is None or name in names)


def explain(subject: Subject, names: Sequence[str], say: Messages, tick: PartTick) -> Explanation:
    """Compute the parts `names`.

    A part that cannot be made (too few digits) is left out with its reason, unless no part is left.

    Raises:
        TallerError: none of the parts could be made; the first one's reason.
    """
    parts: list[MadePart] = []
    problems: dict[str, TallerError] = {}
    for name in names:
        tick(name, 0, 1)
        try:
            parts.append(make_part(name, subject, say, partial(tick, name)))
        except TallerError as error:
            problems[name] = error
    if problems and not parts:
        raise next(iter(problems.values()))
    return Explanation(subject=subject, parts=tuple(parts), problems=problems)


def write_report(
    explanation: Explanation,
    results: Path,
    say: Messages,
    tick: Callable[[int, int], None] = lambda done, of: None,
) -> WrittenReport:
    """Draw the pictures and write page and numbers, each file whole or not at all.

    Pictures and lists that an earlier report left and this one does not have are removed.

    Args:
        explanation: what to write.
        results: the page goes here, pictures and numbers into the folder ``explicacion``.
        say: the language that the explanation was made in.
        tick: told how many pictures are drawn, and of how many.

    Raises:
        OutputError: the page or the numbers cannot be written.
    """
    folder, origin = results / FOLDER_NAME, provenance()
    files = PageFiles(html=results / PAGE_NAME, folder=folder, record=folder / NUMBERS_NAME)
    blocks = [block for part in explanation.parts for block in part.section.blocks]
    pictures = sum(isinstance(block, Picture) for block in blocks)
    written = write_page(
        _page(explanation, origin, say),
        files,
        say,
        attachments={k: v for part in explanation.parts for k, v in part.attachments.items()},
        record=_numbers(explanation, origin),
        tick=lambda drawn: tick(drawn, pictures),
    )
    named = {"page": files.html, "numbers": files.record, **written.files}
    return WrittenReport(files=named, problems=written.problems)


def _page(explanation: Explanation, origin: Mapping[str, Any], say: Messages) -> Page:
    subject = explanation.subject
    low, high = subject.evaluation.interval()
    lead = say(
        "explain.page.lead",
        data=display_title(subject.digits.name, say),
        kind=say(f"data.{subject.digits.source}"),
        accuracy=subject.evaluation.accuracy,
        low=low,
        high=high,
        n=subject.evaluation.n,
    )
    made = tuple(part.section for part in explanation.parts)
    return Page(
        title=say("explain.page.title"),
        heading=say("explain.page.heading"),
        lead=lead,
        blocks=tuple(
            Paragraph(_problem(name, error, say), is_notice=True)
            for name, error in explanation.problems.items()
        ),
        sections=(*made, _origin(subject, origin, say)),
    )


def _problem(name: str, error: TallerError, say: Messages) -> str:
    part = say(f"explain.part.{name}")
    return say("explain.page.problem", part=part, reason=error.text(say))


def _origin(subject: Subject, origin: Mapping[str, Any], say: Messages) -> Section:
    """Where the numbers come from."""
    versions, machine, info = origin["versions"], origin["machine"], subject.info
    made = say(
        "explain.page.made",
        date=origin["created"][:10],
        version=versions["taller-cnn"] or "–",
        torch=versions["torch"],
        processor=machine["processor"],
    )
    training = say("explain.page.unknown_training")
    if info is not None:
        training = say(
            "explain.page.training",
            recipe=info.train.recipe,
            epochs=info.train.epochs,
            seed=info.train.seed,
            # Of the sample fewer are held out than were asked for.
            holdout=len(subject.digits.validation),
        )
    blocks = Bullets((Bullet(made), Bullet(training))), Paragraph(say("explain.page.repeat"))
    return Section(name="origin", title=say("explain.page.origin"), blocks=blocks)


def _numbers(explanation: Explanation, origin: Mapping[str, Any]) -> dict[str, Any]:
    """All numbers as a JSON object."""
    subject = explanation.subject
    return {
        "format": FORMAT,
        "dataset": subject.digits.name,
        "source": subject.digits.source,
        "data_checksum": subject.digits.checksum,
        "model": subject.network.config.to_dict(),
        "train": subject.info and subject.info.train.to_dict(),
        "seed": subject.seed,
        "parts": {part.section.name: _plain(part.numbers) for part in explanation.parts},
        "left_out": {name: str(error) for name, error in explanation.problems.items()},
        "provenance": dict(origin),
    }


def _plain(value: Any) -> Any:
    """JSON values: tuples as lists, null for what is not a finite number."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
