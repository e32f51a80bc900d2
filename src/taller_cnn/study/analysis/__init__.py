"""What a study's table says: effects with simultaneous intervals, trends, costs.

All differences are in percentage points of error; below zero is better.
"""

from taller_cnn.study.analysis.analyse import analyse
from taller_cnn.study.analysis.results import (
    Effect,
    Estimate,
    Level,
    QuestionAnalysis,
    RateResult,
    Spread,
    StudyAnalysis,
    Term,
    Trend,
    Verdict,
)
from taller_cnn.study.analysis.variance import variance_terms

__all__ = [
    "Effect",
    "Estimate",
    "Level",
    "QuestionAnalysis",
    "RateResult",
    "Spread",
    "StudyAnalysis",
    "Term",
    "Trend",
    "Verdict",
    "analyse",
    "variance_terms",
]
