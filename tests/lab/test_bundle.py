from __future__ import annotations

import re

import pytest

from taller_cnn.errors import TallerError
from taller_cnn.lab.bundle import join_modules

SUM = "export const ONE = 1;\nexport function sum(a, b) {\n  return a + b;\n}\n"
MAIN = 'import { ONE, sum } from "./sum.js";\n\nclass Page {}\nsum(ONE, 2);\n'


def test_modules_become_one_classic_script_in_their_order() -> None:
    script = join_modules(["sum.js", "main.js"], {"sum.js": SUM, "main.js": MAIN})
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
    script = join_modules(["sum.js", "main.js"], {"sum.js": SUM, "main.js": main})
    assert 'const text = "to export and import ./sum.js";' in script


def test_comments_may_say_anything() -> None:
    text = "/**\n * import (or export) it\n */\n// await import()\nconst a = 1;\n"
    assert text.strip() in join_modules(["a.js"], {"a.js": text})


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
        join_modules(["sum.js", "bad.js"], {"sum.js": SUM, "bad.js": text})
    assert caught.value.values["file"] == "bad.js"
