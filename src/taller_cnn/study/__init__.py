"""What filters and layers do: a plan becomes a design of trials, which are run and kept.

    plan_of(["filters"], cross=False)  ->  Plan
    build(plan, StudyDigits.of(digits))  ->  Design
    design.next_trials(results)  ->  the trials that can be run now

- `trial`: value types, one training and what it came to. `factors`, `plan`: what is varied, how
  long it trains, what to find out, also from TOML. `design`: the trials.
"""

from taller_cnn.study.design import Cell, Design, Question, Results, StudyDigits, build
from taller_cnn.study.factors import FACTORS, Factor, Level
from taller_cnn.study.plan import (
    DEFAULT_REGIMES,
    THOROUGH_REGIMES,
    Plan,
    QuestionPlan,
    Regime,
    default_plan,
    plan_of,
    read_plan,
    thorough_plan,
)
from taller_cnn.study.trial import TRAINING_REVISION, Trial, TrialResult

__all__ = [
    "DEFAULT_REGIMES",
    "FACTORS",
    "THOROUGH_REGIMES",
    "TRAINING_REVISION",
    "Cell",
    "Design",
    "Factor",
    "Level",
    "Plan",
    "Question",
    "QuestionPlan",
    "Regime",
    "Results",
    "StudyDigits",
    "Trial",
    "TrialResult",
    "build",
    "default_plan",
    "plan_of",
    "read_plan",
    "thorough_plan",
]
