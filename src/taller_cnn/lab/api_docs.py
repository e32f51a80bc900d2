"""The API's documentation for people: a plain page of the OpenAPI document, without any script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import Any

Schema = Mapping[str, Any]


def docs_page(document: Mapping[str, Any]) -> tuple[str, str]:
    """The page and the content-security policy that lets its one style apply."""
    import jinja2

    folder = resources.files("taller_cnn.lab") / "templates"
    source = (folder / "docs.html.j2").read_text(encoding="utf-8")
    style = (folder / "docs.css").read_text(encoding="utf-8")
    template = jinja2.Environment(autoescape=True).from_string(source)
    routes = [
        _route(document, method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    text = template.render(style=style, routes=routes, version=document["info"]["version"])
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'"
    return text, policy


def _route(document: Schema, method: str, path: str, operation: Schema) -> dict[str, Any]:
    """One operation, as the template shows it."""
    good = min(code for code in operation["responses"] if code.startswith("2"))
    answer_kind, answer = _content(operation["responses"][good])
    _, body = _content(operation.get("requestBody", {}))
    parameters = {p["name"]: {**p["schema"], **p} for p in operation.get("parameters", [])}
    needed = [name for name, parameter in parameters.items() if parameter["required"]]
    return {
        "method": method.upper(),
        "path": path,
        "text": operation["summary"],
        "fields": {
            "Parameters": _fields({"properties": parameters, "required": needed}),
            "Body": _fields(_resolved(document, body)),
            "Answer": _fields(_resolved(document, answer)),
        },
        "answer_kind": answer_kind,
        "codes": operation["responses"],
    }


def _content(part: Schema) -> tuple[str, Schema]:
    """Media type and schema of a body; empty without one."""
    for kind, content in part.get("content", {}).items():
        if kind != "application/problem+json":
            return kind, content.get("schema", {})
    return "", {}


def _resolved(document: Schema, schema: Schema) -> Schema:
    name = schema.get("$ref", "").rpartition("/")[2]
    return document["components"]["schemas"][name] if name else schema


def _fields(schema: Schema) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "kind": _kind(part),
            "text": part.get("description", ""),
            "required": name in schema.get("required", []),
        }
        for name, part in schema.get("properties", {}).items()
    ]


def _kind(schema: Schema) -> str:
    """A schema in a few words, e.g. ``[ModelCard]`` or ``"pause" | "stop"``."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for name in ("anyOf", "oneOf"):
        if name in schema:
            return " | ".join(_kind(part) for part in schema[name])
    if "enum" in schema:
        return " | ".join(f'"{value}"' for value in schema["enum"])
    if "const" in schema:
        return f'"{schema["const"]}"'
    if schema.get("type") == "array":
        return f"[{_kind(schema.get('items', {}))}]"
    return str(schema.get("type", "object"))
