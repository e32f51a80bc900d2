"""The parts one after the other, and what they leave: pictures, numbers, one page for a class."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taller_cnn.errors import Phrase, TallerError, UsageError
from taller_cnn.explain.parts import PARTS, make_part
from taller_cnn.explain.section import Heading, Picture, Section, Subject, Table, Text, cell_text
from taller_cnn.figures import save_figure
from taller_cnn.files import atomic_path, discard, provenance, read_json, write_json
from taller_cnn.messages import Messages

if TYPE_CHECKING:
    import jinja2

NUMBERS_NAME = "explicacion.json"
PAGE_NAME = "informe.html"
FOLDER_NAME = "explicacion"
FORMAT = 1
_PLAIN_NAME = re.compile(r"[a-z0-9_]+\.(png|csv)")

PartTick = Callable[[str, int, int], None]
"""Told the part, how many of its steps are done, and of how many."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """What was computed, ready to be written in any language."""

    subject: Subject
    sections: tuple[Section, ...]
    problems: Mapping[str, TallerError] = field(default_factory=dict)
    """Parts that could not be made, and why."""


def checked_parts(names: Sequence[str] | None) -> tuple[str, ...]:
    """The parts asked for, in reading order; all of them for None.

    Raises:
        UsageError: there is no such part.
    """
    for name in names or ():
        if name not in PARTS:
            raise UsageError("explain_part", value=name, allowed=", ".join(PARTS))
    return tuple(name for name in PARTS if names is None or name in names)


def explain(subject: Subject, names: Sequence[str], tick: PartTick) -> Explanation:
    """Compute the parts `names`.

    A part that cannot be made (a library is missing, too few digits) is left out with its
    reason, unless no part is left.

    Raises:
        TallerError: none of the parts could be made; the first one's reason.
    """
    sections: list[Section] = []
    problems: dict[str, TallerError] = {}
    for name in names:
        tick(name, 0, 1)
        try:
            sections.append(make_part(name, subject, partial(tick, name)))
        except TallerError as error:
            problems[name] = error
    if problems and not sections:
        raise next(iter(problems.values()))
    return Explanation(subject=subject, sections=tuple(sections), problems=problems)


@dataclass(frozen=True, kw_only=True)
class _Block:
    """One block in the reader's language, as the template writes it."""

    kind: str
    text: str = ""
    data: str = ""
    alt: str = ""
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Written:
    name: str
    title: str
    blocks: tuple[_Block, ...]


def write_report(
    explanation: Explanation,
    results: Path,
    messages: Messages,
    tick: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, Path]:
    """Draw the pictures and write page and numbers, each file whole or not at all.

    Pictures and lists that an earlier report left and this one does not have are removed.

    Args:
        explanation: what to write.
        results: the page goes here, pictures and numbers into the folder ``explicacion``.
        messages: the reader's language.
        tick: told how many pictures are drawn, and of how many.

    Returns:
        The files by name: ``page``, ``numbers``, each picture and each list.

    Raises:
        OutputError: a file cannot be written.
    """
    folder = results / FOLDER_NAME
    numbers, page = folder / NUMBERS_NAME, results / PAGE_NAME
    earlier = read_json(numbers)
    files: dict[str, Path] = {}
    drawn = _drawing(explanation, folder, files, messages, tick)
    sections = tuple(drawn)
    for section in explanation.sections:
        for name, text in section.attachments.items():
            files[name] = folder / name
            with atomic_path(files[name]) as temporary:
                temporary.write_text(text, encoding="utf-8")
    origin = provenance()
    write_json(numbers, _numbers(explanation, files, origin))
    _write_page(page, explanation, sections, origin, messages)
    _remove_stale(folder, earlier, files)
    return {"page": page, "numbers": numbers, **files}


