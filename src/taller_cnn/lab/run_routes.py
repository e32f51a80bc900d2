"""The routes that train: start, follow, steer and end a training."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.responses import StreamingResponse

from taller_cnn.config import ModelConfig, TrainConfig, recipe
from taller_cnn.errors import ConfigError
from taller_cnn.lab.history import Event
from taller_cnn.lab.lab import Lab
from taller_cnn.lab.problems import FieldError, documented, problem_of
from taller_cnn.lab.runs import Run
from taller_cnn.lab.schemas import NewRun, RunAction, RunStatus
from taller_cnn.messages import Messages

__all__ = ["run_routes", "status_card"]

HEARTBEAT_SECONDS = 5.0
MOST_DIGITS = 18
"""Of an event's number; Python refuses to read one of thousands."""
RunId = Annotated[str, Path(max_length=40)]
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}
}


def run_routes(lab: Lab) -> APIRouter:
    """The routes of a lab's trainings."""
    routes = APIRouter(prefix="/api/runs")

    @routes.post(
        "",
        status_code=201,
        summary="Start a training, one at a time, in a process of its own",
        responses=documented(400, 409, 413, 422, 507),
    )
    async def start(asked: NewRun, request: Request, response: Response) -> RunStatus:
        model, train = _configs(asked)
        run = await lab.runs.start(model, train, asked.source)
        response.headers["Location"] = f"/api/runs/{run.id}"
        return status_card(run, lab.messages(request))

    @routes.patch(
        "/{run_id}",
        summary="Pause, continue or stop a training, or keep its model",
        responses=documented(400, 404, 409, 413, 422, 507),
    )
    async def act(run_id: RunId, asked: RunAction, request: Request) -> RunStatus:
        run = await lab.runs.act(run_id, asked.action, asked.name)
        return status_card(run, lab.messages(request))

    @routes.delete(
        "/{run_id}",
        status_code=204,
        summary="End a training and throw away what it made",
        responses=documented(404),
    )
    async def discard(run_id: RunId) -> None:
        await lab.runs.discard(run_id)

    _add_events(routes, lab)
    return routes


def _add_events(routes: APIRouter, lab: Lab) -> None:
    """The route that tells what happens."""

    @routes.get(
        "/{run_id}/events",
        summary="What happens in a training, as server-sent events",
        response_class=StreamingResponse,
        responses=STREAM | documented(404),
    )
    async def events(
        run_id: RunId,
        request: Request,
        last_event_id: Annotated[str, Header()] = "",
    ) -> StreamingResponse:
        run = lab.runs.get(run_id)
        stream = _stream(run, _number(last_event_id), lab.messages(request))
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


def _number(event_id: str) -> int:
    """The number of an event; 0, before all of them, for what is none."""
    short = len(event_id) <= MOST_DIGITS
    return int(event_id) if short and event_id.isdecimal() else 0


def status_card(run: Run, messages: Messages) -> RunStatus:
    """How a training is, for the reader."""
    return RunStatus(
        id=run.id,
        state=run.state,
        config=run.order.model.to_dict(),
        train=run.order.train.to_dict(),
        source=run.order.place.source,
        step=run.step,
        steps=run.steps,
        problem=problem_of(run.error, messages) if run.error else None,
        model=run.model,
    )


def _configs(asked: NewRun) -> tuple[ModelConfig, TrainConfig]:
    """The two configurations of a request.

    Raises:
        FieldError: a field has a value that it cannot have.
    """
    fields = asked.train.model_dump(exclude_none=True)
    name = fields.pop("recipe")
    try:
        # Apart, to know whose the error is: no field is wrong only beside another.
        ModelConfig.from_dict(asked.config)
    except ConfigError as error:
        raise _named(error, "/config") from error
    try:
        return recipe(name, model=asked.config, train=fields)
    except ConfigError as error:
        raise _named(error, "/train") from error


def _named(error: ConfigError, part: str) -> FieldError:
    """A configuration's error with the place of its field in the request."""
    return FieldError(error.key, pointer=f"{part}/{error.values['field']}", **error.values)


async def _stream(run: Run, after: int, messages: Messages) -> AsyncIterator[bytes]:
    """The events of a training as they happen, with a sign of life where nothing does."""
    with run.history.listen(after) as (past, queue):
        for event in past:
            yield _worded(event, run, messages).to_bytes()
        while True:
            try:
                coming = await asyncio.wait_for(queue.get(), HEARTBEAT_SECONDS)
            except TimeoutError:
                yield b": still here\n\n"
                continue
            if coming is None:
                return
            yield _worded(coming, run, messages).to_bytes()


def _worded(event: Event, run: Run, messages: Messages) -> Event:
    """A change of state with its problem in the reader's language."""
    if event.name != "state":
        return event
    error = event.data["error"]
    found = problem_of(error, messages).model_dump() if error else None
    data = {k: v for k, v in event.data.items() if k != "error"}
    return Event(event.id, event.name, {**data, "problem": found})
