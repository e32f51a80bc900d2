"""The process that trains for the lab.

It is started with an order, takes actions from its pipe and tells events through it. When the lab
is gone, however it ended, the pipe ends, and so does the process.
"""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from taller_cnn.errors import DivergedError, TallerError, UsageError
from taller_cnn.lab.arrays import to_base64
from taller_cnn.lab.worker_protocol import Action, TrainingOrder
from taller_cnn.process import prepare_process

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from taller_cnn.data import Digits, LabelledImages
    from taller_cnn.model import SimpleCNN
    from taller_cnn.training import CurvePoint, Training

SNAPSHOT_SECONDS = 0.33
SAMPLES_PER_CLASS = 2
FREE_BYTES = 20_000_000
"""Free disk asked for before a training: the weights several times over."""
LOWER_PRIORITY = 5
"""The page draws on the same processor."""

Tell = Callable[[str, Mapping[str, Any]], None]


class Actions:
    """What the lab wants, read in a thread of its own.

    Args:
        receive: waits for the next action; an `EOFError` or `OSError` says that the lab is gone.
        gone: called when it is.
    """

    def __init__(self, receive: Callable[[], Action], gone: Callable[[], object]) -> None:
        self.stop = False
        self.pause = False
        self._changed = threading.Condition()
        self._receive, self._gone = receive, gone

    def listen(self) -> None:
        """Follow actions until the lab is gone."""
        while True:
            try:
                action = self._receive()
            except (EOFError, OSError):
                self._gone()
                return
            with self._changed:
                self.stop = self.stop or action == "stop"
                self.pause = action == "pause"
                self._changed.notify()

    def wait_while_paused(self) -> None:
        """Return when the training may go on or is to stop."""
        with self._changed:
            self._changed.wait_for(lambda: self.stop or not self.pause)


def run_worker(order: TrainingOrder, pipe: Connection[Any, Any]) -> None:
    """Train as the lab says; the process's whole work. Problems are told as events."""
    # Ctrl-C in the terminal is for the lab, which then ends its training.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(LOWER_PRIORITY)
    prepare_process()

    def end() -> None:
        os._exit(1)

    def tell(name: str, data: Mapping[str, Any]) -> None:
        try:
            pipe.send((name, dict(data)))
        except OSError:
            end()

    actions = Actions(pipe.recv, end)
    threading.Thread(target=actions.listen, daemon=True).start()
    work(order, actions, tell)


def work(order: TrainingOrder, actions: Actions, tell: Tell) -> None:
    """Train, and tell how it goes; the last event is ``end``.

    Its data have the state (``finished``, ``stopped``, ``diverged``, ``failed``) and, for the
    last two, the error.
    """
    try:
        tell("end", {"state": _train(order, actions, tell)})
    except DivergedError as error:
        told = DivergedError("lab_diverged", **error.values)
        tell("end", {"state": "diverged", "error": told})
    except TallerError as error:
        tell("end", {"state": "failed", "error": error})
    except (RuntimeError, MemoryError) as error:
        # torch has no exception of its own for a full memory.
        if "memory" not in str(error).lower() and not isinstance(error, MemoryError):
            raise
        tell("end", {"state": "failed", "error": UsageError("lab_memory")})


def _train(order: TrainingOrder, actions: Actions, tell: Tell) -> str:
    from taller_cnn.files import check_writable
    from taller_cnn.model import SimpleCNN
    from taller_cnn.training import train

    check_writable(order.folder, FREE_BYTES)
    digits = order.place.load(order.train.holdout)
    model = SimpleCNN(order.model, n_classes=digits.n_classes, seed=order.train.seed)
    initial = _fingerprint(model)
    training = train(model, digits, order.train)
    samples = _samples(digits)
    tell("started", _started(order, digits, model, training, samples, initial))
    watcher = _Watcher(digits, samples, tell)
    watcher.snapshot(training)
    _follow(training, actions, watcher, tell)
    watcher.snapshot(training)
    _finish(order, digits, training, tell)
    return "finished" if training.step >= training.steps else "stopped"


