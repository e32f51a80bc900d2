"""What goes over the wire: requests and answers of the HTTP API, typed."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, WithJsonSchema

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.lab.arrays import Base64Images, GreyImage, GreyImages
from taller_cnn.lab.problems import Problem
from taller_cnn.lab.security import Role
from taller_cnn.model import LayerRow, Stage

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,39}$"
RESERVED = ("opened", "main", "robust")
"""Ids that no kept model can have: what the lab was opened with, and the workshop's networks."""

_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])")
"""Names that Windows keeps for itself, in every folder."""

ModelId = Annotated[str, Field(description="an id of `GET /api/models`")]
ModelKind = Literal["main", "robust", "opened", "kept", "folder", "member"]


def is_name(text: str) -> bool:
    """Whether a kept model can be called so; what is no name never leads to a path."""
    # fullmatch, because "$" also matches before a line feed at the end.
    known = re.fullmatch(NAME_PATTERN.strip("^$"), text) is not None
    return known and text not in RESERVED and not _DEVICES.fullmatch(text)


class _Request(BaseModel):
    """A body that is taken literally: no other fields, no words for numbers."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class PredictRequest(_Request):
    """One digit (`image`) or several (`images`), 28 x 28 grey levels with 0 as background."""

    image: GreyImage | None = Field(default=None, description="28 rows of 28 grey levels, 0 to 255")
    images: GreyImages | None = Field(default=None, description="1 to 1,000 of them")
    model: ModelId | None = Field(default=None, max_length=40)


class Prediction(BaseModel):
    """What the network says of one image."""

    digit: int | None = Field(description="null where the image has no ink")
    probabilities: list[float] | None = Field(description="of the ten classes")


class Predictions(BaseModel):
    """What the network says of each image."""

    model: ModelId
    predictions: list[Prediction]


class ScoreCard(BaseModel):
    """An accuracy with what it stands on."""

    n: int
    errors: int
    accuracy: float
    interval_95: tuple[float, float] = Field(description="Wilson's interval")
    loss: float


class ModelCard(BaseModel):
    """What is known of a trained network."""

    id: ModelId
    kind: ModelKind = Field(
        description="the workshop's network, the robust one beside it, what the lab was opened "
        "with, one kept in the lab, another one of the folder, or one of an ensemble's networks"
    )
    members: list[ModelId] = Field(description="of an ensemble, whose layers are the first one's")
    config: ModelConfig
    stages: list[Stage]
    layers: list[LayerRow]
    parameters: int
    macs: int
    bytes: int = Field(description="size of the file of weights")
    class_names: list[str]
    mean: float
    std: float
    dataset: str
    source: str | None
    recipe: str | None
    epochs: float | None
    seed: int | None
    test: ScoreCard | None
    validation: ScoreCard | None
    created: str | None
    command: str | None = Field(description="what trains such a network again, in a terminal")
    sha256: str


class NewName(_Request):
    """What a kept model is to be called."""

    name: str = Field(max_length=200, description=f"{NAME_PATTERN}, none of {', '.join(RESERVED)}")


class UnreadableModel(BaseModel):
    """A file of weights that cannot be used."""

    id: ModelId
    detail: str


class ModelList(BaseModel):
    """All models of the lab."""

    default: ModelId | None
    models: list[ModelCard]
    unreadable: list[UnreadableModel]


class Mistake(BaseModel):
    """An image of the test split that the model gets wrong."""

    index: int
    label: int
    predicted: int
    probability: float = Field(description="that the model gives to what it says")
    label_probability: float = Field(description="that the model gives to the truth")


class Mistakes(BaseModel):
    """The mistakes of a model on the test split, the surest first."""

    model: ModelId
    source: str
    split: Literal["test"]
    n: int
    errors: int
    mistakes: list[Mistake]
    images: Base64Images


class ClassScore(BaseModel):
    """How often the images of one class are recognised."""

    name: str
    n: int
    correct: int
    interval_95: tuple[float, float] = Field(description="Wilson's, of correct / n")


class Scores(BaseModel):
    """How good a model is on the test images that this lab has."""

    model: ModelId
    dataset: str
    source: str = Field(description="`full` or `sample`: which test images")
    n: int
    errors: int
    accuracy: float
    interval_95: tuple[float, float]
    classes: list[ClassScore]
    confusion: list[list[int]] = Field(description="a row for each true class")


class DigitsAnswer(BaseModel):
    """Real digits with their labels."""

    dataset: str
    source: str
    split: str
    labels: list[int]
    indices: list[int]
    images: Base64Images


class Box(BaseModel):
    """A rectangle in a picture, in pixels."""

    x: int
    y: int
    width: int
    height: int


class ReadDigit(BaseModel):
    """One digit that was found in a picture."""

    box: Box
    digit: int
    probability: float
    second: int
    uncertain: bool
    image: Base64Images


class RejectedMark(BaseModel):
    """A mark in a picture that was taken for no digit."""

    box: Box
    reason: str
    detail: str


class Reading(BaseModel):
    """What was read in a picture."""

    model: ModelId = Field(description="the network that reads")
    threshold: float | None = Field(
        description="less probable digits are uncertain; above 1, all are; null: not known"
    )
    choosing: bool = Field(
        default=False, description="whether the threshold is still being chosen, in seconds"
    )
    text: str
    width: int
    height: int
    page: int = Field(description="which of the file's pictures was read")
    pages: int = Field(description="pictures in the file")
    digits: list[ReadDigit]
    rejected: list[RejectedMark]
    preview: str | None = Field(
        default=None, description="the picture that was read, as a `data:` address, if asked for"
    )


class TrainForm(_Request):
    """How to train; what is not given is the recipe's."""

    recipe: str = Field(default="quick", max_length=40)
    epochs: float | None = None
    learning_rate: float | None = None
    schedule: str | None = None
    batch_size: int | None = None
    label_smoothing: float | None = None
    seed: int = 0


