"""The page itself: its files, the API's documentation, and the page as one file."""

from __future__ import annotations

import html
from importlib import resources
from pathlib import Path as FilePath
from typing import Annotated, Literal

from fastapi import APIRouter, FastAPI, Path, Query, Request
from fastapi.responses import HTMLResponse, Response

from taller_cnn.lab.api_docs import docs_page
from taller_cnn.lab.export import export_html
from taller_cnn.lab.lab import Lab
from taller_cnn.lab.problems import NotFoundError, documented

__all__ = ["STATIC", "PageFiles", "page_routes"]

STATIC = FilePath(str(resources.files("taller_cnn.lab") / "static"))
LANGUAGE_MARK = '<html lang="es">'
TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
"""Media types by suffix."""


class PageFiles:
    """The page's files, in memory; a file that has changed is read again.

    A page asks for fifty of them at once. Read from the disk each time, by threads, they took half
    a second on a busy machine.

    Args:
        folder: where they are; nothing else is ever given.
    """

    def __init__(self, folder: FilePath) -> None:
        self._paths = {path.name: path for path in folder.iterdir() if path.suffix in TYPES}
        self._read: dict[str, tuple[str, bytes]] = {}

    def answer(self, name: str, known: str | None) -> Response:
        """A file, which the browser asks for again each time, so that an update is seen at once.

        Args:
            name: of the file, without any folder.
            known: what the browser has: an ``ETag`` of an earlier answer, or None.

        Raises:
            NotFoundError: the page has no such file.
        """
        tag, data = self._version(name)
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if known == tag:
            return Response(status_code=304, headers=headers)
        return Response(data, headers=headers, media_type=TYPES[self._paths[name].suffix])

    def _version(self, name: str) -> tuple[str, bytes]:
        path = self._paths.get(name)
        if path is None or not path.is_file():
            raise NotFoundError("lab_no_such_address")
        status = path.stat()
        tag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
        if name not in self._read or self._read[name][0] != tag:
            self._read[name] = tag, path.read_bytes()
        return self._read[name]


def page_routes(lab: Lab, app: FastAPI) -> APIRouter:
    """The routes that people open."""
    routes = APIRouter()
    files = PageFiles(STATIC)

    @routes.get("/", include_in_schema=False)
    async def index() -> HTMLResponse:
        text = (STATIC / "index.html").read_text(encoding="utf-8")
        mark = f'<html lang="{html.escape(lab.page_language)}">'
        headers = {"Cache-Control": "no-cache"}
        return HTMLResponse(text.replace(LANGUAGE_MARK, mark, 1), headers=headers)

    @routes.get("/favicon.ico", include_in_schema=False)
    def favicon() -> Response:
        return Response(status_code=204)

    @routes.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        text, policy = docs_page(app.openapi(), lab.page_language)
        return HTMLResponse(text, headers={"Content-Security-Policy": policy})

    @routes.get(
        "/api/models/{model_id}/page",
        summary="The page with this model as one HTML file that needs no server",
        response_class=HTMLResponse,
        responses=documented(404, 409),
    )
    def exported(
        model_id: Annotated[str, Path(max_length=40)],
        lang: Annotated[Literal["es", "en"] | None, Query()] = None,
    ) -> Response:
        model = lab.shelf.get(model_id)
        text = export_html(model, lab.gallery, lang or lab.page_language, STATIC)
        name = f'attachment; filename="taller-cnn-{model.card.id}.html"'
        return HTMLResponse(text, headers={"Content-Disposition": name})

    @routes.get("/static/{name}", include_in_schema=False)
    async def static(name: str, request: Request) -> Response:
        return files.answer(name, request.headers.get("if-none-match"))

    return routes
