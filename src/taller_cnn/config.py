"""What a network and a training are made of, and the named recipes.

The only place where these values are validated. Command-line options, help texts, the
checkpoint and the page's form come from the fields of these classes; the sentence that
explains a field to the reader is the message ``config.<field>``.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

from taller_cnn.errors import ConfigError

MAX_LAYERS = 6


@dataclass(frozen=True, kw_only=True)
class Range:
    """The numbers that a field takes; every bound that is no number is no bound."""

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    """Bound that is not itself among them, as `below`."""
    below: float = math.inf
    among: tuple[int, ...] = ()
    """The only ones, where they are few."""

    def check(self, name: str, value: float) -> None:
        """Refuse a value of field `name` that is outside.

        Raises:
            ConfigError: it is, or it is not a number.
        """
        if self.among:
            _check_choice(name, value, self.among)
        elif not (self.least <= value <= self.most and self.above < value < self.below):
            raise ConfigError(self._message, field=name, value=value, **self._limits)

    @property
    def _message(self) -> str:
        if self.above == 0:
            return "config_positive"
        return "config_fraction" if self.below == 1 else "config_range"

    @property
    def _limits(self) -> dict[str, float]:
        limits = {"least": self.least, "most": self.most}
        return {name: value for name, value in limits.items() if math.isfinite(value)}


def ranged(default: Any, **bounds: Any) -> Any:
    """A dataclass field with a default and the `Range` of its number, or of each of several."""
    return field(default=default, metadata={"range": Range(**bounds)})


def check_ranges(values: Any) -> None:
    """Refuse a dataclass of which a field is outside of its range.

    Raises:
        ConfigError: a number is outside, or is not a number.
    """
    for each in dataclasses.fields(values):
        if "range" in each.metadata:
            value = getattr(values, each.name)
            for number in value if isinstance(value, tuple) else (value,):
                each.metadata["range"].check(each.name, number)


@dataclass(frozen=True, kw_only=True)
class _Config:
    """Types, dictionary form and copies, shared by the two configurations."""

    def __post_init__(self) -> None:
        for name, hint in self._hints().items():
            object.__setattr__(self, name, _typed(name, getattr(self, name), hint))
        check_ranges(self)

    @classmethod
    @cache
    def _hints(cls) -> dict[str, Any]:
        """Name and type of each field; kept, because finding them takes 0.3 ms."""
        return get_type_hints(cls)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build from a JSON object or a table of options; missing fields take their default.

        Raises:
            ConfigError: a key is not a field, a value has the wrong type or is out of range.
        """
        hints = cls._hints()
        for name in values:
            if name not in hints:
                raise ConfigError("config_unknown_field", field=name, allowed=", ".join(hints))
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types (tuples become lists)."""
        fields = dataclasses.asdict(self)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()}

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed, validated again."""
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True, kw_only=True)
class ModelConfig(_Config):
    """A member of the `SimpleCNN` family; the default is the workshop's network.

    Every convolution keeps the size of its input (stride 1, padding ``kernel_size // 2``). After
    the activation of every `convs_per_pool`-th the map is halved by `pooling` as long as it is at
    least 8 wide.

    Raises:
        ConfigError: a field has the wrong type or is out of its range.
    """

    filters: tuple[int, ...] = ranged((16, 32), least=1, most=1024)
    """Filters of each convolution, first to last: 1 to 6 numbers from 1 to 1024."""
    kernel_size: int = ranged(3, among=(1, 3, 5, 7))
    """Side of every kernel, in pixels: 1, 3, 5 or 7."""
    pooling: Literal["max", "avg", "stride", "none"] = "max"
    """How a map is halved: 2x2 maximum, 2x2 mean, stride 2 in the convolution, or not at all."""
    convs_per_pool: int = ranged(1, least=1, most=3)
    """Convolutions from one halving to the next: 1 to 3."""
    hidden: int = ranged(128, least=0, most=4096)
    """Units of the fully connected layer between the maps and the classes: up to 4096; 0 leaves
    the layer out, and the classes get the last maps themselves."""
    dropout: float = ranged(0.25, least=0, below=1)
    """Fraction of what the classes are made from (the hidden units, or the numbers of the last
    maps) switched off at each training step: 0 <= dropout < 1."""
    batch_norm: bool = False
    """Batch normalisation after every convolution."""
    activation: Literal["relu", "gelu", "tanh"] = "relu"
    """Activation after every convolution and after the hidden layer."""
    final_size: int = ranged(0, least=0, most=28)
    """Side that the last map is pooled down to before the fully connected layers, by the mean
    where `pooling` is ``avg``, else by the maximum: 1 is global pooling, 0 leaves it as it is."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= len(self.filters) <= MAX_LAYERS:
            raise ConfigError(
                "config_layers", field="filters", value=len(self.filters), most=MAX_LAYERS
            )

    @property
    def layers(self) -> int:
        """Number of convolutions."""
        return len(self.filters)


@dataclass(frozen=True, kw_only=True)
class TrainConfig(_Config):
    """How a network is trained; the default is the `workshop` recipe.

    Raises:
        ConfigError: a field has the wrong type or is out of its range.
    """

    recipe: str = "workshop"
    """Name of the recipe that the other fields started from."""
    epochs: float = ranged(10.0, above=0, most=10_000)
    """Passes over the training digits; fractions are allowed."""
    batch_size: int = ranged(64, least=1, most=60_000)
    """Digits per training step."""
    learning_rate: float = ranged(1e-3, above=0, most=100)
    """Learning rate; with a schedule, its peak."""
    optimizer: Literal["adam", "adamw", "muon"] = "adam"
    """Adam (Kingma & Ba 2015), AdamW (Loshchilov & Hutter 2019, weight decay 0.01), or Muon
    (Jordan et al. 2024) for the weights between hidden features, with AdamW for the rest."""
    beta1: float = ranged(0.9, least=0, below=1)
    """Adam's decay of the running mean of gradients."""
    beta2: float = ranged(0.999, least=0, below=1)
    """Adam's decay of the running mean of squared gradients."""
    muon_learning_rate: float = ranged(0.07, above=0, most=100)
    """Muon's learning rate; with a schedule, its peak."""
    schedule: Literal["constant", "one-cycle"] = "constant"
    """Learning rate over the steps: the same, or straight up to its peak and down to zero."""
    warmup: float = ranged(0.25, least=0, below=1)
    """Fraction of the steps on which the one-cycle schedule climbs."""
    label_smoothing: float = ranged(0.0, least=0, below=1)
    """Probability spread evenly over all classes in the target (Szegedy et al. 2016)."""
    first_layer: Literal["learned", "random", "patches"] = "learned"
    """The first convolution: learned, kept at its random start, or made from patches of the
    training digits and kept."""
    middle: bool = False
    """Train on the middle 26 x 26 pixels only; the network stays the same."""
    augmentation: Literal["none", "affine", "handwriting"] = "none"
    """Vary the training digits, each time in another way (`taller_cnn.augmentation`)."""
    holdout: int = ranged(5000, least=0, most=60_000)
    """Training digits held out as the validation split; 0 trains on all."""
    seed: int = ranged(0, least=0, most=2**31 - 1)
    """Seed of the initial weights, the order of the digits and the dropout."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`, `mps`."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of training: `auto` takes bfloat16 where the processor has it natively."""

    @classmethod
    def from_saved(cls, values: Mapping[str, Any]) -> tuple[Self, tuple[str, ...]]:
        """The configuration in a file of this or an older version.

        Returns:
            The configuration, and the fields which that training used and which there are no more.

        Raises:
            ConfigError: as `from_dict`.
            TypeError: it is no table of fields.
        """
        if not isinstance(values, Mapping):
            raise TypeError(f"{type(values).__name__} is no configuration")
        used = [name for name in _REMOVED if values.get(name, _REMOVED[name]) != _REMOVED[name]]
        kept = {name: value for name, value in values.items() if name not in _REMOVED}
        return cls.from_dict(kept), tuple(used)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A named way of training: the fields it sets, on top of the defaults."""

    model: Mapping[str, Any] = field(default_factory=lambda: types.MappingProxyType({}))
    train: Mapping[str, Any] = field(default_factory=lambda: types.MappingProxyType({}))

    def configs(
        self, name: str, model: Mapping[str, Any], train: Mapping[str, Any]
    ) -> tuple[ModelConfig, TrainConfig]:
        """The two configurations of recipe `name` with the given fields changed."""
        return (
            ModelConfig.from_dict({**self.model, **model}),
            TrainConfig.from_dict({**self.train, **train, "recipe": name}),
        )


_ONE_PASS = {
    "epochs": 1.0,
    "learning_rate": 0.01,
    "optimizer": "adamw",
    "beta1": 0.7,
    "beta2": 0.9,
    "schedule": "one-cycle",
    "label_smoothing": 0.1,
}

_REMOVED = {"muon_momentum": 0.7, "weight_average": 0.0, "distillation": 0.0, "cut_amiss": 0.0}
"""Fields of a training that older versions had, and what they were if nobody set them."""

RECIPES: Mapping[str, Recipe] = types.MappingProxyType(
    {
        "workshop": Recipe(),
        # Any member of the family in about one pass.
        "quick": Recipe(model={"dropout": 0.0}, train={**_ONE_PASS, "batch_size": 128}),
        # The workshop's network to 99% in the least time; benchmarks/fast_search.py chose it.
        "fast": Recipe(
            model={"dropout": 0.0},
            train={
                **_ONE_PASS,
                "epochs": 0.6,
                "batch_size": 128,
                "optimizer": "muon",
                "warmup": 0.1,
                "first_layer": "patches",
                "middle": True,
            },
        ),
        # Accuracy before speed, in minutes on a laptop; benchmarks/best_accuracy.py measures it.
        "best": Recipe(
            model={
                "filters": (16, 16, 64, 64, 128, 128),
                "convs_per_pool": 2,
                "hidden": 0,
                "dropout": 0.3,
                "batch_norm": True,
                "final_size": 1,
            },
            train={
                "epochs": 15.0,
                "batch_size": 128,
                "learning_rate": 4e-3,
                "optimizer": "muon",
                "muon_learning_rate": 0.05,
                "schedule": "one-cycle",
                "label_smoothing": 0.05,
                "augmentation": "affine",
            },
        ),
        # Other people's digits, for the reader; benchmarks/reading.py measures what it gains.
        "handwriting": Recipe(
            train={
                "epochs": 12.0,
                "batch_size": 128,
                "learning_rate": 4e-3,
                "optimizer": "adamw",
                "schedule": "one-cycle",
                "augmentation": "handwriting",
            },
        ),
        # Hundreds of images of one's own; benchmarks/few_images.py chose it.
        "few": Recipe(
            train={
                "epochs": 30.0,
                "batch_size": 64,
                "schedule": "one-cycle",
                "augmentation": "affine",
            },
        ),
    }
)

FEW_IMAGES = 5_000
"""Training images of one's own up to which the recipe `few` suits them."""
FEW_STEPS = 2_000
"""Steps that a network needs to learn few images in varied forms; benchmarks/few_images.py."""


