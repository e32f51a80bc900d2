"""How well other people's digits are read: the plain and the robust network apart.

    python benchmarks/reading.py [--workdir FOLDER] [--photos FOLDER] [--n 2000]

- MNIST test digits drawn ten times as large, at odd places, in both polarities, on coloured
  paper, against the same digits as they are.
- MNIST test digits written on paper and photographed (`rendering`), by kind.
- The 1,797 digits of 13 other writers in scikit-learn (UCI, 8x8 pixels).
- Photos: a folder with ``labels.csv`` whose columns ``file`` and ``label`` say what is in them.

The networks are ``modelo/cnn_mnist.pt`` of ``--workdir`` and the robust one beside it, which is
trained if it is not there. Pictures choose nothing: thresholds come from validation digits.
"""

from __future__ import annotations

import argparse
import csv
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from rendering import KINDS, rendered_pictures
from reporting import table, write_results
from time_to_accuracy import ROOT, digits, digits_place

from taller_cnn.checkpoints import LoadedModel, load_model
from taller_cnn.data import LabelledImages
from taller_cnn.evaluation import evaluate, wilson_interval
from taller_cnn.reader.finding import Found, find
from taller_cnn.reader.reading import PictureReading, Reader, read_found
from taller_cnn.reader.robust import robust_network, robust_path
from taller_cnn.reader.threshold import ensure_threshold

Pixels = NDArray[np.uint8]
MOST_PIXELS = 1_500_000


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What was read in one set of pictures by one network."""

    digits: int = 0
    right: int = 0
    pictures: int = 0
    exact: int = 0
    readings: int = 0
    sure: int = 0
    sure_right: int = 0

    def add(self, label: str, reading: PictureReading) -> Tally:
        """With one picture more."""
        said = "".join(str(digit.digit) for digit in reading.digits)
        hits = aligned(said, label)
        sure = [not digit.uncertain for digit in reading.digits]
        return Tally(
            digits=self.digits + len(label),
            right=self.right + sum(hits),
            pictures=self.pictures + 1,
            exact=self.exact + (said == label),
            readings=self.readings + len(said),
            sure=self.sure + sum(sure),
            sure_right=self.sure_right + sum(s and h for s, h in zip(sure, hits, strict=True)),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Pictures:
    """A set of pictures with what is written on them; found once for both networks."""

    name: str
    labels: list[str] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)

    def add(self, pixels: Pixels, label: str) -> None:
        self.labels.append(label)
        self.found.append(find(pixels))

    def read(self, reader: Reader) -> Tally:
        tally = Tally()
        for label, reading in zip(self.labels, read_found(self.found, reader), strict=True):
            tally = tally.add(label, reading)
        return tally


def aligned(said: str, label: str) -> list[bool]:
    """Whether each digit of `said` is right, at the least edit distance (Levenshtein 1966)."""
    cost = np.zeros((len(said) + 1, len(label) + 1), dtype=int)
    cost[:, 0], cost[0, :] = np.arange(len(said) + 1), np.arange(len(label) + 1)
    for i, digit in enumerate(said):
        for j, true in enumerate(label):
            changed = cost[i, j] + (digit != true)
            cost[i + 1, j + 1] = min(changed, cost[i, j + 1] + 1, cost[i + 1, j] + 1)
    hits, i, j = [False] * len(said), len(said), len(label)
    while i and j:
        same = said[i - 1] == label[j - 1]
        if cost[i, j] == cost[i - 1, j - 1] + (not same):
            i, j = i - 1, j - 1
            hits[i] = same
        elif cost[i, j] == cost[i - 1, j] + 1:
            i -= 1
        else:
            j -= 1
    return hits


def enlarged(image: Pixels, generator: np.random.Generator) -> Pixels:
    """A digit ten times as large, somewhere on paper of some colour, in some polarity."""
    large = np.kron(image, np.ones((10, 10), dtype=np.uint8)) / 255.0
    margins = generator.integers(20, 200, 4)
    ink = np.pad(large, ((margins[0], margins[1]), (margins[2], margins[3])))[..., None]
    light, dark = generator.uniform(180, 256, 3), generator.uniform(0, 70, 3)
    paper, pen = (light, dark) if generator.random() < 0.5 else (dark, light)
    result: Pixels = np.clip(paper * (1 - ink) + pen * ink, 0, 255).astype(np.uint8)
    return result


def large_set(split: LabelledImages) -> Pictures:
    generator = np.random.default_rng(0)
    pictures = Pictures(name="MNIST test, ten times as large")
    for image, label in zip(split.images.numpy()[:, 0], split.labels.tolist(), strict=True):
        pictures.add(enlarged(image, generator), str(label))
    return pictures


def rendered_sets(split: LabelledImages, n: int) -> list[Pictures]:
    """`n` pictures, by kind."""
    sets = {kind: Pictures(name=f"MNIST test, rendered: {kind}") for kind in KINDS}
    for picture in rendered_pictures(split, n, 1, others=0.0):
        sets[picture.kind].add(picture.pixels, picture.text)
    return list(sets.values())


def uci_set() -> Pictures:
    from sklearn.datasets import load_digits

    uci = load_digits()
    pictures = Pictures(name="UCI digits, 8x8")
    for image, label in zip(uci.images, uci.target, strict=True):
        pictures.add(np.rint(image * (255 / 16)).astype(np.uint8), str(label))
    return pictures


def photo_sets(folder: Path) -> list[Pictures]:
    one, several = Pictures(name="photos of one digit"), Pictures(name="photos of several digits")
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            label = "".join(row["label"].split())
            (one if len(label) == 1 else several).add(photo(folder / row["file"]), label)
    return [pictures for pictures in (one, several) if pictures.labels]


def photo(path: Path) -> Pixels:
    with Image.open(path) as image:
        if image.width * image.height > MOST_PIXELS:
            factor = math.sqrt(MOST_PIXELS / (image.width * image.height))
            image.draft("RGB", (round(image.width * factor), round(image.height * factor)))
        upright = ImageOps.exif_transpose(image).convert("RGB")
        if upright.width * upright.height > MOST_PIXELS:
            factor = math.sqrt(MOST_PIXELS / (upright.width * upright.height))
            upright = upright.resize(
                (round(upright.width * factor), round(upright.height * factor)),
                Image.Resampling.BOX,
            )
        return np.asarray(upright)


def rate(part: int, whole: int) -> str:
    """A proportion with its n and Wilson interval, for a table."""
    if not whole:
        return "-"
    low, high = wilson_interval(part, whole)
    return f"{100 * part / whole:.2f}% ({100 * low:.2f} to {100 * high:.2f}), {part:,}/{whole:,}"


def networks(workdir: Path, *, robust: bool = True) -> dict[str, tuple[Path, LoadedModel]]:
    """The user's own and, if wanted, the robust network; the latter is trained if need be."""
    own = workdir / "modelo" / "cnn_mnist.pt"
    if not robust:
        return {"plain": (own, load_model(own))}
    events = robust_network(own, threading.Event(), digits_place())
    trained = list(events)[-1]
    assert isinstance(trained, LoadedModel)
    return {"plain": (own, load_model(own)), "robust": (robust_path(own), trained)}


