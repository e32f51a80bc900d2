"""Parts of an explanation, made in a language and read as a reader reads them."""

from __future__ import annotations

from collections.abc import Callable

from taller_cnn.explain.parts import MadePart, make_part
from taller_cnn.explain.subject import Subject
from taller_cnn.messages import Messages
from taller_cnn.page import Heading, Paragraph, Picture, Table


def tick(done: int, of: int) -> None:
    """Somebody who is told how far it is, and checks that it can be."""
    assert 0 < done <= of


def made(
    name: str, subject: Subject, language: str = "en", tick: Callable[[int, int], None] = tick
) -> MadePart:
    """A part of that name."""
    return make_part(name, subject, Messages(language), tick)


def told(part: MadePart) -> str:
    """Its paragraphs."""
    return "\n".join(b.text for b in part.section.blocks if isinstance(b, Paragraph))


def pictures(part: MadePart) -> list[Picture]:
    """Its pictures."""
    return [block for block in part.section.blocks if isinstance(block, Picture)]


def tables(part: MadePart) -> list[Table]:
    """Its tables."""
    return [block for block in part.section.blocks if isinstance(block, Table)]


def words(part: MadePart) -> list[str]:
    """All its words, in order; its pictures are drawn."""
    found = [part.section.title]
    for block in part.section.blocks:
        if isinstance(block, Paragraph | Heading):
            found.append(block.text)
        elif isinstance(block, Table):
            found += [block.caption, *block.header, *(cell for row in block.rows for cell in row)]
        elif isinstance(block, Picture):
            found.append(block.alt)
            assert block.draw().axes
    return found
