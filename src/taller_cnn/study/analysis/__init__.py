"""What a study's results say: effects with simultaneous intervals, trends, bends, interactions.

All differences are in percentage points of error; below zero is better.
"""

from taller_cnn.study.analysis.analyse import analyse, analyse_question

__all__ = ["analyse", "analyse_question"]
