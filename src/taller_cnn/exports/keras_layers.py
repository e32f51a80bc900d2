"""The layers of a Keras file, recognised as those of a member of the family.

Only the file's JSON is looked at: what is not of the family is refused before Keras makes
anything of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from taller_cnn.config import ModelConfig
from taller_cnn.errors import ConfigError, ModelError, Phrase
from taller_cnn.exports.steps import Step, steps

_POOLS = {
    "MaxPooling2D": "max",
    "AveragePooling2D": "avg",
    "AdaptiveMaxPooling2D": "max",
    "AdaptiveAveragePooling2D": "avg",
}
_FIXED: Mapping[str, Mapping[str, Any]] = {
    "Conv2D": {"dilation_rate": [1, 1], "groups": 1, "use_bias": True},
    "Dense": {"use_bias": True},
    "BatchNormalization": {"axis": -1, "center": True, "scale": True},
    "MaxPooling2D": {"pool_size": [2, 2], "strides": [2, 2], "padding": "valid"},
    "AveragePooling2D": {"pool_size": [2, 2], "strides": [2, 2], "padding": "valid"},
    "Dropout": {"noise_shape": None},
}
"""Settings that no member of the family has otherwise."""
_KIND_OF_FIELD = {
    "hidden": "dense",
    "dropout": "dropout",
    "activation": "activation",
    "final_size": "final_pool",
}
"""The operation that a wrong field comes from; of other fields, the convolution."""


def recognised(
    path: Path, model: Mapping[str, Any], before: Sequence[Step]
) -> tuple[ModelConfig, int, list[str]]:
    """Which member of the family a Keras model is.

    Args:
        path: the file, for errors.
        model: the file's ``config.json``.
        before: what comes before the first convolution.

    Returns:
        The member, the number of classes K, and the names of the layers with weights in order.

    Raises:
        ModelError: it is none; the first layer that no member has there is named.
    """
    if model.get("class_name") != "Sequential":
        raise _refusal(path, str(model.get("class_name")), "-", "Sequential")
    found = list(_steps(model["config"]["layers"]))
    if found and found[-1].settings == {"function": "softmax"}:
        # Probabilities instead of logits: the same weights.
        found.pop()
    for step in found:
        if step.kind == "other":
            values = {"path": path, "layer": step.name, "found": _told(step.settings)}
            raise ModelError("keras_other", **values)
    config = _config(path, found)
    last = found[-1].settings.get("units", 10)
    for step, expected in zip_longest(found, [*before, *steps(config, last)]):
        if step != expected:
            raise _refusal(path, step.name if step else "-", step or "-", expected or "-")
    return config, last, [s.name for s in found if s.kind in ("conv", "norm", "dense")]


def _refusal(path: Path, layer: str, found: object, expected: object) -> ModelError:
    return ModelError(
        "keras_layer", path=path, layer=layer, found=str(found), expected=str(expected)
    )


def _told(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in settings.items())


def _steps(layers: Sequence[Mapping[str, Any]]) -> Iterator[Step]:
    """What Keras' layers do, in the family's terms."""
    padding = 0
    for layer in layers:
        settings = layer["config"]
        if layer["class_name"] == "ZeroPadding2D" and not padding:
            padding = _same_on_all_sides(settings["padding"])
            if padding:
                continue
        yield _step(layer, padding)
        padding = 0
        function = settings.get("activation", "linear")
        if layer["class_name"] != "Activation" and function != "linear":
            name = str(settings["name"])
            yield Step(kind="activation", name=name, settings={"function": function})


def _same_on_all_sides(padding: Any) -> int:
    """Pixels of padding; 0 where the sides differ."""
    return padding[0][0] if padding == [[padding[0][0]] * 2] * 2 else 0


def _step(layer: Mapping[str, Any], padding: int) -> Step:
    kind, settings = str(layer["class_name"]), layer["config"]
    name = str(settings["name"])
    fixed = {"data_format": "channels_last", **_FIXED.get(kind, {})}
    amiss = {k: settings[k] for k, v in fixed.items() if k in settings and settings[k] != v}
    if amiss or not _is_kerass(layer) or (padding and kind != "Conv2D"):
        return Step(kind="other", name=name, settings={"class": kind, **amiss})
    match kind:
        case "InputLayer":
            return Step(kind="input", name=name, settings={"shape": settings["batch_shape"][1:]})
        case "Rescaling":
            linear = {"scale": settings["scale"], "offset": settings["offset"]}
            return Step(kind="rescale", name=name, settings=linear)
        case "Conv2D":
            return Step(kind="conv", name=name, settings=_conv(settings, padding))
        case "BatchNormalization":
            return Step(kind="norm", name=name, settings={"epsilon": settings["epsilon"]})
        case "Activation":
            function = settings["activation"]
            return Step(kind="activation", name=name, settings={"function": function})
        case "MaxPooling2D" | "AveragePooling2D":
            return Step(kind="pool", name=name, settings={"how": _POOLS[kind]})
        case "AdaptiveMaxPooling2D" | "AdaptiveAveragePooling2D":
            size = _single(settings["output_size"])
            how = {"how": _POOLS[kind], "size": size}
            return Step(kind="final_pool", name=name, settings=how)
        case "Flatten":
            return Step(kind="flatten", name=name)
        case "Dense":
            return Step(kind="dense", name=name, settings={"units": settings["units"]})
        case "Dropout":
            return Step(kind="dropout", name=name, settings={"rate": settings["rate"]})
    return Step(kind="other", name=name, settings={"class": kind})


def _conv(settings: Mapping[str, Any], padding: int) -> dict[str, Any]:
    kernel, stride = _single(settings["kernel_size"]), _single(settings["strides"])
    same = settings["padding"] == "same"
    # With a stride, "same" pads other sides than PyTorch does, but for a kernel of one pixel.
    if same and isinstance(kernel, int) and (stride == 1 or kernel == 1):
        padding += kernel // 2
    shown = "same" if same and stride != 1 and kernel != 1 else padding
    return {
        "filters": settings["filters"],
        "kernel_size": kernel,
        "stride": stride,
        "padding": shown,
    }


def _single(sides: Any) -> Any:
    """The number that both sides have; the sides where they differ."""
    return sides[0] if isinstance(sides, list) and sides == [sides[0]] * 2 else sides


def _is_kerass(value: Any) -> bool:
    """Whether all classes named anywhere in a layer are Keras' own."""
    if isinstance(value, dict):
        module = value.get("module")
        registered = value.get("registered_name")
        ours = module is None or str(module).split(".")[0] == "keras"
        return ours and registered is None and all(map(_is_kerass, value.values()))
    return all(map(_is_kerass, value)) if isinstance(value, list) else True


