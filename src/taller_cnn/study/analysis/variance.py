"""The analysis of variance of a crossed question: do two factors act together?"""

from __future__ import annotations

import pandas as pd

from taller_cnn.study.analysis.folds import blocks_of
from taller_cnn.study.analysis.results import Columns, QuestionAnalysis, Term

FORMULA = "error ~ C(a) * C(b) + C(block)"


def variance_terms(question: QuestionAnalysis) -> tuple[Term, ...]:
    """Both factors and their interaction, type II, with the seed (or the fold) as block.

    Empty for a question of one factor, without repetitions, or where a combination of levels has
    no results.
    """
    factors, compared = question.factors, question.compared
    if len(factors) != 2 or not question.df or any(not len(own["seed"]) for own in compared):
        return ()
    rows = pd.concat([_measurements(trials) for trials in compared])
    complete = rows["a"].nunique() * rows["b"].nunique() == len(compared)
    if not complete or rows["a"].nunique() < 2 or rows["b"].nunique() < 2:
        return ()
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    lines = anova_lm(ols(FORMULA, data=rows).fit(), typ=2)
    residual = lines.loc["Residual"]
    terms = {"C(a)": factors[:1], "C(b)": factors[1:], "C(a):C(b)": factors}
    return tuple(_term(terms[key], lines.loc[key], residual, len(rows)) for key in terms)


def _measurements(trials: Columns) -> pd.DataFrame:
    """The errors of a combination of levels, with the block of each."""
    errors, blocks = blocks_of(trials, "validation_error")
    names = {"a": trials["level_a"][0], "b": trials["level_b"][0]}
    return pd.DataFrame({"block": blocks, "error": errors, **names})


def _term(factors: tuple[str, ...], line: pd.Series, residual: pd.Series, count: int) -> Term:
    mean_square = residual["sum_sq"] / residual["df"]
    surplus = line["sum_sq"] - line["df"] * mean_square
    omega2 = surplus / (line["sum_sq"] + (count - line["df"]) * mean_square)
    return Term(
        factors=factors,
        f=float(line["F"]),
        df=int(line["df"]),
        df_residual=int(residual["df"]),
        p=float(line["PR(>F)"]),
        partial_eta2=float(line["sum_sq"] / (line["sum_sq"] + residual["sum_sq"])),
        partial_omega2=max(0.0, float(omega2)),
    )
