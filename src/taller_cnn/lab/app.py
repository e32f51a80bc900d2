"""The lab as one ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from taller_cnn import __version__
from taller_cnn.errors import TallerError
from taller_cnn.lab.field_errors import reason_of
from taller_cnn.lab.lab import Lab
from taller_cnn.lab.page import page_routes
from taller_cnn.lab.predict_route import PredictRoute
from taller_cnn.lab.problems import (
    MEDIA_TYPE,
    FieldError,
    FormatError,
    LabError,
    MethodError,
    NotFoundError,
    Problem,
    WrongField,
    problem,
    problem_bytes,
    problem_of,
)
from taller_cnn.lab.reading_routes import reading_routes
from taller_cnn.lab.routes import document_predict, look_routes, model_routes
from taller_cnn.lab.run_routes import run_routes
from taller_cnn.lab.security import Access, Gate

__all__ = ["create_app"]

MOST_TOLD = 20
"""Wrong fields that an answer names: no form has more, and a body of nothing else has a million."""
_BODY = ("body", "path", "header")


def create_app(lab: Lab, access: Access | None = None) -> ASGIApp:
    """The whole lab behind its gate.

    Args:
        lab: models, digits and trainings.
        access: who may use it; by default whoever is on this machine.
    """
    app = _framework(lab)
    predict = PredictRoute(lab.shelf, lab.batcher)
    return Gate(app, predict, access or Access(), lab.language)


def _framework(lab: Lab) -> FastAPI:
    """All routes and what they do with errors."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await lab.runs.close()

    # Its own pages of documentation load scripts from elsewhere.
    app = FastAPI(
        title="taller-cnn lab",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    for routes in (look_routes(lab), model_routes(lab), run_routes(lab), reading_routes(lab)):
        app.include_router(routes)
    document_predict(app.router)
    app.include_router(page_routes(lab, app))
    _tell_problems(app, lab)
    return app


def _tell_problems(app: FastAPI, lab: Lab) -> None:
    @app.exception_handler(TallerError)
    async def taller(request: Request, error: TallerError) -> Response:
        return _response(problem_of(error, lab.messages(request)))

    @app.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> Response:
        # The server that the application runs in tells the one who started it.
        return _response(problem_of(TallerError("lab_fault"), lab.messages(request)))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        messages = lab.messages(request)
        found = error.errors()[:MOST_TOLD]
        if found[0]["type"] == "json_invalid":
            return _response(problem_of(FormatError("lab_json"), messages))
        reasons = [(_pointer(e["loc"]), reason_of(e)) for e in found]
        fields = [WrongField(field=at, detail=why.text(messages)) for at, why in reasons]
        told = FieldError("lab_field", reason=reasons[0][1])
        return _response(problem(told.key, 422, told.text(messages), messages, fields))

    @app.exception_handler(HTTPException)
    async def framework(request: Request, error: HTTPException) -> Response:
        kinds: dict[int, LabError] = {
            404: NotFoundError("lab_no_such_address"),
            405: MethodError("lab_no_such_method"),
        }
        told = kinds.get(error.status_code, FormatError("lab_json"))
        answer = _response(problem_of(told, lab.messages(request)))
        answer.headers.update(error.headers or {})
        return answer


def _response(found: Problem) -> Response:
    return Response(problem_bytes(found), found.status, media_type=MEDIA_TYPE)


def _pointer(place: tuple[int | str, ...]) -> str:
    """Where a field is: a JSON pointer, or ``?name`` for a query parameter."""
    if place and place[0] == "query":
        return f"?{place[-1]}"
    rest = place[1:] if place and place[0] in _BODY else place
    return "".join(f"/{part}" for part in rest) or "/"
