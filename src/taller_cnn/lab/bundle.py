"""Joins the page's ES modules into one script, because modules do not load from a ``file://``.

Not a general bundler: the modules keep to a few rules (one import form, exports as prefixes, no
name twice), each of which is checked here, so that joining them in order is the same program.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from taller_cnn.errors import TallerError

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w./-]+\.js)";[ \t]*$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?function\b|const\b|let\b|class\b)", re.MULTILINE)
_DECLARED = re.compile(
    r"^(export )?(?:async function|function|const|let|var|class)\b\s*\*?\s*([\w$]+)?", re.MULTILINE
)
_COMMENT = re.compile(r"^\s*/\*.*?\*/|^\s*//[^\n]*", re.MULTILINE | re.DOTALL)
_MARKUP = ("</script", "<!--")
_FORBIDDEN = (
    (re.compile(r"^\s*import\b(?!\s*[(.])", re.MULTILINE), "import"),
    (re.compile(r"\bimport\s*\("), "import()"),
    (re.compile(r"\bimport\s*\.\s*meta\b"), "import.meta"),
    (re.compile(r"^\s*export\b", re.MULTILINE), "export"),
    (re.compile(r"^await\b|^for await\b", re.MULTILINE), "await"),
    (re.compile(r"</script", re.IGNORECASE), "</script"),
    (re.compile(r"<!--"), "<!--"),
)


def modules_of(entry: str, folder: Path) -> dict[str, str]:
    """The text of each module that a page needs, each after those that it imports.

    Args:
        entry: name of the module where the page begins; it comes last.
        folder: where all of them lie.
    """
    modules: dict[str, str] = {}
    open_imports: list[str] = []

    def add(name: str) -> None:
        if name in modules:
            return
        if name in open_imports:
            raise TallerError("export_rule", file=name, rule=" → ".join([*open_imports, name]))
        open_imports.append(name)
        text = (folder / name).read_text(encoding="utf-8")
        for _, imported in _IMPORT.findall(text):
            add(imported)
        modules[open_imports.pop()] = text

    add(entry)
    return modules


def join_modules(modules: Mapping[str, str]) -> str:
    """One classic script that does what the modules do.

    Args:
        modules: the text of each by its name, in the order of their dependencies; the last one is
            where it begins.

    Raises:
        TallerError: a module breaks one of the rules; which one and where is said.
    """
    exported: dict[str, set[str]] = {}
    owners: dict[str, str] = {}
    parts = []
    for name, text in modules.items():
        _check_imports(name, text, exported)
        exported[name] = set()
        for prefix, declared in _DECLARED.findall(text):
            _claim(name, declared, owners)
            if prefix:
                exported[name].add(declared)
        parts.append(f"// {name}\n{_stripped(name, text).strip()}\n")
    return '"use strict";\n(() => {\n' + "\n".join(parts) + "})();\n"


def _check_imports(name: str, text: str, exported: Mapping[str, set[str]]) -> None:
    for wanted, source in _IMPORT.findall(text):
        if source not in exported:
            raise TallerError("export_rule", file=name, rule=f"import … ./{source}")
        for word in filter(None, (part.strip() for part in wanted.split(","))):
            if word not in exported[source]:
                raise TallerError("export_rule", file=name, rule=f"{word} … ./{source}")


def _claim(name: str, declared: str, owners: dict[str, str]) -> None:
    """Take a name of the top level, which all modules share once they are joined."""
    if not declared:
        raise TallerError("export_rule", file=name, rule="const {…}")
    if declared in owners:
        raise TallerError("export_rule", file=name, rule=f"{declared} ({owners[declared]})")
    owners[declared] = name


def _stripped(name: str, text: str) -> str:
    """A module without its imports and the word ``export``."""
    text = _EXPORT.sub("", _IMPORT.sub("", text))
    code = _COMMENT.sub("", text)
    for pattern, rule in _FORBIDDEN:
        # What ends a script does so in a comment too.
        if pattern.search(text if rule in _MARKUP else code):
            raise TallerError("export_rule", file=name, rule=rule)
    return text
