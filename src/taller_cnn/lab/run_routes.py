"""The routes that train: start, follow, steer and end a training."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from taller_cnn.config import ModelConfig, TrainConfig, recipe
from taller_cnn.errors import ConfigError
from taller_cnn.lab.form import training_form
from taller_cnn.lab.lab import Lab
from taller_cnn.lab.problems import LabError, documented, problem_of
from taller_cnn.lab.runs import Run
from taller_cnn.lab.schemas import NewRun, RunAction, RunStatus, TrainingForm
from taller_cnn.lab.security import Visitor, visitor_of
from taller_cnn.messages import Messages

MOST_DIGITS = 18
"""Of an event's number; Python refuses to read one of thousands."""
RunId = Annotated[str, Path(max_length=40)]


def _followed_run(run_id: RunId, request: Request) -> Run:
    """A training, looked up before its stream begins: then there can still be another answer."""
    lab: Lab = request.app.state.lab
    return lab.runs.get(run_id)


FollowedRun = Annotated[Run, Depends(_followed_run)]
Asking = Annotated[Visitor, Depends(visitor_of)]


def run_routes(lab: Lab) -> APIRouter:
    """The routes of a lab's trainings."""
    routes = APIRouter(prefix="/api/runs")

    @routes.post(
        "",
        status_code=201,
        summary="Start a training, one at a time, in a process of its own",
        responses=documented(400, 403, 409, 413, 422, 507),
    )
    async def start(
        asked: NewRun, visitor: Asking, request: Request, response: Response
    ) -> RunStatus:
        model, train = _configs(asked)
        run = await lab.runs.start(
            model, train, asked.source, replace=asked.replace, visitor=visitor
        )
        response.headers["Location"] = f"/api/runs/{run.id}"
        return status_card(run, visitor, lab.messages(request))

    @routes.get(
        "/form",
        summary="What can be asked for in a training: fields with their ranges, and every recipe's "
        "values",
    )
    def form() -> TrainingForm:
        return training_form()

    @routes.patch(
        "/{run_id}",
        summary="Pause, continue or stop a training, or keep its model: who started it, or the "
        "teacher",
        responses=documented(400, 403, 404, 409, 413, 422, 507),
    )
    async def act(run_id: RunId, asked: RunAction, visitor: Asking, request: Request) -> RunStatus:
        run = await lab.runs.act(run_id, asked.action, asked.name, visitor)
        return status_card(run, visitor, lab.messages(request))

    @routes.delete(
        "/{run_id}",
        status_code=204,
        summary="End a training and throw away what it made: who started it, or the teacher",
        responses=documented(403, 404),
    )
    async def discard(run_id: RunId, visitor: Asking) -> None:
        await lab.runs.discard(run_id, visitor)

    @routes.get(
        "/{run_id}/events",
        summary="What happens in a training, as server-sent events: state, started, progress, "
        "point, snapshot, epoch, result, discarded",
        response_class=EventSourceResponse,
        responses=documented(404),
    )
    async def events(
        request: Request,
        run: FollowedRun,
        last_event_id: Annotated[str, Header()] = "",
    ) -> AsyncIterator[ServerSentEvent]:
        messages = lab.messages(request)
        with run.history.listen(_number(last_event_id)) as happening:
            async for event in happening:
                data = _worded(event.data, messages)
                yield ServerSentEvent(id=str(event.id), event=event.name, data=data)

    return routes


def _number(event_id: str) -> int:
    """The number of an event; 0, before all of them, for what is none."""
    short = len(event_id) <= MOST_DIGITS
    return int(event_id) if short and event_id.isdecimal() else 0


def status_card(run: Run, visitor: Visitor, messages: Messages) -> RunStatus:
    """How a training is, for the reader."""
    return RunStatus(
        id=run.id,
        yours=visitor.may_steer(run.owner),
        state=run.state,
        config=run.order.model,
        train=run.order.train,
        source=run.order.place.source,
        step=run.step,
        steps=run.steps,
        problem=problem_of(run.error, messages) if run.error else None,
        model=run.model,
    )


def _configs(asked: NewRun) -> tuple[ModelConfig, TrainConfig]:
    """The two configurations of a request.

    Raises:
        LabError: a field has a value that it cannot have (422).
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


def _named(error: ConfigError, part: str) -> LabError:
    """A configuration's error with the place of its field in the request."""
    return LabError(422, error.key, pointer=f"{part}/{error.values['field']}", **error.values)


def _worded(data: Mapping[str, Any], messages: Messages) -> dict[str, Any]:
    """An event's data, a change of state with its problem in the reader's language."""
    if "error" not in data:
        return dict(data)
    error = data["error"]
    problem = problem_of(error, messages).model_dump() if error else None
    return {**{name: value for name, value in data.items() if name != "error"}, "problem": problem}