FormGroup = Literal["config", "train"]


class FormField(BaseModel):
    """A field of the page's form, and what it may be."""

    group: FormGroup = Field(description="the part of `POST /api/runs` that it belongs to")
    name: str
    kind: Literal["list", "number", "choice", "switch"]
    options: list[str | int] = Field(default=[], description="of a choice")
    whole: bool = Field(default=False, description="whether its numbers are whole")
    least: float | None = None
    most: float | None = None
    above: float | None = Field(default=None, description="a bound that is not itself allowed")
    below: float | None = Field(default=None, description="a bound that is not itself allowed")


class RecipeValues(BaseModel):
    """What a recipe sets."""

    config: ModelConfig
    train: TrainConfig


class TrainingForm(BaseModel):
    """The page's form for a training."""

    recipe: str = Field(description="the one to begin with")
    recipes: dict[str, RecipeValues]
    fields: list[FormField]


def _network_schema() -> dict[str, Any]:
    """The fields of a network, without defaults: those are the recipe's."""
    schema = TypeAdapter(ModelConfig).json_schema(mode="validation")
    fields = schema["properties"].items()
    without = {k: {n: v for n, v in f.items() if n != "default"} for k, f in fields}
    return {**schema, "properties": without, "description": "What is not given is the recipe's."}


# The configuration validates itself, with its own sentences; here it is only described.
NetworkForm = Annotated[dict[str, Any], WithJsonSchema(_network_schema())]


class NewRun(_Request):
    """What to train."""

    config: NetworkForm = Field(default_factory=dict)
    train: TrainForm = TrainForm()
    source: Literal["auto", "full", "sample"] = "auto"
    replace: bool = Field(
        default=False,
        description="whether to throw away the last training if it has not been kept",
    )


RunState = Literal[
    "starting",
    "running",
    "paused",
    "finished",
    "stopped",
    "diverged",
    "failed",
    "kept",
    "discarded",
]


class RunStatus(BaseModel):
    """How a training is."""

    id: str
    yours: bool = Field(description="whether whoever asks may pause, stop, keep or discard it")
    state: RunState
    config: ModelConfig
    train: TrainConfig
    source: str
    step: int
    steps: int
    problem: Problem | None
    model: ModelId | None = Field(description="what it was kept as")


class RunAction(_Request):
    """What to do with a training; `name` belongs to `keep`."""

    action: Literal["pause", "continue", "stop", "keep"]
    name: str | None = Field(
        default=None,
        max_length=200,
        description=f"of the model that is kept: {NAME_PATTERN}, none of {', '.join(RESERVED)}",
    )


class StudyPicture(BaseModel):
    """A picture of the study."""

    name: str
    url: str = Field(description="where its PNG is, on this server")


class StudyTable(BaseModel):
    """The study's trials in rows."""

    columns: list[str]
    rows: list[list[str]]


class Study(BaseModel):
    """The study in the lab's folder, if there is one."""

    available: bool
    pictures: list[StudyPicture] | None = None
    table: StudyTable | None = None
    table_source: Literal["csv"] | None = None


class Health(BaseModel):
    """That the lab is there, and what it is doing."""

    status: Literal["ok"]
    version: str
    language: str
    role: Role = Field(description="of whoever asks")
    class_key: str | None = Field(
        description="what lets pupils in, for `/?token=`; null for pupils, and in a lab that is "
        "open to nobody else"
    )
    models: int
    run: RunStatus | None