def _drawing(
    explanation: Explanation,
    folder: Path,
    files: dict[str, Path],
    messages: Messages,
    tick: Callable[[int, int], None],
) -> Iterator[_Written]:
    """The sections in the reader's language; each picture is drawn, saved and forgotten."""
    blocks = [block for section in explanation.sections for block in section.blocks]
    of = sum(isinstance(block, Picture) for block in blocks)
    for section in explanation.sections:
        written: list[_Block] = []
        for block in section.blocks:
            if isinstance(block, Picture):
                path = folder / f"{block.name}.png"
                save_figure(partial(block.draw, messages), path)
                files[block.name] = path
                tick(sum(file.suffix == ".png" for file in files.values()), of)
                written += _picture_blocks(block, path, messages)
            else:
                written.append(_words(block, messages))
        title = section.title.say(messages)
        yield _Written(name=section.name, title=title, blocks=tuple(written))


def _picture_blocks(picture: Picture, path: Path, messages: Messages) -> Iterator[_Block]:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    caption = picture.caption.say(messages) if picture.caption else ""
    yield _Block(kind="picture", data=data, alt=picture.alt.say(messages), text=caption)


def _words(block: Text | Heading | Table, messages: Messages) -> _Block:
    if isinstance(block, Text):
        return _Block(kind="paragraph", text=block.say(messages))
    if isinstance(block, Heading):
        return _Block(kind="heading", text=block.text.say(messages))
    return _Block(
        kind="table",
        text=block.caption.say(messages),
        header=tuple(title.say(messages) for title in block.header),
        rows=tuple(tuple(cell_text(cell, messages) for cell in row) for row in block.rows),
    )


def _numbers(
    explanation: Explanation, files: Mapping[str, Path], origin: Mapping[str, Any]
) -> dict[str, Any]:
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
        "parts": {section.name: _plain(section.numbers) for section in explanation.sections},
        "left_out": {name: str(error) for name, error in explanation.problems.items()},
        "files": sorted(path.name for path in files.values()),
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


def _remove_stale(folder: Path, earlier: Any, files: Mapping[str, Path]) -> None:
    """Take away what the earlier report wrote and this one did not, and nothing else."""
    listed = earlier.get("files") if isinstance(earlier, dict) else None
    present = {path.name for path in files.values()}
    for name in listed if isinstance(listed, list) else ():
        if isinstance(name, str) and _PLAIN_NAME.fullmatch(name) and name not in present:
            discard(folder / name)


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("taller_cnn.explain"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )


def _write_page(
    path: Path,
    explanation: Explanation,
    sections: tuple[_Written, ...],
    origin: Mapping[str, Any],
    messages: Messages,
) -> None:
    def text(key: str, **values: object) -> str:
        return messages(f"explain.page.{key}", **values)

    content = (
        _environment()
        .get_template(f"{PAGE_NAME}.j2")
        .render(
            language=messages.tag.replace("_", "-"),
            text=text,
            lead=_lead(explanation.subject, messages),
            sections=sections,
            problems=[_problem(n, e, messages) for n, e in explanation.problems.items()],
            origin=_origin(explanation.subject, origin, messages),
        )
    )
    with atomic_path(path) as temporary:
        temporary.write_text(content, encoding="utf-8")


def _lead(subject: Subject, messages: Messages) -> str:
    low, high = subject.evaluation.interval()
    return messages(
        "explain.page.lead",
        data=messages(f"data.title.{subject.digits.name}"),
        kind=messages(f"data.{subject.digits.source}"),
        accuracy=subject.evaluation.accuracy,
        low=low,
        high=high,
        n=subject.evaluation.n,
    )


def _problem(name: str, error: TallerError, messages: Messages) -> str:
    part = messages(f"explain.part.{name}")
    reason = Phrase(error.key, error.values).text(messages)
    return messages("explain.page.problem", part=part, reason=reason)


def _origin(subject: Subject, origin: Mapping[str, Any], messages: Messages) -> list[str]:
    """Where the numbers come from, a line each."""
    versions, machine = origin["versions"], origin["machine"]
    lines = [
        messages(
            "explain.page.made",
            date=origin["created"][:10],
            version=versions["taller-cnn"] or "–",
            torch=versions["torch"],
            processor=machine["processor"],
        )
    ]
    info = subject.info
    if info is None:
        return [*lines, messages("explain.page.unknown_training")]
    training = messages(
        "explain.page.training",
        recipe=info.train.recipe,
        epochs=info.train.epochs,
        seed=info.train.seed,
        # Of the sample fewer are held out than were asked for.
        holdout=len(subject.digits.validation),
    )
    return [*lines, training]
