"""The routes that only look: health, models, digits, mistakes, study; and the predictions' form."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from taller_cnn import __version__
from taller_cnn.lab.gallery import Chosen
from taller_cnn.lab.lab import Lab
from taller_cnn.lab.problems import documented
from taller_cnn.lab.run_routes import status_card
from taller_cnn.lab.schemas import (
    DigitsAnswer,
    Health,
    Mistake,
    Mistakes,
    ModelList,
    Predictions,
    PredictRequest,
    Study,
    UnreadableModel,
)
from taller_cnn.lab.shelf import ShelfModel
from taller_cnn.lab.study_files import read_study

__all__ = ["document_predict", "look_routes", "model_routes"]

ModelId = Annotated[str, Path(max_length=40, description="an id of `GET /api/models`")]
BINARY: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    }
}
SEEDS = 2**31 - 1


def look_routes(lab: Lab) -> APIRouter:
    """The routes of a lab, its digits and its study."""
    routes = APIRouter(prefix="/api")

    @routes.get("/health", summary="Whether the lab is there, and what it trains")
    def health(request: Request) -> Health:
        run = lab.runs.present
        return Health(
            status="ok",
            version=__version__,
            language=lab.page_language,
            models=len(lab.shelf.ids()),
            run=status_card(run, lab.messages(request)) if run else None,
        )

    @routes.get("/digits", summary="Real digits with their labels", responses=documented(409))
    def digits(
        n: Annotated[int, Query(ge=1, le=1000)] = 100,
        split: Literal["test", "validation"] = "test",
        seed: Annotated[int | None, Query(ge=0, le=SEEDS)] = None,
    ) -> DigitsAnswer:
        gallery = lab.gallery
        chosen = gallery.first(n, split) if seed is None else gallery.random(n, seed, split)
        return DigitsAnswer(
            dataset="mnist",
            source=chosen.source,
            split=split,
            labels=chosen.labels,
            indices=chosen.indices,
            images=_encoded(chosen),
        )

    @routes.get("/study", summary="The pictures and the table of the study, if there is one")
    def study() -> Study:
        return read_study(lab.study_folder)

    return routes


def model_routes(lab: Lab) -> APIRouter:
    """The routes of a lab's models."""
    routes = APIRouter(prefix="/api")

    @routes.get("/models", summary="All models with what is known of them")
    def models(request: Request) -> ModelList:
        good, bad = lab.shelf.readable()
        messages = lab.messages(request)
        return ModelList(
            default=lab.shelf.default,
            models=[model.card for model in good],
            unreadable=[UnreadableModel(id=n, detail=e.text(messages)) for n, e in bad],
        )

    @routes.get(
        "/models/{model_id}",
        summary="A model's weights as safetensors; its card is in their metadata",
        response_class=Response,
        responses=BINARY | documented(404, 409),
    )
    def model_weights(model_id: ModelId, request: Request) -> Response:
        model = lab.shelf.get(model_id)
        tag = f'"{model.card.sha256[:32]}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(model.safetensors, media_type="application/octet-stream", headers=headers)

    @routes.get(
        "/models/{model_id}/mistakes",
        summary="What a model gets wrong on the test split, the surest mistakes first",
        responses=documented(404, 409),
    )
    def mistakes(model_id: ModelId, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Mistakes:
        return _mistakes(lab, lab.shelf.get(model_id), limit)

    return routes


def document_predict(routes: APIRouter) -> None:
    """Describe ``POST /api/predict``, which `PredictRoute` answers before the framework."""

    @routes.post(
        "/api/predict",
        summary="The ten probabilities of one digit or of several",
        responses=documented(400, 404, 409, 413, 422),
    )
    async def predict(body: PredictRequest) -> Predictions:
        raise AssertionError("answered by the gate")


def _encoded(chosen: Chosen) -> str:
    """Images in base64."""
    return base64.b64encode(chosen.images.tobytes()).decode("ascii")


def _mistakes(lab: Lab, model: ShelfModel, limit: int) -> Mistakes:
    evaluation = lab.gallery.evaluation(model)
    rows = evaluation.log_probabilities.exp()
    wrong = (evaluation.predictions != evaluation.labels).nonzero()[:, 0]
    order = rows[wrong].amax(dim=1).argsort(descending=True, stable=True)
    chosen = lab.gallery.at(wrong[order][:limit].tolist())
    found = [
        Mistake(
            index=index,
            label=label,
            predicted=int(evaluation.predictions[index]),
            probability=float(rows[index].max()),
            label_probability=float(rows[index, label]),
        )
        for index, label in zip(chosen.indices, chosen.labels, strict=True)
    ]
    return Mistakes(
        model=model.card.id,
        source=chosen.source,
        split="test",
        n=evaluation.n,
        errors=evaluation.errors,
        mistakes=found,
        images=_encoded(chosen),
    )