def epochs_for_few(n: int, batch_size: int) -> float:
    """Epochs in which `n` images make `FEW_STEPS` steps, at least 5."""
    return float(max(5, round(FEW_STEPS * batch_size / n)))


def recipe(
    name: str = "workshop",
    *,
    model: Mapping[str, Any] | None = None,
    train: Mapping[str, Any] | None = None,
) -> tuple[ModelConfig, TrainConfig]:
    """The configurations of a named recipe, with fields changed.

    Raises:
        ConfigError: no such recipe, or a changed field is not valid.
    """
    if name not in RECIPES:
        raise ConfigError("config_choice", field="recipe", value=name, allowed=", ".join(RECIPES))
    return RECIPES[name].configs(name, model or {}, train or {})


def choices(hint: Any) -> tuple[Any, ...]:
    """The values of a ``Literal`` type, or an empty tuple."""
    return get_args(hint) if get_origin(hint) is Literal else ()


_KINDS: Mapping[Any, type] = types.MappingProxyType(
    {int: numbers.Integral, float: numbers.Real, bool: bool, str: str}
)
"""What a field of a type takes; numpy's numbers are among Python's abstract ones."""


def _typed(name: str, value: Any, hint: Any) -> Any:
    """`value` as the field's type, so that JSON lists and whole floats are accepted."""
    if choices(hint):
        _check_choice(name, value, choices(hint))
        return value
    wrong = ConfigError("config_type", field=name, value=value)
    if hint == tuple[int, ...]:
        if not isinstance(value, list | tuple):
            raise wrong
        return tuple(_typed(name, part, int) for part in value)
    # In Python, True is a number.
    if not isinstance(value, _KINDS[hint]) or (isinstance(value, bool) and hint is not bool):
        raise wrong
    try:
        return hint(value)
    except OverflowError:
        raise wrong from None


def _check_choice(name: str, value: Any, allowed: tuple[Any, ...]) -> None:
    if value not in allowed:
        raise ConfigError(
            "config_choice", field=name, value=value, allowed=", ".join(map(str, allowed))
        )
