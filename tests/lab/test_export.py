from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

from taller_cnn.errors import TallerError
from taller_cnn.lab.export import export_html
from taller_cnn.lab.lab import Lab
from taller_cnn.lab.page import STATIC

PAGE = (
    '<!doctype html>\n<html lang="es">\n<head><!-- taller:csp -->'
    '<link rel="stylesheet" href="/static/page.css">\n</head>\n'
    "<body><!-- taller:texts --><!-- taller:data -->"
    '<script type="module" src="/static/b.js"></script></body></html>\n'
)
FILES = {
    "export.html": PAGE,
    "page.css": "body { color: red; }\n",
    "a.js": 'export const NAME = "ñ";\n',
    "b.js": 'import { NAME } from "./a.js";\ndocument.title = NAME;\n',
}


@pytest.fixture
def static(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def exported(lab: Lab, static: Path) -> str:
    return export_html(lab.models.get(), lab.gallery, "en", static)


def data_of(text: str) -> dict:
    found = re.search(r'<script type="application/json" id="taller-data">(.*?)</script>', text)
    assert found
    return json.loads(found[1])


def test_the_page_carries_the_model_and_a_hundred_digits(shared_lab: Lab, static: Path) -> None:
    text = exported(shared_lab, static)
    assert '<html lang="en">' in text
    data = data_of(text)
    assert base64.b64decode(data["model"]) == shared_lab.models.get().safetensors
    assert data["digits"]["labels"] == [c for c in range(10) for _ in range(10)]
    images = base64.b64decode(data["digits"]["images"])
    assert len(images) == 100 * 784
    first = shared_lab.gallery.digits().test
    index = int((first.labels == 0).nonzero()[0])
    assert images[:784] == first.images[index].numpy().tobytes()


def test_the_policy_lets_run_what_is_in_the_file_and_nothing_else(
    shared_lab: Lab, static: Path
) -> None:
    text = exported(shared_lab, static)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    for kind, pattern in (
        ("script", r"<script>(.*?)</script>"),
        ("style", r"<style>(.*?)</style>"),
    ):
        part = re.search(pattern, text, re.DOTALL)
        assert part
        digest = base64.b64encode(hashlib.sha256(part[1].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy[1]
    assert "unsafe" not in policy[1]
    assert "default-src 'none'" in policy[1]
    assert text.index("Content-Security-Policy") < text.index("<style>")


def test_nothing_in_the_data_ends_the_script(shared_lab: Lab, static: Path) -> None:
    text = exported(shared_lab, static)
    assert text.count("</script>") == 3
    assert "<!--" not in text


def test_modules_that_do_not_fit_together_are_told(shared_lab: Lab, static: Path) -> None:
    (static / "b.js").write_text("export default 1;\n", encoding="utf-8")
    with pytest.raises(TallerError, match=r"b\.js"):
        exported(shared_lab, static)


def test_the_real_page_can_be_joined_and_is_small(shared_lab: Lab) -> None:
    text = exported(shared_lab, STATIC)
    bare = len(text) - len(data_of(text)["model"])
    # The default network's weights are 1.11 MB in base64; the whole may have 3 MB.
    assert bare < 1_500_000
    assert "http://" not in re.sub(r"http://www\.w3\.org/\S+", "", text.split("taller-data")[0])
