"""How many of the pictures in a folder are read as what they are said to be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from taller_cnn.data.folders import LabelledFolder, labelled_pictures
from taller_cnn.errors import InputError
from taller_cnn.evaluation import wilson_interval

PREFERRED_SPLITS = ("test", "validation", "", "train")
"""Which division of a folder is measured: what the network is least likely to have learned."""


@dataclass(frozen=True, kw_only=True)
class ScoredPicture:
    """A picture, and the class that it is said to be of."""

    path: Path
    label: str


def pictures_to_score(folder: Path) -> tuple[list[ScoredPicture], LabelledFolder, str]:
    """The pictures of a folder that a network is measured on.

    Returns:
        The pictures, the whole folder, and which division of it they are; empty for all.

    Raises:
        InputError: as `labelled_pictures`.
    """
    labelled = labelled_pictures(folder)
    there = {picture.split for picture in labelled.pictures}
    split = next(split for split in PREFERRED_SPLITS if split in there)
    chosen = [
        ScoredPicture(path=picture.path, label=labelled.class_names[picture.label])
        for picture in labelled.pictures
        if picture.split == split
    ]
    return chosen, labelled, split


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadingScore:
    """What became of pictures whose classes are known; each is one digit."""

    class_names: tuple[str, ...]
    confusion: NDArray[np.int64]
    """``int64 [K, K]``: a row per true class, a column per read one."""
    not_read: NDArray[np.int64]
    """``int64 [K]``: pictures of each true class in which nothing was read."""

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int | None]], class_names: Sequence[str]) -> Self:
        """The score of pictures by their true class and the one that is read, None for none."""
        k = len(class_names)
        confusion, not_read = np.zeros((k, k), np.int64), np.zeros(k, np.int64)
        for true, read in pairs:
            if read is None:
                not_read[true] += 1
            else:
                confusion[true, read] += 1
        return cls(class_names=tuple(class_names), confusion=confusion, not_read=not_read)

    @property
    def n(self) -> int:
        """Number of pictures."""
        return int(self.confusion.sum() + self.not_read.sum())

    @property
    def correct(self) -> int:
        """Number of pictures that are read as what they are; one that is not read is an error."""
        return int(self.confusion.trace())

    @property
    def accuracy(self) -> float:
        """Fraction right, 0 to 1."""
        return self.correct / self.n

    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval of the accuracy."""
        return wilson_interval(self.correct, self.n)

    def mistakes(self) -> list[tuple[str, str, int]]:
        """True class, read class and count, the most frequent first."""
        pairs = [(i, j) for i, j in np.argwhere(self.confusion).tolist() if i != j]
        pairs.sort(key=lambda pair: -int(self.confusion[pair[0], pair[1]]))
        names = self.class_names
        return [(names[i], names[j], int(self.confusion[i, j])) for i, j in pairs]

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        return {
            "n": self.n,
            "errors": self.n - self.correct,
            "accuracy": self.accuracy,
            "interval_95": list(self.interval()),
            "class_names": list(self.class_names),
            "confusion": self.confusion.tolist(),
            "not_read": self.not_read.tolist(),
        }


def true_classes(pictures: Sequence[ScoredPicture], class_names: Sequence[str]) -> list[int]:
    """The class of each picture, as the network counts them.

    Raises:
        InputError: the network knows no class of that name.
    """
    known = {name.casefold(): index for index, name in enumerate(class_names)}
    for picture in pictures:
        if picture.label.casefold() not in known:
            allowed = ", ".join(class_names)
            raise InputError("score_class", path=picture.path, value=picture.label, allowed=allowed)
    return [known[picture.label.casefold()] for picture in pictures]
