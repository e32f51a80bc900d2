"""The routes that answer a question: predictions, models, digits, mistakes, the study."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from pydantic import ValidationError
from pydantic_core import from_json

from taller_cnn import __version__
from taller_cnn.evaluation import wilson_interval
from taller_cnn.lab.lab import Lab
from taller_cnn.lab.model_store import StoredModel
from taller_cnn.lab.problems import LabError, documented
from taller_cnn.lab.run_routes import Asking, status_card
from taller_cnn.lab.schemas import (
    ClassScore,
    DigitsAnswer,
    Health,
    Mistake,
    Mistakes,
    ModelCard,
    ModelList,
    NewName,
    Prediction,
    Predictions,
    PredictRequest,
    Scores,
    Study,
    UnreadableModel,
)
from taller_cnn.lab.security import require_teacher
from taller_cnn.lab.study_files import read_study, study_picture
from taller_cnn.lab.training_digits import TrainingDigits, training_digits

ModelId = Annotated[str, Path(max_length=100, description="an id of `GET /api/models`")]
Dataset = Literal["mnist", "fashion-mnist", "kmnist"]
BINARY: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    }
}
PNG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}
}
PREDICT_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": PredictRequest.model_json_schema()}},
    }
}
WEIGHTS_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "the file itself, at most 10 MB",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
SEEDS = 2**31 - 1


def read_routes(lab: Lab) -> APIRouter:
    """The routes of a lab, its digits and its study."""
    routes = APIRouter(prefix="/api")

    @routes.get(
        "/health",
        summary="Whether the lab is there, how many models it has and what it is training",
    )
    def health(visitor: Asking, request: Request) -> Health:
        run = lab.runs.present
        return Health(
            status="ok",
            version=__version__,
            language=lab.page_language,
            role=visitor.role,
            class_key=request.app.state.access.class_key if visitor.role == "teacher" else None,
            models=len(lab.models.ids()),
            run=status_card(run, visitor, lab.messages(request)) if run else None,
        )

    @routes.get(
        "/digits",
        summary="Real digits with their labels: the first of each class, or at random with a seed",
        responses=documented(409),
    )
    def digits(
        n: Annotated[int, Query(ge=1, le=1000)] = 100,
        split: Literal["test", "validation"] = "test",
        seed: Annotated[int | None, Query(ge=0, le=SEEDS)] = None,
        dataset: Dataset = "mnist",
    ) -> DigitsAnswer:
        gallery = lab.gallery_of(dataset)
        batch = gallery.first(n, split) if seed is None else gallery.random(n, seed, split)
        return DigitsAnswer(
            dataset=dataset,
            source=batch.source,
            split=split,
            labels=batch.labels,
            indices=batch.indices,
            images=batch.images,
        )

    @routes.get(
        "/training-digits",
        summary="The digits that the page trains on by itself: 3,500, and 1,000 of the test split",
        responses=documented(409),
    )
    def page_digits() -> TrainingDigits:
        return training_digits(lab.gallery)

    @routes.get("/study", summary="The pictures and the table of the study, if there is one")
    def study() -> Study:
        return read_study(lab.study_folder)

    @routes.get(
        "/study/pictures/{name}",
        summary="A picture of the study, as a PNG file",
        response_class=FileResponse,
        responses=PNG | documented(404),
    )
    def picture(name: Annotated[str, Path(max_length=200)]) -> FileResponse:
        return FileResponse(study_picture(lab.study_folder, name), media_type="image/png")

    return routes


def model_routes(lab: Lab) -> APIRouter:
    """The routes of a lab's models."""
    routes = APIRouter(prefix="/api")

    @routes.post(
        "/predict",
        summary="The ten probabilities of one digit or of several; an image without ink has none",
        openapi_extra=PREDICT_BODY,
        response_model=Predictions,
        responses=documented(400, 404, 409, 413, 422),
    )
    async def predict(request: Request) -> Response:
        asked = _asked(await request.body())
        if (asked.image is None) is (asked.images is None):
            raise LabError(422, "lab_image_or_images", pointer="/image")
        images = asked.image[None] if asked.image is not None else asked.images
        assert images is not None
        model = await lab.models.recent(asked.model)
        answers = await lab.batcher.ask(model, images)
        predictions = [
            Prediction(digit=answer and answer[0], probabilities=answer and answer[1])
            for answer in answers
        ]
        text = Predictions(model=model.card.id, predictions=predictions).model_dump_json()
        return Response(text, media_type="application/json")

    @routes.post(
        "/models",
        status_code=201,
        summary="Open a network: the body is a .pt file of weights or a safetensors file; for the "
        "teacher. Nothing in it is run.",
        openapi_extra=WEIGHTS_BODY,
        dependencies=[Depends(require_teacher)],
        responses=documented(403, 409, 413, 422, 507),
    )
    async def open_model(
        request: Request,
        name: Annotated[str, Query(max_length=200, description="the id that it gets")],
        description: Annotated[
            str, Query(max_length=20_000, description="the text of the .json beside a .pt")
        ] = "",
    ) -> ModelCard:
        data = await request.body()
        model = await asyncio.to_thread(lab.models.take_in, data, description, name)
        return model.card

    @routes.patch(
        "/models/{model_id}",
        summary="Rename a network that was kept in the lab; for the teacher",
        dependencies=[Depends(require_teacher)],
        responses=documented(400, 403, 404, 409, 422, 507),
    )
    def rename(model_id: ModelId, asked: NewName) -> ModelCard:
        return lab.models.rename(model_id, asked.name).card

    @routes.delete(
        "/models/{model_id}",
        status_code=204,
        summary="Delete a network that was kept in the lab; for the teacher",
        dependencies=[Depends(require_teacher)],
        responses=documented(403, 404, 409, 507),
    )
    def remove(model_id: ModelId) -> None:
        lab.models.remove(model_id)

    @routes.get("/models", summary="All models with what is known of each")
    def models(request: Request) -> ModelList:
        good, bad = lab.models.readable()
        messages = lab.messages(request)
        return ModelList(
            default=lab.models.default,
            models=[model.card for model in good],
            unreadable=[UnreadableModel(id=n, detail=e.text(messages)) for n, e in bad],
        )

    @routes.get(
        "/models/{model_id}",
        summary="A model's weights as safetensors, with batch norm folded into the convolutions; "
        "its card is in their metadata",
        response_class=Response,
        responses=BINARY | documented(404, 409),
    )
    def model_weights(model_id: ModelId, request: Request) -> Response:
        model = lab.models.get(model_id)
        if model.safetensors is None:
            raise LabError(409, "lab_ensemble", members=", ".join(model.card.members))
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
        return _mistakes(lab, lab.models.get(model_id), limit)

    @routes.get(
        "/models/{model_id}/scores",
        summary="A model measured on the test images that this lab has: the same ones for all",
        responses=documented(404, 409),
    )
    def scores(model_id: ModelId) -> Scores:
        return _scores(lab, lab.models.get(model_id))

    return routes


