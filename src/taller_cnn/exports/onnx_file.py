"""A network, or an ensemble, as ONNX.

Written node by node and not by ``torch.onnx.export``, which at version 2.14 has no operation for
`adaptive_max_pool2d`, turns the pooling of `SimpleCNN` into slices and takes seconds.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from taller_cnn import __version__
from taller_cnn.checkpoints import LoadedModel
from taller_cnn.errors import MissingExtraError
from taller_cnn.exports.steps import Pixels, Step, rescaling, steps
from taller_cnn.files import atomic_path
from taller_cnn.model import IMAGE_SIZE, Ensemble, SimpleCNN, network_inside

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

OPSET = 20
"""The first version of the operations with GELU."""
IR_VERSION = 10
"""Version of the file's format that belongs to it."""
INPUT, OUTPUT, BATCH = "image", "logits", "batch"
_ACTIVATIONS = {"relu": "Relu", "gelu": "Gelu", "tanh": "Tanh"}
_POOLS = {"max": "MaxPool", "avg": "AveragePool"}

Array = npt.NDArray[Any]


def write_onnx(loaded: LoadedModel, path: Path, pixels: Pixels = "normalised") -> int:
    """Write a network for ONNX Runtime and its like; returns the size in bytes.

    Its input is ``image``, float32 ``[batch, 1, 28, 28]``; its output ``logits`` ``[batch, K]``,
    of an ensemble the logarithms of the mean probabilities. What is known of the network is in
    the metadata: ``class_names`` (a JSON list), ``dataset``, ``pixels``, ``mean``, ``std`` and,
    if it is known, ``test_accuracy`` with ``test_n``.

    Raises:
        MissingExtraError: the library `onnx` is not installed.
        OutputError: the file cannot be written.
    """
    data = onnx_model(loaded, pixels).SerializeToString(deterministic=True)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return len(data)


