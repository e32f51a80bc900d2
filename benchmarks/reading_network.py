"""Which network reads best: MNIST's test, UCI's writers, and scenes of every kind, read in pairs.

    python benchmarks/reading_network.py plain=FILE robust=FILE robust=FILE ... [--photos FOLDER]

Each name stands for the networks that were trained alike, one file a seed; the first name is what
the others are compared with, and no threshold marks anything. The digits in a picture are found
once, and every network reads what was found. Scenes come from validation digits, seeds from 100 on
judge (`reading_scenes`), and pictures of UCI and of other people choose nothing.

Differences: digits read right, averaged over the seeds of both sides. Their 95% interval draws
pictures and seeds with replacement, each for itself (Owen 2007, the pigeonhole bootstrap), so that
the digits of one picture and the pictures of one network are not taken for independent.
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from reading import aligned, photo_sets, rate, uci_set
from reading_scenes import GROUPS
from reporting import table, write_results
from scenes import scenes
from time_to_accuracy import digits

from taller_cnn.checkpoints import LoadedModel, load_model
from taller_cnn.data import LabelledImages
from taller_cnn.evaluation import evaluate
from taller_cnn.reader.finding import Found, find
from taller_cnn.reader.loading import load_picture
from taller_cnn.reader.reading import Reader, read_found

RESAMPLES = 4000


@dataclass(frozen=True, kw_only=True, eq=False)
class Written:
    """A picture with what is written in it and what the reader found there."""

    kind: str
    text: str
    found: Found


@dataclass(frozen=True, kw_only=True, eq=False)
class Readings:
    """What networks trained alike read in pictures, a row a network.

    Attributes:
        right: digits read right, ``int64 [seeds, pictures]``.
        exact: whether all of a picture is, ``bool [seeds, pictures]``.
    """

    right: NDArray[np.int64]
    exact: NDArray[np.bool_]

    @classmethod
    def of(cls, pictures: Sequence[Written], networks: Sequence[LoadedModel]) -> Readings:
        right, exact = [], []
        for network in networks:
            readings = read_found([picture.found for picture in pictures], Reader.of(network))
            said = ["".join(str(digit.digit) for digit in each.digits) for each in readings]
            pairs = list(zip(said, (picture.text for picture in pictures), strict=True))
            right.append([sum(aligned(*pair)) for pair in pairs])
            exact.append([text == true for text, true in pairs])
        return cls(right=np.array(right), exact=np.array(exact))


def difference(
    ours: NDArray[Any], theirs: NDArray[Any], weights: NDArray[np.int64], chance: int = 0
) -> tuple[float, float, float]:
    """Mean difference in points and its 95% interval.

    Args:
        ours: what counts in each picture for each seed, ``[seeds, pictures]``.
        theirs: the same of the other networks; the pictures are the same.
        weights: what could count in each picture, ``[pictures]``.
        chance: seed of the resampling.
    """
    generator = np.random.default_rng(chance)
    n = len(weights)
    drawn = []
    for _ in range(RESAMPLES):
        pictures = np.bincount(generator.integers(0, n, n), minlength=n)
        means = [
            side[generator.integers(0, len(side), len(side))].mean(axis=0)
            for side in (ours, theirs)
        ]
        drawn.append((means[0] - means[1]) @ pictures / (weights @ pictures))
    middle = (ours.mean(axis=0) - theirs.mean(axis=0)).sum() / weights.sum()
    low, high = np.percentile(drawn, [2.5, 97.5])
    return 100 * float(middle), 100 * float(low), 100 * float(high)


def judging_scenes(
    split: LabelledImages, n: int, seeds: Sequence[int], kinds: list[str] | None, cache: Path | None
) -> list[Written]:
    """Scenes with what is found in them, from `cache` if that is there."""
    if cache and cache.exists():
        kept: list[Written] = pickle.loads(cache.read_bytes())
        return kept
    pictures = []
    for seed in seeds:
        for scene in scenes(split, n, seed, kinds):
            pixels = load_picture(scene.data, name=scene.kind).pixels
            found = replace(find(pixels, scene.options), steps={})
            pictures.append(Written(kind=scene.kind, text=scene.text, found=found))
    if cache:
        cache.write_bytes(pickle.dumps(pictures))
    return pictures


def other_sets(photos: Path | None) -> list[Written]:
    """UCI's digits and, of a folder with labels, other people's pictures."""
    sets = [uci_set(), *(photo_sets(photos) if photos else [])]
    return [
        Written(kind=each.name, text=label, found=found)
        for each in sets
        for label, found in zip(each.labels, each.found, strict=True)
    ]


def in_words(figures: tuple[float, float, float]) -> str:
    return "{:+.2f} ({:+.2f} to {:+.2f})".format(*figures)


def chosen_readings(readings: Readings, chosen: NDArray[np.bool_]) -> Readings:
    return Readings(right=readings.right[:, chosen], exact=readings.exact[:, chosen])


def scene_tables(
    pictures: Sequence[Written],
    readings: dict[str, Readings],
    groups: dict[str, Callable[[str], bool]],
) -> tuple[str, dict[str, Any]]:
    """Digits right by kind and network, exact pictures, and differences from the first network."""
    first, *others = readings
    kinds = [picture.kind for picture in pictures]
    digits_in = np.array([len(picture.text) for picture in pictures])
    rows: list[list[str]] = []
    figures: dict[str, Any] = {}
    for group, is_in in groups.items():
        chosen = np.array([is_in(kind) for kind in kinds])
        if not chosen.any():
            continue
        these = {name: chosen_readings(each, chosen) for name, each in readings.items()}
        total, count = int(digits_in[chosen].sum()), int(chosen.sum())
        row = [f"{group} ({count}; {total})"]
        record: dict[str, Any] = {"pictures": count, "digits": total}
        for name, each in these.items():
            right, exact = each.right.sum(axis=1), each.exact.sum(axis=1)
            row.append(f"{100 * right.mean() / total:.2f}%; {100 * exact.mean() / count:.1f}%")
            record[name] = {"right": right.tolist(), "exact": exact.tolist()}
        for name in others:
            change = difference(these[name].right, these[first].right, digits_in[chosen])
            row.append(in_words(change))
            record[name]["points more than first"] = change
        rows.append(row)
        figures[group] = record
    header = ["kind (pictures; digits)", *(f"{name}: digits right; pictures" for name in readings)]
    header += [f"{name} - {first}, points of digits (95%)" for name in others]
    return table(header, rows), figures


def accuracy_rows(
    named: dict[str, list[LoadedModel]], test: LabelledImages
) -> tuple[str, dict[str, list[int]]]:
    """MNIST's test digits as they are."""
    correct = {
        name: [evaluate(each.model, test, each.scale).correct for each in networks]
        for name, networks in named.items()
    }
    rows = [[name, *(rate(hits, len(test)) for hits in each)] for name, each in correct.items()]
    most = max(len(each) for each in correct.values())
    rows = [row + [""] * (most + 1 - len(row)) for row in rows]
    return table(["MNIST's test digits", *(f"network {i + 1}" for i in range(most))], rows), correct


