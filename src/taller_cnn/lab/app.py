"""The lab as one ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from taller_cnn import __version__
from taller_cnn.errors import TallerError
from taller_cnn.lab.lab import Lab
from taller_cnn.lab.page import add_page
from taller_cnn.lab.problems import problem_response
from taller_cnn.lab.readings import reading_routes
from taller_cnn.lab.routes import model_routes, read_routes
from taller_cnn.lab.run_routes import run_routes
from taller_cnn.lab.security import Access, Gate

_REFUSALS = (TallerError, RequestValidationError, HTTPException)


def create_app(lab: Lab, access: Access | None = None) -> FastAPI:
    """The whole lab behind its gate.

    Args:
        lab: models, digits and trainings.
        access: who may use it; by default whoever is on this machine.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await lab.runs.close()

    async def tell(request: Request, error: Exception) -> Response:
        return problem_response(error, lab.messages(request))

    # The framework's own pages of documentation load scripts from elsewhere.
    app = FastAPI(
        title="taller-cnn lab",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        exception_handlers=dict.fromkeys(_REFUSALS, tell),
    )
    access = access or Access()
    app.state.lab, app.state.access = lab, access
    # What is asked for thousands of times a second is looked for first.
    for routes in (model_routes, read_routes, reading_routes, run_routes):
        app.include_router(routes(lab))
    add_page(app, lab)
    app.add_middleware(Gate, access=access, language=lab.language)
    return app
