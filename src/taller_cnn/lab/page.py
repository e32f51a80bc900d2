"""The page itself: its files, the API's documentation, and the page as one file."""

from __future__ import annotations

import html
import mimetypes
import os
from importlib import resources
from pathlib import Path as FilePath
from typing import Annotated, Literal

from fastapi import FastAPI, Path, Query
from fastapi.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from taller_cnn.lab.api_docs import docs_page
from taller_cnn.lab.bundle import modules_of
from taller_cnn.lab.export import export_html, fill_in, texts_element
from taller_cnn.lab.lab import Lab
from taller_cnn.lab.problems import documented

STATIC = FilePath(str(resources.files("taller_cnn.lab") / "static"))
LANGUAGE_MARK = '<html lang="es">'


class PageFiles(StaticFiles):
    """Files that the browser asks for again at each visit, so that an update is seen at once."""

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """A file, or that it is what the browser has."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "no-cache"
        return response


def index_html(static: FilePath) -> str:
    """The lab's page in its own language, with its texts; it asks for all its modules at once."""
    names = sorted(modules_of("lab_main.js", static))
    links = [f'<link rel="modulepreload" href="/static/{name}">' for name in names]
    text = (static / "index.html").read_text(encoding="utf-8")
    return fill_in(text, preloads="\n".join(links), texts=texts_element())


def add_page(app: FastAPI, lab: Lab) -> None:
    """Add what people open."""
    # What Windows' registry says of it may be another thing, and then no browser runs the page.
    mimetypes.add_type("text/javascript", ".js")
    app.mount("/static", PageFiles(directory=STATIC))

    @app.get("/", include_in_schema=False)
    def index() -> HTMLResponse:
        text = index_html(STATIC)
        mark = f'<html lang="{html.escape(lab.page_language)}">'
        headers = {"Cache-Control": "no-cache"}
        return HTMLResponse(text.replace(LANGUAGE_MARK, mark, 1), headers=headers)

    @app.get("/favicon.ico", include_in_schema=False)
    def favicon() -> Response:
        return Response(status_code=204)

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        text, policy = docs_page(app.openapi())
        return HTMLResponse(text, headers={"Content-Security-Policy": policy})

    @app.get(
        "/api/models/{model_id}/page",
        summary="The page with this model as one HTML file that needs no server",
        response_class=HTMLResponse,
        responses=documented(404, 409),
    )
    def exported(
        model_id: Annotated[str, Path(max_length=40)],
        lang: Annotated[Literal["es", "en"] | None, Query()] = None,
    ) -> Response:
        model = lab.models.get(model_id)
        text = export_html(model, lab.gallery, lang or lab.page_language, STATIC)
        name = f'attachment; filename="taller-cnn-{model.card.id}.html"'
        return HTMLResponse(text, headers={"Content-Disposition": name})
