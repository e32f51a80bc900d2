"""How many of the wrong test labels that people agree on does `taller-cnn explain` rank first?

python benchmarks/suspicious_labels.py --votes mnist_mturk.json [--threads 1] [--seeds 3]

The votes are those of Northcutt, Athalye & Mueller 2021 (arXiv:2103.14749), the file
mturk/mnist_mturk.json of github.com/cleanlab/label-errors: five reviewers for each of the test
digits that were suspected there. A label counts as wrong where at least 3 of 5 reject it; digits
that nobody was asked about count as right. The file is not part of this repository.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import torch
from reporting import table, write_results
from time_to_accuracy import digits

from taller_cnn.explain.labels import rank_labels
from taller_cnn.explain.out_of_sample import out_of_sample

RANKS = (50, 100, 200)
METHODS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
REVIEWERS, MOST_AGREEING = 5, 2


def wrong_labels(votes: Path) -> set[int]:
    """Positions of the test digits whose label at least 3 of 5 reviewers rejected."""
    rows = json.loads(votes.read_text(encoding="utf-8"))
    return {row["id"] for row in rows if row["mturk"]["given"] <= MOST_AGREEING}


def run(wrong: set[int], seed: int) -> dict[str, object]:
    """One search: how many of the wrong labels are among the first, by score."""
    data = digits(5000)
    began = time.perf_counter()
    said = out_of_sample(data, lambda done, of: None, seed=seed)
    rankings = {m: rank_labels(data.test.labels, said.test, m) for m in METHODS}
    train = rank_labels(said.labels, said.train)
    return {
        "seed": seed,
        "seconds": time.perf_counter() - began,
        "networks": said.networks,
        "test_flagged": int(rankings[METHODS[0]].flagged.sum()),
        "train_flagged": int(train.flagged.sum()),
        "found": {
            method: [len(wrong & set(ranking.order[:rank].tolist())) for rank in RANKS]
            for method, ranking in rankings.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--votes", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    wrong = wrong_labels(arguments.votes)
    runs = [run(wrong, 1000 * seed) for seed in range(arguments.seeds)]
    rows = []
    for method in METHODS:
        found = [r["found"][method] for r in runs]  # type: ignore[index]
        cells = [", ".join(str(counts[i]) for counts in found) for i in range(len(RANKS))]
        means = [statistics.mean(counts[i] for counts in found) for i in range(len(RANKS))]
        recall = [f"{m / len(wrong):.0%} ({c})" for m, c in zip(means, cells, strict=True)]
        rows.append([method, *recall])
    seconds = ", ".join(f"{r['seconds']:.0f}" for r in runs)
    body = (
        table(["score", *(f"recall at rank {rank}" for rank in RANKS)], rows)
        + f"\n\n{len(wrong)} of 10,000 test labels count as wrong. Mean recall over {len(runs)} "
        f"seeds, in brackets how many were found with each. Seconds for {runs[0]['networks']} "
        f"trainings and the ranking of 70,000 digits: {seconds}. "
        "`explain` uses self_confidence, cleanlab's default; it was not chosen by these figures."
    )
    write_results(
        "suspicious-labels",
        "Wrong test labels found by `taller-cnn explain --only labels`",
        body,
        {"ranks": RANKS, "wrong": len(wrong), "runs": runs},
    )


if __name__ == "__main__":
    main()
