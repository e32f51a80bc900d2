"""The report of a study: Markdown with pictures beside it, and one HTML file that needs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from taller_cnn.files import read_json
from taller_cnn.messages import Messages
from taller_cnn.page import (
    Block,
    Bullet,
    Bullets,
    Code,
    Heading,
    Page,
    PageFiles,
    Paragraph,
    Section,
    Table,
    WrittenPage,
    recorded_files,
    write_page,
)
from taller_cnn.study.claims import Claim, check_claims
from taller_cnn.study.conclusions import VERDICTS, Conclusion, conclude
from taller_cnn.study.labels import (
    factor_label,
    question_label,
    reference_label,
    training_label,
    training_text,
)
from taller_cnn.study.pictures import question_pictures, study_pictures
from taller_cnn.study.report_tables import MARKS, question_tables
from taller_cnn.study.results import QuestionAnalysis, StudyAnalysis

HTML_NAME = "estudio.html"
MARKDOWN_NAME = "estudio.md"
RECORD_NAME = "estudio.json"
TABLE_ENDINGS = (".csv", ".parquet")


class StudyDesign(Protocol):
    """What the report says of a design."""

    @property
    def name(self) -> str:
        """Its name; ``default`` and ``thorough`` have a title of their own."""

    @property
    def hash(self) -> str:
        """What stands for the plan and the digits."""


def write_report(
    design: StudyDesign,
    study: StudyAnalysis,
    folder: Path,
    say: Messages,
    *,
    command: str = "taller-cnn study",
    note: str | None = None,
    origin: Sequence[str] = (),
    tables: Sequence[Path] = (),
) -> WrittenPage:
    """Draw the pictures and write the report in both forms, each file whole or not at all.

    Pictures and tables that the report of another study left in the folder are removed.

    Args:
        design: the study's name and fingerprint.
        study: the answers to its questions.
        folder: where the files go.
        say: the reader's language.
        command: what to type to get the same study.
        note: what the reader must know about the data, e.g. that it is a sample.
        origin: lines on where the results come from: version, machine, date.
        tables: files with the same trials that were written into the folder.

    Returns:
        Files by name: ``markdown``, ``html`` and each picture; and what could not be done.

    Raises:
        OutputError: the page or its record cannot be written.
    """
    files = page_files(folder)
    written = write_page(
        report_page(design, study, say, command=command, note=note, origin=origin),
        files,
        say,
        others=(*tables, *_earlier_tables(files, design)),
        record={"design": design.hash},
    )
    forms = {"markdown": folder / MARKDOWN_NAME, "html": files.html}
    return replace(written, files={**forms, **written.files})


def page_files(folder: Path) -> PageFiles:
    """Where a study's report lies in its folder."""
    return PageFiles(
        html=folder / HTML_NAME,
        folder=folder,
        record=folder / RECORD_NAME,
        markdown=folder / MARKDOWN_NAME,
    )


def _earlier_tables(files: PageFiles, design: StudyDesign) -> list[Path]:
    """Tables of the same design: one is written only where it is asked for, so they stay."""
    record = read_json(files.record)
    if not isinstance(record, dict) or record.get("design") != design.hash:
        return []
    names = sorted(recorded_files(files.record))
    paths = (files.folder / name for name in names if name.endswith(TABLE_ENDINGS))
    return [path for path in paths if path.exists()]


def report_page(
    design: StudyDesign,
    study: StudyAnalysis,
    say: Messages,
    *,
    command: str,
    note: str | None = None,
    origin: Sequence[str] = (),
) -> Page:
    """All that the report says; arguments as `write_report`."""
    title = say("study_report.report.title")
    if design.name not in ("default", "thorough"):
        title = say("study_report.report.title_other", name=design.name)
    notice = say("study_report.report.note", note=note) if note else ""
    claims = check_claims(study, say)
    parts: list[tuple[str, Iterable[Block]]] = [
        ("claims", [_claims(claims, say)] if claims else []),
        ("overview", study_pictures(study, say, note)),
        ("reading", [_bullets(_texts("reading_items", say))]),
        ("families", [_bullets(_families(study, say))]),
        ("not_measured", [_bullets(_not_measured(study, say))]),
        ("repeat", _repeat(design, command, origin, say)),
    ]
    sections = [
        Section(name=name, title=say(f"study_report.report.{name}"), blocks=blocks)
        for name, blocks in parts
        if blocks
    ]
    questions = [
        Section(
            name=f"question_{number}",
            title=_heading(question, say),
            blocks=_question(question, study, say, note),
        )
        for number, question in enumerate(study.questions, start=1)
    ]
    return Page(
        title=say("study_report.report.printed", title=title),
        heading=title,
        lead=say("study_report.report.lead", n=study.done),
        blocks=(Paragraph(text=notice, is_notice=True),) if notice else (),
        sections=[*sections[:-4], *questions, *sections[-4:]],
    )


