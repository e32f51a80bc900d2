"""The report of a study: Markdown with pictures beside it, and one HTML file that needs nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from taller_cnn.figures import save_figure
from taller_cnn.files import atomic_path
from taller_cnn.messages import Messages
from taller_cnn.study.analysis import (
    QuestionAnalysis,
    StudyAnalysis,
)
from taller_cnn.study.claims import Claim, check_claims
from taller_cnn.study.conclusions import Conclusion, conclude
from taller_cnn.study.draw import draw_study
from taller_cnn.study.labels import (
    factor_label,
    question_label,
    reference_label,
)
from taller_cnn.study.report_files import replace_earlier
from taller_cnn.study.report_tables import Table, question_tables

if TYPE_CHECKING:
    import jinja2
    import pandas as pd

HTML_NAME = "estudio.html"
MARKDOWN_NAME = "estudio.md"
FIRST_SAID: tuple[str, ...] = ("better", "worse", "unclear", "unknown")
"""Kinds of conclusions that answer the question; the others say how far the answer holds."""


class StudyDesign(Protocol):
    """What the report says of a design."""

    @property
    def name(self) -> str:
        """Its name; ``default`` and ``thorough`` have a title of their own."""

    @property
    def hash(self) -> str:
        """What stands for the plan and the digits."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """A picture in the report."""

    file: str
    alt: str
    kind: str
    data: str
    """PNG in base64."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """What the report says about one question."""

    heading: str
    question: str
    regime: str
    design: str
    answers: tuple[Conclusion, ...]
    cautions: tuple[Conclusion, ...]
    reach: tuple[Conclusion, ...]
    tables: tuple[Table, ...]
    images: tuple[Image, ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that the templates write, in the reader's language."""

    language: Literal["es", "en"] | str
    title: str
    lead: str
    note: str | None
    claims: tuple[Claim, ...]
    images: tuple[Image, ...]
    sections: tuple[Section, ...]
    reading: tuple[str, ...]
    not_measured: tuple[str, ...]
    command: str
    fingerprint: str
    origin: tuple[str, ...] = field(default=())


def write_report(
    design: StudyDesign,
    table: pd.DataFrame,
    analysis: StudyAnalysis,
    folder: Path,
    messages: Messages,
    *,
    command: str = "taller-cnn study",
    note: str | None = None,
    origin: Sequence[str] = (),
    tables: Sequence[Path] = (),
) -> dict[str, Path]:
    """Draw the pictures and write the report in both forms, each file whole or not at all.

    Pictures and tables that the report of another study left in the folder are removed.

    Args:
        design: the study's name and fingerprint.
        table: its trials, as `Design.table` makes it.
        analysis: of that table.
        folder: where the files go.
        messages: the reader's language.
        command: what to type to get the same study.
        note: what the reader must know about the data, e.g. that it is a sample.
        origin: lines on where the results come from: version, machine, date.
        tables: files with the same trials that were written into the folder.

    Returns:
        The files by name: ``html``, ``markdown`` and the name of each picture.

    Raises:
        OutputError: a file cannot be written.
    """
    files: dict[str, Path] = {}
    images: dict[str | None, list[Image]] = {}
    for picture in draw_study(analysis, table, messages, note):
        files[picture.name] = folder / f"{picture.name}.png"
        save_figure(picture.draw, files[picture.name])
        image = _image(files[picture.name], picture.kind, messages)
        images.setdefault(picture.question, []).append(image)
    report = _report(design, analysis, images, messages, command, note, origin)
    files |= _write_forms(folder, report, messages)
    replace_earlier(folder, design.hash, (*files.values(), *tables))
    return files


def _report(
    design: StudyDesign,
    analysis: StudyAnalysis,
    images: dict[str | None, list[Image]],
    messages: Messages,
    command: str,
    note: str | None,
    origin: Sequence[str],
) -> Report:
    return Report(
        language=messages.language,
        title=_title(design, messages),
        lead=messages("study_report.report.lead", done=analysis.done),
        note=messages("study_report.report.note", note=note) if note else None,
        claims=check_claims(analysis, messages),
        images=tuple(images.get(None, ())),
        sections=tuple(_sections(analysis, images, messages)),
        reading=_items("reading_items", messages),
        not_measured=(*_not_run(analysis, messages), *_items("not_measured_items", messages)),
        command=command,
        fingerprint=messages("study_report.report.fingerprint", hash=design.hash),
        origin=tuple(origin),
    )


