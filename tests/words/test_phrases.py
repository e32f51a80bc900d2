"""Words that readers meet: `phrases.toml` lists what no text of the project says.

Texts are the catalogues, the READMEs, the documents and the lesson. Single words of a phrase are
often right elsewhere, so a place where the whole phrase is right is named with it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).parents[2]
LANGUAGES = ("es", "en")
COMMON_WORDS = {
    "es": re.compile(r"\b(?:el|la|los|de|que|una|con|por|se)\b"),
    "en": re.compile(r"\b(?:the|of|and|is|that|with|which|it|to)\b"),
}
CODE = re.compile(r"^```.*?^```|^(?: {4}|\t).*?$|`[^`\n]+`", re.DOTALL | re.MULTILINE)
RECORD = "docs/log.md"
"""What was tried, in the words of its day: a record that is not written again."""


@dataclass(frozen=True, kw_only=True)
class Phrase:
    """Wording that readers should not meet, and what to say instead."""

    language: str
    pattern: str
    say: str
    examples: tuple[str, ...]
    allowed: tuple[str, ...] = ()

    def found_in(self, text: str) -> str | None:
        """The words of a text that the pattern matches, or None."""
        match = re.search(self.pattern, " ".join(text.split()), re.IGNORECASE)
        return match and match[0]


@dataclass(frozen=True, kw_only=True)
class Text:
    """A text that people read, with its key or its file's path in the repository."""

    language: str
    place: str
    words: str


LISTED = tomllib.loads(Path(__file__).with_name("phrases.toml").read_text(encoding="utf-8"))
PHRASES = [
    Phrase(**{key: tuple(x) if isinstance(x, list) else x for key, x in entry.items()})
    for entry in LISTED["phrase"]
]


def _flat(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    else:
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}")


def language_of(text: str) -> str:
    """The language that most of a text's common words are in."""
    return max(LANGUAGES, key=lambda language: len(COMMON_WORDS[language].findall(text.lower())))


def _catalogues() -> Iterator[Text]:
    for language in LANGUAGES:
        for path in sorted((REPO / "src/taller_cnn/locale" / language).glob("*.toml")):
            table = tomllib.loads(path.read_text(encoding="utf-8"))
            for key, words in _flat(table, path.stem):
                yield Text(language=language, place=key, words=words)


def _documents() -> Iterator[Text]:
    """Paragraphs of READMEs and documents without their code."""
    for path in sorted([*REPO.glob("README*.md"), *REPO.glob("docs/**/*.md")]):
        place = path.relative_to(REPO).as_posix()
        if place == RECORD:
            continue
        prose = CODE.sub("", path.read_text(encoding="utf-8"))
        language = language_of(prose)
        for paragraph in re.split(r"\n\s*\n", prose):
            yield Text(language=language, place=place, words=paragraph)


def _lesson() -> Iterator[Text]:
    """Paragraphs of the lessons' comments, and their lines of code, which hold strings."""
    for path in sorted([*REPO.glob("pytorch/*.py"), *REPO.glob("lesson_keras/*.py")]):
        lines = path.read_text(encoding="utf-8").splitlines()
        comments = [line.lstrip("# ") if line.startswith("#") else "" for line in lines]
        language = language_of("\n".join(comments))
        paragraphs = re.split(r"\n\n+", "\n".join(comments))
        code = [line for line in lines if not line.startswith("#")]
        for words in (*paragraphs, *code):
            yield Text(language=language, place=path.relative_to(REPO).as_posix(), words=words)


@cache
def texts() -> tuple[Text, ...]:
    return (*_catalogues(), *_documents(), *_lesson())


def _name(phrase: Phrase) -> str:
    return f"{phrase.language}: {phrase.examples[0]}"


@pytest.mark.parametrize("phrase", PHRASES, ids=_name)
def test_a_phrase_is_found_in_its_examples_and_not_in_what_to_say_instead(phrase: Phrase) -> None:
    assert phrase.examples
    assert [text for text in phrase.examples if not phrase.found_in(text)] == []
    assert phrase.found_in(phrase.say) is None


def test_a_phrase_is_found_across_the_end_of_a_line() -> None:
    phrase = next(phrase for phrase in PHRASES if phrase.found_in("no hay pruebas"))
    assert phrase.found_in("No hay\n    pruebas")


@pytest.mark.parametrize("phrase", PHRASES, ids=_name)
def test_no_text_has_a_phrase_of_the_list(phrase: Phrase) -> None:
    places = [
        f"{text.place}: “{words}”, say: {phrase.say}"
        for text in texts()
        if text.language == phrase.language and text.place not in phrase.allowed
        if (words := phrase.found_in(text.words))
    ]
    assert places == []


def test_every_place_that_is_allowed_has_its_phrase() -> None:
    unused = [
        (place, _name(phrase))
        for phrase in PHRASES
        for place in phrase.allowed
        if not any(
            text.place == place and text.language == phrase.language and phrase.found_in(text.words)
            for text in texts()
        )
    ]
    assert unused == []


@pytest.mark.parametrize(
    ("language", "place"),
    [
        ("es", "figures.epoch"),
        ("en", "figures.epoch"),
        ("es", "README.es.md"),
        ("en", "README.md"),
        ("es", "pytorch/cnn_pytorch.py"),
    ],
)
def test_catalogues_documents_and_lesson_are_read_in_their_language(
    language: str, place: str
) -> None:
    assert {text.language for text in texts() if text.place == place} >= {language}


def test_documents_of_both_languages_are_read() -> None:
    documents = {t.language for t in texts() if t.place.startswith("docs/")}
    assert documents == set(LANGUAGES)
