"""The page's files: what loads what. No browser is needed to read them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import taller_cnn.lab

STATIC = Path(taller_cnn.lab.__file__).parent / "static"


def _needed(name: str, found: set[str]) -> set[str]:
    """The modules that a module imports, and theirs."""
    for other in re.findall(r'from "\./([\w.]+)"', (STATIC / name).read_text(encoding="utf-8")):
        if other not in found:
            found.add(other)
            _needed(other, found)
    return found


def test_the_page_fetches_all_its_modules_at_once() -> None:
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    preloaded = re.findall(r'rel="modulepreload" href="/static/([\w.]+)"', page)
    assert sorted(preloaded) == sorted(_needed("lab_main.js", set()))


def test_the_exported_page_joins_the_modules_it_needs() -> None:
    manifest = json.loads((STATIC / "modules.json").read_text(encoding="utf-8"))
    *modules, entry = manifest["script"]
    assert entry == "export_main.js"
    assert sorted(modules) == sorted(_needed(entry, set()))


def test_every_file_is_used() -> None:
    used = _needed("lab_main.js", {"lab_main.js"}) | _needed("export_main.js", {"export_main.js"})
    assert {path.name for path in STATIC.glob("*.js")} == used


def test_no_page_carries_styles_or_scripts_of_its_own() -> None:
    for name in ("index.html", "export.html"):
        page = (STATIC / name).read_text(encoding="utf-8")
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page), name