def _image(path: Path, kind: str, messages: Messages) -> Image:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    alt = messages(f"study_report.alt.{kind}")
    return Image(file=path.name, alt=alt, kind=kind, data=data)


def _title(design: StudyDesign, messages: Messages) -> str:
    if design.name in ("default", "thorough"):
        return messages("study_report.report.title")
    return messages("study_report.report.title_other", name=design.name)


def _items(key: str, messages: Messages) -> tuple[str, ...]:
    """The sentences of a list, in the order of the catalogue."""
    items = messages.template(f"study_report.report.{key}")
    assert isinstance(items, dict)
    return tuple(items.values())


def _not_run(analysis: StudyAnalysis, messages: Messages) -> Iterator[str]:
    if analysis.missing:
        yield messages("study_report.report.trials_missing", n=analysis.missing)
    if analysis.failed:
        yield messages("study_report.report.trials_failed", n=analysis.failed)


def _sections(
    analysis: StudyAnalysis, images: dict[str | None, list[Image]], messages: Messages
) -> Iterator[Section]:
    for question in analysis.questions:
        said = conclude(question, analysis, messages)
        yield Section(
            heading=question_label(question, messages),
            question=_question_text(question, messages),
            regime=_regime_text(question.regime, messages),
            design=_design_text(question, messages),
            answers=tuple(c for c in said if c.kind in FIRST_SAID),
            cautions=tuple(c for c in said if c.kind == "caution"),
            reach=tuple(c for c in said if c.kind == "note"),
            tables=tuple(question_tables(question, messages)),
            images=tuple(images.get(question.name, ())),
        )


def _question_text(question: QuestionAnalysis, messages: Messages) -> str:
    key = "question_two" if len(question.factors) == 2 else "question_one"
    factors = " × ".join(factor_label(factor, messages) for factor in question.factors)
    return messages(f"study_report.report.{key}", factors=factors)


def _regime_text(regime: str, messages: Messages) -> str:
    key = f"study_report.regime_text.{regime}"
    if messages.has(key):
        return messages(key)
    return messages("study_report.regime_text.other", regime=regime)


def _design_text(question: QuestionAnalysis, messages: Messages) -> str:
    counts = [len(level.rates) for level in question.levels]
    least, rates = min(counts), max(counts)
    key = "design_text" if rates > 1 else "design_text_one_rate"
    if least < rates:
        key = "design_text_rates_differ"
    told = messages(
        f"study_report.report.{key}",
        levels=len(question.levels),
        rates=rates,
        least=least,
        seeds=messages("study_report.report.seeds_text", n=question.seeds),
        reference=reference_label(question, messages),
    )
    judged_n = max(level.judged for level in question.levels)
    if not judged_n:
        return told
    shared = "design_text_folds" if question.folds else "design_text_same"
    values = {"folds": question.folds, "judged_n": judged_n}
    return f"{told} " + messages(f"study_report.report.{shared}", **values)


@cache
def _environment() -> jinja2.Environment:
    """Templates of this package; HTML is escaped, Markdown's own signs in cells are too."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("taller_cnn.study"),
        autoescape=lambda name: bool(name and name.endswith(".html.j2")),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|")
    return environment


def _write_forms(folder: Path, report: Report, messages: Messages) -> dict[str, Path]:
    def text(key: str, **values: object) -> str:
        return messages(f"study_report.report.{key}", **values)

    files = {"markdown": folder / MARKDOWN_NAME, "html": folder / HTML_NAME}
    for path in files.values():
        content = _environment().get_template(f"{path.name}.j2").render(report=report, text=text)
        with atomic_path(path) as temporary:
            temporary.write_text(content, encoding="utf-8")
    return files