def _texts(key: str, say: Messages) -> tuple[str, ...]:
    """The sentences of a list, in the order of the catalogue."""
    items = say.template(f"study_report.report.{key}")
    assert isinstance(items, dict)
    return tuple(items.values())


def _bullets(texts: Iterable[str]) -> Bullets:
    return Bullets(tuple(Bullet(text=text) for text in texts))


def _heading(question: QuestionAnalysis, say: Messages) -> str:
    """What varies, and in which training."""
    heading, training = question_label(question, say), training_label(question, say)
    return say("study_report.in_training", heading=heading, training=training)


def _claims(claims: Sequence[Claim], say: Messages) -> Table:
    return Table(
        header=(say("study_report.report.claim"), say("study_report.report.answer")),
        rows=tuple((claim.claim, claim.answer) for claim in claims),
        is_prose=True,
        marks=tuple(MARKS[claim.kind] for claim in claims),
    )


def _question(
    question: QuestionAnalysis, study: StudyAnalysis, say: Messages, note: str | None
) -> Iterator[Block]:
    """All that is said of one question: how it was asked, the answers, pictures and tables."""
    key = "question_two" if len(question.factors) == 2 else "question_one"
    factors = " × ".join(factor_label(factor, say) for factor in question.factors)
    yield _labelled("question", say(f"study_report.report.{key}", factors=factors), say)
    yield _labelled("training", training_text(question, say), say)
    yield _labelled("design", _design_text(question, say), say)
    conclusions = conclude(question, study, say)
    for heading, kinds in (
        ("conclusions", VERDICTS),
        ("cautions", ("caution",)),
        ("reach", ("note",)),
    ):
        bullets = tuple(_bullet(c) for c in conclusions if c.kind in kinds)
        if bullets:
            yield Heading(say(f"study_report.report.{heading}"))
            yield Bullets(bullets)
    yield from question_pictures(question, say, note)
    yield from question_tables(question, say)


def _labelled(label: str, text: str, say: Messages) -> Paragraph:
    return Paragraph(label=say(f"study_report.report.{label}"), text=text)


def _bullet(conclusion: Conclusion) -> Bullet:
    mark = MARKS.get(conclusion.kind, "")
    return Bullet(text=conclusion.text, mark=mark, items=conclusion.items)


def _design_text(question: QuestionAnalysis, say: Messages) -> str:
    text = say(
        "study_report.report.design_text",
        levels=len(question.levels),
        seeds=say("study_report.seeds", n=len(question.results.seeds)),
        reference=reference_label(question, say),
        judged_n=question.results.training.judges,
    )
    pilots = question.results.pilot_errors.shape[-1]
    if not any(len(level.rates) > 1 for level in question.levels):
        return text
    values = {"n": pilots, "pilot_n": question.results.pilot_n}
    return f"{text} " + say("study_report.report.pilots", **values)


def _families(study: StudyAnalysis, say: Messages) -> Iterator[str]:
    """How many risks of 5% a reader runs who reads all of it."""
    families = study.families
    if families:
        values = {"n": families, "expected": 0.05 * families}
        yield say("study_report.report.families_text", **values)
    if study.interaction_tests:
        yield say("study_report.report.interactions_text")
    yield say("study_report.report.seeds_text")


def _not_measured(study: StudyAnalysis, say: Messages) -> Iterator[str]:
    if study.missing:
        yield say("study_report.report.trials_missing", n=study.missing)
    if study.failed:
        yield say("study_report.report.trials_failed", n=study.failed)
    yield from _texts("not_measured_items", say)


def _repeat(
    design: StudyDesign, command: str, origin: Sequence[str], say: Messages
) -> Iterator[Block]:
    yield Code(command)
    yield Paragraph(text=say("study_report.report.repeat_text"))
    yield _bullets((say("study_report.report.fingerprint", hash=design.hash), *origin))
