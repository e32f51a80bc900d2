"""What an explanation is made of: the network it is about, and sections that say something of it.

A part computes once and returns a `Section`. Its words are `Text`s, a key and values, and its
pictures functions of the language, so that one computation serves every language.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from taller_cnn.data import Digits, DigitsPlace, LabelledImages, Scale, normalise
from taller_cnn.evaluation import Evaluation
from taller_cnn.messages import Messages
from taller_cnn.model import Ensemble, SimpleCNN, network_inside

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from taller_cnn.checkpoints import ModelInfo
    from taller_cnn.training import History

Tick = Callable[[int, int], None]
"""Told how many steps are done, and of how many."""


@dataclass(frozen=True)
class Text:
    """Words that are made when the language is known."""

    key: str
    """Key with its catalogue: ``explain_filters.title``."""
    values: Mapping[str, object] = field(default_factory=dict)
    """What the text names. A `Text` or `Percent` inside is said in the same language, a tuple
    of such values is listed with commas."""

    def say(self, messages: Messages) -> str:
        """The words in the language of `messages`."""
        return messages(self.key, **{k: _said(v, messages) for k, v in self.values.items()})


def texts_of(catalogue: str) -> Callable[..., Text]:
    """A maker of texts from one catalogue: takes the key in it and what the text names."""

    def text(key: str, /, **values: object) -> Text:
        return Text(f"{catalogue}.{key}", values)

    return text


@dataclass(frozen=True)
class Percent:
    """A fraction (0 to 1) that is read as per cent."""

    value: float
    decimals: int = 2


@dataclass(frozen=True)
class Decimal:
    """A number with a fixed count of decimals."""

    value: float
    decimals: int = 2


Cell = str | int | float | Text | Percent | Decimal
"""What stands in a table; a plain float is written with three significant digits."""


def cell_text(cell: Cell, messages: Messages) -> str:
    """A cell as it is read; what is not a number is a dash."""
    if isinstance(cell, Text):
        return cell.say(messages)
    if isinstance(cell, str):
        return cell
    value = cell.value if isinstance(cell, Percent | Decimal) else cell
    if value != value:
        return "–"
    if isinstance(cell, Percent):
        return messages.percent(cell.value, cell.decimals)
    if isinstance(cell, Decimal):
        return messages.number(cell.value, cell.decimals)
    return messages.number(cell, 0) if isinstance(cell, int) else messages.significant(cell, 3)


def _said(value: object, messages: Messages) -> object:
    if isinstance(value, Text | Percent | Decimal):
        return cell_text(value, messages)
    if isinstance(value, tuple):
        return ", ".join(str(_said(part, messages)) for part in value)
    return value


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """The network that is explained, with what is known about it."""

    model: SimpleCNN | Ensemble
    """What answers: in evaluation mode, on the CPU, float32."""
    digits: Digits
    info: ModelInfo | None
    """None where the weights have no description."""
    evaluation: Evaluation
    """Of the test digits."""
    validation: Evaluation | None
    """Of the held-out digits; None without any."""
    initial: SimpleCNN | None = None
    """The same network before training, where its seed is known."""
    history: History | None = None
    """How the training went, where the run left its numbers."""
    chosen: tuple[int, ...] = ()
    """Positions of test digits that the reader asked for."""
    place: DigitsPlace | None = None
    """Where other data sets may lie."""
    seed: int = 0
    """Of everything that is drawn at random."""

    @property
    def scale(self) -> Scale:
        """Normalisation of the network's inputs."""
        return (self.info or self.digits).scale

    @property
    def network(self) -> SimpleCNN:
        """The network whose inside is shown: of an ensemble, its first member."""
        return network_inside(self.model)

    @property
    def mistakes(self) -> Tensor:
        """Positions of the test digits got wrong, in order of loss, largest first: int64 [M]."""
        says = self.evaluation
        loss = -says.log_probabilities.gather(1, says.labels[:, None])[:, 0]
        order = loss.argsort(descending=True, stable=True)
        return order[(says.predictions != says.labels)[order]]

    def class_name(self, index: int) -> str | Text:
        """The name of a class for the reader."""
        key = f"data.{self.digits.name}.{int(index)}"
        return Text(key) if Messages("en").has(key) else self.digits.class_names[int(index)]

    def normalised(self, images: Tensor) -> Tensor:
        """Images ``uint8 [N, 1, 28, 28]`` as the network takes them, float32."""
        return normalise(images, self.scale)

    @torch.inference_mode()
    def embedding(self, split: LabelledImages, batch_size: int = 200) -> Tensor:
        """What the classes are made from (`SimpleCNN.embed`), float32 ``[N, units]``."""
        rows = torch.empty(len(split), self.network.fc2.in_features)
        for start in range(0, len(split), batch_size):
            part = slice(start, start + batch_size)
            # In this layout the convolutions take half the time.
            images = self.normalised(split.images[part]).to(memory_format=torch.channels_last)
            # Written into place: kept among large temporaries, small results fragment the heap.
            rows[part] = self.network.embed(images)
        return rows


def inside_of(subject: Subject) -> tuple[Text, ...]:
    """Of an ensemble, the text that says whose layers a part shows; of one network, nothing."""
    if not isinstance(subject.model, Ensemble):
        return ()
    return (Text("explain.inside", {"n": len(subject.model.members)}),)


@dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    text: Text


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A picture that is drawn when the language is known."""

    name: str
    """File stem in plain letters, ``filters_conv1``; unique in the report."""
    draw: Callable[[Messages], Figure]
    alt: Text
    """What the picture shows, for who cannot see it."""
    caption: Text | None = None
    """What is written under it."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table; the first cell of a row is its heading."""

    header: tuple[Text, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: Text


Block = Text | Heading | Picture | Table
"""A `Text` alone is a paragraph."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Section:
    """What one part says."""

    name: str
    """The part's name."""
    title: Text
    blocks: tuple[Block, ...]
    """In reading order."""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    """JSON values, for ``explicacion.json``."""
    attachments: Mapping[str, str] = field(default_factory=dict)
    """Other files by name, with their text, e.g. ``suspicious_labels.csv``."""
