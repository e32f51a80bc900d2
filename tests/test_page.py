from __future__ import annotations

import base64
import html.parser
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from taller_cnn.errors import OutputError
from taller_cnn.figures import curve_figure, save_figure
from taller_cnn.figures.style import new_sheet
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
    Picture,
    Section,
    Table,
    WrittenPage,
    recorded_files,
    write_page,
)

ES = Messages("es")


def drawing() -> Figure:
    return new_sheet(1, 2)[0]


def failing() -> Figure:
    raise ZeroDivisionError("no width")


def picture(name: str, draw: Callable[[], Figure] = drawing) -> Picture:
    return Picture(name=name, draw=draw, alt=f"What {name} shows.", caption="Under it.")


TABLE = Table(header=("Level", "Error"), rows=(("×2", "1.0"), ("×4", "2.0")), caption="Levels")
CLAIMS = Table(
    header=("Claim", "Verdict"),
    rows=(("More is better.", "Yes."), ("Less is more.", "No.")),
    is_prose=True,
    marks=("better", "open"),
)
ANSWERS = Bullets((Bullet("It helps:", mark="better", items=("two", "four")),))
PLAIN = Bullets((Bullet("First."), Bullet("Second.")))
ALL: tuple[Block, ...] = (
    Paragraph("What happens?", label="Question"),
    Heading("Answers"),
    ANSWERS,
    PLAIN,
    picture("one"),
    TABLE,
    CLAIMS,
    Code("taller-cnn study\ntaller-cnn explain"),
)


def page(*blocks: Block, **changes: Any) -> Page:
    sections = (Section(name="all", title="All of it", blocks=blocks),)
    plain = Page(title="Printed", heading="Shown", lead="In short.", sections=sections)
    return replace(plain, **changes)


def files(folder: Path) -> PageFiles:
    return PageFiles(
        html=folder / "page.html",
        markdown=folder / "page.md",
        folder=folder / "pictures",
        record=folder / "pictures" / "page.json",
    )


def write(folder: Path, *blocks: Block, **values: Any) -> WrittenPage:
    return write_page(page(*blocks), files(folder), ES, **values)


def html_of(folder: Path) -> str:
    return (folder / "page.html").read_text(encoding="utf-8")


def markdown_of(folder: Path) -> str:
    return (folder / "page.md").read_text(encoding="utf-8")


