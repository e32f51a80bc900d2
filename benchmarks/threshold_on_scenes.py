"""What the reader's threshold holds: chosen on warped held-out digits, tried on scenes.

    python benchmarks/threshold_on_scenes.py MODEL [MODEL ...] [--n 40] [--seeds 100] [--keep]

Each ``MODEL`` is a network's ``.pt``, trained on the full set. The readings that are not marked
uncertain should be right 99 times in 100; how many of all they are is what that costs. Seeds below
100 chose what digits are warped by and what precision is asked of them, seeds from 100 on judge.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from reading import rate
from reading_scenes import read_scenes, tallied
from reporting import table, write_results
from scenes import scenes
from time_to_accuracy import digits

from taller_cnn.checkpoints import load_model
from taller_cnn.reader.reading import Reader
from taller_cnn.reader.threshold import choose_threshold

HEADER = ("network", "threshold", "unmarked right (95% Wilson)", "answered", "chosen in, s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--n", type=int, default=40, help="pictures of each kind and seed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[100])
    parser.add_argument("--keep", action="store_true", help="write the dated result")
    arguments = parser.parse_args()
    held_out = digits(holdout=5000).validation
    readers, seconds = {}, {}
    for path in arguments.models:
        loaded = load_model(path)
        began = time.perf_counter()
        chosen = choose_threshold(Reader.of(loaded), held_out)
        recipe = loaded.info.train.recipe if loaded.info else "?"
        name = f"{recipe}, {path.stem} in {path.parent.parent.name}"
        seconds[name] = time.perf_counter() - began
        readers[name] = Reader.of(loaded, chosen.threshold)
    pictures = [s for seed in arguments.seeds for s in scenes(held_out, arguments.n, seed)]
    rows, figures = [], {}
    for name, readings in read_scenes(pictures, readers).items():
        tally = tallied(pictures, readings, lambda _: True)
        threshold = readers[name].threshold
        answered = tally.sure / tally.readings
        right = rate(tally.sure_right, tally.sure)
        rows.append((name, f"{threshold:.3f}", right, f"{answered:.1%}", f"{seconds[name]:.2f}"))
        figures[name] = {**vars(tally), "threshold": threshold, "seconds": seconds[name]}
    body = table(HEADER, rows)
    print(body)
    if arguments.keep:
        record = {"n": arguments.n, "seeds": arguments.seeds, "networks": figures}
        write_results("threshold-on-scenes", "The reader's threshold on scenes", body, record)


if __name__ == "__main__":
    main()
