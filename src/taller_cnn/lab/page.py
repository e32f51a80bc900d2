"""The page itself: its files, the API's documentation, and the page as one file."""

from __future__ import annotations

import html
from importlib import resources
from pathlib import Path as FilePath
from typing import Annotated, Literal

from fastapi import APIRouter, FastAPI, Path, Query
from fastapi.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from taller_cnn.lab.api_docs import docs_page
from taller_cnn.lab.export import export_html
from taller_cnn.lab.lab import Lab
from taller_cnn.lab.problems import documented

__all__ = ["STATIC", "page_routes"]

STATIC = FilePath(str(resources.files("taller_cnn.lab") / "static"))
LANGUAGE_MARK = '<html lang="es">'


class _Files(StaticFiles):
    """Files that a browser asks for again each time, so that an update is seen at once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        answer.headers["Cache-Control"] = "no-cache"
        return answer


def page_routes(lab: Lab, app: FastAPI) -> APIRouter:
    """The routes that people open."""
    routes = APIRouter()

    @routes.get("/", include_in_schema=False)
    def index() -> HTMLResponse:
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

    app.mount("/static", _Files(directory=STATIC, check_dir=False), name="static")
    return routes