def _config(path: Path, found: Sequence[Step]) -> ModelConfig:
    """The member of the family that operations are most like."""
    of: dict[str, list[Step]] = {}
    for step in found:
        of.setdefault(step.kind, []).append(step)
    for kind in ("conv", "dense"):
        if kind not in of or found[-1].kind != "dense":
            last = found[-1] if found else Step(kind="other", name="-")
            raise _refusal(path, last.name, last, kind)
    convs, dense = of["conv"], of["dense"]
    fields = {
        "filters": tuple(conv.settings["filters"] for conv in convs),
        "kernel_size": convs[0].settings["kernel_size"],
        "batch_norm": "norm" in of,
        "activation": of["activation"][0].settings["function"] if "activation" in of else "relu",
        "hidden": dense[0].settings["units"] if len(dense) > 1 else 0,
        "dropout": of["dropout"][0].settings["rate"] if "dropout" in of else 0.0,
        "final_size": of["final_pool"][0].settings["size"] if "final_pool" in of else 0,
        **_halving(found, of),
    }
    try:
        return ModelConfig.from_dict(fields)
    except ConfigError as error:
        kind = _KIND_OF_FIELD.get(str(error.values.get("field")), "conv")
        reason = Phrase(error.key, error.values)
        raise ModelError(
            "keras_setting", path=path, layer=of[kind][0].name, reason=reason
        ) from error


def _halving(found: Sequence[Step], of: Mapping[str, Sequence[Step]]) -> dict[str, Any]:
    """How maps are halved, and after how many convolutions."""
    convs = 0
    for step in found:
        convs += step.kind == "conv"
        if step.kind == "pool":
            return {"pooling": step.settings["how"], "convs_per_pool": convs}
        if step.kind == "conv" and step.settings["stride"] != 1:
            return {"pooling": "stride", "convs_per_pool": convs}
    if "final_pool" in of and of["final_pool"][0].settings["how"] == "avg":
        # Never halved, because there are fewer convolutions than a halving needs.
        return {"pooling": "avg", "convs_per_pool": 3}
    return {"pooling": "none"}