def network_files(given: Sequence[str]) -> dict[str, list[LoadedModel]]:
    """Networks by the name before the equals sign."""
    named: dict[str, list[LoadedModel]] = {}
    for each in given:
        name, _, file = each.partition("=")
        named.setdefault(name, []).append(load_model(Path(file)))
    return named


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="+", metavar="NAME=FILE")
    parser.add_argument("--n", type=int, default=45, help="pictures of each kind and seed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[100])
    parser.add_argument("--kinds", nargs="*")
    parser.add_argument("--photos", type=Path, help="folder with labels.csv")
    parser.add_argument("--cache", type=Path, help="file that keeps what was found in the scenes")
    parser.add_argument("--keep", action="store_true", help="write the dated result")
    arguments = parser.parse_args()
    loaded = digits(holdout=5000)
    named = network_files(arguments.networks)
    direct, correct = accuracy_rows(named, loaded.test)
    pictures = judging_scenes(
        loaded.validation, arguments.n, arguments.seeds, arguments.kinds, arguments.cache
    )
    readings = {name: Readings.of(pictures, each) for name, each in named.items()}
    groups = {"all scenes": lambda _: True, **GROUPS}
    by_kind, figures = scene_tables(pictures, readings, groups)
    others = other_sets(arguments.photos)
    sets = {name: Readings.of(others, each) for name, each in named.items()}
    kinds = dict.fromkeys(picture.kind for picture in others)
    foreign, foreign_figures = scene_tables(others, sets, {kind: kind.__eq__ for kind in kinds})
    body = "\n\n".join([direct, foreign, by_kind])
    if arguments.keep:
        record = {"direct": correct, "scenes": figures, "others": foreign_figures}
        record |= {"n": arguments.n, "seeds": arguments.seeds}
        write_results("reading-network", "The network that reads", body, record)
    else:
        print(body)


if __name__ == "__main__":
    main()
