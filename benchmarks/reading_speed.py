"""How fast `taller-cnn predict` reads, and how much memory it takes, each time from a cold process.

    python benchmarks/reading_speed.py [--workdir FOLDER] [--times 5]

- One small picture: what a user waits for the first answer.
- Each further 12-megapixel photo: six at once against one, the difference by five.
- 500 pictures of 28x28.
- The peak of memory with a 50-megapixel PNG.

The network is ``modelo/cnn_mnist.pt`` of ``--workdir``, its threshold chosen before; run it on a
machine that does nothing else.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image
from rendering import rendered_pictures
from reporting import table, write_results
from time_to_accuracy import ROOT, digits

from taller_cnn.data import LabelledImages


def predict(workdir: Path, files: Sequence[Path]) -> tuple[float, float]:
    """Wall time of the command in seconds, and its peak of memory in MB (Linux)."""
    command = [sys.executable, "-m", "taller_cnn", "predict", *map(str, files)]
    command += ["--workdir", str(workdir)]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return seconds, usage.ru_maxrss / 1000


def write_pictures(folder: Path, split: LabelledImages) -> None:
    """Photos of a line of digits, one of 50 megapixels, and 500 digits as they are."""
    page = next(rendered_pictures(split, 1, 0, kinds=["photo"], others=0.0)).pixels
    large = Image.fromarray(page).resize((4000, 3000), Image.Resampling.BICUBIC)
    for index in range(6):
        large.save(folder / f"{index}.jpg", quality=90)
        large.save(folder / f"{index}.png", compress_level=1)
    huge = Image.fromarray(page).resize((8160, 6120), Image.Resampling.BICUBIC)
    huge.save(folder / "huge.png", compress_level=1)
    (folder / "small").mkdir()
    for index, image in enumerate(split.images[:500].numpy()[:, 0]):
        Image.fromarray(image).save(folder / "small" / f"{index:03d}.png")


def rows(workdir: Path, folder: Path, times: int) -> list[tuple[str, list[float], float | None]]:
    """What is measured, each measurement, and what is asked for."""

    def repeat(work: Callable[[], float]) -> list[float]:
        return [work() for _ in range(times)]

    def seconds(*files: Path) -> float:
        return predict(workdir, files)[0]

    def further(suffix: str) -> float:
        files = [folder / f"{index}.{suffix}" for index in range(6)]
        return (seconds(*files) - seconds(files[0])) / 5

    seconds(folder / "small" / "000.png")
    return [
        ("one small picture from cold, s", repeat(lambda: seconds(folder / "small/000.png")), 3.0),
        ("each further 12-megapixel JPEG, s", repeat(lambda: further("jpg")), 0.2),
        ("each further 12-megapixel PNG, s", repeat(lambda: further("png")), 0.45),
        ("500 small pictures, s", repeat(lambda: seconds(folder / "small")), 5.0),
        ("peak memory, 50-megapixel PNG, MB", [predict(workdir, [folder / "huge.png"])[1]], 1500.0),
        ("peak memory, one small picture, MB",
         [predict(workdir, [folder / "small/000.png"])[1]], None),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", type=Path, default=ROOT)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--keep", action="store_true", help="write the dated result")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        write_pictures(Path(name), digits(holdout=5000).validation)
        measured = rows(arguments.workdir, Path(name), arguments.times)
    cells: list[list[str]] = [
        [
            what,
            f"{statistics.median(values):.3g}",
            f"{min(values):.3g} to {max(values):.3g}",
            str(len(values)),
            "" if asked is None else f"{asked:g}",
        ]
        for what, values, asked in measured
    ]
    body = table(["`taller-cnn predict`", "median", "range", "n", "asked"], cells)
    print(body)
    if arguments.keep:
        figures = {what: values for what, values, _ in measured}
        write_results("reading-speed", "How fast pictures are read", body, figures)


if __name__ == "__main__":
    main()