def _follow(training: Training, actions: Actions, watcher: _Watcher, tell: Tell) -> None:
    """Train until the end or until the lab says stop."""
    from taller_cnn.training import EpochResult

    told = 0
    for event in training:
        points = training.history.points
        for point in points[told:]:
            tell("point", _point(point))
        told = len(points)
        if isinstance(event, EpochResult):
            tell("epoch", event.to_dict())
        else:
            tell("progress", vars(event))
        watcher.look(training)
        if actions.pause and not actions.stop:
            tell("paused", {"step": training.step})
            actions.wait_while_paused()
            tell("continued", {"step": training.step})
        if actions.stop:
            break


def _point(point: CurvePoint) -> dict[str, Any]:
    """A point of a short training's curve, with means since the epoch began."""
    return {
        "epoch": point.epoch,
        "loss": point.loss_sum / point.seen,
        "accuracy": point.correct / point.seen,
        "validation": point.validation and vars(point.validation),
    }


class _Watcher:
    """Shows what the network is like while it learns."""

    def __init__(self, digits: Digits, samples: LabelledImages, tell: Tell) -> None:
        self.digits, self.samples, self.tell = digits, samples, tell
        self._last = 0.0

    def look(self, training: Training) -> None:
        """A snapshot, unless the last one was just now."""
        if time.perf_counter() - self._last >= SNAPSHOT_SECONDS:
            self.snapshot(training)

    def snapshot(self, training: Training) -> None:
        """The first layer's filters, and what the network says of the samples."""
        from taller_cnn.evaluation import evaluate

        network = training.network
        evaluation = evaluate(network, self.samples, self.digits.scale)
        values = network.conv1.weight.detach().cpu().contiguous().numpy()
        best = evaluation.log_probabilities.exp().amax(dim=1)
        self.tell(
            "snapshot",
            {
                "step": training.step,
                "conv1": {"shape": list(values.shape), "values": to_base64(values)},
                "predictions": evaluation.predictions.tolist(),
                "probabilities": [round(p, 4) for p in best.nan_to_num().tolist()],
            },
        )
        self._last = time.perf_counter()


def _fingerprint(model: SimpleCNN) -> str:
    """What stands for the weights: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for value in model.state_dict().values():
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()[:16]


def _samples(digits: Digits) -> LabelledImages:
    """The first validation images of each class, in class order."""
    import torch

    split = digits.validation
    of_class = [(split.labels == c).nonzero()[:, 0] for c in range(digits.n_classes)]
    chosen = torch.cat([positions[:SAMPLES_PER_CLASS] for positions in of_class])
    return split[chosen]


def _started(
    order: TrainingOrder,
    digits: Digits,
    model: SimpleCNN,
    training: Training,
    samples: LabelledImages,
    initial: str,
) -> dict[str, Any]:
    from taller_cnn.model import count_parameters

    return {
        "source": digits.source,
        "train_n": len(digits.train),
        "validation_n": len(digits.validation),
        "test_n": len(digits.test),
        "parameters": count_parameters(model),
        "steps": training.steps,
        "epochs": order.train.epochs,
        "seed": order.train.seed,
        "initial": initial,
        "samples": {
            "labels": samples.labels.tolist(),
            "images": to_base64(samples.images.numpy()),
        },
    }


def _finish(order: TrainingOrder, digits: Digits, training: Training, tell: Tell) -> None:
    """Measure the network as it is now, save it, and tell."""
    from taller_cnn.checkpoints import save_model
    from taller_cnn.evaluation import evaluate
    from taller_cnn.files import provenance
    from taller_cnn.lab.model_store import WEIGHTS_NAME
    from taller_cnn.runs.results import model_info

    scores: dict[str, Any] = {
        name: evaluate(training.network, split, digits.scale).brief() if len(split) else None
        for name, split in (("test", digits.test), ("validation", digits.validation))
    }
    # Keep no network whose very last step has made it useless.
    training.require_finite(scores["test"]["loss"])
    steps = {"step": training.step, "steps": training.steps}
    info = model_info(order.model, order.train, digits, {**scores, **steps}, provenance())
    save_model(training.network, order.folder / WEIGHTS_NAME, info)
    tell("result", {**scores, **steps})
