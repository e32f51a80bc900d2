"""What a network learns from the drawings of one class: how long to train, varied or not.

python benchmarks/few_images.py [--seeds 3] [--threads 1] [--choose]

Twenty writers draw ten of each digit, 200 a class; ten others, whom no network has seen, judge. A
writer is simulated: held-out validation digits of MNIST, bent, slanted and thickened in the way
of this writer. `--choose` compares lengths and augmentations on writers that do not judge.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from reporting import table, write_results
from time_to_accuracy import digits
from torch import Tensor

from taller_cnn.config import epochs_for_few, recipe
from taller_cnn.data import Digits, LabelledImages
from taller_cnn.data.digits import pixel_statistics
from taller_cnn.evaluation import evaluate, wilson_interval
from taller_cnn.model import SimpleCNN
from taller_cnn.training import train

SEEN, UNSEEN, PER_CLASS = 20, 10, 10
"""Writers who draw for the training and for the test, and what each draws of a digit."""
AGAIN = 3
"""More of each digit by the writers of the training, to be tested with."""
JUDGES = 1000
"""Seed from which on writers judge; those before choose."""
CHOICES = [
    (augmentation, steps)
    for augmentation in ("none", "affine", "handwriting")
    for steps in (500, 1_000, 2_000, 4_000)
]


def in_hand_of(images: Tensor, g: torch.Generator) -> Tensor:
    """Digits ``float32 [n, 1, 28, 28]``, 0 to 1, as one writer would draw them."""
    slant, angle, wide, high, pen = torch.randn(5, generator=g).tolist()
    turn, shear = 0.12 * angle, 0.25 * slant
    matrix = torch.tensor(
        [
            [math.cos(turn) * math.exp(-0.1 * wide), shear - math.sin(turn), 0.0],
            [math.sin(turn), math.cos(turn) * math.exp(-0.07 * high), 0.0],
        ]
    )
    grid = F.affine_grid(matrix[None], [1, 1, 28, 28], align_corners=False)
    bends = F.interpolate(
        0.05 * torch.randn(1, 2, 5, 5, generator=g), (28, 28), mode="bicubic", align_corners=True
    )
    grid = (grid + bends.permute(0, 2, 3, 1)).expand(len(images), 28, 28, 2)
    drawn = F.grid_sample(images, grid, align_corners=False)
    amount = min(abs(0.4 * pen), 0.8)
    thick = F.max_pool2d(drawn, 3, 1, 1) if pen > 0 else -F.max_pool2d(-drawn, 3, 1, 1)
    return torch.lerp(drawn, thick, amount).clamp(0, 1)


def drawings(everything: LabelledImages, seed: int) -> tuple[list[LabelledImages], ...]:
    """What each writer draws: for the training, the same writers again, and the unseen ones."""
    g = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(everything), generator=g)
    of_class = [order[everything.labels[order] == digit] for digit in range(10)]
    taken = [0] * 10
    result: tuple[list[LabelledImages], ...] = ([], [], [])
    for writer in range(SEEN + UNSEEN):
        hand = int(torch.randint(2**31, (1,), generator=g))
        for which, count in ((0, PER_CLASS), (1, AGAIN)) if writer < SEEN else ((2, PER_CLASS),):
            chosen = torch.cat([p[t : t + count] for p, t in zip(of_class, taken, strict=True)])
            taken = [t + count for t in taken]
            images = everything.images[chosen].float() / 255
            drawn = in_hand_of(images, torch.Generator().manual_seed(hand))
            labels = everything.labels[chosen]
            result[which].append(LabelledImages(images=drawn.mul(255).byte(), labels=labels))
    return result


def joined(parts: list[LabelledImages]) -> LabelledImages:
    return LabelledImages(
        images=torch.cat([part.images for part in parts]),
        labels=torch.cat([part.labels for part in parts]),
    )


def run(everything: Digits, seed: int, **fields: Any) -> dict[str, Any]:
    """Right answers of one network about its writers' other drawings and about other writers."""
    seen, again, unseen = map(joined, drawings(everything.validation, seed))
    collected = replace(
        everything.training_on(seen), scale=pixel_statistics(seen.images[:, 0].numpy())
    )
    few = {"holdout": 0, "seed": seed, "epochs": epochs_for_few(len(seen), 64)}
    model, config = recipe("few", train={**few, **fields})
    training = train(SimpleCNN(model, seed=seed), collected, config, score="last-epoch")
    list(training)
    network, scale = training.network.eval(), collected.scale
    right = {
        name: (len(part) - evaluate(network, part, scale).errors, len(part))
        for name, part in (("again", again), ("unseen", unseen))
    }
    return {"seed": seed, **fields, **right}


def share(right: int, n: int) -> str:
    low, high = wilson_interval(right, n)
    return f"{100 * right / n:.1f}% ({100 * low:.1f} to {100 * high:.1f}), {right:,}/{n:,}"


def summed(runs: list[dict[str, Any]], name: str) -> tuple[int, int]:
    return sum(r[name][0] for r in runs), sum(r[name][1] for r in runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--choose", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    everything = digits(5_000)
    seeds = range(arguments.seeds)
    figures: dict[str, Any] = {}
    body = ""
    if arguments.choose:
        rows = []
        for augmentation, steps in CHOICES:
            epochs = steps * 64 / (SEEN * PER_CLASS * 10)
            fields = {"augmentation": augmentation, "epochs": epochs}
            runs = [run(everything, seed, **fields) for seed in seeds]
            figures[f"{augmentation} {steps}"] = runs
            rows.append([augmentation, str(steps), share(*summed(runs, "unseen"))])
            print(rows[-1], flush=True)
        header = ["augmentation", "steps", "right, writers who choose (95% Wilson)"]
        body += table(header, rows) + "\n\n"
    runs = [run(everything, JUDGES + seed) for seed in seeds]
    figures["judged"] = runs
    rows = [
        [
            str(r["seed"]),
            share(*r["again"]),
            share(*r["unseen"]),
        ]
        for r in runs
    ]
    rows.append(["all", share(*summed(runs, "again")), share(*summed(runs, "unseen"))])
    header = ["seed", "other drawings of the same writers", "writers it has not seen"]
    body += table(header, rows) + (
        "\n\nRecipe `few`, the workshop's network, 200 drawings a class by 20 writers; "
        "10 others judge."
    )
    write_results("few-images", "A network trained on one class's drawings", body, figures)


if __name__ == "__main__":
    main()
