"""What `train --recipe fast` takes beside its training, against the import of PyTorch alone.

    python benchmarks/whole_command.py [--runs 9]

The command runs in a process of its own in a new working folder, then again in the same one, and
then `python -c "import torch"`, in turn, so that a machine whose speed drifts is unfair to none.
From each command's wall time its own `train_seconds` are taken away: what is left is loading,
evaluating, saving and drawing. Reported are medians, and their ratio to the import's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from reporting import spread, table, write_results
from time_to_accuracy import data_dir


def import_seconds() -> float:
    """Wall seconds of a process that imports PyTorch."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return time.perf_counter() - started


def command_seconds(folder: Path) -> dict[str, float]:
    """Wall seconds of the whole command, those of its training steps, and the rest."""
    command = [sys.executable, "-m", "taller_cnn", "train", "--recipe", "fast", "--json"]
    command += ["--data-dir", str(data_dir()), "--workdir", str(folder)]
    started = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    whole = time.perf_counter() - started
    trained = float(json.loads(done.stdout)["train_seconds"])
    return {"whole": whole, "trained": trained, "rest": whole - trained}


def one_round() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first, later = command_seconds(folder), command_seconds(folder)
    return {"first": first, "later": later, "import": import_seconds()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=9)
    runs = [one_round() for _ in range(parser.parse_args().runs)]
    imports = [run["import"] for run in runs]
    usual = statistics.median(imports)
    rows = [['`python -c "import torch"`', spread(imports, 2), "", "", "1.00"]]
    for kind in ("first", "later"):
        parts = {part: [run[kind][part] for run in runs] for part in runs[0][kind]}
        rest = statistics.median(parts["rest"]) / usual
        whole = statistics.median(parts["whole"]) / usual
        rows.append(
            [
                f"`train --recipe fast`, {kind} time in a folder",
                spread(parts["whole"], 2),
                spread(parts["trained"], 2),
                spread(parts["rest"], 2),
                f"{rest:.2f}; whole {whole:.2f}",
            ]
        )
    header = ["", "seconds", "of which training", "the rest", "the rest / import (medians)"]
    write_results(
        "whole-command",
        "The whole command `train --recipe fast`",
        table(header, rows),
        {"runs": runs},
    )


if __name__ == "__main__":
    main()
