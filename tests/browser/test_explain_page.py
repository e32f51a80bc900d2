"""The page of `taller-cnn explain`: valid, accessible, whole without a network, good on paper."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from taller_cnn.checkpoints import holdout_of, load_model
from taller_cnn.data import DigitsPlace
from taller_cnn.explain.parts import PARTS
from taller_cnn.explain.report import explain, write_report
from taller_cnn.explain.subject import make_subject
from taller_cnn.messages import LANGUAGES, Messages

NodeModule = Callable[[str], Path]
SHOWN = tuple(name for name in PARTS if name != "labels")
"""The part left out trains ten networks and has no kind of block that the others lack."""
PAPER = {"width": 688, "height": 1000}
"""A4 without its margins of 14 mm, at 96 dots per inch."""


@pytest.fixture(scope="session")
def reports(lab_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The explanation of one network in each language."""
    path = lab_folder / "modelo" / "cnn_mnist.pt"
    loaded, sample = load_model(path), lab_folder / "data" / "sample"
    place = DigitsPlace(data_dir=sample, sample_dir=sample, source="sample")
    digits = place.load(holdout_of(loaded.info))
    subject = make_subject(loaded, digits, lab_folder / "resultados", chosen=(42,))
    pages = {}
    for language in LANGUAGES:
        say = Messages(language)
        made = explain(subject, SHOWN, say, lambda part, done, of: None)
        written = write_report(made, tmp_path_factory.mktemp(language), say)
        assert not made.problems
        assert not written.problems
        pages[language] = written.files["page"]
    return pages


@pytest.fixture(params=LANGUAGES)
def report(request: pytest.FixtureRequest, reports: dict[str, Path]) -> Path:
    """The page in one of the languages."""
    return reports[request.param]


@pytest.fixture
def page(browser: Any, report: Path, artefacts: Path) -> Iterator[Any]:
    """The page in a browser that notes what goes wrong and what is fetched."""
    opened = browser.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda said: problems.append(said.text))
    fetched: list[str] = []
    opened.on("request", lambda request: fetched.append(request.url))
    opened.goto(report.as_uri())
    yield opened
    opened.screenshot(path=artefacts / f"explain-{report.parent.name}.png")
    opened.close()
    assert problems == []
    assert [url for url in fetched if not url.startswith(("data:", report.as_uri()))] == []


def test_the_page_is_valid_html(report: Path, node_module: NodeModule) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node: apt-get install nodejs npm")
    validator = node_module("html-validate/bin/html-validate.mjs")
    done = subprocess.run(
        [node, str(validator), "--preset", "standard", "--formatter", "json", str(report)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found = [
        f"{m['line']}: {m['ruleId']}: {m['message']}"
        for file in json.loads(done.stdout or "[]")
        for m in file["messages"]
    ]
    assert found == [], done.stderr
    assert done.returncode == 0


def test_nothing_keeps_anybody_from_reading_it(page: Any, node_module: NodeModule) -> None:
    page.add_script_tag(path=node_module("axe-core/axe.min.js"))
    result = page.evaluate("axe.run(document, {resultTypes: ['violations', 'incomplete']})")

    problems = [
        (kind, rule["id"], [node["target"] for node in rule["nodes"]][:3])
        for kind in ("violations", "incomplete")
        for rule in result[kind]
    ]
    assert problems == []
    assert len(result["passes"]) > 15


def test_headings_are_in_order_and_pictures_have_words(page: Any) -> None:
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
    pictures = page.evaluate(
        "[...document.images].map(i => [i.complete && i.naturalWidth, i.alt.length])"
    )

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    assert len(pictures) > 15
    assert all(width >= 600 and words > 20 for width, words in pictures)


def test_every_entry_of_the_contents_leads_to_a_section(page: Any) -> None:
    links = page.locator("nav a")

    assert links.count() == len(SHOWN) + 1
    for name in (*SHOWN, "origin"):
        assert page.locator(f"section#{name} > h2").count() == 1
        assert page.locator(f'nav a[href="#{name}"]').count() == 1


@pytest.mark.parametrize("width", [360, 688])
def test_nothing_sticks_out_on_a_narrow_screen(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})

    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_paper_nothing_is_cut_off(page: Any, tmp_path: Path) -> None:
    page.emulate_media(media="print")
    page.set_viewport_size(PAPER)
    wide = page.evaluate(
        """[...document.querySelectorAll('img, table, p, h2')]
           .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
           .map(e => e.outerHTML.slice(0, 80))"""
    )
    assert wide == []
    assert page.pdf(format="A4").startswith(b"%PDF")
