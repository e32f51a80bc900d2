"""What a question is repeated over: seeds, or with cross-validation folds of the digits.

Without folds every seed is judged by the same validation digits: seeds are the blocks of the
analysis, and what another choice of digits would change is told apart (`images`).

With folds the trials of a seed are judged by other digits than those of the next, the same ones at
every level. The difference of two levels then varies from fold to fold by the chance of both the
training and the digits, so that intervals over folds hold for both. Trials of one fold share its
digits and are no repetitions of that chance: with more seeds than folds, their mean counts once.

Folds train on digits that they share in part, and no estimate from them is free of that (Bengio
and Grandvalet 2004, *No unbiased estimator of the variance of k-fold cross-validation*, JMLR 5).
What it does to 1,000 simulated studies of 4 levels without any effect, linear classifiers that are
really trained, 5 folds, 5% intended:

    digits, weights of each    studies with a false verdict
    500, 10                               4%
    120, 60                              10%

60,000 digits and networks whose error they have all but stopped to change are the upper case.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from taller_cnn.study.analysis.results import Columns


def fold_of(trials: Columns) -> npt.NDArray[np.int64]:
    """The fold that judges each trial, ``[N]``; 0 for those judged by the validation digits."""
    seeds = trials["seed"].astype(np.int64)
    return np.asarray(seeds % np.maximum(trials["folds"].astype(np.int64), 1))


def blocks_of(
    trials: Columns, response: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """A level's measurements and the block of each, ``[B]``: one per seed, or one per fold."""
    values: npt.NDArray[Any] = trials[response]
    if not trials["folds"].any():
        return values, trials["seed"].astype(np.int64)
    fold = fold_of(trials)
    present = np.unique(fold)
    return np.array([values[fold == one].mean() for one in present]), present