class Tags(html.parser.HTMLParser):
    """What a page's tags say; fails where one is not closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.all: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.all.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [values for name, values in self.all if name == tag]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    write(folder, *ALL)
    return folder


def test_the_html_is_whole_by_itself(written: Path) -> None:
    text = html_of(written)
    tags = Tags(text)
    addresses = [v for _, values in tags.all for k, v in values.items() if k in ("src", "href")]

    assert not re.search(r"https?://|@import|url\(|<script|<link", text)
    assert [a for a in addresses if a and not a.startswith(("data:image/png;base64,", "#"))] == []
    [image] = tags.named("img")
    inlined = base64.b64decode(str(image["src"]).partition(",")[2])
    assert inlined == (written / "pictures" / "one.png").read_bytes()


def test_a_screen_reader_is_told_what_eyes_see(written: Path) -> None:
    tags = Tags(html_of(written))

    assert tags.named("html")[0]["lang"] == "es"
    [image] = tags.named("img")
    assert image["alt"] == "What one shows."
    assert all(values["scope"] in ("col", "row") for values in tags.named("th"))
    assert [v["scope"] for v in tags.named("th")].count("row") == 4
    # What scrolls can be reached by keyboard and has a name.
    [region] = [v for v in tags.named("div") if v.get("role") == "region"]
    assert (region["tabindex"], region["aria-label"]) == ("0", "Levels")
    assert tags.named("section")[0]["aria-labelledby"] == "all-title"


def test_pictures_have_room_before_they_are_there(written: Path) -> None:
    [image] = Tags(html_of(written)).named("img")
    with Image.open(written / "pictures" / "one.png") as drawn:
        assert (image["width"], image["height"]) == tuple(map(str, drawn.size)) == ("150", "300")


def test_the_contents_lead_to_every_section(tmp_path: Path) -> None:
    sections = [Section(name=n, title=n.upper(), blocks=()) for n in ("a", "b", "c")]
    write_page(page(sections=sections), files(tmp_path), ES)
    tags = Tags(html_of(tmp_path))

    assert [v["href"] for v in tags.named("a")] == ["#a", "#b", "#c"]
    assert [v["id"] for v in tags.named("section")] == ["a", "b", "c"]
    assert re.findall(r"^## (.*)$", markdown_of(tmp_path), re.MULTILINE) == ["A", "B", "C"]


def test_answers_are_marked_by_more_than_colour(written: Path) -> None:
    text = html_of(written)

    assert '<ul class="answers">\n<li class="better">It helps:' in text
    assert "<ul>\n<li>First." in text
    assert '<tr class="better"><th scope="row">More is better.' in text
    assert re.search(r"\.open \{ border-left-style: dashed; \}", text)


def test_the_markdown_says_the_same(written: Path) -> None:
    assert markdown_of(written) == (
        "# Shown\n\nIn short.\n\n## All of it\n\n"
        "**Question.** What happens?\n\n### Answers\n\n"
        "- It helps:\n  - two\n  - four\n\n- First.\n- Second.\n\n"
        "![What one shows.](pictures/one.png)\n\nUnder it.\n\n"
        "**Levels**\n\n| Level | Error |\n| --- | --- |\n| ×2 | 1.0 |\n| ×4 | 2.0 |\n\n"
        "| Claim | Verdict |\n| --- | --- |\n"
        "| More is better. | Yes. |\n| Less is more. | No. |\n\n"
        "    taller-cnn study\n    taller-cnn explain\n\n"
    )


def test_without_markdown_there_is_none(tmp_path: Path) -> None:
    write_page(page(*ALL), replace(files(tmp_path), markdown=None), ES)

    assert {path.name for path in tmp_path.iterdir()} == {"page.html", "pictures"}


def test_the_page_is_in_the_reader_s_language(tmp_path: Path) -> None:
    for tag, contents in (("es-MX", "Contenido"), ("en_GB", "Contents")):
        write_page(page(), files(tmp_path), Messages(tag))
        text = html_of(tmp_path)
        assert f'<html lang="{tag.replace("_", "-")}">' in text
        assert f'<nav aria-label="{contents}">' in text


def test_words_that_look_like_tags_or_cells_are_words(tmp_path: Path) -> None:
    odd = '"<i>|&'
    write(
        tmp_path,
        Paragraph(odd, label=odd),
        Heading(odd),
        Bullets((Bullet(odd, items=(odd,)),)),
        Table(header=(odd,), rows=((odd,), ("two\nlines",)), caption=odd),
        Code(odd),
    )
    text, markdown = html_of(tmp_path), markdown_of(tmp_path)

    assert "<i>" not in text
    assert text.count("&lt;i&gt;|&amp;") == 10
    assert '\n| "<i>\\|& |\n' in markdown
    assert "\n| two lines |\n" in markdown


def test_a_picture_that_cannot_be_drawn_costs_itself_alone(tmp_path: Path) -> None:
    write(tmp_path, picture("one"), picture("two"))
    done = write(tmp_path, picture("one", failing), Paragraph("Between."), picture("two"))
    [problem] = done.problems

    assert list(done.files) == ["two"]
    assert "one.png" in str(problem)
    assert "no width" in str(problem)
    for text in (html_of(tmp_path), markdown_of(tmp_path)):
        assert "Falta una imagen: What one shows." in text
        assert "no width" in text
        assert "Between." in text
    # The picture of the page before would be taken for one of this page.
    assert not (tmp_path / "pictures" / "one.png").exists()
    assert recorded_files(files(tmp_path).record) == {"two.png"}


def test_a_list_that_cannot_be_written_is_told_and_the_page_is_there(tmp_path: Path) -> None:
    (tmp_path / "pictures" / "open.csv").mkdir(parents=True)
    done = write(tmp_path, attachments={"open.csv": "a\n", "free.csv": "ñ\n"})

    assert list(done.files) == ["free.csv"]
    assert done.files["free.csv"].read_text(encoding="utf-8") == "ñ\n"
    assert [type(p) for p in done.problems] == [OutputError]
    assert "open.csv" in str(done.problems[0])
    assert "All of it" in html_of(tmp_path)


def test_files_of_an_earlier_page_go_and_others_stay(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    write(tmp_path, picture("one"), picture("two"), attachments={"one.csv": "a\n"})
    (folder / "own.png").touch()
    (folder / "table.csv").touch()
    write(tmp_path, picture("two"), others=[folder / "table.csv"])

    assert {p.name for p in folder.iterdir()} == {"two.png", "own.png", "table.csv", "page.json"}
    write(tmp_path)
    assert {p.name for p in folder.iterdir()} == {"own.png", "page.json"}


def test_a_file_that_is_open_elsewhere_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, where a file that another program has open cannot be removed."""
    write(tmp_path, picture("one"), picture("two"))
    unlink = Path.unlink

    def guarded(path: Path, missing_ok: bool = False) -> None:
        if path.name == "one.png":
            raise PermissionError("open in another program")
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", guarded)
        done = write(tmp_path, picture("two"))
    assert ["one.png" in str(problem) for problem in done.problems] == [True]
    assert recorded_files(files(tmp_path).record) == {"one.png", "two.png"}

    assert write(tmp_path, picture("two")).problems == ()
    assert not (tmp_path / "pictures" / "one.png").exists()


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"files": ["../mine.png", "/mine.png", "page.json", "run.pt", 3, None]}),
        json.dumps({"files": 3}),
        "[",
        "[1]",
    ],
)
def test_a_damaged_record_removes_nothing(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    others = [tmp_path / "mine.png", folder / "run.pt"]
    for path in others:
        path.touch()
    (folder / "page.json").write_text(text, encoding="utf-8")
    write(tmp_path)

    assert all(path.exists() for path in others)


def test_the_record_says_what_it_is_given(tmp_path: Path) -> None:
    write(tmp_path, picture("one"), record={"design": "0123", "n": 3})

    record = json.loads(files(tmp_path).record.read_text(encoding="utf-8"))
    assert record == {"design": "0123", "n": 3, "files": ["one.png"]}


def test_drawing_is_counted(tmp_path: Path) -> None:
    seen: list[int] = []
    write(tmp_path, picture("one"), picture("two", failing), tick=seen.append)

    assert seen == [1, 2]


def test_a_page_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    with pytest.raises(OutputError, match=r"page\.html"):
        write(tmp_path, picture("one"))


def test_pictures_of_a_page_are_small_and_have_their_colours(tmp_path: Path) -> None:
    def draw() -> Figure:
        return curve_figure("loss", [(1, 0.2), (2, 0.1)], [(1, 0.1), (2, 0.08)], [], None, ES)

    save_figure(draw, tmp_path / "whole.png")
    write(tmp_path, picture("one", draw))
    whole, small = tmp_path / "whole.png", tmp_path / "pictures" / "one.png"
    with Image.open(whole) as before, Image.open(small) as after:
        levels = np.asarray(before.convert("RGB"), int) - np.asarray(after.convert("RGB"), int)

    assert small.stat().st_size < 0.5 * whole.stat().st_size
    assert np.abs(levels).max() <= 13
