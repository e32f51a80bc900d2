"""The READMEs and the pages of ``docs``: links, both languages, and figures that are measured.

A page is a pair of files, ``name.es.md`` and ``name.en.md``; the log is for those who work on the
project, and in English alone.

A figure names its result file with a link, ``[results](…/results/FILE.md "row")``: every number in
the same paragraph, list item or table row must then be in that file, rounded as it may be; a
decimal must be in a line that has the words of "row". A table may also have a last row of links.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.*.md"))
LOG = ROOT / "docs" / "log.md"
EVERY_PAGE = [ROOT / "README.md", ROOT / "README.es.md", *PAGES]
MEASURED = [page for page in EVERY_PAGE if "benchmarks/results/2" in page.read_text("utf-8")]
LINK = re.compile(r"\]\((?!https?://|#|mailto:)(?P<path>[^)#\s]+)")
ANCHOR = re.compile(r"\]\((?P<path>[^)#\s:]+\.md)#(?P<anchor>[^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
RESULT = re.compile(
    r'\]\((?P<path>[^)\s]*(?:benchmarks/results/[\w-]+|/log)\.md)(?: "(?P<row>[^"]*)")?\)'
)
NOT_PROSE = re.compile(
    r"`[^`]*`|\]\([^)]*\)|<!--.*?-->|\b[A-Za-z]+\d[\w.]*|(?:arXiv:|BY-SA |Python |PyTorch )[\d.]+"
)
FIGURES = {
    "es": re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d+(?:,\d+)?"),
    "en": re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"),
}
CODE = re.compile(r"^```.*?^```$|^    [^\n]*$", re.DOTALL | re.MULTILINE)
ITEM = re.compile(r"^(?:- |\d+\. )", re.MULTILINE)


def language(page: Path) -> str:
    """``es`` or ``en``."""
    return "es" if page.name.endswith(".es.md") else "en"


def figures(text: str, language: str) -> list[Decimal]:
    """The numbers of a text, without code, links and names such as ``float32``."""
    thousands, mark = {"es": (".", ","), "en": (",", ".")}[language]
    numbers = FIGURES[language].findall(NOT_PROSE.sub(" ", text))
    return [Decimal(number.replace(thousands, "").replace(mark, ".")) for number in numbers]


def measured(line: str) -> list[Decimal]:
    """All numbers of a line of a result file."""
    return [Decimal(number.replace(",", "")) for number in FIGURES["en"].findall(line)]


def blocks(text: str) -> Iterator[str]:
    """Paragraphs, list items, table rows with a link, and the other rows of a table together."""
    for part in re.split(rf"\n\s*\n|{ITEM.pattern}", CODE.sub("", text), flags=re.MULTILINE):
        rows = part.splitlines() if part.startswith("|") else []
        linked = [row for row in rows if RESULT.search(row) and figures(row, "en")]
        yield from linked
        yield "\n".join(row for row in part.splitlines() if row not in linked)


def results(page: Path, block: str) -> tuple[list[Decimal], list[Decimal]]:
    """The numbers of the files that a block links to, and those of the rows that it names."""
    everywhere, named = [], []
    for link in RESULT.finditer(block):
        lines = (page.parent / link["path"]).read_text("utf-8").splitlines()
        rows = [line for line in lines if (link["row"] or "") in line]
        assert rows, f"{page.name}: no line of {link['path']} has {link['row']!r}"
        assert "|" not in (link["row"] or ""), "a bar ends the cell of a table"
        named += [number for row in rows for number in measured(row)]
        everywhere += [number for line in lines for number in measured(line)]
    return everywhere, named


def strangers(page: Path, text: str) -> list[Decimal]:
    """The figures beside a link to a result that this result does not have."""
    wrong = []
    for block in filter(RESULT.search, blocks(text)):
        everywhere, named = results(page, block)
        for figure in figures(block, language(page)):
            half = Decimal(5).scaleb(int(figure.as_tuple().exponent) - 1)
            candidates = named if figure.as_tuple().exponent else everywhere
            if not any(abs(number - figure) <= half for number in candidates):
                wrong.append(figure)
    return wrong


def links(page: Path) -> list[Path]:
    """The files that `page` links to or shows."""
    return [page.parent / match["path"] for match in LINK.finditer(page.read_text("utf-8"))]


@pytest.mark.parametrize("page", [*EVERY_PAGE, LOG], ids=lambda page: page.name)
def test_every_file_that_a_page_links_to_exists(page: Path) -> None:
    assert [link for link in links(page) if not link.exists()] == []


@pytest.mark.parametrize("page", EVERY_PAGE, ids=lambda page: page.name)
def test_every_heading_that_a_page_links_to_exists(page: Path) -> None:
    for path, anchor in ANCHOR.findall(page.read_text("utf-8")):
        headings = HEADING.findall((page.parent / path).read_text("utf-8"))
        slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
        assert anchor in slugs


def test_every_page_is_there_in_both_languages() -> None:
    spanish, english = (
        {page.parent / page.name.removesuffix(end) for page in PAGES if page.name.endswith(end)}
        for end in (".es.md", ".en.md")
    )
    assert spanish == english
    assert len(PAGES) == 2 * len(spanish)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_links_to_pages_and_pictures_of_its_language(page: Path) -> None:
    other = {"es": "en", "en": "es"}[language(page)]
    wrong = [link.name for link in links(page) if re.search(rf"[._]{other}\.(md|png)$", link.name)]
    assert wrong == []


@pytest.mark.parametrize("page", MEASURED, ids=lambda page: page.name)
def test_a_figure_is_in_the_result_file_that_it_names(page: Path) -> None:
    assert strangers(page, page.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        ("99.08% (98.94 to 99.17)", []),
        ("99.1%", []),
        ("99.18% (98.94 to 99.17)", ["99.18"]),
        ("82.3 s", ["82.3"]),
    ],
)
def test_a_figure_that_its_result_has_not_is_noticed(written: str, wrong: list[str]) -> None:
    link = '(benchmarks/results/2026-11-28-time-to-accuracy.md "`fast`, test accuracy")'
    text = f"| `fast` | {written} | [results]{link} |"
    assert list(map(str, strangers(ROOT / "README.md", text))) == wrong


@pytest.mark.parametrize(
    "english",
    [page for page in EVERY_PAGE if language(page) == "en"],
    ids=lambda page: page.name,
)
def test_both_languages_have_the_same_figures(english: Path) -> None:
    name = english.name.removesuffix(".md").removesuffix(".en")
    spanish = english.with_name(f"{name}.es.md")
    first, second = (
        sorted(figures(CODE.sub("", page.read_text("utf-8")), language(page)))
        for page in (english, spanish)
    )
    assert [number for number in first if number.as_tuple().exponent] == [
        number for number in second if number.as_tuple().exponent
    ]