def reader_of(path: Path, loaded: LoadedModel) -> Reader:
    assert loaded.info is not None, f"{path} has no description"
    kept = ensure_threshold(path, loaded, digits_place())
    return Reader.of(loaded, kept.threshold)


def accuracy_rows(sets: Sequence[Pictures], readers: dict[str, Reader]) -> tuple[str, Any]:
    """Tables of all sets, and the same as figures."""
    tallies = {p.name: {name: p.read(r) for name, r in readers.items()} for p in sets}
    header = ["digits right (95% Wilson)", *readers]
    body = [
        table(header, [[s, *(rate(t.right, t.digits) for t in k.values())]
                       for s, k in tallies.items()]),
        table(["pictures exactly right", *readers],
              [[s, *(rate(t.exact, t.pictures) for t in k.values())]
               for s, k in tallies.items()]),
        table(["not marked uncertain: precision; coverage", *readers],
              [[s, *(f"{rate(t.sure_right, t.sure)}; {100 * t.sure / max(t.readings, 1):.1f}%"
                     for t in k.values())] for s, k in tallies.items()]),
    ]  # fmt: skip
    figures = {s: {name: vars(t) for name, t in k.items()} for s, k in tallies.items()}
    return "\n\n".join(body), figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", type=Path, default=ROOT)
    parser.add_argument("--photos", type=Path, help="folder with labels.csv")
    parser.add_argument("--n", type=int, default=2000, help="MNIST test digits to draw")
    parser.add_argument("--rendered", type=int, default=700, help="pictures to render")
    arguments = parser.parse_args()
    test = digits(holdout=5000).test
    chosen = np.random.default_rng(2).permutation(len(test))[: arguments.n]
    split = test[torch.from_numpy(chosen)]
    loaded = networks(arguments.workdir)
    readers = {name: reader_of(*pair) for name, pair in loaded.items()}
    direct = {}
    for name, (_, network) in loaded.items():
        direct[name] = evaluate(network.model, split, network.scale).correct
    sets = [large_set(split), *rendered_sets(test, arguments.rendered), uci_set()]
    if arguments.photos:
        sets += photo_sets(arguments.photos)
    body, figures = accuracy_rows(sets, readers)
    as_they_are = [["as they are", *(rate(hits, len(split)) for hits in direct.values())]]
    body = table(["the same MNIST test digits", *readers], as_they_are) + "\n\n" + body
    thresholds = {name: reader.threshold for name, reader in readers.items()}
    body += f"\n\nThresholds: {', '.join(f'{k} {v:.3f}' for k, v in thresholds.items())}."
    record = {"direct": direct, "n": len(split), "sets": figures, "thresholds": thresholds}
    write_results("reading", "Reading other people's digits", body, record)


if __name__ == "__main__":
    main()
