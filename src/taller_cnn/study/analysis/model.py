"""The linear model of a question's measurements, and their covariance.

The model has a mean for each level, the seed as a block and one residual variance for all levels.
A contrast of the level means is a weighted sum of measurements, and two things make it vary: the
chance of training, from seed to seed, and which digits judge. The measurements share their digits,
so that the second part is that of one weighted sum for each digit: exact, and paired over digits.

How one seed happens to do on one digit is in both parts. It is taken out of the second, where it
is what the model leaves of the answers to a digit: seeds and digits are crossed, as are readers and
cases in studies of diagnosis (Obuchowski and Rockette 1995, *Communications in Statistics* 24;
Dorfman, Berbaum and Metz 1992, *Investigative Radiology* 27). Counted twice it would add a quarter
to the variance of the made studies in `benchmarks/study_simulation.py`; a test measures it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from taller_cnn.study.results import Bytes, Floats

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, eq=False)
class BlockModel:
    """Measurements of levels, each with the same seeds as far as they ran."""

    y: Floats
    """``[N]``"""
    level: Indices
    """Number of the level of each measurement, ``[N]``."""
    seed: Indices
    """Number of the seed of each measurement, ``[N]``."""
    digits: Floats
    """Covariance of the measurements by the choice of the digits that judge, ``[N, N]``."""

    @classmethod
    def of(cls, y: Floats, digits: Floats | None = None) -> BlockModel | None:
        """The model of the measurements that say something about the spread.

        One that is alone in its level or in its seed is fitted exactly, whatever its value; those
        are left out, and then those that are alone without them. Of levels that share no seeds,
        not even by way of others, those with the most measurements are kept.

        Args:
            y: measurements ``[levels, seeds]``; NaN where there is none.
            digits: their covariance by the choice of digits, ``[levels * seeds]`` squared; None:
                the digits are all that there are.

        Returns:
            BlockModel, or None if no spread can be estimated.
        """
        covariance = np.zeros((y.size, y.size)) if digits is None else digits
        measured = _connected(~np.isnan(y))
        while measured.any():
            rows = np.flatnonzero(measured)
            level, seed = np.nonzero(measured)
            model = cls(
                y=y[measured], level=level, seed=seed, digits=covariance[np.ix_(rows, rows)]
            )
            alone = model.leverage > 1 - 1e-9
            if not alone.any():
                return model if model.df >= 1 and model.residual_sd > 1e-9 else None
            measured[level[alone], seed[alone]] = False
            measured = _connected(measured)
        return None

    @cached_property
    def present(self) -> Indices:
        """Numbers of the levels that have measurements, in order."""
        return np.unique(self.level)

    @cached_property
    def design(self) -> Floats:
        """``[N, levels present + seeds - 1]``: a column for each level and each seed but one."""
        level = self.level[:, None] == self.present
        seed = self.seed[:, None] == np.unique(self.seed)[1:]
        return np.hstack([level, seed]).astype(float)

    @cached_property
    def inverse(self) -> Floats:
        """Pseudoinverse of the design, ``[columns, N]``."""
        return np.asarray(np.linalg.pinv(self.design))

    @property
    def leverage(self) -> Floats:
        """Weight of each measurement in its own fitted value, ``[N]``."""
        return np.asarray((self.design * self.inverse.T).sum(axis=1))

    @cached_property
    def fit(self) -> Any:
        """The least squares fit of statsmodels."""
        from statsmodels.regression.linear_model import OLS

        return OLS(self.y, self.design).fit()

    @property
    def df(self) -> int:
        """Residual degrees of freedom."""
        return int(self.fit.df_resid)

    @property
    def seeds(self) -> int:
        """Seeds that any level has."""
        return len(np.unique(self.seed))

    @property
    def residual_sd(self) -> float:
        """Spread of seeds, pooled over the levels."""
        return math.sqrt(self.fit.mse_resid)

    def unequal_spread_p(self) -> float:
        """Breusch-Pagan test of the same spread at every level (Koenker's form)."""
        from statsmodels.stats.diagnostic import het_breuschpagan

        if len(self.present) < 2:
            return math.nan
        indicators = self.level[:, None] == self.present[1:]
        exog = np.column_stack([np.ones(len(self.y)), indicators])
        return float(het_breuschpagan(self.fit.resid, exog)[1])

    def contrasts(self, weights: Floats) -> Floats:
        """Contrasts of all levels ``[M, levels]`` as contrasts of the design's columns."""
        blocks = np.zeros((len(weights), self.seeds - 1))
        return np.hstack([weights[:, self.present], blocks])

    def estimable(self, weights: Floats) -> npt.NDArray[np.bool_]:
        """Which contrasts of levels the measurements determine, ``[M]``: none of absent levels."""
        return np.asarray(~np.delete(weights, self.present, axis=1).any(axis=1))

    def estimates(self, weights: Floats) -> Floats:
        """Least squares estimates of estimable contrasts, ``[M]``."""
        return np.asarray(self.contrasts(weights) @ self.fit.params)

    def measurement_weights(self, weights: Floats) -> Floats:
        """Estimable contrasts of the levels as weights on the measurements, ``[M, N]``."""
        return np.asarray(self.contrasts(weights) @ self.inverse)

    def pooled_covariance(self, weights: Floats) -> Floats:
        """Of contrasts ``[M, levels]`` over seeds, with one spread for all levels; ``[M, M]``."""
        return np.asarray(self.fit.cov_params(r_matrix=self.contrasts(weights)))

    def robust_covariance(self, weights: Floats) -> Floats:
        """The same with a spread for each level: HC2, times S / (S - 1)."""
        robust = self.fit.get_robustcov_results("HC2")
        covariance = robust.cov_params(r_matrix=self.contrasts(weights))
        return np.asarray(covariance * self.seeds / (self.seeds - 1))

    @cached_property
    def shared_digits(self) -> Floats:
        """Covariance by the choice of digits without what is each measurement's own, ``[N, N]``."""
        residual = np.eye(len(self.y)) - self.design @ self.inverse
        own = np.diag(residual @ self.digits @ residual) / (1 - self.leverage)
        return np.asarray(self.digits - np.diag(own))

    def digits_covariance(self, weights: Floats) -> Floats:
        """Of contrasts ``[M, levels]`` over the choice of digits; ``[M, M]``, never negative."""
        on_measurements = self.measurement_weights(weights)
        covariance = on_measurements @ self.shared_digits @ on_measurements.T
        sizes, directions = np.linalg.eigh(covariance)
        return np.asarray((directions * np.maximum(sizes, 0)) @ directions.T)


def _connected(measured: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The measurements ``[levels, seeds]`` of the largest group of levels that seeds connect."""
    from scipy.sparse.csgraph import connected_components

    shared = measured.astype(int) @ measured.T
    _, group = connected_components(shared, directed=False)
    largest = np.bincount(group, weights=measured.sum(axis=1)).argmax()
    return np.asarray(measured & (group == largest)[:, None])


def digits_covariance(wrong: Bytes, judged_n: int) -> Floats:
    """Covariance of trials' errors by the choice of the digits that judge them, in points squared.

    Args:
        wrong: `numpy.packbits` of which digits each trial gets wrong, ``[..., ceil(n / 8)]``.
        judged_n: the n digits, a sample of those that could have judged.

    Returns:
        ``[N, N]`` for N trials; zeros if nothing is judged.
    """
    packed = wrong.reshape(math.prod(wrong.shape[:-1]), wrong.shape[-1])
    if not judged_n:
        return np.zeros((len(packed), len(packed)))
    # Counts of digits stay below 2^24, so that float32 holds them exactly.
    answers = np.unpackbits(packed, axis=1, count=judged_n).astype(np.float32)
    both = (answers @ answers.T).astype(float)
    means = np.diag(both) / judged_n
    covariance = (both - judged_n * np.outer(means, means)) / (judged_n - 1)
    return np.asarray(100**2 * covariance / judged_n)