def onnx_model(loaded: LoadedModel, pixels: Pixels = "normalised") -> ModelProto:
    """The model that `write_onnx` writes, checked.

    Raises:
        MissingExtraError: the library `onnx` is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError("export_extra", command="pip install 'taller-cnn[onnx]'") from error
    from onnx import helper

    graph, image = _Graph(), INPUT
    linear = rescaling(loaded.scale, pixels)
    if linear:
        factor, offset = (
            graph.constant(f"pixels.{n}", v) for n, v in zip("ab", linear, strict=True)
        )
        image = graph.add("Add", graph.add("Mul", image, factor), offset)
    graph.answer(loaded.model, image)
    n_classes, float32 = network_inside(loaded.model).n_classes, onnx.TensorProto.FLOAT
    shape: list[str | int | None] = [BATCH, 1, IMAGE_SIZE, IMAGE_SIZE]
    made = helper.make_graph(
        graph.nodes,
        "SimpleCNN",
        [helper.make_tensor_value_info(INPUT, float32, shape)],
        [helper.make_tensor_value_info(OUTPUT, float32, [BATCH, n_classes])],
        graph.constants,
    )
    model = helper.make_model(
        made,
        producer_name="taller-cnn",
        producer_version=__version__,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    helper.set_model_props(model, _metadata(loaded, n_classes, pixels))
    onnx.checker.check_model(model, full_check=True)
    return model


def _metadata(loaded: LoadedModel, n_classes: int, pixels: Pixels) -> dict[str, str]:
    info, scale = loaded.info, loaded.scale
    names = list(info.class_names) if info else [str(label) for label in range(n_classes)]
    test = info.metrics.get("test") if info else None
    score = {}
    if isinstance(test, dict) and {"accuracy", "n"} <= test.keys():
        score = {"test_accuracy": str(test["accuracy"]), "test_n": str(test["n"])}
    return {
        "class_names": json.dumps(names, ensure_ascii=False),
        **({"dataset": info.dataset} if info else {}),
        "pixels": pixels,
        "mean": repr(scale.mean),
        "std": repr(scale.std),
        **score,
    }


class _Graph:
    """Nodes and constants of a graph as they are added."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, name: str, value: Array | float | list[int]) -> str:
        """Add a constant: float32, or int64 for whole numbers; returns its name."""
        from onnx import numpy_helper

        array = np.asarray(value)
        array = array.astype(np.int64 if array.dtype.kind == "i" else np.float32)
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, operation: str, *inputs: str, output: str = "", **settings: Any) -> str:
        """Add a node with one output; returns its name."""
        from onnx import helper

        output = output or f"{operation.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, inputs, [output], output, **settings))
        return output

    def answer(self, model: SimpleCNN | Ensemble, image: str) -> None:
        """Add what a network or an ensemble makes of an image."""
        if isinstance(model, SimpleCNN):
            self.network(model, image, "", OUTPUT)
            return
        axis = self.constant("members.axis", [0])
        answers = []
        for index, member in enumerate(model.members, start=1):
            assert isinstance(member, SimpleCNN)
            logits = self.network(member, image, f"member{index}.")
            answers.append(self.add("Unsqueeze", self.add("LogSoftmax", logits, axis=1), axis))
        together = self.add("Concat", *answers, axis=0)
        total = self.add("ReduceLogSumExp", together, axis, keepdims=0)
        self.add("Sub", total, self.constant("members.log", math.log(len(answers))), output=OUTPUT)

    def network(self, network: SimpleCNN, image: str, prefix: str, output: str = "") -> str:
        """Add a network; returns the name of its logits."""
        weights = {k: v.detach().cpu().numpy() for k, v in network.state_dict().items()}
        size, value = IMAGE_SIZE, image
        *inner, last = steps(network.config, network.n_classes)
        for step in inner:
            value = self.step(step, value, weights, prefix, size)
            size //= _shrinks(step)
        return self.dense(last, value, weights, prefix, output)

    def step(
        self, step: Step, value: str, weights: dict[str, Array], prefix: str, size: int
    ) -> str:
        """Add one operation on maps of side `size`."""
        settings = step.settings
        match step.kind:
            case "conv":
                padding, stride = settings["padding"], settings["stride"]
                tensors = self.weights(step, weights, prefix, "weight", "bias")
                return self.add("Conv", value, *tensors, pads=[padding] * 4, strides=[stride] * 2)
            case "norm":
                names = ("weight", "bias", "running_mean", "running_var")
                tensors = self.weights(step, weights, prefix, *names)
                return self.add("BatchNormalization", value, *tensors, epsilon=settings["epsilon"])
            case "activation":
                return self.add(_ACTIVATIONS[settings["function"]], value)
            case "pool":
                return self.add(_POOLS[settings["how"]], value, kernel_shape=[2, 2], strides=[2, 2])
            case "final_pool":
                return self.final_pool(value, size, settings["size"], settings["how"], prefix)
            case "flatten":
                return self.add("Flatten", value)
            case "dense":
                return self.dense(step, value, weights, prefix)
        assert step.kind == "dropout", step
        return value

    def weights(self, step: Step, weights: dict[str, Array], prefix: str, *names: str) -> list[str]:
        """Add the weights of a layer; returns their names."""
        keys = [f"{step.name}.{name}" for name in names]
        return [self.constant(prefix + key, weights[key]) for key in keys]

    def dense(
        self, step: Step, value: str, weights: dict[str, Array], prefix: str, output: str = ""
    ) -> str:
        """Add a fully connected layer."""
        tensors = self.weights(step, weights, prefix, "weight", "bias")
        return self.add("Gemm", value, *tensors, transB=1, output=output)

    def final_pool(self, value: str, size: int, final: int, how: str, prefix: str) -> str:
        """Add PyTorch's adaptive pooling, whose windows overlap where `final` leaves a rest."""
        if size % final == 0:
            side = size // final
            return self.add(_POOLS[how], value, kernel_shape=[side] * 2, strides=[side] * 2)
        windows = [(i * size // final, -((i + 1) * size // -final)) for i in range(final)]
        if how == "avg":
            means = np.zeros((final, size), np.float32)
            for row, (start, end) in zip(means, windows, strict=True):
                row[start:end] = 1 / (end - start)
            rows = self.add("MatMul", self.constant(f"{prefix}pool.rows", means), value)
            return self.add("MatMul", rows, self.constant(f"{prefix}pool.columns", means.T))
        # A window's last pixel stands in for those that a shorter window lacks.
        widest = max(end - start for start, end in windows)
        places = [[min(start + i, end - 1) for i in range(widest)] for start, end in windows]
        where = self.constant(f"{prefix}pool.windows", np.array(places))
        for axis in (2, 3):
            within = self.constant(f"{prefix}pool.axis{axis}", [axis + 1])
            gathered = self.add("Gather", value, where, axis=axis)
            value = self.add("ReduceMax", gathered, within, keepdims=0)
        return value


def _shrinks(step: Step) -> int:
    """By what number a step divides the side of the maps."""
    if step.kind == "conv":
        return int(step.settings["stride"])
    return 2 if step.kind == "pool" else 1
