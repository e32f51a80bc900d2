"""The page with a model and the digits it trains on, as one HTML file that needs no server."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taller_cnn import __version__
from taller_cnn.lab.arrays import to_base64
from taller_cnn.lab.bundle import join_modules, modules_of
from taller_cnn.lab.form import training_form
from taller_cnn.lab.gallery import Gallery
from taller_cnn.lab.model_store import StoredModel
from taller_cnn.lab.problems import LabError
from taller_cnn.lab.training_digits import training_digits
from taller_cnn.messages import LANGUAGES, catalogue

FORMAT = 1
EXPORTED_DIGITS = 100
PAGE = "export.html"
LOOK_WORKER = "look_worker.js"
TRAIN_WORKER = "train_worker.js"
_STYLESHEETS = re.compile(r'(?:<link rel="stylesheet" href="/static/[\w.]+">\n)+')
_SCRIPT = re.compile(r'<script type="module" src="/static/([\w.]+)"></script>')


def export_html(model: StoredModel, gallery: Gallery, language: str, static: Path) -> str:
    """The page as one file.

    Args:
        model: goes in with its weights.
        gallery: gives the digits, ten of each class.
        language: ``es`` or ``en``; the page can be switched.
        static: the folder of the page's files; ``export.html`` there names the styles and the
            script that go in, and ``train_worker.js`` trains.

    Raises:
        TallerError: the page's modules cannot be joined, or there are no digits.
    """
    text = _read(static / PAGE).replace('<html lang="es">', f'<html lang="{language}">', 1)
    links, entry = _STYLESHEETS.search(text), _SCRIPT.search(text)
    assert links
    assert entry
    style = "\n".join(_read(static / name) for name in re.findall(r"/static/([\w.]+)", links[0]))
    script = join_modules(modules_of(entry[1], static))
    return fill_in(
        text.replace(links[0], "<!-- taller:style -->\n").replace(
            entry[0], "<!-- taller:script -->"
        ),
        csp=f'<meta http-equiv="Content-Security-Policy" content="{_policy(script, style)}">',
        style=f"<style>{style}</style>",
        texts=texts_element(),
        data=_data_element("taller-data", _data(model, gallery, language, static)),
        script=f"<script>{script}</script>",
    )


def fill_in(text: str, **parts: str) -> str:
    """A page with `parts` in place of its marks ``<!-- taller:name -->``."""
    for name, part in parts.items():
        mark = f"<!-- taller:{name} -->"
        assert text.count(mark) == 1, mark
        before, after = text.split(mark)
        text = f"{before}{part}{after}"
    return text


def texts_element() -> str:
    """The element with the page's texts in all languages, which its scripts read."""
    return _data_element(
        "taller-texts", {language: catalogue(language, "lab_page") for language in LANGUAGES}
    )


def _data_element(name: str, value: Mapping[str, Any]) -> str:
    # In a script element nothing may look like the end of it.
    text = json.dumps(value, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>'


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _policy(script: str, style: str) -> str:
    """A content-security policy that lets run what is in the file, and nothing else."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src '{_hash(style)}'",
            "img-src data: blob:",
            # The page looks inside and trains in workers whose scripts it carries as texts.
            "worker-src blob:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _data(model: StoredModel, gallery: Gallery, language: str, static: Path) -> dict[str, Any]:
    if model.safetensors is None:
        raise LabError(409, "lab_ensemble", members=", ".join(model.card.members))
    digits = gallery.first(EXPORTED_DIGITS)
    return {
        "format": FORMAT,
        "version": __version__,
        "language": language,
        "model": base64.b64encode(model.safetensors).decode("ascii"),
        "digits": {
            "labels": digits.labels,
            "images": to_base64(digits.images),
        },
        "source": digits.source,
        "ranges": training_form().model_dump(mode="json"),
        "training": training_digits(gallery).model_dump(mode="json"),
        "workers": {
            "look": join_modules(modules_of(LOOK_WORKER, static)),
            "train": join_modules(modules_of(TRAIN_WORKER, static)),
        },
    }
