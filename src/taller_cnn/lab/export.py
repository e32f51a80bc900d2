"""The page with a model and a hundred digits in it, as one HTML file that needs no server."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from taller_cnn import __version__
from taller_cnn.lab.arrays import to_base64
from taller_cnn.lab.bundle import join_modules
from taller_cnn.lab.gallery import Gallery
from taller_cnn.lab.model_store import StoredModel
from taller_cnn.lab.problems import LabError

FORMAT = 1
EXPORTED_DIGITS = 100
_MARK = "<!-- taller:{} -->"


def export_html(model: StoredModel, gallery: Gallery, language: str, static: Path) -> str:
    """The page as one file.

    Args:
        model: goes in with its weights.
        gallery: gives the digits, ten of each class.
        language: ``es`` or ``en``; the page can be switched.
        static: the folder of the page's files; ``modules.json`` there says what goes in.

    Raises:
        TallerError: the page's modules cannot be joined, or there are no digits.
    """
    manifest = json.loads((static / "modules.json").read_text(encoding="utf-8"))
    names = manifest["script"]
    script = join_modules(names, {name: _read(static / name) for name in names})
    style = "\n".join(_read(static / name) for name in manifest["style"])
    text = _read(static / manifest["page"]).replace(
        '<html lang="es">', f'<html lang="{language}">', 1
    )
    parts = {
        "csp": f'<meta http-equiv="Content-Security-Policy" content="{_policy(script, style)}">',
        "style": f"<style>{style}</style>",
        "data": '<script type="application/json" id="taller-data">'
        f"{_data(model, gallery, language)}</script>",
        "script": f"<script>{script}</script>",
    }
    for name, part in parts.items():
        mark = _MARK.format(name)
        assert text.count(mark) == 1, f"{manifest['page']}: {mark}"
        before, after = text.split(mark)
        text = f"{before}{part}{after}"
    return text


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
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _data(model: StoredModel, gallery: Gallery, language: str) -> str:
    if model.safetensors is None:
        raise LabError(409, "lab_ensemble", members=", ".join(model.card.members))
    digits = gallery.first(EXPORTED_DIGITS)
    value: dict[str, Any] = {
        "format": FORMAT,
        "version": __version__,
        "language": language,
        "model": base64.b64encode(model.safetensors).decode("ascii"),
        "digits": {
            "labels": digits.labels,
            "images": to_base64(digits.images),
        },
        "source": digits.source,
    }
    # In a script element nothing may look like the end of it.
    return json.dumps(value, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c")
