"""The READMEs and the pages of ``docs``: links that lead somewhere, and both languages.

A page is a pair of files, ``name.es.md`` and ``name.en.md``; the log is for those who work on the
project, and in English alone.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
READMES = [ROOT / "README.md", ROOT / "README.es.md"]
PAGES = sorted((ROOT / "docs").rglob("*.*.md"))
LINK = re.compile(r"\]\((?!https?://|#|mailto:)(?P<path>[^)#]+)")


def links(page: Path) -> list[Path]:
    """The files that `page` links to or shows."""
    return [page.parent / match["path"] for match in LINK.finditer(page.read_text("utf-8"))]


@pytest.mark.parametrize(
    "page", [*READMES, *PAGES, ROOT / "docs" / "log.md"], ids=lambda page: page.name
)
def test_every_file_that_a_page_links_to_exists(page: Path) -> None:
    assert links(page)
    assert [link for link in links(page) if not link.exists()] == []


def test_every_page_is_there_in_both_languages() -> None:
    names = {
        language: {
            page.with_suffix("").with_suffix("")
            for page in PAGES
            if page.name.endswith(f".{language}.md")
        }
        for language in ("es", "en")
    }
    assert names["es"] == names["en"]
    assert len(names["es"]) + len(names["en"]) == len(PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_links_to_pages_and_pictures_of_its_language(page: Path) -> None:
    other = {"es": "en", "en": "es"}[page.suffixes[-2].lstrip(".")]
    strangers = [
        link.name for link in links(page) if re.search(rf"[._]{other}\.(md|png)$", link.name)
    ]
    assert strangers == []
