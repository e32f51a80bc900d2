"""What a finished run leaves: the model, its four figures and its numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from taller_cnn.augmentation import AUGMENTATIONS
from taller_cnn.checkpoints import ModelInfo, save_model
from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import Digits, display_class_names, display_title
from taller_cnn.errors import TallerError
from taller_cnn.evaluation import Evaluation
from taller_cnn.files import provenance, write_json
from taller_cnn.messages import Messages
from taller_cnn.model import count_parameters
from taller_cnn.page import save_softly
from taller_cnn.runs.request import RunRequest
from taller_cnn.training import History, Training

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True, eq=False)
class RunResult:
    """A finished run."""

    test: Evaluation
    validation: Evaluation | None
    history: History
    class_names: tuple[str, ...]
    summary: dict[str, Any] = field(repr=False)
    """The closing figures as a JSON object."""
    files: Mapping[str, Path]
    not_drawn: tuple[TallerError, ...] = ()
    """Why there are figures missing, an error for each."""


def finish(
    request: RunRequest,
    digits: Digits,
    training: Training,
    wall: dict[str, float],
    began: float,
) -> RunResult:
    """Save the model and the numbers, then draw the figures, which may fail without loss."""
    assert training.test is not None, "the last epoch evaluates the test digits"
    record = _record(request, digits, training)
    info = model_info(
        request.model,
        request.train,
        digits,
        brief_scores(training),
        record["provenance"],
        record["from"],
    )
    save_model(training.network, request.files.model, info)
    files: dict[str, Path] = {"model": request.files.model}
    not_drawn: tuple[TallerError, ...] = ()
    if not request.network_only:
        numbers = request.files.results / "run.json"
        wall["total"] = time.perf_counter() - began
        write_json(numbers, {**record, "wall_seconds": wall})
        drawn, not_drawn = _draw(request, digits, training, request.files.results)
        files.update(drawn, numbers=numbers)
    return RunResult(
        test=training.test,
        validation=training.validation,
        history=training.history,
        class_names=digits.class_names,
        summary={
            **_summary(record, training),
            "files": {name: str(path) for name, path in files.items()},
            "not_drawn": [str(error) for error in not_drawn],
        },
        files=files,
        not_drawn=not_drawn,
    )


def model_info(
    model: ModelConfig,
    train: TrainConfig,
    digits: Digits,
    metrics: Mapping[str, Any],
    provenance: Mapping[str, Any],
    origin: Mapping[str, Any] | None = None,
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
        origin=origin,
        augmentation=_strengths(train.augmentation),
    )


def _strengths(augmentation: str) -> dict[str, float]:
    """What the name of an augmentation stands for; nothing for none."""
    return {} if augmentation == "none" else asdict(AUGMENTATIONS[augmentation])


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
        "from": request.origin and request.origin.to_json(),
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
        "from": record["from"] and record["from"]["file"],
        "seed": training.config.seed,
        "device": record["device"],
        "precision": record["precision"],
    }


def _draw(
    request: RunRequest, digits: Digits, training: Training, folder: Path
) -> tuple[dict[str, Path], tuple[TallerError, ...]]:
    """Draw the four figures into `folder`, as `save_figures`."""
    assert training.test is not None
    messages = Messages(request.language)
    curves = {
        f"{kind}_curve": partial(_curve_figure, kind, training.history, digits, messages)
        for kind in ("accuracy", "loss")
    }
    answers = answer_figures(digits, training.test, messages)
    confusion = answers.pop("confusion_matrix")
    return save_figures({**answers, **curves, "confusion_matrix": confusion}, folder)


def answer_figures(
    digits: Digits, test: Evaluation, messages: Messages
) -> dict[str, Callable[[], Figure]]:
    """Some of the test digits with what is said of them, and the confusion matrix of all."""

    def predictions() -> Figure:
        from taller_cnn.figures import predictions_figure

        images, chances = digits.test.images, test.log_probabilities.exp()
        return predictions_figure(images, test.labels, chances, names, messages, note)

    def confusion() -> Figure:
        from taller_cnn.figures import confusion_figure

        title = display_title(digits.name, messages)
        return confusion_figure(test.confusion, names, messages, title, note)

    names, note = (
        display_class_names(digits.name, digits.class_names, messages),
        _note(digits, messages),
    )
    return {"sample_predictions": predictions, "confusion_matrix": confusion}


def _note(digits: Digits, messages: Messages) -> str | None:
    """What the titles say where the digits are the sample."""
    if digits.source != "sample":
        return None
    total = len(digits.train) + len(digits.validation) + len(digits.test)
    return messages("runs.note_sample", total=total)


def save_figures(
    drawings: Mapping[str, Callable[[], Figure]], folder: Path
) -> tuple[dict[str, Path], tuple[TallerError, ...]]:
    """Draw and save figures under their names, each whatever happens to the others.

    Returns:
        The path of each that there is, and for each of the others why there is none.
    """
    files: dict[str, Path] = {}
    not_drawn: list[TallerError] = []
    for name, draw in drawings.items():
        path = folder / f"{name}.png"
        problem = save_softly(draw, path)
        if problem is None:
            files[name] = path
        else:
            not_drawn.append(problem)
    return files, tuple(not_drawn)


def _curve_figure(
    kind: Literal["accuracy", "loss"], history: History, digits: Digits, messages: Messages
) -> Figure:
    from taller_cnn.figures import curve_figure

    test = [(result.epoch, getattr(result.test, kind, None)) for result in history.epochs]
    note = _note(digits, messages)
    if history.points:
        train = [(score.epoch, getattr(score, kind)) for score in history.training_curve]
        some = [(point.epoch, point.validation) for point in history.points if point.validation]
        validation = [(epoch, getattr(score, kind)) for epoch, score in some]
        n = some[0][1].n if some else None
        return curve_figure(kind, train, test, validation, None, messages, note, validation_n=n)
    train = [(result.epoch, getattr(result, f"train_{kind}")) for result in history.epochs]
    whole = [(result.epoch, getattr(result.validation, kind, None)) for result in history.epochs]
    best = history.best_validation
    return curve_figure(kind, train, test, whole, best.epoch if best else None, messages, note)
