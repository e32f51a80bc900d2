"""A page of results: words, tables and pictures, as one HTML file and as Markdown.

Who has something to show yields blocks, plain words in the reader's language; `write_page` draws
the pictures, writes the page and records what it wrote, so that the next page in the folder can
remove what it has no use for. The HTML needs no other file; the Markdown shows the pictures beside
it.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from taller_cnn.errors import OutputError, TallerError
from taller_cnn.files import atomic_path, read_json, write_json
from taller_cnn.messages import Messages

if TYPE_CHECKING:
    import jinja2
    from matplotlib.figure import Figure

COLOURS = 256
"""Of a page's pictures: a third of the bytes, and no colour is off by more than 5%."""
_REMOVABLE = re.compile(r"[\w-]+\.(png|csv|parquet)")
"""Names in a record that may be removed: in the folder itself, and never results."""

Mark = Literal["", "better", "worse", "open"]
"""What is shown beside an answer: a bar, blue, red, or dashed where the question stays open."""


@dataclass(frozen=True)
class Paragraph:
    """A paragraph."""

    text: str
    label: str = ""
    """Word or two before it, in bold."""
    is_notice: bool = False
    """Something that nobody should overlook."""


@dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    text: str


@dataclass(frozen=True)
class Bullet:
    """An entry of a list, with entries of its own."""

    text: str
    mark: Mark = ""
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: tuple[Bullet, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A picture, drawn when the page is written."""

    name: str
    """File stem in plain letters, ``filters_conv1``; unique in the page."""
    draw: Callable[[], Figure]
    alt: str
    """What the picture shows, for who cannot see it."""
    caption: str = ""
    """What is written under it."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table; the first cell of a row is its heading."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    """Needed where the cells are figures: such a table may be wider than the screen, and its
    region is named by it."""
    is_prose: bool = False
    """Whether the cells are sentences, which begin at the left and take several lines."""
    marks: tuple[Mark, ...] = ()
    """One per row, or none."""


@dataclass(frozen=True)
class Code:
    """Lines to be typed, or as a program writes them."""

    text: str


Block = Paragraph | Heading | Bullets | Picture | Table | Code


@dataclass(frozen=True, kw_only=True, eq=False)
class Section:
    """A part of a page."""

    name: str
    """In plain letters, unique in the page: the contents lead to it."""
    title: str
    blocks: Iterable[Block]
    """In reading order; gone through once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Page:
    """All that a page says, in the reader's language."""

    title: str
    """Of the window and of the printed page."""
    heading: str
    lead: str
    sections: Sequence[Section]
    blocks: tuple[Block, ...] = ()
    """What comes before the sections."""


@dataclass(frozen=True, kw_only=True)
class PageFiles:
    """Where a page is written."""

    html: Path
    folder: Path
    """Of the pictures, and of other files that belong to the page."""
    record: Path
    """JSON with the names of the files in the folder that the page consists of."""
    markdown: Path | None = None
    """None where there is no such form."""


@dataclass(frozen=True, kw_only=True)
class WrittenPage:
    """What there is of a page after it was written."""

    files: dict[str, Path]
    """Pictures and attachments by name, those that could be written."""
    problems: tuple[TallerError, ...]
    """A picture that could not be drawn, a file that another program holds open: each costs
    itself alone."""


def write_page(
    page: Page,
    files: PageFiles,
    say: Messages,
    *,
    attachments: Mapping[str, str] | None = None,
    others: Iterable[Path] = (),
    record: Mapping[str, Any] | None = None,
    tick: Callable[[int], None] = lambda drawn: None,
) -> WrittenPage:
    """Draw the pictures and write the page, each file whole or not at all.

    What the record says that an earlier page wrote, and this one did not, is removed.

    Args:
        page: what it says.
        files: where it goes.
        say: the reader's language.
        attachments: texts of other files in the folder, by name, ``mistakes.csv``.
        others: files in the folder that belong to the page and were written by the caller.
        record: what the record says beside the names of the files: JSON values.
        tick: told how many pictures are drawn.

    Raises:
        OutputError: the page itself or the record cannot be written.
    """
    earlier = recorded_files(files.record)
    writer = _Writer(files.folder, say, tick)
    blocks = writer.drawn(page.blocks)
    sections = [(section, writer.drawn(section.blocks)) for section in page.sections]
    writer.attach(attachments or {})
    for path in filter(None, (files.html, files.markdown)):
        _write_form(path, files.folder, say, page=page, blocks=blocks, sections=sections)
    present = {path.name for path in (*writer.files.values(), *others)}
    left = [path for name in sorted(earlier - present) if not _removed(path := files.folder / name)]
    names = sorted(present | {path.name for path in left})
    write_json(files.record, {**(record or {}), "files": names})
    not_removed = (OutputError("cannot_remove", path=path) for path in left)
    return WrittenPage(files=writer.files, problems=(*writer.problems, *not_removed))


def recorded_files(record: Path) -> set[str]:
    """Names of the files that an earlier page put into its folder.

    A record may be damaged or changed by hand: only names that may be removed are taken.
    """
    values = read_json(record)
    names = values.get("files") if isinstance(values, dict) else None
    listed = names if isinstance(names, list) else []
    return {name for name in listed if isinstance(name, str) and _REMOVABLE.fullmatch(name)}


def save_softly(draw: Callable[[], Figure], path: Path, colours: int = 0) -> TallerError | None:
    """Draw and save a figure; if that fails, whatever the reason, give the error.

    For pictures of results that are worth more than a picture of them.

    Args:
        draw: makes the figure.
        path: of the PNG file.
        colours: as `taller_cnn.figures.save_figure`.
    """
    try:
        from taller_cnn.figures import save_figure

        save_figure(draw, path, colours)
    except TallerError as error:
        return error
    except Exception as error:
        return OutputError("cannot_draw", path=path, reason=f"{type(error).__name__}: {error}")
    return None


@dataclass(frozen=True, kw_only=True)
class _Drawn:
    """A picture as the templates write it."""

    file: str
    alt: str
    caption: str
    data: str
    """PNG in base64."""
    width: int
    height: int


class _Writer:
    """What writes pictures and attachments, and keeps what became of them.

    Args:
        folder: where they go.
        say: the reader's language.
        tick: told how many pictures are drawn.
    """

    def __init__(self, folder: Path, say: Messages, tick: Callable[[int], None]) -> None:
        self.files: dict[str, Path] = {}
        self.problems: list[TallerError] = []
        self._folder, self._say, self._tick = folder, say, tick
        self._pictures = 0

    def drawn(self, blocks: Iterable[Block]) -> list[Block | _Drawn]:
        """The blocks with their pictures drawn; each figure is saved and forgotten."""
        return [self._draw(block) if isinstance(block, Picture) else block for block in blocks]

    def _draw(self, picture: Picture) -> Paragraph | _Drawn:
        path = self._folder / f"{picture.name}.png"
        problem = save_softly(picture.draw, path, COLOURS)
        self._pictures += 1
        self._tick(self._pictures)
        if problem is not None:
            self.problems.append(problem)
            reason = problem.text(self._say)
            words = self._say("page.not_drawn", alt=picture.alt, reason=reason)
            return Paragraph(text=words, is_notice=True)
        self.files[picture.name] = path
        png = path.read_bytes()
        # The head of every PNG file: signature, then the chunk with its size (ISO 15948).
        width, height = (int.from_bytes(png[start : start + 4]) for start in (16, 20))
        return _Drawn(
            file=path.name,
            alt=picture.alt,
            caption=picture.caption,
            data=base64.b64encode(png).decode("ascii"),
            width=width,
            height=height,
        )

    def attach(self, texts: Mapping[str, str]) -> None:
        """Write other files, each whatever becomes of the others."""
        for name, text in texts.items():
            path = self._folder / name
            try:
                with atomic_path(path) as temporary:
                    temporary.write_text(text, encoding="utf-8")
            except OutputError as error:
                # On Windows a list that is open in a spreadsheet cannot be replaced.
                self.problems.append(error)
            else:
                self.files[name] = path


def _removed(path: Path) -> bool:
    """Remove a file; whether it is gone. On Windows one that is open in another program stays."""
    with suppress(OSError):
        path.unlink(missing_ok=True)
    return not path.exists()


@cache
def _environment() -> jinja2.Environment:
    """The two templates; HTML is escaped, and in Markdown the sign that ends a table's cell."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("taller_cnn"),
        autoescape=lambda name: bool(name and name.endswith(".html.j2")),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["kind"] = lambda block: type(block).__name__.strip("_").lower()
    environment.filters["cell"] = lambda text: text.replace("|", "\\|").replace("\n", " ")
    return environment


def _write_form(path: Path, pictures: Path, say: Messages, **values: Any) -> None:
    """Write one form of the page, by the ending of the file's name."""
    content = (
        _environment()
        .get_template(f"page{path.suffix}.j2")
        .render(
            say=say,
            language=say.tag.replace("_", "-"),
            folder=Path(os.path.relpath(pictures, path.parent)).as_posix(),
            **values,
        )
    )
    with atomic_path(path) as temporary:
        temporary.write_text(content, encoding="utf-8")
