from __future__ import annotations

import re
from pathlib import Path

import pytest

from taller_cnn.errors import TallerError
from taller_cnn.lab.bundle import join_modules, modules_of

SUM = "export const ONE = 1;\nexport function sum(a, b) {\n  return a + b;\n}\n"
MAIN = 'import { ONE, sum } from "./sum.js";\n\nclass Page {}\nsum(ONE, 2);\n'


def test_modules_become_one_classic_script_in_their_order() -> None:
    script = join_modules({"sum.js": SUM, "main.js": MAIN})
    assert script.startswith('"use strict";\n(() => {\n')
    assert script.endswith("})();\n")
    assert "import" not in script
    assert "export" not in script
    assert script.index("function sum") < script.index("class Page") < script.index("sum(ONE, 2)")


def test_an_import_may_span_lines_and_words_in_texts_are_left_alone() -> None:
    main = (
        'import {\n  ONE,\n  sum,\n} from "./sum.js";\n'
        'const text = "to export and import ./sum.js";\n'
    )
    script = join_modules({"sum.js": SUM, "main.js": main})
    assert 'const text = "to export and import ./sum.js";' in script


def test_comments_may_say_anything() -> None:
    text = "/**\n * import (or export) it\n */\n// await import()\nconst a = 1;\n"
    assert text.strip() in join_modules({"a.js": text})


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ('import { sum } from "./later.js";', "later.js"),
        ('import { nothing } from "./sum.js";', "nothing"),
        ('import { sum as add } from "./sum.js";', "sum as add"),
        ('import * as all from "./sum.js";', "import"),
        ('import sum from "./sum.js";', "import"),
        ('import "./sum.js";', "import"),
        ('const m = await import("./sum.js");', "import()"),
        ("const here = import.meta.url;", "import.meta"),
        ("await start();", "await"),
        ("const a = 1;\nexport { a };", "export"),
        ("export default function f() {}", "export"),
        ("const { a } = window;", "const"),
        ("let ONE = 2;", "ONE"),
        ("async function sum() {}", "sum"),
        ("const a = 1;\nconst b = '</SCRIPT>';", "</script"),
        ("const a = '<!--';", "<!--"),
    ],
)
def test_a_module_that_breaks_a_rule_is_named(text: str, rule: str) -> None:
    with pytest.raises(TallerError, match=re.escape(rule)) as caught:
        join_modules({"sum.js": SUM, "bad.js": text})
    assert caught.value.values["file"] == "bad.js"


def _write(folder: Path, **imports: str) -> None:
    """Modules, each of which imports those that are named."""
    for name, wanted in imports.items():
        lines = [f'import {{ {other} }} from "./{other}.js";\n' for other in wanted.split()]
        text = "".join(lines) + f"export const {name} = 1;\n"
        (folder / f"{name}.js").write_text(text, encoding="utf-8")


def test_modules_come_after_those_that_they_import(tmp_path: Path) -> None:
    _write(tmp_path, main="view dom", view="colours dom", dom="words", words="", colours="")
    _write(tmp_path, unused="")
    assert list(modules_of("main.js", tmp_path)) == [
        "colours.js",
        "words.js",
        "dom.js",
        "view.js",
        "main.js",
    ]


def test_modules_in_a_circle_are_told(tmp_path: Path) -> None:
    _write(tmp_path, main="a", a="b", b="a")
    with pytest.raises(TallerError, match=re.escape("a.js → b.js → a.js")):
        modules_of("main.js", tmp_path)
