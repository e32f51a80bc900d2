"""The API's documentation for people, made from the OpenAPI document: no script, no network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from taller_cnn.messages import Messages

__all__ = ["docs_page"]


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a body or one parameter."""

    name: str
    kind: str
    text: str
    required: bool


@dataclass(frozen=True, kw_only=True)
class Route:
    """One operation."""

    method: str
    path: str
    text: str
    parameters: tuple[Field, ...]
    body: tuple[Field, ...]
    answer: tuple[Field, ...]
    answer_kind: str
    codes: tuple[str, ...]


def docs_page(document: Mapping[str, Any], language: str) -> tuple[str, str]:
    """The page and the content-security policy that lets its one style apply.

    Args:
        document: the OpenAPI document.
        language: ``es`` or ``en``.
    """
    import jinja2

    folder = resources.files("taller_cnn.lab") / "templates"
    source = (folder / "docs.html.j2").read_text(encoding="utf-8")
    style = (folder / "docs.css").read_text(encoding="utf-8")
    say = Messages(language)
    template = jinja2.Environment(autoescape=True).from_string(source)
    text = template.render(
        say=say,
        language=language,
        style=style,
        routes=list(_routes(document, say)),
        version=document["info"]["version"],
    )
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'"
    return text, policy


def _routes(document: Mapping[str, Any], say: Messages) -> Iterator[Route]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield _route(document, method, path, operation, say)


def _route(
    document: Mapping[str, Any], method: str, path: str, operation: Any, say: Messages
) -> Route:
    # FastAPI writes the function's name first.
    key = f"lab.route.{operation['operationId'].partition('_api_')[0]}"
    good = min(code for code in operation["responses"] if code.startswith("2"))
    kind, schema = _content(operation["responses"][good])
    _, body = _content(operation.get("requestBody", {}))
    parameters = tuple(
        Field(
            name=p["name"],
            kind=_kind(document, p["schema"]),
            text=p.get("description", ""),
            required=p.get("required", False),
        )
        for p in operation.get("parameters", [])
    )
    return Route(
        method=method.upper(),
        path=path,
        text=say(key) if say.has(key) else operation.get("summary", ""),
        parameters=parameters,
        body=tuple(_fields(document, body)),
        answer=tuple(_fields(document, schema)),
        answer_kind=kind,
        codes=tuple(operation["responses"]),
    )


def _content(part: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Media type and schema of a body; empty without one."""
    for kind, content in part.get("content", {}).items():
        if kind != "application/problem+json":
            return kind, content.get("schema", {})
    return "", {}


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: Mapping[str, Any] = document["components"]["schemas"][name] if name else schema
    return found


def _fields(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Field]:
    whole = _resolved(document, schema)
    for name, part in whole.get("properties", {}).items():
        yield Field(
            name=name,
            kind=_kind(document, part),
            text=part.get("description", ""),
            required=name in whole.get("required", []),
        )


def _kind(document: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """A schema in a few words, e.g. ``list of ModelCard`` or ``"pause" | "stop"``."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for name in ("anyOf", "oneOf"):
        if name in schema:
            return " | ".join(_kind(document, part) for part in schema[name])
    if "enum" in schema:
        return " | ".join(f'"{value}"' for value in schema["enum"])
    if "const" in schema:
        return f'"{schema["const"]}"'
    if schema.get("type") == "array":
        return f"[{_kind(document, schema.get('items', {}))}]"
    return str(schema.get("type", "object"))