def _asked(body: bytes) -> PredictRequest:
    """What `POST /api/predict` is asked.

    Programs ask many times a second, and the framework's way of reading a body, with the standard
    library's parser, takes about as long as the network.

    Raises:
        LabError: the body is not JSON.
        RequestValidationError: a field has a value that it cannot have.
    """
    try:
        value = from_json(body)
    except ValueError:
        raise LabError(400, "lab_json") from None
    try:
        return PredictRequest.model_validate(value)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        raise RequestValidationError([{**e, "loc": ("body", *e["loc"])} for e in errors]) from None


def _scores(lab: Lab, model: StoredModel) -> Scores:
    gallery = lab.gallery_of(model.card.dataset)
    evaluation = gallery.evaluation(model)
    confusion = evaluation.confusion
    classes = [
        ClassScore(
            name=name, n=n, correct=hits, interval_95=wilson_interval(hits, n) if n else (0.0, 1.0)
        )
        for name, n, hits in zip(
            model.card.class_names,
            confusion.sum(dim=1).tolist(),
            confusion.diagonal().tolist(),
            strict=True,
        )
    ]
    return Scores(
        model=model.card.id,
        dataset=model.card.dataset,
        source=gallery.digits().source,
        n=evaluation.n,
        errors=evaluation.errors,
        accuracy=evaluation.accuracy,
        interval_95=evaluation.interval(),
        classes=classes,
        confusion=confusion.tolist(),
    )


def _mistakes(lab: Lab, model: StoredModel, limit: int) -> Mistakes:
    gallery = lab.gallery_of(model.card.dataset)
    evaluation = gallery.evaluation(model)
    rows = evaluation.log_probabilities.exp()
    wrong = (evaluation.predictions != evaluation.labels).nonzero()[:, 0]
    order = rows[wrong].amax(dim=1).argsort(descending=True, stable=True)
    batch = gallery.at(wrong[order][:limit].tolist())
    found = [
        Mistake(
            index=index,
            label=label,
            predicted=int(evaluation.predictions[index]),
            probability=float(rows[index].max()),
            label_probability=float(rows[index, label]),
        )
        for index, label in zip(batch.indices, batch.labels, strict=True)
    ]
    return Mistakes(
        model=model.card.id,
        source=batch.source,
        split="test",
        n=evaluation.n,
        errors=evaluation.errors,
        mistakes=found,
        images=batch.images,
    )
