"""What a finished run leaves: the model, its four figures and its numbers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from taller_cnn.checkpoints import ModelInfo, save_model
from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import Digits, display_class_names
from taller_cnn.evaluation import Evaluation
from taller_cnn.files import provenance, write_json
from taller_cnn.messages import Messages
from taller_cnn.model import count_parameters
from taller_cnn.runs.request import RunRequest
from taller_cnn.training import History, Training

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "RunResult",
    "answer_figures",
    "brief_scores",
    "finish",
    "model_info",
    "save_figures",
]


@dataclass(frozen=True, kw_only=True, eq=False)
class RunResult:
    """A finished run."""

    test: Evaluation
    validation: Evaluation | None
    history: History
    summary: dict[str, Any] = field(repr=False)
    """The closing figures as a JSON object."""
    files: Mapping[str, Path]


def finish(
    request: RunRequest,
    digits: Digits,
    training: Training,
    wall: dict[str, float],
    began: float,
) -> RunResult:
    """Save the model, draw the figures, write the numbers."""
    assert training.test is not None, "the last epoch evaluates the test digits"
    record = _record(request, digits, training)
    info = model_info(
        request.model, request.train, digits, brief_scores(training), record["provenance"]
    )
    save_model(training.network, request.files.model, info)
    files = {
        "model": request.files.model,
        **_draw(request, digits, training, request.files.results),
    }
    wall["total"] = time.perf_counter() - began
    files["numbers"] = request.files.results / "run.json"
    write_json(files["numbers"], {**record, "wall_seconds": wall})
    return RunResult(
        test=training.test,
        validation=training.validation,
        history=training.history,
        summary={**_summary(record, training), "files": {k: str(v) for k, v in files.items()}},
        files=files,
    )


def model_info(
    model: ModelConfig,
    train: TrainConfig,
    digits: Digits,
    metrics: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> ModelInfo:
    """What is kept beside weights that were trained on `digits`."""
    return ModelInfo(
        model=model,
        train=train,
        dataset=digits.name,
        class_names=digits.class_names,
        scale=digits.scale,
        source=digits.source,
        data_checksum=digits.checksum,
        metrics=metrics,
        provenance=provenance,
    )


def brief_scores(training: Training) -> dict[str, Any]:
    """The figures of a finished training's evaluations; None for one that was not made."""
    scores = {"test": training.test, "validation": training.validation}
    return {name: score and score.brief() for name, score in scores.items()}


def _record(request: RunRequest, digits: Digits, training: Training) -> dict[str, Any]:
    """All numbers of the run as a JSON object, without the wall times."""
    best, names = training.history.best_validation, digits.class_names
    return {
        "model": request.model.to_dict(),
        "train": request.train.to_dict(),
        "parameters": count_parameters(training.network),
        "dataset": digits.name,
        "source": digits.source,
        "data_checksum": digits.checksum,
        "images": {
            "train": len(digits.train),
            "validation": len(digits.validation),
            "test": len(digits.test),
        },
        "device": str(training.device.value),
        "precision": str(training.precision.value).removeprefix("torch."),
        "epochs": [result.to_dict() for result in training.history.epochs],
        "curve": _curve(training.history),
        "best_validation_epoch": best and best.epoch,
        "test": training.test and training.test.to_json(names),
        "validation": training.validation and training.validation.to_json(names),
        "provenance": provenance(),
    }


def _curve(history: History) -> list[dict[str, Any]]:
    """The points of a short run: mean training loss and accuracy since the point before."""
    return [
        {**vars(score), "validation": point.validation and vars(point.validation)}
        for score, point in zip(history.training_curve, history.points, strict=True)
    ]


def _summary(record: dict[str, Any], training: Training) -> dict[str, Any]:
    """The closing figures."""
    seconds = training.history.epochs[-1].train_seconds
    test = record["test"]
    seen = record["images"]["train"] * training.history.epochs[-1].epoch
    return {
        "test_accuracy": test["accuracy"],
        "test_interval_95": test["interval_95"],
        "test_n": test["n"],
        "test_loss": test["loss"],
        "validation_accuracy": record["validation"] and record["validation"]["accuracy"],
        "epochs": training.config.epochs,
        "train_seconds": seconds,
        "images_per_second": seen / seconds,
        "parameters": record["parameters"],
        "dataset": record["dataset"],
        "source": record["source"],
        "recipe": training.config.recipe,
        "seed": training.config.seed,
        "device": record["device"],
        "precision": record["precision"],
    }


def _draw(request: RunRequest, digits: Digits, training: Training, folder: Path) -> dict[str, Path]:
    """Draw the four figures into `folder`; name and path of each."""
    assert training.test is not None
    messages = Messages(request.language)
    note = _note(digits, messages)
    predictions, confusion = answer_figures(digits, training.test, messages)
    drawn = {
        "sample_predictions": predictions,
        "accuracy_curve": _curve_figure("accuracy", training.history, messages, note),
        "loss_curve": _curve_figure("loss", training.history, messages, note),
        "confusion_matrix": confusion,
    }
    return save_figures(drawn, folder)


def answer_figures(digits: Digits, test: Evaluation, messages: Messages) -> tuple[Figure, Figure]:
    """Some of the test digits with what is said of them, and the confusion matrix of all."""
    from taller_cnn import figures

    names, note = display_class_names(digits.name, messages), _note(digits, messages)
    chances = test.log_probabilities.exp()
    return (
        figures.predictions_figure(digits.test.images, test.labels, chances, names, messages, note),
        figures.confusion_figure(test.confusion, names, messages, digits.name, note),
    )


def _note(digits: Digits, messages: Messages) -> str | None:
    """What the titles say where the digits are the sample."""
    if digits.source != "sample":
        return None
    total = len(digits.train) + len(digits.validation) + len(digits.test)
    return messages("runs.note_sample", total=total)


def save_figures(drawn: Mapping[str, Figure], folder: Path) -> dict[str, Path]:
    """Save figures under their names; the path of each."""
    from taller_cnn import figures

    files = {name: folder / f"{name}.png" for name in drawn}
    for name, figure in drawn.items():
        figures.save_figure(figure, files[name])
    return files


def _curve_figure(
    kind: Literal["accuracy", "loss"], history: History, messages: Messages, note: str | None
) -> Figure:
    from taller_cnn import figures

    best = history.best_validation
    return figures.curve_figure(
        kind,
        [result.epoch for result in history.epochs],
        [getattr(result, f"train_{kind}") for result in history.epochs],
        [getattr(result.test, kind, None) for result in history.epochs],
        [getattr(result.validation, kind, None) for result in history.epochs],
        best.epoch if best else None,
        messages,
        note,
    )
