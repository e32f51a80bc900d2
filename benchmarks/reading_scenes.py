"""Where reading fails: scenes of many kinds, made from MNIST's validation digits.

    python benchmarks/reading_scenes.py [--workdir FOLDER] [--n 60] [--seeds 0] [--errors FOLDER]

Digits come from the validation split, so that what is mended by them leaves the test digits alone.
Seeds below 100 choose what the reader does; seeds from 100 on judge it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reading import Tally, networks, rate, reader_of
from reporting import table, write_results
from scenes import SCENES, Scene, scenes
from time_to_accuracy import ROOT, digits

from taller_cnn.reader.finding import find
from taller_cnn.reader.loading import load_picture
from taller_cnn.reader.reading import PictureReading, Reader, read_found


def read_scenes(
    pictures: Sequence[Scene], readers: dict[str, Reader]
) -> dict[str, list[PictureReading]]:
    """What each network reads in each picture."""
    found = [
        find(load_picture(scene.data, name=scene.kind).pixels, scene.options) for scene in pictures
    ]
    return {name: read_found(found, reader) for name, reader in readers.items()}


def tallied(
    pictures: Sequence[Scene], readings: Sequence[PictureReading], chosen: Callable[[str], bool]
) -> Tally:
    """What was read in the kinds that are chosen."""
    tally = Tally()
    for scene, reading in zip(pictures, readings, strict=True):
        if chosen(scene.kind):
            tally = tally.add(scene.text, reading)
    return tally


GROUPS: dict[str, Callable[[str], bool]] = {
    "one digit, all kinds": lambda kind: not kind.startswith("several"),
    "several, all kinds": lambda kind: kind.startswith("several"),
    "several, touching aside": lambda kind: kind.startswith("several") and "touch" not in kind,
    **{kind: kind.__eq__ for kind in SCENES},
}


def tables(
    pictures: Sequence[Scene], readings: dict[str, list[PictureReading]]
) -> tuple[str, dict[str, Any]]:
    """By kind and by network, and the same as figures."""
    tallies = {
        group: {name: tallied(pictures, said, chosen) for name, said in readings.items()}
        for group, chosen in GROUPS.items()
        if any(chosen(scene.kind) for scene in pictures)
    }
    header = ["rendered validation digits", *(f"{n}: {w}" for n in readings for w in WORDS)]
    rows = [
        [group, *(cell for tally in each.values() for cell in cells(tally))]
        for group, each in tallies.items()
    ]
    figures = {g: {name: vars(t) for name, t in each.items()} for g, each in tallies.items()}
    return table(header, rows), figures


WORDS = ("digits right (95% Wilson)", "pictures exactly", "unmarked right")


def cells(tally: Tally) -> tuple[str, str, str]:
    return (
        rate(tally.right, tally.digits),
        f"{tally.exact}/{tally.pictures}",
        f"{tally.sure_right}/{tally.sure}",
    )


def write_errors(
    folder: Path, pictures: Sequence[Scene], readings: dict[str, list[PictureReading]]
) -> None:
    """The pictures that a network misreads, named by what they say and what was read."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, scene in enumerate(pictures):
        said = {name: each[index].text.replace("\n", "+") for name, each in readings.items()}
        if all(text.replace("+", "") == scene.text for text in said.values()):
            continue
        words = "_".join(f"{name}-{text or 'none'}" for name, text in said.items())
        stem = f"{scene.kind.replace(', ', '-').replace(' ', '-')}_{index}_{scene.text}_{words}"
        suffix = "png" if scene.data.startswith(b"\x89PNG") else "jpg"
        (folder / f"{stem[:150]}.{suffix}").write_bytes(scene.data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", type=Path, default=ROOT)
    parser.add_argument("--n", type=int, default=60, help="pictures of each kind and seed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--kinds", nargs="*")
    parser.add_argument("--errors", type=Path, help="folder for the pictures that are misread")
    parser.add_argument("--plain", action="store_true", help="without the robust network")
    parser.add_argument("--keep", action="store_true", help="write the dated result")
    arguments = parser.parse_args()
    split = digits(holdout=5000).validation
    pairs = networks(arguments.workdir, robust=not arguments.plain)
    readers = {name: reader_of(*pair) for name, pair in pairs.items()}
    n, kinds = arguments.n, arguments.kinds
    pictures = [scene for seed in arguments.seeds for scene in scenes(split, n, seed, kinds)]
    readings = read_scenes(pictures, readers)
    body, figures = tables(pictures, readings)
    print(body)
    if arguments.errors:
        write_errors(arguments.errors, pictures, readings)
    if arguments.keep:
        record = {"n": n, "seeds": arguments.seeds, "kinds": figures}
        write_results("reading-scenes", "Reading scenes of many kinds", body, record)


if __name__ == "__main__":
    main()
