"""The page's files: what loads what. No browser is needed to read them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import taller_cnn.lab
from taller_cnn.lab.bundle import modules_of
from taller_cnn.lab.page import index_html

STATIC = Path(taller_cnn.lab.__file__).parent / "static"


def test_the_page_fetches_all_its_modules_at_once() -> None:
    preloaded = re.findall(r'rel="modulepreload" href="/static/([\w.]+)"', index_html(STATIC))
    assert sorted(preloaded) == sorted(modules_of("lab_main.js", STATIC))


def test_every_file_is_used() -> None:
    used = {*modules_of("lab_main.js", STATIC), *modules_of("export_main.js", STATIC)}
    assert {path.name for path in STATIC.glob("*.js")} == used


def test_what_a_module_exports_another_one_imports() -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in STATIC.glob("*.js")}
    imports = [re.findall(r"import \{([^}]*)\} from", text) for text in texts.values()]
    imported = {name.strip() for found in imports for part in found for name in part.split(",")}
    unused = [
        (file, name)
        for file, text in texts.items()
        for name in re.findall(r"^export (?:async )?(?:function|const|class) (\w+)", text, re.M)
        if name not in imported
    ]
    assert unused == []


@pytest.mark.parametrize("name", ["index.html", "export.html"])
def test_no_page_carries_styles_or_scripts_of_its_own(name: str) -> None:
    page = (STATIC / name).read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
